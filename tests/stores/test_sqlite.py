"""What only the embedded store has: one file, one disk, one host."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from config.settings import StoreSettings
from server import lanes
from server.store.contract import StoreError, StoreUnavailable, Tx
from server.store.sqlite import SqliteStore
from tests.places import FakeClock, until


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "desk.db"


def put(size: int = 1) -> Callable[[Tx], Awaitable[int]]:
    async def unit(tx: Tx) -> int:
        return await lanes.put(tx, "shop", "in", "c1", {"text": "x" * size})

    return unit


async def test_a_full_disk_refuses_writes_and_recovers_without_a_restart(path: Path):
    store = SqliteStore(path, StoreSettings())
    async with store.running():
        await store.write(put())
        assert store._writer
        pages = store._writer.execute("pragma page_count").fetchone()[0]
        store._writer.execute(f"pragma max_page_count={pages + 20}")
        results = await asyncio.gather(*[store.write(put(40_000)) for _ in range(20)], return_exceptions=True)
        stored = [result for result in results if isinstance(result, int)]
        refused = [result for result in results if not isinstance(result, int)]
        assert refused
        assert all(isinstance(result, StoreUnavailable) for result in refused)
        store._writer.execute("pragma max_page_count=1000000")
        assert await store.write(put()) == 2 + len(stored)
        row = await store.row("lanes.find", tenant="shop", kind="in", key="c1")
        assert row
        assert row["tail"] == 2 + len(stored)


async def test_a_unit_that_awaits_something_else_is_refused_alone(path: Path):
    store = SqliteStore(path, StoreSettings())
    async with store.running():

        async def impatient(_tx: Tx) -> None:
            await asyncio.sleep(0)

        results = await asyncio.gather(
            store.write(put()), store.write(impatient), store.write(put()), return_exceptions=True
        )
        assert [result for result in results if isinstance(result, int)] == [1, 2]
        assert isinstance(results[1], StoreError)
        assert "await only its tx" in str(results[1])


async def test_another_process_holding_the_write_lock_makes_it_unavailable_for_a_while(path: Path):
    store = SqliteStore(path, StoreSettings(timeout_s=0.05))
    async with store.running():
        with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("begin immediate")
            with pytest.raises(StoreUnavailable):
                await store.write(put())
        assert await store.write(put()) == 1


async def test_leases_are_forgotten_when_the_host_has_restarted(path: Path):
    clock = FakeClock(lease=50_000.0)
    store = SqliteStore(path, StoreSettings(), clock)
    async with store.running():
        await store.write(put())
        [lease] = await store.write(lambda tx: lanes.take(tx, "in", 1, 600, "w1"))
    clock.lease = 10.0
    async with SqliteStore(path, StoreSettings(), clock).running():
        pass
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        assert connection.execute("select holder from lane").fetchone() == ("w1",)
        connection.execute("update store_state set value = 'another boot' where name = 'boot_id'")
    store = SqliteStore(path, StoreSettings(), clock)
    async with store.running():
        [again] = await store.write(lambda tx: lanes.take(tx, "in", 1, 600, "w2"))
        assert again.epoch == lease.epoch + 1
        assert again.head.lost_leases == 0


async def test_commits_are_durable_and_the_log_is_written_ahead(path: Path):
    store = SqliteStore(path, StoreSettings())
    async with store.running():
        assert store._writer
        settings = {
            name: store._writer.execute(f"pragma {name}").fetchone()[0]
            for name in ("journal_mode", "synchronous", "foreign_keys")
        }
    assert settings == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1}


async def test_readers_cannot_write(path: Path):
    store = SqliteStore(path, StoreSettings())
    async with store.running():
        with pytest.raises(StoreError):
            await store.rows("store.touch", now_s=1.0)


async def test_a_socket_nobody_reads_is_removed(path: Path):
    store = SqliteStore(path, StoreSettings())
    async with store.running():
        stale = SqliteStore(path, StoreSettings())
        async with stale.running():
            socket = path.with_name("desk.db.bus") / f"{stale.worker_id}.sock"
            assert socket.exists()
            assert stale._bus._socket
            asyncio.get_running_loop().remove_reader(stale._bus._socket.fileno())
            stale._bus._socket.close()
            stale._bus._socket = None  # as after kill -9: the file is left behind
        assert socket.exists()
        await store.publish("t", "x")
        assert not socket.exists()


async def test_a_database_path_longer_than_a_socket_s_name_still_hears(tmp_path: Path):
    path = tmp_path / ("long" * 40) / "desk.db"
    one, two = SqliteStore(path, StoreSettings()), SqliteStore(path, StoreSettings())
    async with one.running(), two.running():
        heard: list[str] = []
        two.listen("t", lambda _topic, payload: heard.append(payload))
        await one.publish("t", "x" * 7_000)
        await until(lambda: heard)


async def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path):
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    with pytest.raises(StoreUnavailable, match=r"desk\.db"):
        async with SqliteStore(blocked / "desk.db", StoreSettings()).running():
            pass
