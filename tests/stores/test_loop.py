"""The tables themselves refuse what must not train."""

from __future__ import annotations

import sqlite3

import asyncpg
import pytest

from server.store.contract import Conflict, Store, StoreError, Tx
from server.store.statements import load, parse

QUERIES = """
-- name: add
-- A bare example.
insert into example (id, tenant, source, kind, origin, behaviour, status, prompt, exact, question, target, tools,
    sources, language, channel, account, person, basis, cluster, weight, created_at, updated_at)
values (:id, 't', :id, 'sft', 'import', 'chat', 'pending', '[]', 0, '', '{}', '[]', '[]', 'en', 'web', 'default', '',
    :basis, '', 1.0, 0.0, 0.0);
-- name: run
-- A run and its dataset.
insert into retrain_run (id, tenant, state, stage, folder, recipe, cause, note, progress, started_by, created_at,
    updated_at) values (:id, 't', :state, 'export', '', '{}', 'person', '', '{}', 'ana', 0.0, 0.0);
-- name: dataset
-- Its dataset.
insert into dataset (id, tenant, run_id, digest, manifest, rows_count, created_at)
values (:id, 't', :id, '', '{}', 0, 0.0);
-- name: approve_as
-- An approval that claims a ground of its own.
insert into approval (example_id, tenant, basis, digest, approved_by, approved_at)
values (:id, 't', :basis, '', 'ana', 0.0);
-- name: alone_twice
-- One person as two.
insert into approval (example_id, tenant, basis, digest, approved_by, second_by, approved_at)
values (:id, 't', 'contract', '', 'ana', 'ana', 0.0);
-- name: row
-- A row of the dataset.
select example_id, usable from dataset_row where dataset_id = 'd';
-- name: lower
-- The account's policy changes under an approved example.
update example set basis = 'no' where id = :id;
"""

for dialect in ("sqlite", "postgresql"):
    load(dialect).update(parse("loopstore", QUERIES, dialect))

REFUSED = (StoreError, sqlite3.IntegrityError, asyncpg.PostgresError)


@pytest.fixture
async def filled(store: Store) -> Store:
    """Two examples, one of which must not train, and an empty dataset."""

    async def unit(tx: Tx) -> None:
        await tx.run("loopstore.add", id="good", basis="contract")
        await tx.run("loopstore.add", id="barred", basis="no")
        await tx.run("loopstore.run", id="d", state="done")
        await tx.run("loopstore.dataset", id="d")

    await store.write(unit)
    return store


async def refused(store: Store, query: str, **values: object) -> None:
    with pytest.raises(REFUSED):
        await store.write(lambda tx: tx.run(query, **values))


async def add_row(tx: Tx, example: str) -> int:
    return await tx.run("loop.add_row", dataset_id="d", example_id=example, message_id=None)


async def approve(store: Store, example: str) -> int:
    return await store.write(
        lambda tx: tx.run(
            "loop.approve", tenant="t", id=example, digest="x", approved_by="ana", second_by=None, now=tx.now_s
        )
    )


async def test_an_unapproved_row_is_refused(filled: Store):
    await refused(filled, "loop.add_row", dataset_id="d", example_id="good", message_id=None)
    await approve(filled, "good")
    assert await filled.write(lambda tx: add_row(tx, "good")) == 1


async def test_what_must_not_train_cannot_be_approved_under_any_name(filled: Store):
    with pytest.raises(REFUSED):
        await approve(filled, "barred")
    await refused(filled, "loopstore.approve_as", id="barred", basis="no")
    await refused(filled, "loopstore.approve_as", id="barred", basis="contract")
    await refused(filled, "loopstore.add", id="odd", basis="maybe")
    await refused(filled, "loop.add_row", dataset_id="d", example_id="barred", message_id=None)


async def test_an_approved_example_cannot_lose_its_ground_unseen(filled: Store):
    await approve(filled, "good")
    await refused(filled, "loopstore.lower", id="good")


async def test_two_reviewers_are_two_people(filled: Store):
    await refused(filled, "loopstore.alone_twice", id="good")


async def test_a_withdrawn_example_is_refused_and_earlier_datasets_say_so(filled: Store):
    await approve(filled, "good")
    await filled.write(lambda tx: add_row(tx, "good"))
    await filled.write(lambda tx: tx.run("loop.revoke", tenant="t", id="good"))
    assert await filled.row("loopstore.row") == {"example_id": "good", "usable": 0}
    await filled.write(lambda tx: tx.run("loop.clear_rows", dataset_id="d"))
    await refused(filled, "loop.add_row", dataset_id="d", example_id="good", message_id=None)


async def test_one_run_is_open_at_a_time(filled: Store):
    await filled.write(lambda tx: tx.run("loopstore.run", id="one", state="queued"))
    with pytest.raises(Conflict):
        await filled.write(lambda tx: tx.run("loopstore.run", id="two", state="running"))
