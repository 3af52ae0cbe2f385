"""A draft on a platform: what is on disk around each call, and what ends the showing."""

from __future__ import annotations

import asyncio
import json
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from channels.base import Limited, Limits, Refused, Unavailable, Unknown
from server.conversation import Outcome
from server.engine.record import Begun, Ending
from server.engine.show import Show, size
from tests.places import Place, until
from tests.server.engine.bench import ShakyStore
from tests.server.engine.screen import LIMITS, ROUTE, Screen, writing


async def test_the_intent_is_on_disk_before_the_call_and_the_id_after_it(either: Place, tmp_path: Path):
    screen, gate = Screen(), asyncio.Event()
    screen.plan("open", gate)
    async with writing(either, tmp_path, screen) as turn:
        showing = turn.show()
        showing.append("Hello")
        await until(lambda: screen.calls)
        assert screen.calls == [("open", "d:c1:1", ROUTE, "Hello")]
        row = await turn.row()
        assert (row["shown"], row["holder"], json.loads(row["route"])) == ("opening", turn.one.store.worker_id, ROUTE)
        assert row["provider_id"] is None
        assert row["tried_at"] is not None
        gate.set()
        assert (await turn.until_shown("open"))["provider_id"] == "p1"
        await showing.close()


async def test_the_whole_text_is_shown_again_no_faster_than_the_platform_allows(place: Place, tmp_path: Path):
    screen = Screen(limits=Limits(**LIMITS | {"edit_interval_s": 0.05}))
    async with writing(place, tmp_path, screen) as turn:
        showing = turn.show()
        words = [f"w{number}" for number in range(30)]
        for word in words:
            showing.append(f"{word} ")
            await asyncio.sleep(0.01)
        await until(lambda: screen.calls[-1][-1] == " ".join(words))
        await showing.close()
        assert 3 <= len(screen.calls) <= 8
        assert [call[0] for call in screen.calls] == ["open"] + ["update"] * (len(screen.calls) - 1)
        assert {call[1] for call in screen.calls[1:]} == {"p1"}
        texts = [call[-1] for call in screen.calls]
        assert all(later.startswith(text) and later != text for text, later in pairwise(texts))
        assert all(after - before >= 0.05 for before, after in pairwise(screen.times))


async def test_a_quick_answer_is_not_shown(place: Place, tmp_path: Path):
    screen = Screen()
    async with writing(place, tmp_path, screen, outbox={"draft_after_s": 30.0}) as turn:
        showing = turn.show()
        showing.append("Hello")
        await asyncio.wait_for(showing.close(), 1)
        assert (screen.calls, (await turn.row())["shown"]) == ([], None)
        late = turn.show(started=time.monotonic() - 31.0)  # the time counts from when the model was asked
        late.append("Hello")
        await until(lambda: screen.calls)
        await late.close()


async def test_blank_words_are_nothing_to_show(place: Place, tmp_path: Path):
    screen = Screen()
    async with writing(place, tmp_path, screen) as turn:
        showing = turn.show()
        for piece in (" ", "\n", "Hi"):
            showing.append(piece)
            await asyncio.sleep(0.02)  # time enough to show it
        await until(lambda: screen.calls)
        assert screen.of("open") == ["Hi"]
        await showing.close()


async def test_an_account_that_lost_its_access_is_not_asked(either: Place, tmp_path: Path):
    screen = Screen()
    async with writing(either, tmp_path, screen) as turn:
        await turn.one.change("revoke", tenant="default", channel="chat")
        showing = turn.show()
        showing.append("Hello")
        await until(showing.task.done)  # type: ignore[attr-defined]
        assert (screen.calls, (await turn.row())["shown"]) == ([], None)


@pytest.mark.parametrize("mark", [{"opted_out_at": 1.0, "blocked_at": None}, {"opted_out_at": None, "blocked_at": 1.0}])
async def test_customers_who_want_nothing_get_no_draft(either: Place, tmp_path: Path, mark: dict[str, Any]):
    screen = Screen()
    async with writing(either, tmp_path, screen) as turn:
        await turn.one.change("mark", id="c1", **mark)  # after the turn looked
        showing = turn.show()
        showing.append("Hello")
        await until(showing.task.done)  # type: ignore[attr-defined]
        assert (screen.calls, (await turn.row())["shown"]) == ([], None)


@pytest.mark.parametrize("error", [Refused("403"), Unavailable("away")])
async def test_a_refused_opening_ends_the_showing(either: Place, tmp_path: Path, error: Exception):
    screen = Screen()
    screen.plan("open", error)
    async with writing(either, tmp_path, screen) as turn:
        showing = turn.show()
        showing.append("Hello")
        await turn.until_shown("failed")
        showing.append(" there")
        await until(showing.task.done)  # type: ignore[attr-defined]
        assert len(screen.calls) == 1


