"""One contract of releases over SQLite and PostgreSQL: every change, every read, and the lineage of an answer."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from server.releases.lineage import lineage
from server.releases.moves import ReleaseRefused
from server.releases.registry import Releases
from server.releases.watch import Watch
from server.store.contract import Tx
from server.store.statements import load, parse
from tests.places import Place
from tests.server.engine.bench import bench
from tests.server.releases.rig import ADMIN, adapter, candidate, case, states

QUERIES = """
-- name: run
-- A retrain that is over.
insert into retrain_run (id, tenant, state, stage, folder, recipe, cause, note, progress, started_by, created_at,
    updated_at)
values ('run1', 'default', 'done', 'gate', 'x', '{}', 'person', '', '{}', 'ada', 0.0, 0.0);
-- name: dataset
-- What it was trained on.
insert into dataset (id, tenant, run_id, digest, manifest, rows_count, created_at)
values ('set1', 'default', 'run1', 'abc', '{}', 1, 0.0);
-- name: example
-- An approved example of a message.
insert into example (id, tenant, source, kind, origin, behaviour, status, prompt, exact, question, target, tools,
    sources, language, channel, account, message_id, person, basis, cluster, weight, created_at, updated_at)
values ('e1', 'default', 's1', 'sft', 'correction', 'style', 'approved', '[]', 1, 'q', '{}', '[]', '[]', 'en', 'web',
    'default', :message_id, 'ada', 'contract', 'k', 1.0, 0.0, 0.0);
-- name: approval
-- Its approval.
insert into approval (example_id, tenant, basis, digest, approved_by, approved_at)
values ('e1', 'default', 'contract', 'd', 'ada', 0.0);
-- name: row
-- Its place in the dataset.
insert into dataset_row (dataset_id, example_id, message_id, split) values ('set1', 'e1', :message_id, 'train');
-- name: adapter
-- What came out.
insert into adapter (name, tenant, dataset_id, run_id, digest, manifest, created_at)
values (:name, 'default', 'set1', 'run1', 'f00', '{}', 0.0);
-- name: erase
-- Somebody it learned from was erased.
update adapter set erased_at = 1.0, erased_reason = 'erased' where name = :name;
"""
for dialect in ("sqlite", "postgresql"):
    load(dialect).update(parse("lineage_test", QUERIES, dialect))


async def test_the_life_of_releases(place: Place, tmp_path: Path):
    async with bench(place, tmp_path, real_clock=True) as one:
        live = await one.releases.publish_configured()
        tuned = await candidate(one, 1, run="run1", dataset="set1")
        await one.releases.start_canary(tuned, by=ADMIN, share=0.4, cap=8)
        names = [f"c{number}" for number in range(40)]
        got = {name: await case(one, name, "thumbs" if number % 5 == 0 else "") for number, name in enumerate(names)}
        on_it = [name for name in names if got[name] == tuned]
        assert len(on_it) == 8
        trial = one.releases.canary
        assert trial is not None
        watch = Watch(one.store, one.settings, one.releases, one.metrics)
        found = await watch.compare(trial)
        thumbs = [sum(int(name[1:]) % 5 == 0 for name in side) for side in (on_it, set(names) - set(on_it))]
        assert (found.canary.cases, found.canary.thumbs) == (8, thumbs[0])
        assert found.live.cases <= 32
        await one.releases.refresh()
        assert one.releases.canary is not None
        assert one.releases.canary.full
        await one.releases.roll_back(by=ADMIN, reason="no good", figures=found.figures())
        assert await case(one, on_it[0]) == live
        assert await states(one) == {live: "live", tuned: "withdrawn"}
        assert await one.releases.promote(tuned, by=ADMIN, reason="it was")
        fresh = Releases(one.store, one.settings, "template")
        assert await fresh.publish_configured() == tuned
        assert len(await one.store.rows("rig.changes")) == 6


async def test_draws_at_the_same_moment_never_exceed_the_cap(place: Place, tmp_path: Path):
    async with bench(place, tmp_path, real_clock=True) as one:
        live = await one.releases.publish_configured()
        tuned = await candidate(one, 1)
        await one.releases.start_canary(tuned, by=ADMIN, share=1.0, cap=5)
        names = [f"c{number}" for number in range(20)]
        for name in names:
            await one.say(name)
        rows = [await one.conversation(name) for name in names]
        others = [one.releases, Releases(one.store, one.settings, "template")]
        await others[1].refresh()
        drawn = await asyncio.gather(
            *(
                others[number % 2].of_case(row["id"], row["case_id"], None, withdrawn=False)
                for number, row in enumerate(rows)
            )
        )
        assert sorted(release.id for release in drawn) == sorted([tuned] * 5 + [live] * 15)


async def test_two_changes_at_once_follow_one_another(place: Place, tmp_path: Path):
    async with bench(place, tmp_path, real_clock=True) as one:
        await one.releases.publish_configured()
        first, second = await candidate(one, 1), await candidate(one, 2)
        acts = [one.releases.start_canary(each, by=ADMIN) for each in (first, second)]
        results = await asyncio.gather(*acts, return_exceptions=True)
        assert sum(isinstance(result, ReleaseRefused) for result in results) == 1
        promoted = await asyncio.gather(*(one.releases.promote(each, by=ADMIN) for each in (first, second)))
        assert promoted == [True, True]
        assert sorted((await states(one)).values()) == ["live", "retired", "retired"]


async def test_an_answer_leads_back_to_the_messages_that_trained_its_adapter(place: Place, tmp_path: Path):
    async with bench(place, tmp_path, real_clock=True) as one:
        await one.releases.publish_configured()
        await case(one, "teacher")
        (lesson,) = [row for row in await one.rows("messages", id="teacher") if row["role"] == "assistant"]

        async def unit(tx: Tx) -> None:
            for name in ("run", "dataset"):
                await tx.run(f"lineage_test.{name}")
            await tx.run("lineage_test.example", message_id=lesson["id"])
            await tx.run("lineage_test.approval")
            await tx.run("lineage_test.row", message_id=lesson["id"])
            await tx.run("lineage_test.adapter", name=adapter(1))

        await one.store.write(unit)
        tuned = await candidate(one, 1, languages=["en"])
        await one.releases.promote(tuned, by=ADMIN)
        assert await case(one, "pupil") == tuned
        (reply,) = [row for row in await one.rows("messages", id="pupil") if row["role"] == "assistant"]
        found = await lineage(one.store, "default", reply["id"])
        assert (found.release_id, found.adapter, found.dataset_id, found.run_id) == (tuned, adapter(1), "set1", "run1")
        assert found.sources == (
            {"example": "e1", "split": "train", "message": lesson["id"], "conversation": "teacher"},
        )
        plain = await lineage(one.store, "default", lesson["id"])
        assert (plain.adapter, plain.dataset_id, plain.sources) == (None, None, ())
        await one.releases.roll_back(by=ADMIN, reason="test")
        await one.store.write(lambda tx: tx.run("lineage_test.erase", name=adapter(1)))
        with pytest.raises(ReleaseRefused, match="learned from what was erased"):
            await one.releases.promote(tuned, by=ADMIN)
        with pytest.raises(LookupError, match="there is no message"):
            await lineage(one.store, "other", reply["id"])
