"""A store with a gateway in front of it, driven commit by commit, and a model that answers from a script."""

from __future__ import annotations

import asyncio
import itertools
import json
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from channels.message import Inbound
from config.settings import Settings
from models.chat import ChatMessage, Delta, ModelState, ToolCall, Usage
from models.prompt import PromptBudget, open_budget
from server import lanes
from server.breaker import Breaker
from server.engine import record
from server.engine.acting import PLANNED, Acting
from server.engine.knowing import Knowing
from server.engine.present import Presenter
from server.engine.reading import MediaReader
from server.engine.record import Begun, Ending
from server.engine.turn import TurnRunner
from server.engine.worker import Worker
from server.gateway import Gateway, Receipt
from server.handoff import Handoff
from server.hub import Hub
from server.knowledge.contract import Chunk, Passage, Retrieved
from server.lanes import Lease
from server.releases.registry import Releases
from server.store.contract import Row, Store, StoreUnavailable, Tx, Unit
from server.store.statements import load, parse
from server.switch import BotSwitch
from server.telemetry import Metrics
from server.tools.callers import Callers
from server.tools.contract import Tool
from server.tools.limits import Limits
from server.tools.plans import NoPlan, Plan
from server.tools.runner import ToolBox
from tests.places import Place

LEASE_S = 10.0
TENANT = "default"

QUERIES = """
-- name: events
-- What was announced in a conversation, in order.
select seq, kind, body, audience from event where conversation_id = :id order by seq;
-- name: turns
-- Every turn with its outcome.
select * from turn where conversation_id = :id order by first_seq;
-- name: drafts
-- Every draft and how it ended.
select first_seq, attempt, state from draft where conversation_id = :id order by first_seq, attempt;
-- name: shown
-- What a platform shows of a conversation's drafts.
select attempt, state, shown, provider_id, holder, route, tried_at from draft where conversation_id = :id
order by first_seq, attempt;
-- name: die_opening (sqlite)
-- A worker died between the intent to show a draft and storing what the platform said.
update lane set ready_at = 0, holder = 'dead' where kind = 'in' and key = :id;
update draft set shown = 'opening', holder = 'dead', route = :route, tried_at = opened_at where conversation_id = :id;
-- name: die_opening (postgresql)
-- The same in one statement.
with freed as (update lane set ready_at = 0, holder = 'dead' where kind = 'in' and key = :id)
update draft set shown = 'opening', holder = 'dead', route = :route, tried_at = opened_at where conversation_id = :id;
-- name: outbox
-- What is to be sent, in order.
select o.*, m.text, m.role from outbox o left join message m on m.id = o.message_id
where o.conversation_id = :id order by o.created_at, m.seq;
-- name: revoke
-- A platform refuses our credentials.
insert into channel_state (tenant, channel, account, state, reason, changed_at)
values (:tenant, :channel, 'default', 'revoked', 'uninstalled', 0.0);
-- name: mark
-- A customer forbade messages, or blocked us.
update conversation set opted_out_at = :opted_out_at, blocked_at = :blocked_at where id = :id;
-- name: change
-- The customer edits a message.
update message set text = :text where conversation_id = :id and item_seq = :item_seq;
-- name: count_edit
-- The conversation knows of an edit.
update conversation set edits = edits + 1 where id = :id;
-- name: attach
-- A message came with files.
update message set body = :body where conversation_id = :id and item_seq = :item_seq;
-- name: messages
-- Everything said.
select * from message where conversation_id = :id order by seq;
-- name: lane
-- A lane and who holds it.
select * from lane where kind = :kind and key = :key;
-- name: items
-- Open and parked items of a lane.
select i.* from item i join lane l on l.id = i.lane_id where l.kind = :kind and l.key = :key order by i.seq;
-- name: cases
-- Every episode.
select * from support_case where conversation_id = :id order by opened_at, id;
-- name: customers
-- How many people are known.
select (select count(*) from customer) as customers, (select count(*) from identity) as identities,
    (select count(*) from conversation) as conversations;
-- name: ratings
-- Every rating of a message.
select * from feedback where message_id = :id order by giver_kind, giver_id;
-- name: schedules
-- What is due when.
select * from schedule order by name;
-- name: aliases
-- What an alias names, and since when.
select * from release_alias;
-- name: forget_conversation
-- A conversation without messages disappears, its customer stays.
delete from conversation where id = :id;
-- name: forget_events
-- Retention took everything.
delete from event where conversation_id = :id;
-- name: forget_events_upto
-- Retention took the beginning.
delete from event where conversation_id = :id and seq <= :upto;
-- name: steal
-- Another worker took the lane after its lease ran out.
update lane set holder = 'somebody-else', lease_epoch = lease_epoch + 1 where kind = 'in' and key = :key;
-- name: expire
-- A lease runs out.
update lane set ready_at = 0 where kind = 'in' and key = :key;
-- name: steps
-- A conversation's journal.
select * from step where conversation_id = :id order by first_seq, number;
-- name: requests
-- What waited for a yes.
select * from tool_request where conversation_id = :id order by created_at, number;
-- name: misses
-- Questions that nothing answered.
select * from question_miss where conversation_id = :id order by created_at, id;
-- name: verify
-- The customer proved who they are.
insert into verification (conversation_id, tenant, subject, contact, verified_until)
values (:id, 'default', :subject, 'm…@mail.example', 4e9);
-- name: write_release
-- Any text as a release's body.
update release set body = :body where id = :id;
"""