async def test_a_refused_update_ends_the_showing_and_keeps_what_is_shown(place: Place, tmp_path: Path):
    screen = Screen()
    screen.plan("update", Unknown("reset"))
    async with writing(place, tmp_path, screen) as turn:
        showing = turn.show()
        showing.append("Hello")
        await turn.until_shown("open")
        showing.append(" there")
        await until(showing.task.done)  # type: ignore[attr-defined]
        showing.append(" again")
        await showing.close()
        assert [call[0] for call in screen.calls] == ["open", "update"]
        assert (await turn.row())["provider_id"] == "p1"


@pytest.mark.parametrize(("found", "shown"), [("p9", "open"), ("", "failed"), (Unavailable("away"), "opening")])
async def test_an_opening_with_an_unknown_outcome_is_looked_up(place: Place, tmp_path: Path, found: Any, shown: str):
    screen = Screen()
    screen.plan("open", Unknown("reset"))
    screen.plan("find", found)
    async with writing(place, tmp_path, screen) as turn:
        showing = turn.show()
        showing.append("Hello")
        await until(lambda: len(screen.calls) == 2)
        row = await turn.until_shown(shown)
        assert row["provider_id"] == ("p9" if found == "p9" else None)
        assert screen.calls[1] == ("find", "d:c1:1", ROUTE, row["tried_at"])
        showing.append(" there")
        if shown == "open":
            await until(lambda: screen.of("update") == ["Hello there"])
        else:
            await until(showing.task.done)  # type: ignore[attr-defined]
        await showing.close()


async def test_a_limit_is_waited_for_once(place: Place, tmp_path: Path):
    screen = Screen()
    screen.plan("update", Limited("429", 0.05), "", Limited("429", 0.01))
    async with writing(place, tmp_path, screen) as turn:
        showing = turn.show()
        for number in range(1, 4):
            showing.append(f" {number}")
            await until(lambda number=number: len(screen.calls) >= number)
        await until(lambda: len(screen.calls) == 3)
        showing.append(" 4")
        await until(showing.task.done)  # type: ignore[attr-defined]
        assert len(screen.of("update")) == 3
        assert screen.of("update")[-1] == "1 2 3 4"


async def test_a_limited_opening_is_tried_once_more(either: Place, tmp_path: Path):
    screen = Screen()
    screen.plan("open", Limited("429", 0.05))
    async with writing(either, tmp_path, screen) as turn:
        showing = turn.show()
        showing.append("Hello")
        await turn.until_shown("failed")
        showing.append(" there")
        assert (await turn.until_shown("open"))["provider_id"] == "p1"
        assert screen.of("open") == ["Hello", "Hello there"]
        await showing.close()


async def test_an_opening_that_hangs_delays_the_end_a_moment_only(either: Place, tmp_path: Path):
    screen, gate = Screen(), asyncio.Event()
    screen.plan("open", gate)
    async with writing(either, tmp_path, screen) as turn:
        showing = turn.show()
        showing.append("Hello")
        await until(lambda: screen.calls)
        await asyncio.wait_for(showing.close(), 1)
        answer = Ending(Outcome.ANSWERED, 1, text="Hello there", attempt=1, owner_epoch=0)
        await turn.one.end(turn.lease, answer)
        assert (await turn.row())["shown"] == "opening"  # the sender knows of it
        gate.set()
        assert (await turn.until_shown("open"))["provider_id"] == "p1"
        assert len(screen.calls) == 1


async def test_an_id_outlasts_an_outage_of_the_database(either: Place, tmp_path: Path):
    screen, gate = Screen(), asyncio.Event()
    screen.plan("open", gate)
    async with writing(either, tmp_path, screen) as turn:
        shaky = ShakyStore(turn.one.store)
        turn.one.presenter._store = shaky  # type: ignore[assignment]
        showing = turn.show()
        showing.append("Hello")
        await until(lambda: screen.calls)
        shaky.away = True
        gate.set()
        await until(lambda: shaky.refused)
        await asyncio.wait_for(showing.close(), 2)
        shaky.away = False
        assert (await turn.until_shown("open"))["provider_id"] == "p1"


async def test_an_update_that_hangs_is_given_up(place: Place, tmp_path: Path):
    screen = Screen()
    screen.plan("update", asyncio.Event())
    async with writing(place, tmp_path, screen) as turn:
        showing = turn.show()
        showing.append("Hello")
        await turn.until_shown("open")
        showing.append(" there")
        await until(lambda: screen.of("update"))
        await asyncio.wait_for(showing.close(), 1)
        await until(showing.task.done)  # type: ignore[attr-defined]
        assert showing.task.cancelled()  # type: ignore[attr-defined]


