"""Releases on a bench: candidates, cases that go well or badly, and a model server that holds adapters."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import web

from models.chat import Delta
from models.prompt import PromptBudget, open_budget
from models.vllm import VLLM
from server.conversation import Outcome, Reason
from server.engine.context import Context, ContextReader
from server.engine.record import Ending
from server.feedback import Feedback
from server.handoff import Handoff
from server.releases.reconciler import Reconciler
from server.routes import Principal, Role
from server.store.statements import load, parse
from tests.model_double import ModelDouble
from tests.server.engine.bench import TENANT, Bench

ADMIN = Principal(TENANT, "person", "ada", Role.ADMIN)
GATE: dict[str, Any] = {"verdict": "promote", "reasons": []}
WEIGHTS = Path("/adapters")

QUERIES = """
-- name: cards
-- States of all releases.
select release_id, state, verdict from release_card order by created_at, release_id;
-- name: changes
-- The timeline, oldest first.
select * from release_change order by at, id;
-- name: trials
-- Every canary.
select * from canary order by started_at, id;
-- name: arms
-- Who took part in a trial.
select conversation_id, release_id, canary_id, canary_arm, canary_share, handed_reason from support_case
order by opened_at, id;
-- name: audits
-- What was audited.
select actor_kind, actor_id, action, target, detail from audit order by at, id;
-- name: told
-- Release events.
select body from event where kind = 'release' order by number;
-- name: fail_step
-- A tool call of a turn failed.
insert into step (conversation_id, first_seq, number, tenant, tool, arguments, state, created_at)
values (:id, 1, 1, 'default', 'stock', '{}', 'failed', 0.0);
"""
for dialect in ("sqlite", "postgresql"):
    load(dialect).update(parse("rig", QUERIES, dialect))


def adapter(number: int) -> str:
    """The name of an adapter of this bot."""
    return f"{TENANT}-{number:012x}"


async def states(one: Bench) -> dict[str, str]:
    return {row["release_id"]: row["state"] for row in await one.store.rows("rig.cards")}


async def candidate(one: Bench, number: int, verdict: Any = "promote", **how: Any) -> str:
    """A release with an adapter, judged where there is a verdict."""
    release_id = await one.releases.candidate(adapter(number), by=ADMIN, **how)
    if verdict is not None:
        await one.releases.judge(release_id, verdict, {"verdict": verdict, "reasons": [{"slice": "all"}]})
    return release_id


async def context(one: Bench, conversation: str) -> Context:
    """What the conversation's waiting turn would be made with."""
    await one.say(conversation)
    lease = await one.take_one()
    assert lease.key == conversation
    return await ContextReader(one.store, one.releases, one.settings).read(lease, 0.0)


async def case(one: Bench, conversation: str, bad: str = "") -> str:
    """A whole turn of a conversation, which then goes badly in one way; returns its release."""
    await one.say(conversation)
    lease = await one.take_one()
    read = await ContextReader(one.store, one.releases, one.settings).read(lease, 0.0)
    release_id = read.release.id
    begun = await one.begin(lease, release_id)
    ending = Ending(Outcome.ANSWERED, lease.tail, text="yes", attempt=begun.attempt, release_id=release_id)
    message_id = await one.end(lease, ending)
    assert message_id is not None
    if bad == "thumbs":
        await Feedback(one.store).rate(conversation, message_id, ("customer", conversation), "down")
    elif bad == "handoff":
        await Handoff(one.store).ask(conversation, Reason.CUSTOMER_ASKED)
    elif bad == "tools":
        await one.store.write(lambda tx: tx.run("rig.fail_step", id=conversation))
    return release_id


class AdapterDouble(ModelDouble):
    """A model server that refuses some adapters, and counts what it was told to load."""

    def __init__(self) -> None:
        super().__init__()
        self.refused: set[str] = set()
        self.loads: list[tuple[str, str]] = []
        self.unloads: list[str] = []

    async def _load(self, request: web.Request) -> web.Response:
        body = await request.json()
        self.loads.append((body["lora_name"], body["lora_path"]))
        if body["lora_name"] in self.refused:
            return web.json_response({"error": {"message": "rank too high"}}, status=400)
        return await super()._load(request)

    async def _unload(self, request: web.Request) -> web.Response:
        self.unloads.append((await request.json())["lora_name"])
        return await super()._unload(request)

    async def restart(self) -> None:
        """A killed and restarted server: the adapters are forgotten."""
        await self.stop()
        self.stats.adapters.clear()
        await self.start()

    @property
    def asked(self) -> list[str]:
        """Which model each customer's request was for."""
        return [prompt["model"] for prompt in self.stats.prompts if prompt["last_user"] != "Hello"]


class DoubleLLM:
    """The production client on a double, with a budget."""

    def __init__(self, client: VLLM) -> None:
        self.client = client
        self._budget = open_budget(None, 2_048)

    @property
    def budget(self) -> PromptBudget:
        return self._budget

    async def chat(self, messages: Any, **how: Any) -> AsyncIterator[Delta]:
        async for delta in self.client.chat(messages, **how):
            yield delta


@dataclass
class Clock:
    """Monotonic seconds, moved by hand."""

    now: float = 100.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Fleet:
    """Model servers and the reconciler that keeps them."""

    doubles: dict[str, AdapterDouble]
    clients: dict[str, VLLM]
    reconciler: Reconciler
    clock: Clock
    missing: set[str] = field(default_factory=set)  # adapters whose folder is not there

    @property
    def first(self) -> AdapterDouble:
        return next(iter(self.doubles.values()))


@asynccontextmanager
async def fleet(one: Bench, *names: str) -> AsyncIterator[Fleet]:
    """Doubles under these names ('' is the child), and a reconciler that is driven by hand."""
    doubles = {name: AdapterDouble() for name in names or ("",)}
    for double in doubles.values():
        await double.start()
    clients = {name: VLLM(double.base_url) for name, double in doubles.items()}
    missing: set[str] = set()

    def find(name: str) -> Path:
        if name in missing:
            raise LookupError(f"there is no adapter {name}")
        return WEIGHTS / name

    clock = Clock()
    reconciler = Reconciler(one.store, one.settings, one.metrics, lambda: clients, find, clock=clock)
    try:
        yield Fleet(doubles, clients, reconciler, clock, missing)
    finally:
        for client in clients.values():
            await client.close()
        for double in doubles.values():
            await double.stop()