for dialect in ("sqlite", "postgresql"):
    load(dialect).update(parse("bench", QUERIES, dialect))


def inbound(conversation: str = "c1", text: str = "hello", external: str = "", **more: Any) -> Inbound:
    """A customer's message on the web; equal conversations are one visitor."""
    fields: dict[str, Any] = {
        "channel": "web",
        "account": "default",
        "address": f"visitor-{conversation}",
        "external_id": external or f"{conversation}:{next(_numbers)}",
        "text": text,
        "sent_at": 0.0,
        "conversation_id": conversation,
        "profile": {"locale": "en"},
    }
    return Inbound(**fields | more)


_numbers = itertools.count(1)


@dataclass
class Bench:
    """One process's store with what stands around it."""

    store: Store
    settings: Settings
    metrics: Metrics = field(default_factory=Metrics)
    gateway: Gateway = field(init=False)
    handoff: Handoff = field(init=False)
    releases: Releases = field(init=False)

    def __post_init__(self) -> None:
        self.gateway = Gateway(self.store, self.settings, self.metrics)
        self.handoff = Handoff(self.store)
        self.releases = Releases(self.store, self.settings, "template")

    async def say(self, conversation: str = "c1", text: str = "hello", external: str = "", **more: Any) -> Receipt:
        return await self.gateway.accept(inbound(conversation, text, external, **more))

    async def write(self, unit: Unit[Any]) -> Any:
        return await self.store.write(unit)

    async def change(self, query: str, **values: Any) -> None:
        """Run a statement of the bench in a commit of its own."""
        await self.store.write(lambda tx: tx.run(f"bench.{query}", **values))

    async def edit(self, text: str, item_seq: int = 1, conversation: str = "c1") -> None:
        """Change an unanswered message as the gateway does."""

        async def unit(tx: Tx) -> None:
            await tx.run("bench.change", id=conversation, item_seq=item_seq, text=text)
            await tx.run("bench.count_edit", id=conversation)
            tx.notify("control", json.dumps({"conversation": conversation, "do": "more"}))

        await self.store.write(unit)

    async def take(self, limit: int = 1) -> list[Lease]:
        return await self.store.write(lambda tx: lanes.take(tx, "in", limit, LEASE_S, self.store.worker_id))

    async def take_one(self) -> Lease:
        (lease,) = await self.take()
        return lease

    async def begin(self, lease: Lease, release: str = "r1") -> Begun:
        return await self.store.write(lambda tx: record.begin(tx, lease, LEASE_S, release))

    async def end(self, lease: Lease, ending: Ending) -> str | None:
        return await self.store.write(lambda tx: record.end(tx, lease, ending))

    async def rows(self, query: str, **values: Any) -> Sequence[Row]:
        return await self.store.rows(f"bench.{query}", **values)

    async def row(self, query: str, **values: Any) -> Row:
        row = await self.store.row(f"bench.{query}", **values)
        assert row is not None
        return row

    async def conversation(self, conversation: str = "c1") -> Row:
        row = await self.store.row("conversations.read", id=conversation)
        assert row is not None
        return row

    async def events(self, kind: str = "", conversation: str = "c1") -> list[dict[str, Any]]:
        rows = await self.rows("events", id=conversation)
        return [json.loads(row["body"]) for row in rows if not kind or row["kind"] == kind]

    async def said(self, role: str, conversation: str = "c1") -> list[str]:
        return [row["text"] for row in await self.rows("messages", id=conversation) if row["role"] == role]


