import json
from pathlib import Path

import pytest

from server.conversation import CustomerSaid, NotFound, PersonAsked, Reason
from server.store.contract import Tx
from server.timeline import lock, position, turn_id
from tests.places import Place
from tests.server.engine.bench import Bench, bench


@pytest.fixture
async def one(store_url: str, tmp_path: Path):
    async with bench(Place("", store_url), tmp_path) as opened:
        await opened.say()
        yield opened


async def test_locking_what_is_not_there(one: Bench):
    with pytest.raises(NotFound, match="check its id"):
        await one.write(lambda tx: lock(tx, "unknown"))


async def test_everything_goes_into_the_sequence_in_order_and_wakes_readers(one: Bench):
    woken: list[str] = []
    one.store.listen("conversation", lambda _topic, payload: woken.append(payload))

    async def unit(tx: Tx) -> list[int]:
        timeline = await lock(tx, "c1")
        first = timeline.emit("feedback", {"value": "up"})
        await timeline.say("staff", "hi", author="ana", message_id="known", extra={"note": 1})
        last = timeline.emit("session_ended", {})
        await timeline.save()
        return [first, last]

    assert await one.write(unit) == [3, 5]
    rows = await one.rows("events", id="c1")
    assert [(row["seq"], row["kind"]) for row in rows[2:]] == [(3, "feedback"), (4, "message"), (5, "session_ended")]
    said = (await one.events("message"))[-1]
    assert (said["seq"], said["id"], said["role"], said["note"], "turn" in said) == (4, "known", "staff", 1, False)
    message = (await one.rows("messages", id="c1"))[-1]
    assert (message["seq"], message["author"], message["body"]) == (4, "ana", '{"note": 1}')
    assert (await one.conversation())["seq"] == 5
    assert woken == ["c1"]


async def test_a_failing_unit_leaves_the_sequence_alone(one: Bench):
    async def unit(tx: Tx) -> None:
        timeline = await lock(tx, "c1")
        timeline.emit("feedback", {})
        await timeline.save()
        raise LookupError

    with pytest.raises(LookupError):
        await one.write(unit)
    assert (await one.conversation())["seq"] == 2
    assert len(await one.events()) == 2


async def test_a_change_is_announced_once_with_its_place(one: Bench):
    async def unit(tx: Tx) -> list[bool]:
        timeline = await lock(tx, "c1")
        changed = [
            await timeline.change(CustomerSaid()),
            await timeline.change(PersonAsked(Reason.RULE, tx.now_s)),
            await timeline.change(PersonAsked(Reason.TOOL, tx.now_s + 5)),
        ]
        await timeline.save()
        return changed

    assert await one.write(unit) == [False, True, False]
    (state,) = await one.events("state")
    assert (state["status"], state["reason"], state["position"]) == ("waiting", "rule", 1)


async def test_places_in_the_queue(one: Bench):
    await one.handoff.ask("c1", Reason.CUSTOMER_ASKED)
    since = (await one.conversation())["waiting_since"]

    async def places(tx: Tx) -> list[int]:
        return [await position(tx, "default", at) for at in (since, since + 1)] + [await position(tx, "other", 1e12)]

    assert await one.write(places) == [1, 2, 1]


async def test_drafts_end_once_and_all_together(one: Bench):
    lease = await one.take_one()
    await one.begin(lease)

    async def unit(tx: Tx) -> tuple[int, int]:
        timeline = await lock(tx, "c1")
        await timeline.end_draft(9, 1, "final")  # there is no such draft
        ended = await timeline.end_drafts("withdrawn")
        await timeline.end_draft(1, 1, "final", "m")  # it ended already
        again = await timeline.end_drafts("replaced")
        await timeline.save()
        return ended, again

    assert await one.write(unit) == (1, 0)
    (ended,) = await one.events("draft_ended")
    assert (ended["turn"], ended["attempt"], ended["how"]) == ("c1:1", 1, "withdrawn")


async def test_cases_open_and_close_once(one: Bench):
    async def unit(tx: Tx) -> None:
        timeline = await lock(tx, "c1")
        await timeline.close_case("ana")
        await timeline.close_case("ben")
        await timeline.open_case()
        await timeline.open_case()
        await timeline.save()

    await one.write(unit)
    assert sorted(case["closed_by"] or "" for case in await one.rows("cases", id="c1")) == ["", "ana", "idle"]

    async def stale(tx: Tx) -> None:
        timeline = await lock(tx, "c1")
        case = timeline.case_id
        await timeline.close_case("ana")
        timeline.case_id = case  # as another unit left it that read the row before
        await timeline.close_case("ben")
        await timeline.save()

    await one.write(stale)
    assert [event["by"] for event in await one.events("case_closed")] == ["ana", "idle", "ana"]


def test_every_attempt_at_a_turn_has_the_same_id():
    assert turn_id("c1", 3) == "c1:3"


async def test_what_is_said_on_a_platform_is_queued_in_the_same_commit(one: Bench):
    await one.say("p1", channel="telegram")

    async def unit(tx: Tx) -> None:
        timeline = await lock(tx, "p1")
        await timeline.say("assistant", "one", draft_seq=1)
        await timeline.say("notice", "two")
        await timeline.say("staff", "three", author="ana")
        await timeline.say("staff", "from the phone", author="device", send=False)
        await timeline.say("customer", "four")
        await timeline.save()

    await one.write(unit)
    items = await one.rows("items", kind="out", key="p1")
    bodies = [json.loads(item["body"]) for item in items]
    assert [(body["channel"], body["account"]) for body in bodies] == [("telegram", "default")] * 3
    queued = [await one.store.row("outbox.row", id=body["outbox"]) for body in bodies]
    assert [(row["author"], row["draft_seq"], row["state"]) for row in queued if row] == [
        ("bot", 1, "queued"),
        ("bot", None, "queued"),
        ("staff", None, "queued"),
    ]


async def test_a_platforms_columns_are_loaded_and_saved(one: Bench):
    async def change(tx: Tx) -> None:
        timeline = await lock(tx, "c1")
        timeline.route, timeline.edits = {"chat": "7"}, 3
        timeline.opted_out_at, timeline.blocked_at = 1.0, 2.0
        await timeline.move("elsewhere", {"chat": "8"})
        await timeline.save(touch=False)

    before = await one.conversation()
    await one.write(change)
    timeline = await one.write(lambda tx: lock(tx, "c1"))
    assert (timeline.route, timeline.edits, timeline.opted_out_at, timeline.blocked_at) == ({"chat": "8"}, 3, 1.0, 2.0)
    assert timeline.address == "elsewhere"
    assert (await one.conversation())["updated_at"] == before["updated_at"]
