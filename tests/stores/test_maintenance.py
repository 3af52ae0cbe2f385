"""Backup, restore, copy, migrations and retention, over both stores."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from config.settings import StoreSettings
from server import lanes
from server.store import maintenance, migrate
from server.store.contract import Event, Store, StoreError, Tx
from server.store.retention import purge
from server.store.statements import load, parse
from tests.places import Place

FILL = """
-- name: customer
-- A customer.
insert into customer (id, tenant, name, created_at) values (:id, 'shop', 'Ada', cast(:at as double precision));
-- name: identity
-- An address.
insert into identity (id, tenant, channel, account, address, customer_id, profile, created_at)
values (:id, 'shop', 'web', 'default', :id, :id, '{}', cast(:at as double precision));
-- name: conversation
-- A conversation.
insert into conversation (id, tenant, channel, account, address, identity_id, customer_id, status, seq, covered,
    created_at, updated_at, said_at)
values (:id, 'shop', 'web', 'default', :id, :id, :id, 'bot', 3, 2, cast(:at as double precision),
    cast(:at as double precision), cast(:at as double precision));
-- name: message
-- A message of the customer.
insert into message (id, tenant, conversation_id, seq, item_seq, channel, account, role, text, body, created_at)
values (:id, 'shop', :conversation_id, :seq, :seq, 'web', 'default', 'customer', 'hello', '{}',
    cast(:at as double precision));
-- name: request
-- A call that staff refused.
insert into tool_request (id, tenant, conversation_id, first_seq, number, tool, arguments, digest, kind, state, summary,
    expires_at, created_at)
values (:id, 'shop', 'c1', 1, 1, 'refund', '{}', 'd', 'approve', :state, 'Refund', cast(:at as double precision),
    cast(:at as double precision));
-- name: verification
-- Somebody who proved who they are.
insert into verification (conversation_id, tenant, subject, contact, verified_until)
values ('c1', 'shop', 'C-1', 'a***@example.org', cast(:at as double precision));
-- name: webhook
-- An event that another system took.
insert into webhook_delivery (id, tenant, url, kind, body, state, next_at, created_at)
values ('w1', 'shop', 'https://crm.example', 'lead.created', '{}', 'sent', cast(:at as double precision),
    cast(:at as double precision));
