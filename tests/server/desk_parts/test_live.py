"""The feed behind the staff's stream: what it keeps, what it forgets, and whispers."""

import asyncio
import json
from pathlib import Path

import pytest

from config.settings import StoreSettings
from server.desk import live
from server.desk.live import Gap, Live, frame, told
from server.store.contract import Event, Tx
from server.store.open import open_store
from tests.server.desk import FakeClock

TENANT = "shop"
PATIENCE_S = 10.0


def test_a_frame_is_one_line_of_data() -> None:
    assert frame("status", {"model": "a\nb"}) == b'event: status\ndata: {"model":"a\\nb"}\n\n'
    row = {"number": 7, "kind": "note", "conversation_id": "c", "seq": 2, "created_at": 1.5, "audience": "staff",
           "body": '{"text":"\\ud800 é"}'}  # fmt: skip
    head, event, data, *_ = told(row).decode().split("\n")
    assert (head, event) == ("id: 7", "event: note")
    assert json.loads(data.removeprefix("data: "))["number"] == 7


async def test_it_reads_only_while_somebody_listens(store_url: str) -> None:
    store, clock = open_store(store_url, StoreSettings()), FakeClock()
    feed = Live(store, TENANT, lambda: "ready", clock)

    async def say(tx: Tx) -> None:
        tx.emit(Event(TENANT, "retrain", {}))

    async def tail(number: int) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while feed.tail != number:
                await feed.next().wait()

    async with store.running(), feed.running():
        await store.write(say)
        assert feed.tail == 0
        with feed.reading():
            assert await feed.start() == 1
            await store.write(say)
            await tail(2)
            data, at = await feed.after(1)
            assert (data.count(b"event: retrain"), at) == (1, 2)
            assert (await feed.after(2)) == (b"", 2)
            assert (await feed.after(0))[1] == 2  # from the store
        await store.write(say)
        with feed.reading():
            assert await feed.start() == 3
        with pytest.raises(Gap):
            await feed.after(-5)


async def test_who_was_not_heard_of_has_left(tmp_path: Path) -> None:
    store, clock = open_store(f"sqlite:///{tmp_path / 'desk.db'}", StoreSettings()), FakeClock()
    feed = Live(store, TENANT, lambda: "ready", clock)
    async with store.running(), feed.running():
        news = feed.next()
        await feed.view("c", "ana", "Ana", "typing")
        async with asyncio.timeout(PATIENCE_S):
            await news.wait()
        assert [one["state"] for one in feed.present()] == ["typing"]
        assert b"viewing" in (await feed.opening())[0]
        clock.now_s += live.PRESENT_S
        assert feed.present() == []
        news = feed.next()
        await store.publish(live.TOPIC, "not json")
        await feed.view("c", "ana", "Ana", "left")
        async with asyncio.timeout(PATIENCE_S):
            await news.wait()
        assert (await feed.whispers(0))[0].count(b"event: viewing") == 2
