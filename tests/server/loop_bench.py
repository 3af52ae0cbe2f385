"""A desk whose channel accounts may train, with what the loop makes of its conversations in reach."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from models.chat import ToolSpec
from server.collect import Collector
from server.corrections import Correction, Corrections
from server.examples import Decision, Examples
from server.feedback import Feedback
from server.loop import write_policies
from server.store.contract import Row
from server.store.statements import load, parse
from tests.places import Place
from tests.server.engine.bench import Desk, desk

QUERIES = """
-- name: examples
-- Every example in order.
select * from example order by created_at, id;
-- name: approvals
-- Every approval.
select * from approval order by example_id;
-- name: parts
-- Stored texts of prompts.
select * from prompt_part order by digest;
-- name: answers
-- The assistant's messages in order.
select * from message where role = 'assistant' order by created_at, seq;
-- name: forget_message
-- Somebody's words are gone.
delete from message where id = :id;
-- name: change_policy
-- Another ground from now on.
update account_policy set trainable = :trainable;
-- name: loop_events
-- Events of a kind.
select body from event where kind = :kind order by number;
-- name: set_basis
-- Pretend that an example came from an account that must not train.
update example set basis = 'no' where id = :id;
-- name: add_run
-- A run that is over.
insert into retrain_run (id, tenant, state, stage, folder, recipe, cause, note, progress, started_by, created_at,
    updated_at)
values (:id, 'default', :state, 'candidate', :folder, '{}', 'person', '', '{}', 'ana', 0.0, 0.0);
-- name: add_dataset
-- What it was trained on.
insert into dataset (id, tenant, run_id, digest, manifest, rows_count, created_at)
values (:id, 'default', :id, 'd', '{}', 1, 0.0);
-- name: ran
-- When it worked.
update retrain_run set started_at = 10.0, ended_at = cast(:until as double precision) where id = :id;
-- name: adapters
-- Every adapter.
select * from adapter order by name;
-- name: rows_of
-- Rows of a dataset.
select * from dataset_row where dataset_id = :id order by example_id;
"""

for dialect in ("sqlite", "postgresql"):
    load(dialect).update(parse("loopbench", QUERIES, dialect))

HANDOFF = ToolSpec("handoff_to_staff", "Get a person.", {"type": "object", "properties": {}})


@dataclass
class Bench:
    """A desk and the loop's parts on its store."""

    desk: Desk

    def __post_init__(self) -> None:
        store, settings = self.desk.store, self.desk.settings
        self.store, self.settings = store, settings
        self.feedback = Feedback(store)
        self.corrections = Corrections(store, settings.tenant)
        self.collector = Collector(store, settings, lambda: [HANDOFF])
        self.examples = Examples(store, settings.tenant, settings.training)

    async def rows(self, query: str, **values: Any) -> Sequence[Row]:
        return await self.store.rows(f"loopbench.{query}", **values)

    async def change(self, query: str, **values: Any) -> int:
        return await self.store.write(lambda tx: tx.run(f"loopbench.{query}", **values))

    async def ask(self, text: str = "how long?", conversation: str = "c1") -> str:
        """The answer's message id."""
        before = len(await self.desk.rows("turns", id=conversation))
        await self.desk.say(conversation, text)
        turn = (await self.desk.turns(before + 1, conversation))[-1]
        return str(turn["message_id"])

    async def thumb(self, message: str, value: str | None = "up", conversation: str = "c1", giver: str = "v") -> None:
        await self.feedback.rate(conversation, message, ("customer", giver), value)

    async def correct(self, message: str, text: str, **more: Any) -> tuple[str, str | None]:
        return await self.corrections.correct(Correction(message, text, **more), "ana")

    async def collected(self) -> list[Mapping[str, Any]]:
        """Everything proposed once the job has run, with prompt and target read."""
        await self.collector.run({})
        return [
            {**row, "prompt": json.loads(row["prompt"]), "target": json.loads(row["target"]),
             "tools": json.loads(row["tools"]), "reasons": json.loads(row["reasons"])}
            for row in await self.rows("examples")
        ]  # fmt: skip

    async def approve(self, example: str, reviewer: str = "ana") -> Decision:
        return await self.store.write(lambda tx: self.examples.approve(tx, example, reviewer))

    async def reject(self, example: str, reviewer: str = "ana") -> Decision:
        return await self.store.write(lambda tx: self.examples.reject(tx, example, reviewer))


@asynccontextmanager
async def loop_bench(url: str, folder: Path, *script: Any, **how: Any) -> AsyncIterator[Bench]:
    """A working desk on the store behind ``url``; the channels may train unless the settings say otherwise."""
    async with desk(Place("", url), folder, *script, **how) as one:
        await one.store.write(lambda tx: write_policies(tx, one.settings))
        async with one.working():
            yield Bench(one)
