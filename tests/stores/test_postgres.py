"""What only PostgreSQL has: a server that goes away, deadlocks, time-outs."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable

import asyncpg
import pytest

from config.settings import StoreSettings
from server import lanes
from server.store.contract import StoreUnavailable, Tx
from server.store.postgres import PostgresStore
from server.store.statements import load, parse
from tests import postgres
from tests.places import until

pytestmark = pytest.mark.postgres

load("postgresql").update(
    parse(
        "trial",
        """
-- name: raise
-- Lock a row and change it.
insert into secret (name, value, created_at) values (:name, 'x', 0)
on conflict (name) do update set value = secret.value || 'x' returning value;
-- name: sleep
-- Outlast the statement's time limit.
select pg_sleep(:seconds);
""",
        "postgresql",
    )
)


@pytest.fixture
async def own_cluster() -> AsyncIterator[postgres.Cluster]:
    with postgres.cluster() as server:
        await server.make_template()
        yield server


def put(key: str = "c1") -> Callable[[Tx], Awaitable[int]]:
    async def unit(tx: Tx) -> int:
        return await lanes.put(tx, "shop", "in", key, {})

    return unit


async def test_a_restart_of_the_server_fails_writes_and_then_recovers(own_cluster: postgres.Cluster):
    store = PostgresStore(own_cluster.url(postgres.TEMPLATE), StoreSettings(timeout_s=2))
    async with store.running():
        heard: list[str] = []
        store.listen("t", lambda _topic, payload: heard.append(payload))
        stored = [await store.write(put())]
        await asyncio.to_thread(own_cluster.stop, "immediate")
        with pytest.raises(StoreUnavailable):
            await store.write(put())
        with pytest.raises(StoreUnavailable):
            await store.rows("lanes.holders")
        with pytest.raises(StoreUnavailable):
            await store.ping()
        await asyncio.to_thread(own_cluster.start)
        async with asyncio.timeout(20):
            while len(stored) == 1:  # the server may still be reading its log
                with contextlib.suppress(StoreUnavailable):
                    stored.append(await store.write(put()))
        assert stored == [1, 2]
        assert len(await store.rows("lanes.items_since", lane_id=await _lane(store), after_seq=0, limit=10)) == 2
        await until(lambda: heard == [""])  # listeners are told to read again
        assert list(await store.dead_holders(["somebody"])) == []  # too early to call anybody dead


async def _lane(store: PostgresStore) -> str:
    row = await store.row("lanes.find", tenant="shop", kind="in", key="c1")
    assert row
    return str(row["id"])


async def test_a_connection_cut_in_the_middle_is_replaced(pg_url: str):
    store = PostgresStore(pg_url, StoreSettings())
    async with store.running():
        await store.write(put())
        admin = await asyncpg.connect(pg_url)
        await admin.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'frontdesk'"
        )
        results = await asyncio.gather(*[store.write(put()) for _ in range(3)], return_exceptions=True)
        assert all(isinstance(result, int | StoreUnavailable) for result in results)
        await until(lambda: store._wire._times == 2)
        before = await store.write(put())
        assert await store.write(put()) == before + 1
        await admin.close()


async def test_deadlocked_groups_are_replayed_until_both_are_stored(pg_url: str):
    one, two = PostgresStore(pg_url, StoreSettings()), PostgresStore(pg_url, StoreSettings())
    async with one.running(), two.running():

        def both(first: str, second: str) -> Callable[[Tx], Awaitable[str]]:
            async def unit(tx: Tx) -> str:
                await tx.rows("trial.raise", name=first)
                await asyncio.sleep(0.05)  # let the other group lock its first row
                [row] = await tx.rows("trial.raise", name=second)
                return str(row["value"])

            return unit

        results = await asyncio.gather(one.write(both("a", "b")), two.write(both("b", "a")))
        assert sorted(results) == ["x", "xx"]


async def test_a_statement_over_its_time_limit_fails_alone(pg_url: str):
    store = PostgresStore(pg_url, StoreSettings(timeout_s=0.3))
    async with store.running():

        async def slow(tx: Tx) -> None:
            await tx.rows("trial.sleep", seconds=5)

        results = await asyncio.gather(
            store.write(put()), store.write(slow), store.write(put()), return_exceptions=True
        )
        assert [result for result in results if isinstance(result, int)] == [1, 2]
        assert isinstance(results[1], StoreUnavailable)
        assert "timeout_s" in str(results[1])


async def test_commits_wait_for_the_disk_whatever_the_server_s_default(pg_url: str):
    admin = await asyncpg.connect(pg_url)
    await admin.execute("alter database " + pg_url.rpartition("/")[2] + " set synchronous_commit = off")
    await admin.close()
    load("postgresql").update(
        parse(
            "commit",
            "-- name: mode\n-- How commits are made.\nselect current_setting('synchronous_commit') as mode",
            "postgresql",
        )
    )
    store = PostgresStore(pg_url, StoreSettings())
    async with store.running():

        async def mode(tx: Tx) -> str:
            row = await tx.row("commit.mode")
            assert row
            return str(row["mode"])

        assert await store.write(mode) == "on"


async def test_a_server_that_cannot_be_reached_is_named():
    with pytest.raises(StoreUnavailable, match=r"store\.url"):
        async with PostgresStore("postgresql://nobody@127.0.0.1:1/none", StoreSettings(timeout_s=1)).running():
            pass
