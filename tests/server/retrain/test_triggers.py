"""What starts a retrain by itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from config.training import Training
from server.retrain.triggers import DAY_S, Triggers
from server.store.contract import Tx
from server.store.statements import load, parse
from tests.server.retrain.rig import Rig, rig

QUERIES = """
-- name: turn
-- A turn of the past.
insert into turn (id, tenant, conversation_id, first_seq, last_seq, attempt, outcome, release_id, timings, ended_at)
values (:id, 'default', :id, 1, 1, 1, :outcome, 'live1', '{}', cast(:at as double precision));
-- name: conversation
-- Where it happened.
insert into conversation (id, tenant, channel, account, address, identity_id, customer_id, status, created_at,
    updated_at, said_at) values (:id, 'default', 'web', 'default', :id, 'i', 'c', 'bot', 0.0, 0.0, 0.0);
-- name: identity
-- Whose it is.
insert into identity (id, tenant, channel, account, address, customer_id, profile, created_at)
values ('i', 'default', 'web', 'default', 'a', 'c', '{}', 0.0);
-- name: customer
-- Who it is.
insert into customer (id, tenant, name, created_at) values ('c', 'default', '', 0.0);
"""

for dialect in ("sqlite", "postgresql"):
    load(dialect).update(parse("triggers", QUERIES, dialect))

NOW = 1_700_000_000.0


def triggers(one: Rig, **settings: Any) -> Triggers:
    return Triggers(one.store, "default", Training(**settings), one.runs, one.releases, lambda: NOW)


async def test_the_clock_starts_one_run_and_no_second(store_url: str, tmp_path: Path):
    async with rig(store_url, tmp_path) as one:
        await triggers(one).by_clock({})
        assert await one.runs.open() is None, "a schedule that an earlier setting left behind"
        for _ in range(2):
            await triggers(one, cron="0 2 * * *").by_clock({})
        run = await one.runs.open()
        assert run is not None
        assert (run["cause"], run["started_by"]) == ("cron", "system:cron")
        assert len(await one.runs.page((float("inf"), ""), 9)) == 1


async def test_new_examples_start_a_run_once(store_url: str, tmp_path: Path):
    async with rig(store_url, tmp_path) as one:
        await one.fill(5)
        await triggers(one, after_examples=6).watch({})
        assert await one.runs.open() is None
        await triggers(one, after_examples=5).watch({})
        run = await one.runs.open()
        assert run is not None
        assert (run["cause"], run["note"]) == ("examples", "5 examples were approved since the last retrain")
        await one.work(run["id"])
        await triggers(one, after_examples=5).watch({})
        assert await one.runs.open() is None, "those are trained on already"


async def test_more_handoffs_than_at_its_beginning_start_a_run(store_url: str, tmp_path: Path):
    async with rig(store_url, tmp_path) as one:
        await past(one, 0.1, 30 * DAY_S)
        await triggers(one, on_decline=True).watch({})
        assert await one.runs.open() is None, "a beginning alone is no decline"
        await past(one, 0.6, 1 * DAY_S)
        await triggers(one).watch({})
        assert await one.runs.open() is None, "nobody asked for this trigger"
        await triggers(one, on_decline=True).watch({})
        run = await one.runs.open()
        assert run is not None
        assert (run["cause"], run["note"]) == ("decline", "handoff went from 0.10 to 0.60")


async def past(one: Rig, handed_over: float, ago_s: float, count: int = 100) -> None:
    async def unit(tx: Tx) -> None:
        if await tx.row("conversations.read", id="0:30") is None and ago_s > 2 * DAY_S:
            await tx.run("triggers.customer")
            await tx.run("triggers.identity")
        for number in range(count):
            name = f"{number}:{ago_s / DAY_S:.0f}"
            await tx.run("triggers.conversation", id=name)
            outcome = "handed_over" if number < count * handed_over else "answered"
            await tx.run("triggers.turn", id=name, outcome=outcome, at=NOW - ago_s + number)

    await one.store.write(unit)