def settings_for(folder: Path, **sections: Any) -> Settings:
    """Settings of tests that wait for nothing."""
    engine = {"settle_s": 0.0, "delta_interval_s": 0.02, "retry_base_s": 0.02} | sections.pop("engine", {})
    return Settings.model_validate({"data_dir": str(folder), "tenant": TENANT, "engine": engine} | sections)


@asynccontextmanager
async def bench(place: Place, folder: Path, *, real_clock: bool = False, **sections: Any) -> AsyncIterator[Bench]:
    """A bench on a place; ``real_clock`` for whatever runs by itself."""
    async with place.open(real_clock=real_clock) as store:
        yield Bench(store, settings_for(folder, **sections))


class ScriptedLLM:
    """Answers with the next thing of its script: text, an error to raise, or a function that streams itself."""

    def __init__(self, *script: str | Exception | Callable[[], AsyncIterator[Delta]]) -> None:
        self.script: deque[str | Exception | Callable[[], AsyncIterator[Delta]]] = deque(script)
        self.asked: list[str] = []
        self.prompts: list[Sequence[ChatMessage]] = []
        self.how: list[dict[str, Any]] = []
        self._budget = open_budget(None, 2_048)

    @property
    def budget(self) -> PromptBudget:
        return self._budget

    async def chat(self, messages: Sequence[ChatMessage], **how: Any) -> AsyncIterator[Delta]:
        self.asked.append(messages[-1].content)
        self.prompts.append(messages)
        self.how.append(how)
        step = self.script.popleft() if len(self.script) > 1 else self.script[0]
        if isinstance(step, Exception):
            raise step
        if callable(step):
            async for delta in step():
                yield delta
            return
        for word in step.split(" "):
            yield Delta(text=f"{word} ")
        yield Delta(finish_reason="stop", usage=Usage(5, len(step.split(" "))))


def calling(*calls: tuple[str, Mapping[str, Any]], words: str = "") -> Callable[[], AsyncIterator[Delta]]:
    """A model that calls tools."""

    async def stream() -> AsyncIterator[Delta]:
        if words:
            yield Delta(text=words)
        made = [ToolCall(f"call-{place}", name, json.dumps(given)) for place, (name, given) in enumerate(calls)]
        yield Delta(tool_calls=tuple(made), finish_reason="tool_calls", usage=Usage(5, 5))

    return stream


def passage(number: int, text: str, url: str = "") -> Passage:
    """A passage of a document of its own."""
    return Passage(
        Chunk(f"d{number}:0:x", f"d{number}", f"Page {number}", "Shipping", text, url, "customer"), 1.0 / number
    )


class Shelf:
    """A retriever that finds what it was given, slowly where it shall."""

    def __init__(self, *texts: str, confidence: float = 0.9, empty: bool = False, slow: bool = False) -> None:
        found = tuple(passage(number, text) for number, text in enumerate(texts, 1))
        self.found = Retrieved(found, confidence, empty)
        self.slow = slow
        self.asked: list[str] = []

    async def retrieve(self, question: str, **_how: Any) -> Retrieved:
        self.asked.append(question)
        if self.slow:
            await asyncio.Event().wait()
        return self.found


class ScriptedPlanner:
    """Decides the next thing of its script, the same for the same question, nothing once it is over."""

    def __init__(self, *plans: Plan | Exception) -> None:
        self.plans = deque(plans)
        self.asked: list[tuple[Any, ...]] = []
        self._last: Plan | Exception = NoPlan()

    async def __call__(self, *given: Any) -> Plan:
        again = bool(self.asked) and self.asked[-1][0] == given[0]  # the turn was looked at twice
        if not again:
            self._last = self.plans.popleft() if self.plans else NoPlan()
            self.asked.append(given)
        if isinstance(self._last, Exception):
            raise self._last
        return self._last


class ShakyStore:
    """A store whose writes and pings fail while it is told to be away."""

    def __init__(self, inner: Store) -> None:
        self._inner = inner
        self.away = False
        self.refused = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    async def write(self, unit: Unit[Any], *, order: str = "", independent: bool = False) -> Any:
        if self.away:
            self.refused += 1
            raise StoreUnavailable("the database is away")
        return await self._inner.write(unit, order=order, independent=independent)

    async def ping(self) -> None:
        if self.away:
            self.refused += 1
            raise StoreUnavailable("the database is away")
        await self._inner.ping()


