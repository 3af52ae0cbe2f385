"""What the assistant knows and can do: makes the objects of knowledge and tools of one process, and starts them.

Nothing heavy happens before there is a document: no model is loaded, no Chroma starts. Tools wait for the shop's
database: while it is away the assistant answers without them.
"""

from __future__ import annotations

import asyncio
import importlib
import os
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any

import structlog

from config.settings import Settings
from models.chat import ToolSpec
from server.engine.acting import PLANNED, Acting
from server.engine.knowing import Knowing
from server.jobs import Job
from server.knowledge import gaps
from server.secrets import VERIFICATION, InstallationKeys
from server.store.contract import Store, Tx
from server.telemetry import Metrics
from server.tools import definitions, registry
from server.tools.approvals import JOB, Approvals
from server.tools.builtin.kit import Kit, make
from server.tools.builtin.shop import Shop, open_shop
from server.tools.contract import Caller, Result, Tool, ToolRefused, ToolUnavailable
from server.tools.limits import Limits
from server.tools.mail import notifier
from server.tools.plans import Dialogue, NoPlan, Pending, Plan
from server.tools.runner import SourceState, ToolBox
from server.tools.webhooks import Kind, Webhooks
from server.tools.wire import GuardedHttp

if TYPE_CHECKING:
    from server.knowledge.assembly import Knowledge

log = structlog.get_logger()

Running = Callable[[], AbstractAsyncContextManager[None]]

SHOP_RETRY_S = 5.0
EXPIRE = "expire-requests"
EXPIRE_CRON = "*/5 * * * *"
EVENTS: Mapping[str, Kind] = {
    "capture_lead": "lead.created",
    "create_ticket": "ticket.created",
    "handoff_to_staff": "handoff.requested",
}
"""Tools whose effect the shop's own systems hear of."""


class Tools:
    """The tools of one process, as the engine and the API see them: none while the shop's database is away."""

    def __init__(
        self,
        store: Store,
        settings: Settings,
        metrics: Metrics,
        keys: InstallationKeys,
        *,
        retry_s: float = SHOP_RETRY_S,
    ) -> None:
        definitions.load(settings.tools)  # a mistake in the file is told before anything starts
        self._store = store
        self._settings = settings
        self._metrics = metrics
        self._keys = keys
        self._retry_s = retry_s
        self._http = GuardedHttp()
        self.webhooks = Webhooks(store, settings.tenant, settings.tools, self._http)
        self.approvals = Approvals(store, settings.tenant, self, self.caller)
        self._kit: Kit | None = None
        self._box: ToolBox | None = None

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Hold the tools; the ones of a shop whose database is away come when it is back."""
        shop = open_shop(self._settings.tools.shop) if self._settings.tools.shop else None
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(self._http.running())
            if shop is not None:
                await stack.enter_async_context(shop.running())
            ready, closing = asyncio.Event(), asyncio.Event()
            holding = asyncio.create_task(self._hold(shop, ready, closing), name="tools")
            try:
                waiting = asyncio.create_task(ready.wait())
                await asyncio.wait({holding, waiting}, return_when=asyncio.FIRST_COMPLETED)
                waiting.cancel()
                if holding.done():
                    holding.result()  # a mistake in the settings
                yield
            finally:
                closing.set()
                await asyncio.wait({holding})

    async def _hold(self, shop: Shop | None, ready: asyncio.Event, closing: asyncio.Event) -> None:
        """Make the tools as soon as they can be made, and keep them until the end."""
        while not closing.is_set():
            try:
                kit = await self._made(shop)
            except ToolUnavailable as error:
                log.warning("shop_unavailable", reason=str(error), retry_in_s=self._retry_s)
                ready.set()
                await _pause(closing, self._retry_s)
                continue
            box = registry.build(
                self._settings.tools,
                kit.tools,
                environ=os.environ,
                http=self._http,
                limits=Limits(self._store, self._settings.tools.cost_per_hour),
                metrics=self._metrics,
                log_folder=self._settings.data_dir,
            )
            async with kit.running(), box.running():
                self._kit, self._box = kit, box
                ready.set()
                await closing.wait()
            self._kit = self._box = None

    async def _made(self, shop: Shop | None) -> Kit:
        settings = self._settings
        return await make(
            settings.tools,
            self._store,
            settings.tenant,
            shop,
            notifier(settings.mail, settings.data_dir),
            lambda: self._keys.key(VERIFICATION),
            self._http,
            shop_name=settings.name,
            environ=os.environ,
        )

    async def plan(
        self,
        question: str,
        history: Sequence[str],
        dialogue: Dialogue,
        pending: Pending | None,
        caller: Caller,
        tools: Sequence[ToolSpec],
        now: datetime,
    ) -> Plan:
        """What code decides about a message; nothing while there are no tools."""
        if self._kit is None:
            return NoPlan()
        return await self._kit.planner(question, history, dialogue, pending, caller, tools, now)

    async def caller(self, conversation_id: str) -> Caller:
        """Who a conversation's customer is; raises ToolUnavailable while the shop cannot say."""
        if self._kit is None:
            raise ToolUnavailable("the shop's database is away")
        return await self._kit.callers(conversation_id)

    def listed(self) -> list[tuple[str, Tool]]:
        """Every tool there is now with where it comes from."""
        return self._box.listed() if self._box is not None else []

    def sources(self) -> list[SourceState]:
        """Where tools of other systems come from."""
        return self._box.sources() if self._box is not None else []

    def specs(self, caller: Caller | None = None) -> list[ToolSpec]:
        """What the model may be offered."""
        return self._box.specs(caller) if self._box is not None else []

    def tool(self, name: str) -> Tool:
        """One tool; raises ToolRefused."""
        return self._live().tool(name)

    def check(self, name: str, arguments: str) -> dict[str, Any]:
        """Arguments that fit the tool; raises ToolRefused."""
        return self._live().check(name, arguments)

    def needs(self, name: str, arguments: Mapping[str, Any]) -> str:
        """Whose yes a call needs first; raises ToolRefused."""
        return self._live().needs(name, arguments)

    async def run(
        self, name: str, arguments: Mapping[str, Any], caller: Caller, key: str, *, repeat: bool = False
    ) -> Result:
        """One call within its limits, and the event about it; raises ToolError.

        The event's id comes from the key: a step that is run again after a crash tells it again, and it counts once.
        """
        if self._box is None:
            raise ToolUnavailable("the shop's database is away")
        result = await self._box.run(name, arguments, caller, key, repeat=repeat)
        if result.ok and name in EVENTS:
            data = {"conversation": caller.conversation_id, "customer": caller.customer_id, **arguments, **result.data}
            kind, event_id = EVENTS[name], f"evt_{key}"
            await self._store.write(lambda tx: self.webhooks.emit(tx, kind, data, event_id=event_id))
        return result

    async def customer_waiting(self, tx: Tx, wait: Mapping[str, Any], event_id: str) -> None:
        """Tell the shop's own systems of a customer nobody looks after, in the caller's commit; once per event id."""
        await self.webhooks.emit(tx, "customer.waiting", wait, event_id=event_id)

    async def ticket_updated(self, tx: Tx, ticket: Mapping[str, Any]) -> None:
        """Tell the shop's own systems what staff did with a ticket, in the caller's commit."""
        await self.webhooks.emit(tx, "ticket.updated", ticket)

    def _live(self) -> ToolBox:
        if self._box is None:
            raise ToolRefused("there are no tools now")
        return self._box

    async def expire(self, _body: Mapping[str, Any]) -> None:
        """The job that ends requests nobody decided."""
        await self.approvals.expire()