async def test_closing_between_intent_and_call_takes_the_intent_back(either: Place, tmp_path: Path):
    screen = Screen()
    async with writing(either, tmp_path, screen) as turn:
        showing = turn.show()
        showing.append("Hello")
        await asyncio.sleep(0)  # it is on its way to the disk now
        await showing.close()
        assert (await turn.row())["shown"] in {None, "failed"}
        assert screen.calls == []


async def test_a_claim_ends_the_showing(either: Place, tmp_path: Path):
    screen = Screen()
    async with writing(either, tmp_path, screen) as turn:
        showing = turn.show()
        showing.append("Hello")
        await turn.until_shown("open")
        await turn.one.handoff.claim("c1", "ana")
        showing.append(" there")
        await until(showing.task.done)  # type: ignore[attr-defined]
        assert len(screen.calls) == 1


async def test_nothing_appears_after_a_claim(either: Place, tmp_path: Path):
    screen = Screen()
    async with writing(either, tmp_path, screen) as turn:
        await turn.one.handoff.claim("c1", "ana")
        showing = turn.show()
        showing.append("Hello")
        await until(showing.task.done)  # type: ignore[attr-defined]
        assert (screen.calls, (await turn.row())["shown"]) == ([], None)


async def test_nothing_appears_without_the_lease(either: Place, tmp_path: Path):
    screen = Screen()
    async with writing(either, tmp_path, screen) as turn:
        await turn.one.change("steal", key="c1")
        showing = turn.show()
        showing.append("Hello")
        await until(showing.task.done)  # type: ignore[attr-defined]
        assert (screen.calls, (await turn.row())["shown"]) == ([], None)


async def test_the_next_attempt_goes_on_in_the_same_message(either: Place, tmp_path: Path):
    screen = Screen()
    async with writing(either, tmp_path, screen) as turn:
        showing = turn.show()
        showing.append("Hello")
        await turn.until_shown("open")
        await showing.close()
        begun = await turn.one.begin(turn.lease)
        assert begun == Begun(2, 0, "open", "p1")
        assert [(await turn.row(attempt))["shown"] for attempt in (1, 2)] == ["carried", "open"]
        showing = turn.show(begun=begun)
        showing.append("Good morning")
        await until(lambda: screen.of("update") == ["Good morning"])
        await showing.close()
        assert screen.calls[-1][1] == "p1"


async def test_an_attempt_after_an_unknown_opening_shows_nothing(either: Place, tmp_path: Path):
    screen, gate = Screen(), asyncio.Event()
    screen.plan("open", gate)
    async with writing(either, tmp_path, screen) as turn:
        first = turn.show()
        first.append("Hello")
        await until(lambda: screen.calls)
        begun = await turn.one.begin(turn.lease)
        assert begun == Begun(2, 0, "opening", "")
        assert type(turn.show(begun=begun)) is Show
        gate.set()  # and when the first one's call ends after all, the second one's row learns of it
        assert (await turn.until_shown("open", attempt=2))["provider_id"] == "p1"
        assert (await turn.row())["shown"] == "carried"
        await first.close()


async def test_what_needs_several_messages_is_shown_up_to_the_first(place: Place, tmp_path: Path):
    screen = Screen(limits=Limits(**LIMITS | {"text_units": 10}))
    async with writing(place, tmp_path, screen) as turn:
        showing = turn.show()
        showing.append("123456789")
        await turn.until_shown("open")
        showing.append("0")
        await until(lambda: len(screen.calls) == 2)
        showing.append("1")
        await until(showing.task.done)  # type: ignore[attr-defined]
        assert screen.of("update") == ["1234567890"]


async def test_the_platforms_own_stop_stops_the_answer(either: Place, tmp_path: Path):
    screen = Screen()
    screen.plan("update", Refused("stopped_by_user"))
    async with writing(either, tmp_path, screen) as turn:
        showing = turn.show()
        showing.append("Hello")
        await turn.until_shown("open")
        showing.append(" there")
        await until(showing.task.done)  # type: ignore[attr-defined]
        assert (await turn.one.conversation())["stop_seq"] == 1


@pytest.mark.parametrize(("unit", "length"), [("bytes", 9), ("characters", 4), ("utf16", 5)])
def test_texts_are_measured_as_the_platform_does(unit: str, length: int):
    assert size("aß🙂é", unit) == length
