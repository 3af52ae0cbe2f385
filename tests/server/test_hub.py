"""Wake-ups and draft text, inside a process and between two that share a database file."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from server import hub as hub_module
from server.hub import BATCH_CHARACTERS, Draft, Hub
from server.store.contract import Store, StoreUnavailable
from server.store.notices import MAX_NOTICE_BYTES
from tests.places import Place, until

INTERVAL_S = 0.02


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place("sqlite", f"sqlite:///{tmp_path}/desk.db")


@dataclass
class Process:
    """A hub on a store of its own, and what it publishes of drafts."""

    store: Store
    hub: Hub
    heard: list[str]


@asynccontextmanager
async def processes(place: Place, count: int = 2, interval_s: float = INTERVAL_S) -> AsyncIterator[list[Process]]:
    async with AsyncExitStack() as stack:
        running = []
        for _ in range(count):
            store = await stack.enter_async_context(place.open(real_clock=True))
            hub = Hub(store, interval_s=interval_s)
            await stack.enter_async_context(hub.running())
            heard: list[str] = []
            store.listen("draft", lambda _topic, payload, heard=heard: heard.append(payload))
            running.append(Process(store, hub, heard))
        yield running


def batch(offset: int, text: str, *, attempt: int = 1, worker: str = "w", turn: str = "c1:1") -> str:
    return json.dumps([worker, "c1", turn, attempt, offset, text])


@asynccontextmanager
async def gateway(place: Place) -> AsyncIterator[tuple[Hub, Store]]:
    async with processes(place, 1) as (one,):
        yield one.hub, one.store


async def show(hub: Hub, store: Store, *payloads: str) -> str | None:
    """Hand payloads to the hub as notifications; the text it then has."""
    for payload in payloads:
        await store.publish("draft", payload)
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    draft = hub.draft("c1")
    return draft.text if draft else None


# --- wake-ups -------------------------------------------------------------------------------------


async def test_a_commit_elsewhere_wakes_the_readers_of_its_conversation(place: Place):
    async with processes(place) as (one, two):
        with two.hub.subscribed("c1") as mine, two.hub.subscribed("c1") as also, two.hub.subscribed("c2") as other:
            assert two.hub.readers == 3
            await one.store.publish("conversation", "c1")
            assert await mine.wait(5)
            assert await also.wait(5)
            assert not await mine.wait(0), "one wake-up is one wake-up"
            assert not await other.wait(0)
            two.hub.wake("")
            assert await other.wait(1)
        assert two.hub.readers == 0
        assert not two.hub._readers, "nobody listens, nothing is kept"
        two.hub.wake("c1")


async def test_a_reader_that_leaves_does_not_take_others_along(place: Place):
    async with gateway(place) as (hub, _):
        with hub.subscribed("c1") as stays:
            with pytest.raises(LookupError), hub.subscribed("c1"):
                raise LookupError
            hub.wake("c1")
            assert await stays.wait(1)


async def test_after_the_end_nothing_listens(place: Place):
    async with place.open() as store:
        hub = Hub(store)
        async with hub.running():
            pass
        with hub.subscribed("c1") as reader:
            await store.publish("conversation", "c1")
            await asyncio.sleep(0.01)
            assert not await reader.wait(0)


# --- drafts in this process -----------------------------------------------------------------------


async def test_a_draft_begins_grows_and_ends(place: Place):
    async with gateway(place) as (hub, _):
        with hub.subscribed("c1") as reader:
            draft = hub.begin("c1", "c1:1", 1)
            assert hub.draft("c1") is draft
            hub.append(draft, "one ")
            assert await reader.wait(1)
            hub.append(draft, "two")
            assert draft.text == "one two"
            hub.end(draft)
            assert hub.draft("c1") is None
            hub.end(draft)


async def test_a_newer_attempt_is_not_touched_by_the_older(place: Place):
    async with gateway(place) as (hub, _):
        old = hub.begin("c1", "c1:1", 1)
        new = hub.begin("c1", "c1:1", 2)
        with hub.subscribed("c1") as reader:
            hub.append(old, "late words")
            assert not await reader.wait(0)
            hub.end(old)
        assert hub.draft("c1") is new
        assert new.text == ""


# --- drafts between processes ---------------------------------------------------------------------


def told(process: Process, text: str) -> bool:
    draft = process.hub.draft("c1")
    return draft is not None and draft.text == text


async def test_text_arrives_whole_and_in_order(place: Place):
    async with processes(place) as (one, two):
        draft = one.hub.begin("c1", "c1:1", 1)
        with two.hub.subscribed("c1") as reader:
            for number in range(60):
                one.hub.append(draft, f"{number} ")
                if number % 7 == 0:
                    await asyncio.sleep(0.005)
            await until(lambda: told(two, draft.text))
            assert await reader.wait(1)
        got = two.hub.draft("c1")
        assert got is not None
        assert (got.turn, got.attempt, got.mine) == ("c1:1", 1, False)
        pieces = [json.loads(payload) for payload in two.heard]
        assert "".join(piece[5] for piece in pieces) == draft.text
        assert [piece[4] for piece in pieces] == [
            sum(len(before[5]) for before in pieces[:number]) for number in range(len(pieces))
        ]


@pytest.mark.parametrize("letter", ["x", "ä", "한", "😀", "\x01", '"', "\udc80"])
async def test_20_kb_of_any_letter_fit_into_notifications(place: Place, letter: str):
    size = max(1, len(letter.encode("utf-8", "surrogatepass")))
    async with processes(place) as (one, two):
        draft = one.hub.begin("c1", "c1:1", 1)
        one.hub.append(draft, letter * (20_000 // size))
        shown = draft.text.encode("utf-8", "replace").decode()  # half a surrogate pair is a question mark elsewhere
        await until(lambda: told(two, shown))
        assert max(len(payload.encode()) for payload in two.heard) <= MAX_NOTICE_BYTES
        one.hub.append(draft, "and on")
        await until(lambda: told(two, f"{shown}and on"))


async def test_a_late_joiner_asks_and_gets_all(place: Place):
    async with processes(place) as (one, two):
        draft = one.hub.begin("c1", "c1:1", 1)
        one.hub.append(draft, "the beginning, ")
        await until(lambda: told(two, draft.text))
        heard = len(two.heard)
        async with place.open(real_clock=True) as store:
            late = Process(store, Hub(store, interval_s=INTERVAL_S), [])
            async with late.hub.running():
                with late.hub.subscribed("c1") as reader:
                    one.hub.append(draft, "the middle, ")
                    await until(lambda: told(two, draft.text))
                    assert await reader.wait(5), "it wakes to find that something is missing"
                    assert late.hub.draft("c1") is None
                    await late.hub.ask_for("c1")
                    await until(lambda: told(late, draft.text))
                one.hub.append(draft, "the end")
                await until(lambda: told(late, draft.text))
                await until(lambda: told(two, draft.text))
        assert len(two.heard) > heard + 2, "the others heard it again and were not confused"


async def test_asking_for_what_nobody_writes_is_answered_by_nobody(place: Place):
    async with processes(place) as (one, two):
        two.hub._keep(Draft("c1", "c1:1", 1, "a copy"))
        await one.hub.ask_for("c1")
        await one.hub.ask_for("unknown")
        await asyncio.sleep(3 * INTERVAL_S)
        assert not one.heard
        assert one.hub.draft("c1") is None


async def test_publishing_keeps_its_pace(place: Place):
    interval_s = 0.1
    async with processes(place, interval_s=interval_s) as (one, two):
        draft = one.hub.begin("c1", "c1:1", 1)
        started = time.monotonic()
        while time.monotonic() - started < 0.5:
            one.hub.append(draft, "word ")
            await asyncio.sleep(0.002)
        await until(lambda: told(two, draft.text))
        allowed = (time.monotonic() - started) / interval_s + 2
        assert 2 <= len(two.heard) <= allowed


async def test_an_ended_draft_is_not_sent_any_more(place: Place):
    async with processes(place) as (one, two):
        draft = one.hub.begin("c1", "c1:1", 1)
        one.hub.append(draft, "secret that was withdrawn")
        one.hub.end(draft)
        other = one.hub.begin("c2", "c2:1", 1)
        one.hub.append(other, "shown")
        await until(lambda: two.hub.draft("c2") is not None)
        assert two.hub.draft("c1") is None


# --- what comes over the bus ----------------------------------------------------------------------


async def test_batches_again_and_overlapping(place: Place):
    async with gateway(place) as (hub, store):
        assert await show(hub, store, batch(0, "abc")) == "abc"
        with hub.subscribed("c1") as reader:
            assert await show(hub, store, batch(0, "abc"), batch(0, "ab"), batch(1, "b")) == "abc"
            assert not await reader.wait(0), "nothing new, nobody is woken"
            assert await show(hub, store, batch(2, "cde")) == "abcde"
            assert await reader.wait(1)


async def test_a_hole_forgets_the_text_and_wakes_who_must_ask(place: Place):
    async with gateway(place) as (hub, store):
        assert await show(hub, store, batch(0, "abc")) == "abc"
        with hub.subscribed("c1") as reader:
            assert await reader.wait(0) is False
            assert await show(hub, store, batch(5, "fgh")) is None
            assert await reader.wait(1)
        assert await show(hub, store, batch(0, "abcdefgh")) == "abcdefgh"


async def test_a_newer_attempt_replaces_the_older(place: Place):
    async with gateway(place) as (hub, store):
        await show(hub, store, batch(0, "first try"))
        assert await show(hub, store, batch(0, "second", attempt=2)) == "second"
        assert hub.draft("c1").attempt == 2  # type: ignore[union-attr]
        assert await show(hub, store, batch(0, "next turn", turn="c1:2")) == "next turn"


async def test_a_worker_that_lost_its_lease_does_not_disturb_the_one_that_has_it(place: Place):
    async with gateway(place) as (hub, store):
        mine = hub.begin("c1", "c1:1", 2)
        hub.append(mine, "mine")
        assert await show(hub, store, batch(0, "of the past", attempt=1)) == "mine"
        assert hub.draft("c1") is mine


async def test_our_own_batches_come_back_and_change_nothing(place: Place):
    async with gateway(place) as (hub, store):
        assert await show(hub, store, batch(0, "echo", worker=store.worker_id)) is None


MALFORMED = [
    "",
    "{",
    "null",
    "7",
    "[]",
    "{}",
    '"text"',
    "[1,2,3,4,5,6]",
    '["w","c1","c1:1",1,"0","x"]',
    '["w","c1","c1:1",1,-3,"x"]',
    '["w","c1","c1:1",1,0,null]',
    '["w","c1","c1:1",1,0,"x","more"]',
    '["w",["c1"],"c1:1",1,0,"x"]',
    '{"w":"w","c":"c1","t":"c1:1","a":1,"o":0,"x":"x"}',
    "\ufffd\x00",
]


@pytest.mark.parametrize("payload", MALFORMED)
async def test_malformed_payloads_are_passed_over(place: Place, payload: str):
    errors: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, context: errors.append(context))
    async with gateway(place) as (hub, store):
        assert await show(hub, store, batch(0, "abc"), payload) == "abc"
        for topic in ("draft_request", "model"):
            await store.publish(topic, payload)
        assert await show(hub, store, batch(3, "def")) == "abcdef", "the listener lives"
    assert not errors


async def test_copies_of_other_workers_are_bounded_and_own_drafts_stay(place: Place):
    async with gateway(place) as (hub, _):
        mine = hub.begin("mine", "mine:1", 1)
        for number in range(hub_module.KEPT_DRAFTS + 5):
            hub._keep(Draft(f"c{number}", "t", 1, "x"))
        assert len(hub._drafts) == hub_module.KEPT_DRAFTS
        assert hub.draft("mine") is mine
        assert hub.draft("c5") is None
        assert hub.draft("c6") is not None
        for number in range(hub_module.KEPT_DRAFTS + 1):
            hub.begin(f"own{number}", "t", 1)
        assert len(hub._drafts) == hub_module.KEPT_DRAFTS + 2, "its own answers are never forgotten"


# --- model state, and a database that is away -----------------------------------------------------


async def test_the_model_state_reaches_every_process_and_wakes_its_readers(place: Place):
    async with processes(place) as (one, two):
        assert two.hub.model_state == "loading"
        with one.hub.subscribed("c1") as here, two.hub.subscribed("c1") as there:
            await one.hub.tell_model_state("ready")
            assert await here.wait(1)
            assert await there.wait(5)
            assert two.hub.model_state == "ready"
            await one.hub.tell_model_state("ready")
            assert not await here.wait(0), "no change, no wake-up"


class AwayStore:
    """A store whose database cannot be reached."""

    worker_id = "w"

    def __init__(self) -> None:
        self.tried = 0

    def listen(self, *_: object) -> object:
        return lambda: None

    async def publish(self, _topic: str, _payload: str) -> None:
        self.tried += 1
        raise StoreUnavailable("away")


async def test_without_a_database_drafts_still_work_here():
    store = AwayStore()
    hub = Hub(store, interval_s=0.001)  # type: ignore[arg-type]
    async with hub.running():
        await hub.ask_for("c1")
        await hub.tell_model_state("down")
        assert hub.model_state == "down"
        draft = hub.begin("c1", "c1:1", 1)
        hub.append(draft, "x" * BATCH_CHARACTERS * 2)
        await until(lambda: store.tried >= 4)
        hub.append(draft, "y")
        await until(lambda: store.tried >= 5)
        assert draft.text.endswith("xy")


async def test_many_drafts_at_once_wake_their_readers_in_batches(place: Place):
    async with gateway(place) as (hub, _):
        drafts = [hub.begin(f"c{number}", f"c{number}:1", 1) for number in range(hub_module.LIVELY + 1)]
        with hub.subscribed("c0") as reader:
            hub.append(drafts[0], "first")
            assert await reader.wait(0), "the first words are shown at once"
            hub.append(drafts[0], " second")
            assert not await reader.wait(0)
            assert await reader.wait(5), "later ones within a moment"
            hub.end(drafts[-1])
            hub.append(drafts[0], " third")
            assert await reader.wait(0), "few drafts: every token at once again"