class Wits:
    """Knowledge and tools of one process; each is None where the settings switch it off."""

    def __init__(
        self, store: Store, settings: Settings, metrics: Metrics, keys: InstallationKeys, *, works: bool
    ) -> None:
        self._works = works
        self.gaps = gaps.Gaps(store, settings.tenant, keep_days=settings.store.retention_days)
        self.knowledge = _knowledge(store, settings, metrics, works=works) if settings.knowledge.enabled else None
        self.tools = Tools(store, settings, metrics, keys) if settings.tools.enabled else None
        self.knowing = Knowing(self.knowledge.retriever, settings, metrics) if self.knowledge is not None else None
        tools = self.tools
        planned = PLANNED if settings.tools.offer == "others" else frozenset[str]()
        self.acting = Acting(store, tools, tools.plan, tools.caller, settings, time.time, planned) if tools else None

    def resources(self) -> list[Running]:
        """What starts with the process, in order."""
        started: list[Running] = []
        if self.knowledge is not None:
            started.append(self.knowledge.running)
        if self.tools is not None:
            started.append(self.tools.running)
            if self._works:
                started.append(self.tools.webhooks.running)
        return started

    def jobs(self) -> dict[str, Job]:
        """What a worker does by the clock or on request."""
        asked = {gaps.JOB: self.gaps.run}
        return asked | ({JOB: self.tools.approvals.run, EXPIRE: self.tools.expire} if self.tools is not None else {})

    def schedules(self) -> dict[str, str]:
        """When; a job without a schedule is put by whoever wants it."""
        return {gaps.JOB: gaps.CRON} | ({EXPIRE: EXPIRE_CRON} if self.tools is not None else {})

    def notes(self) -> dict[str, Callable[[], Any]]:
        """Phrases for the readiness page."""
        return {"knowledge": self.knowledge.index.note} if self.knowledge is not None else {}


def _knowledge(store: Store, settings: Settings, metrics: Metrics, *, works: bool) -> Knowledge:
    """The numeric half of retrieval, loaded now that it is wanted."""
    module = importlib.import_module("server.knowledge.assembly")
    made: Knowledge = module.Knowledge(store, settings, metrics, works=works)
    return made


async def _pause(ended: asyncio.Event, seconds: float) -> None:
    """Wait, but no longer than until the end."""
    try:
        async with asyncio.timeout(seconds):
            await ended.wait()
    except TimeoutError:
        return