-- name: dedupe
-- A known message id.
insert into dedupe (tenant, channel, account, external_id, conversation_id, message_id, seen_at)
values ('shop', 'web', 'default', :id, 'c1', :id, cast(:at as double precision));
-- name: messages
-- Which messages are left.
select id from message order by id;
-- name: forge
-- Pretend that a newer program was here.
insert into migration (version, name, sha256, applied_at) values (:version, 'future', 'x', 0);
-- name: tamper
-- Pretend that another file was applied.
update migration set sha256 = 'x' where version = 1;
"""

for dialect in ("sqlite", "postgresql"):
    load(dialect).update(parse("fill", FILL, dialect))


async def fill(store: Store, at: float) -> None:
    """One conversation with three messages (two of them covered), events, lanes and a known message id."""

    async def unit(tx: Tx) -> None:
        for query in ("fill.customer", "fill.identity", "fill.conversation"):
            await tx.run(query, id="c1", at=at)
        for seq in (1, 2, 3):
            await tx.run("fill.message", id=f"m{seq}", conversation_id="c1", seq=seq, at=at)
            tx.emit(Event("shop", "message", {"text": "hällo"}, "c1", seq, "customer"))
        await tx.run("fill.dedupe", id="e1", at=at)
        await lanes.put(tx, "shop", "out", "c2", {"text": "open"})

    await store.write(unit)


async def totals(store: Store) -> tuple[int, list[str]]:
    events = await store.rows("store.events_since", tenant="shop", after=0, limit=100)
    return len(events), [row["id"] for row in await store.rows("fill.messages")]


async def test_a_backup_taken_while_serving_is_restored_elsewhere(
    place: Place, tmp_path: Path, request: pytest.FixtureRequest
):
    backup = tmp_path / "backup"
    async with place.open(real_clock=True) as store:
        await fill(store, time.time())
        await store.write(lambda tx: lanes.take(tx, "out", 1, 600, "w1"))
        await store.backup(backup)
        with pytest.raises(StoreError, match="exists already"):
            await store.backup(backup)
    if place.dialect == "sqlite":
        target = Place("sqlite", f"sqlite:///{tmp_path}/other/desk.db")
    else:
        cluster = request.getfixturevalue("cluster")
        async with cluster.database(empty=True) as url:
            await _restored(Place("postgresql", url), backup)
        return
    await _restored(target, backup)


async def _restored(target: Place, backup: Path) -> None:
    await maintenance.restore(target.url, backup)
    async with target.open(real_clock=True) as store:
        assert await totals(store) == (3, ["m1", "m2", "m3"])
        [lease] = await store.write(lambda tx: lanes.take(tx, "out", 1, 600, "w2"))
        assert (lease.epoch, lease.head.body) == (2, {"text": "open"})
    with pytest.raises(StoreError, match="--force"):
        await maintenance.restore(target.url, backup)
    await maintenance.restore(target.url, backup, force=True)


async def test_restore_refuses_what_is_no_backup_and_a_store_in_use(tmp_path: Path):
    place = Place("sqlite", f"sqlite:///{tmp_path}/desk.db")
    (tmp_path / "junk").write_bytes(b"junk" * 1_000)
    with pytest.raises(StoreError, match="not a backup"):
        await maintenance.restore(place.url, tmp_path / "junk")
    with pytest.raises(StoreError, match="not a file"):
        await maintenance.restore(place.url, tmp_path / "nothing")
    async with place.open() as store:
        await store.backup(tmp_path / "backup")
        with pytest.raises(StoreError, match="in use by"):
            await maintenance.restore(place.url, tmp_path / "backup", force=True)


@pytest.mark.postgres
async def test_a_shop_moves_from_sqlite_to_postgresql_and_back(tmp_path: Path, pg_url: str):
    here, there = Place("sqlite", f"sqlite:///{tmp_path}/desk.db"), Place("postgresql", pg_url)
    back = Place("sqlite", f"sqlite:///{tmp_path}/back.db")
    async with here.open() as store:
        await fill(store, 1_700_000_000.25)
    moved = await maintenance.copy(here.url, there.url)
    assert (moved["message"], moved["event"], moved["item"], moved["tenant"]) == (3, 3, 1, 1)
    assert await maintenance.copy(there.url, back.url) == moved
    for place in (there, back):
        async with place.open(real_clock=True) as store:
            assert await totals(store) == (3, ["m1", "m2", "m3"])
            await store.write(lambda tx: lanes.put(tx, "shop", "out", "c2", {}))
            [lease] = await store.write(lambda tx: lanes.take(tx, "out", 1, 600, "w2"))
            assert [item.seq for item in lease.items] == [1, 2]
    with pytest.raises(StoreError, match="already has rows"):
        await maintenance.copy(here.url, there.url)
    with pytest.raises(StoreError, match="same store"):
        await maintenance.copy(here.url, here.url)
    with pytest.raises(StoreError, match="does not exist"):
        await maintenance.copy(f"sqlite:///{tmp_path}/none.db", there.url)


async def test_a_newer_or_a_changed_schema_is_refused(place: Place):
    newer = len(migrate.load()) + 1
    async with place.open() as store:
        await store.write(lambda tx: tx.run("fill.forge", version=newer))
    with pytest.raises(StoreError, match="start the newer program"):
        async with place.open():
            pass


async def test_a_changed_migration_is_refused(place: Place):
    async with place.open() as store:
        await store.write(lambda tx: tx.run("fill.tamper"))
    with pytest.raises(StoreError, match="put changes into a new migration"):
        async with place.open():
            pass


async def test_retention_forgets_the_old_and_keeps_what_is_open(place: Place):
    settings = StoreSettings(retention_days=100, dedupe_days=200)
    async with place.open() as store:
        await fill(store, place.clock.wall)
        assert set((await purge(store, settings, place.clock.wall + 50 * 86_400)).values()) == {0}
        later = await purge(store, settings, place.clock.wall + 150 * 86_400)
        assert (later["dedupe"], later["events"], later["messages"]) == (0, 2, 2)
        assert await totals(store) == (1, ["m3"])  # m3 is not covered by a turn yet
        much_later = await purge(store, settings, place.clock.wall + 250 * 86_400)
        assert (much_later["dedupe"], much_later["messages"]) == (1, 0)
        [lease] = await store.write(lambda tx: lanes.take(tx, "out", 1, 600, "w1"))
        await store.write(lambda tx: lanes.park(tx, lease, "refused", 1))
        assert (await purge(store, settings, place.clock.wall + 250 * 86_400))["items"] == 1


async def test_retention_forgets_what_tools_kept_of_customers(place: Place):
    at = place.clock.wall

    async def unit(tx: Tx) -> None:
        await tx.run("fill.request", id="r1", state="refused", at=at)
        await tx.run("fill.request", id="r2", state="waiting", at=at)
        await tx.run("fill.verification", at=at)
        await tx.run("fill.webhook", at=at)
        kept = {"conversation_id": "c1", "tenant": "shop", "tool": "t", "slots": "{}", "asked": "", "tries": 0}
        await tx.run("engine.keep_dialogue", **kept, now=at)
        miss = {"id": "q1", "tenant": "shop", "conversation_id": "c1", "turn_id": "c1:1", "question": "Why?"}
        await tx.run("engine.add_miss", **miss, confidence=0.1, now=at)

    kinds = ("misses", "requests", "webhooks", "verifications", "dialogues")
    async with place.open() as store:
        await fill(store, at)
        await store.write(unit)
        settings = StoreSettings(retention_days=100, dedupe_days=200)
        soon = await purge(store, settings, at + 50 * 86_400)
        assert [soon[kind] for kind in kinds] == [0, 0, 0, 0, 0]
        later = await purge(store, settings, at + 150 * 86_400)
        assert [later[kind] for kind in kinds] == [1, 1, 1, 1, 1], "an undecided request stays"


async def test_retention_of_zero_days_keeps_everything(place: Place):
    async with place.open() as store:
        await fill(store, place.clock.wall)
        deleted = await purge(store, StoreSettings(retention_days=0), place.clock.wall + 9_999 * 86_400)
        assert deleted == {"dedupe": 1}
