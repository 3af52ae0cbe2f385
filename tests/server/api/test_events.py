"""The staff's stream: resume without gap or repeat, resets, whispers, and one read for many readers."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from itertools import pairwise
from typing import Any

import pytest
from aiohttp import ClientResponse

from server.api import events as events_api
from server.desk import live as live_feed
from server.store.contract import Tx
from server.store.statements import load, parse
from tests.server.staff import TENANT, Staff

PATIENCE_S = 20.0
for dialect in ("sqlite", "postgresql"):
    load(dialect).update(parse("events_bench", "-- name: purge\ndelete from event where number <= :upto;", dialect))


@asynccontextmanager
async def opened(staff: Staff, after: int | None = None, who: str = "vera") -> AsyncIterator[ClientResponse]:
    headers = {"Authorization": f"Bearer {who}"}
    if after is not None:
        headers["Last-Event-ID"] = str(after)
    async with staff.session.get(staff.server.make_url("/api/events"), headers=headers) as answer:
        yield answer


async def frame(answer: ClientResponse) -> dict[str, Any]:
    """The next frame that is no comment."""
    async with asyncio.timeout(PATIENCE_S):
        found: dict[str, Any] = {}
        async for raw in answer.content:
            line = raw.decode().rstrip("\n")
            if line.startswith(":"):
                continue
            if not line:
                if found:
                    return found
                continue
            name, _, value = line.partition(": ")
            found[name] = json.loads(value) if name in {"data", "id"} else value
    return {"event": "end"}


async def until(answer: ClientResponse, wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    while not wanted(found := await frame(answer)):
        assert found["event"] != "end"
    return found


def kind(name: str) -> Callable[[dict[str, Any]], bool]:
    return lambda found: found["event"] == name


async def eventually(check: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not await check():
            await asyncio.sleep(0.01)


async def test_a_committed_event_reaches_readers_within_half_a_second(both_staff: Staff):
    conversation_id = await both_staff.talk("marta", texts=())
    async with opened(both_staff) as answer:
        hello = await frame(answer)
        assert (hello["event"], hello["id"]) == ("hello", hello["data"]["number"])
        assert (await frame(answer))["data"] == {"model": "ready"}
        started = time.monotonic()
        await both_staff.say(conversation_id, "Hello?")
        told = await until(answer, kind("message"))
        assert time.monotonic() - started < 0.5
        assert told["id"] == told["data"]["number"] == hello["id"] + 1
        assert told["data"] | {"at": 0, "body": {}} == {
            "number": told["id"], "kind": "message", "conversation": conversation_id, "seq": 1, "at": 0,
            "audience": "customer", "body": {},
        }  # fmt: skip
        assert told["data"]["body"]["text"] == "Hello?"
        started = time.monotonic()
        await both_staff.emit("retrain", {"state": "began"})  # nothing notifies: the poll alone brings it
        assert (await until(answer, kind("retrain")))["data"]["conversation"] is None
        assert time.monotonic() - started < 0.5


async def test_a_thousand_dropped_connections_miss_nothing(staff: Staff):
    ids = [await staff.talk(name, texts=()) for name in ("marta", "luis")]
    first = (await staff.events())[-1]["number"] if await staff.events() else 0
    done = asyncio.Event()

    async def write() -> None:
        for number in range(600):
            await staff.say(ids[number % 2], f"message {number}")
        done.set()

    async def read(patience: int) -> tuple[list[int], int]:
        seen, dropped, at = [], 0, first
        while not (
            done.is_set() and dropped >= 50 and at == (await staff.events(at) or [{"number": at}])[-1]["number"]
        ):
            async with opened(staff, at) as answer:
                for _ in range(patience):
                    try:
                        async with asyncio.timeout(0.1 if done.is_set() else PATIENCE_S):
                            found = await frame(answer)
                    except TimeoutError:
                        break
                    if found["event"] == "message":
                        at = found["id"]
                        seen.append(at)
            dropped += 1
        return seen, dropped

    writing = asyncio.create_task(write())
    results = await asyncio.gather(*(read(3 + number % 12) for number in range(20)))
    await writing
    tail = (await staff.events())[-1]["number"]
    assert sum(dropped for _, dropped in results) >= 1_000
    for seen, _ in results:
        assert seen == list(range(first + 1, tail + 1))


async def test_a_purged_or_unknown_past_resets(staff: Staff, monkeypatch: pytest.MonkeyPatch):
    conversation_id = await staff.talk("marta", texts=("1", "2", "3", "4"))
    async with opened(staff, 10**6) as answer:
        hello, reset = await frame(answer), await frame(answer)
        assert (hello["event"], reset["event"], reset["id"]) == ("hello", "reset", 4)
    await staff.store.write(lambda tx: tx.run("events_bench.purge", upto=2))
    async with opened(staff, 1) as answer:
        assert (await until(answer, kind("reset")))["data"] == {"number": 4}
        await staff.say(conversation_id, "5")
        assert (await until(answer, kind("message")))["id"] == 5
    async with opened(staff, 2) as answer:
        assert [(await until(answer, kind("message")))["id"] for _ in range(3)] == [3, 4, 5]
    monkeypatch.setattr(events_api, "BACKLOG", 1)
    async with opened(staff, 2) as answer:
        assert (await until(answer, kind("reset")))["data"] == {"number": 5}


async def test_a_feed_that_lags_behind_its_reader_neither_resets_nor_repeats(
    staff: Staff, monkeypatch: pytest.MonkeyPatch
):
    """The reader was ahead by a backlog read from the store, or by another process."""
    conversation_id = await staff.talk("marta", texts=("1", "2", "3"))

    async def behind() -> int:
        return 1

    async with opened(staff, 0) as answer:
        assert (await frame(answer))["id"] == 0
        monkeypatch.setattr(staff.desk.live, "start", behind)
        async with opened(staff, 3) as ahead:
            hello = await frame(ahead)
            assert (hello["event"], hello["id"], hello["data"]["number"]) == ("hello", 3, 3)
            await staff.say(conversation_id, "4")
            assert (await until(ahead, lambda found: found["event"] in {"reset", "message"}))["id"] == 4


async def test_whoever_comes_back_after_more_than_is_kept_reads_from_the_store(
    staff: Staff, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(live_feed, "KEPT", 5)
    monkeypatch.setattr(live_feed, "BATCH", 4)
    conversation_id = await staff.talk("marta", texts=())
    async with opened(staff) as answer:
        await frame(answer)
        for number in range(30):
            await staff.say(conversation_id, str(number))
        ids = [(await until(answer, kind("message")))["id"] for _ in range(30)]
        assert [after - before for before, after in pairwise(ids)] == [1] * 29
        assert staff.desk.live.base > ids[0]
        async with opened(staff, ids[0] - 1) as late:
            assert [(await until(late, kind("message")))["id"] for _ in range(30)] == ids


async def test_readers_share_one_read_of_new_events(staff: Staff):
    conversation_id = await staff.talk("marta", texts=())
    reads: list[list[Any]] = []  # what each read found
    rows = staff.store.rows

    async def counted(query: str, /, **values: Any) -> Any:
        found = await rows(query, **values)
        if query == "store.events_since" and found:
            reads.append(list(found))
        return found

    staff.store.rows = counted  # type: ignore[method-assign]
    async with asyncio.timeout(PATIENCE_S):
        streams = [opened(staff, who="ana") for _ in range(15)]
        answers = [await stream.__aenter__() for stream in streams]
        for answer in answers:
            await frame(answer)
        for number in range(10):
            await staff.say(conversation_id, str(number))
        for answer in answers:
            assert [(await until(answer, kind("message")))["data"]["body"]["text"] for _ in range(10)] == [
                str(number) for number in range(10)
            ]
        for stream in streams:
            await stream.__aexit__(None, None, None)
    read = [row["number"] for rows_ in reads for row in rows_]
    assert sorted(read) == sorted(set(read)), f"an event was read twice: {read}"
    told = [found for found in reads if any(row["kind"] == "message" for row in found)]
    assert len(told) <= 10, told  # beside them: that Ana is there now


async def test_who_looks_at_what_is_whispered_and_told_to_newcomers(both_staff: Staff):
    conversation_id = await both_staff.talk("marta")
    path = f"/api/conversations/{conversation_id}/viewing"
    async with opened(both_staff) as answer:
        await frame(answer)
        await both_staff.json("ana", "POST", path, {"state": "typing"}, 204)
        told = await until(answer, kind("viewing"))
        assert "id" not in told
        assert told["data"] | {"at": 0} == {
            "conversation": conversation_id, "person": "ana", "name": "Ana", "state": "typing", "at": 0,
        }  # fmt: skip
        async with opened(both_staff, who="ben") as other:
            assert (await until(other, kind("viewing")))["data"]["person"] == "ana"
        await both_staff.json("ana", "POST", path, {"state": "left"}, 204)
        assert (await until(answer, kind("viewing")))["data"]["state"] == "left"
    assert both_staff.desk.live.present() == []
    await both_staff.json("ana", "POST", "/api/conversations/nowhere/viewing", {"state": "left"}, 404)
    assert (
        await both_staff.store.rows(
            "audit.page", tenant=TENANT, actor="", action="", target="", since=0.0, at=float("inf"), id="", count=9
        )
        == []
    )


async def test_streams_are_bounded_checked_and_end_in_order(staff: Staff):
    assert (await staff.call("nobody", "GET", "/api/events")).status == 401
    assert (await staff.call("vera", "GET", "/api/events?after=x")).status == 422
    assert (await staff.call("vera", "GET", "/api/events", Last_Event_ID="1e9")).status == 422
    streams = [opened(staff, who="ben") for _ in range(events_api.STREAMS)]
    answers = [await stream.__aenter__() for stream in streams]
    refused = await staff.call("ben", "GET", "/api/events")
    assert (refused.status, refused.headers["Retry-After"]) == (429, "5")
    staff.desk.close_streams()
    for answer in answers:
        await until(answer, kind("resume"))
        assert (await frame(answer))["event"] == "end"
    for stream in streams:
        await stream.__aexit__(None, None, None)


async def test_events_of_other_tenants_stay_theirs(staff: Staff):
    async def foreign(tx: Tx) -> None:
        await tx.run("store.raise_event_tail", tenant="other", count=1, now_s=tx.now_s)

    await staff.store.write(foreign)
    async with opened(staff) as answer:
        assert (await frame(answer))["data"]["number"] == 0