def slowly(gate: asyncio.Event, *words: str) -> Callable[[], AsyncIterator[Delta]]:
    """A stream that says its first words and goes on only when the gate opens."""

    async def stream() -> AsyncIterator[Delta]:
        for word in words:
            yield Delta(text=f"{word} ")
        await gate.wait()
        yield Delta(text="end", finish_reason="stop")

    return stream


@dataclass
class Desk(Bench):
    """A bench with a worker of its own; ``state`` is what the worker is told of the model."""

    llm: ScriptedLLM = field(default_factory=lambda: ScriptedLLM("yes"))
    state: ModelState = ModelState.READY
    screen: Any = None  # the channel of every platform
    media: MediaReader | None = None
    shelf: Any = None  # the retriever, where there is knowledge
    tools: Sequence[Tool] | None = None
    planner: ScriptedPlanner = field(default_factory=ScriptedPlanner)
    planned: frozenset[str] = PLANNED

    def __post_init__(self) -> None:
        super().__post_init__()
        engine = self.settings.engine
        self.hub = Hub(self.store, interval_s=engine.delta_interval_s)
        self.switch = BotSwitch(self.store, self.settings.tenant)
        self.breaker = Breaker(failures=engine.breaker_failures, pause_s=engine.breaker_pause_s, clock=lambda: 0.0)
        self.presenter = Presenter(self.store, lambda _name, _account: self.screen, self.metrics, self.settings)
        self.runner = TurnRunner(
            self.store, self.llm, self.hub, self.releases, self.switch, self.breaker, self.metrics, self.settings,
            presenter=self.presenter, media=self.media, knowledge=self._knowing(), tools=self._acting(),
        )  # fmt: skip
        self.worker = Worker(
            self.store, self.hub, self.runner, self.switch, self.metrics, self.settings, lambda: self.state
        )

    def _knowing(self) -> Knowing | None:
        if self.shelf is None:
            return None
        return Knowing(self.shelf, self.settings, self.metrics, needs=lambda question, _: "hello" not in question)

    def _acting(self) -> Acting | None:
        if self.tools is None:
            return None
        self.box = ToolBox(self.tools, self.settings.tools, Limits(self.store, 100.0), self.metrics)
        callers = Callers(self.store, self.settings.tenant)
        return Acting(self.store, self.box, self.planner, callers, self.settings, time.time, self.planned)

    async def steps(self, conversation: str = "c1") -> list[dict[str, Any]]:
        """The journal, with arguments and results read."""
        rows = await self.rows("steps", id=conversation)
        parsed = ("arguments", "result")
        return [{**row, **{key: json.loads(row[key]) if row[key] else None for key in parsed}} for row in rows]

    @asynccontextmanager
    async def working(self) -> AsyncIterator[None]:
        await self.releases.publish_configured()
        async with self.hub.running(), self.switch.running(), self.worker.running():
            yield

    async def turns(self, count: int = 1, conversation: str = "c1", timeout_s: float = 10.0) -> Sequence[Row]:
        """The turns of a conversation once there are so many."""
        async with asyncio.timeout(timeout_s):
            while len(rows := await self.rows("turns", id=conversation)) < count:
                await asyncio.sleep(0.01)
        return rows


@asynccontextmanager
async def desk(
    place: Place, folder: Path, *script: Any, screen: Any = None, media: MediaReader | None = None, shelf: Any = None,
    tools: Sequence[Tool] | None = None, plans: Sequence[Plan | Exception] = (),
    limits: Mapping[str, Any] | None = None, **sections: Any,
) -> AsyncIterator[Desk]:  # fmt: skip
    """A desk on the real clock with a scripted model; its worker runs within :meth:`Desk.working`.

    ``limits`` are the settings of tools.
    """
    async with place.open(real_clock=True) as store:
        llm, planner = ScriptedLLM(*(script or ("yes",))), ScriptedPlanner(*plans)
        settings = settings_for(folder, **sections, **({"tools": limits} if limits else {}))
        yield Desk(store, settings, llm=llm, screen=screen, media=media, shelf=shelf, tools=tools, planner=planner)
