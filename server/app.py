"""The wiring: makes every object once, connects them, and pairs each start with its stop. Nothing else lives here."""

from __future__ import annotations

import asyncio
import gc
import importlib
import signal
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Protocol

import structlog
from aiohttp import web

from channels.web import WebChannel, origin_of
from config.load import Loaded
from config.settings import Settings
from models.prompt import template_digest
from models.vllm import VLLM
from server.alerts import hook_nowhere
from server.analytics.assembly import Insight
from server.api.configuration import ConfigurationApi
from server.api.conversations import ConversationsApi
from server.api.decisions import DecisionsApi
from server.api.gaps import GapsApi
from server.api.health import Health
from server.api.knowledge import KnowledgeApi
from server.api.mcp import McpApi
from server.api.openai import OpenAiApi
from server.api.releases import ReleasesApi
from server.api.sources import SourcesApi
from server.api.switch import SwitchApi
from server.api.tools import ToolsApi
from server.api.web import WebApi
from server.api.widget import WidgetFiles
from server.assistant import Assistant
from server.auth.gate import Auth
from server.breaker import Breaker
from server.console_pages import ConsolePages
from server.customers.assembly import CustomerDesk
from server.desk.assembly import StaffDesk
from server.duty.tickets import export_nowhere
from server.engine.turn import TurnRunner
from server.engine.worker import Worker
from server.entrance import Entrance
from server.feedback import Feedback
from server.gateway import Gateway
from server.handoff import Handoff
from server.hub import Hub
from server.install import version
from server.jobs import Jobs
from server.knowledge.documents import Documents
from server.knowledge.sources import Sources
from server.loop import Loop
from server.model import Model
from server.openapi import OpenApi
from server.platforms import Platforms
from server.releases.reconciler import Reconciler
from server.releases.registry import Releases
from server.releases.shelf import Shelf
from server.releases.watch import Watch
from server.routes import Route, install
from server.secrets import InstallationKeys
from server.staff_slack.assembly import StaffSlack
from server.store.contract import Store
from server.store.open import open_store
from server.store.retention import purge
from server.switch import BotSwitch
from server.telemetry import Metrics, http_middleware
from server.wits import Wits

log = structlog.get_logger()

ROLES = ("all", "gateway", "worker")
PURGE_CRON = "17 3 * * *"  # nightly, off the full hour
BACKLOG = 1_024  # connections the kernel holds while a burst is accepted
STREAMS_CLOSE_S = 5.0  # for requests still open after intake stopped; turns have http.drain_s of their own


class Resource(Protocol):
    """One thin module of the API."""

    def routes(self) -> list[Route]:
        """Its addresses."""


STORE = web.AppKey("store", Store)
METRICS = web.AppKey("metrics", Metrics)


class Parts:
    """Every object of one process, made from the settings."""

    def __init__(
        self, settings: Settings, role: str, store: Store | None = None, again: Callable[[], Loaded] | None = None
    ) -> None:
        self.settings = settings
        self._again = again
        self.role = role
        self.metrics = Metrics()
        self.store = store or open_store(settings.store_url, settings.store)
        self.store.on_group = self.metrics.committed
        self.keys = InstallationKeys(self.store)
        self.hub = Hub(self.store, interval_s=settings.engine.delta_interval_s)
        self.switch = BotSwitch(self.store, settings.tenant)
        self.releases = Releases(self.store, settings, template_digest())
        self.shelf = Shelf(settings)
        self.model = Model(settings, self.metrics, prepare=self._prepared)
        self.reconciler = Reconciler(self.store, settings, self.metrics, lambda: self.model.servers, self.shelf.find)
        self.watch = Watch(self.store, settings, self.releases, self.metrics)
        self.handoff = Handoff(self.store)
        self.web_channels = self._web_channels()
        gateway = Gateway(self.store, settings, self.metrics)
        self.platforms = Platforms(self.store, settings, self.metrics, self.keys, gateway, self.handoff, self.switch)
        self.web = WebApi(
            self.store,
            gateway,
            self.handoff,
            Feedback(self.store),
            self.hub,
            self.metrics,
            settings,
            self.web_channels,
        )
        self.wits = Wits(self.store, settings, self.metrics, self.keys, works=role != "gateway")
        notes = dict(self.platforms.accounts.notes()) | self.wits.notes()
        notes |= {"model": self.model.note} if role != "gateway" else {}
        self.health = Health(self.store, self.metrics, settings.http, notes)
        self.worker = self._worker()
        self.loop = self._loop()
        self.staff = self._staff()
        self.customers = CustomerDesk(self.store, settings, self.platforms.media.files)
        self.entrance = Entrance(self.store, settings, self.staff.teams)
        self.insight = self._insight()
        self.slack = self._slack()
        works = (self.slack, self.wits, self.loop, self.staff, self.customers, self.insight)
        self.jobs = Jobs(
            self.store,
            settings.tenant,
            {"purge": self._purge} | {name: job for part in works for name, job in part.jobs().items()},
            {"purge": PURGE_CRON} | {name: cron for part in works for name, cron in part.schedules().items()},
            long=self.loop.long | self.customers.long | self.insight.long,
        )

    def _slack(self) -> StaffSlack:
        found, works = self.platforms.accounts.get, self.role != "gateway"
        desk = self.staff
        return StaffSlack(self.store, self.settings, found, self.handoff, desk.sends, desk.teams, works=works)

    def _web_channels(self) -> dict[str, WebChannel]:
        own = origin_of(self.settings.http.public_url) if self.settings.http.public_url else ""
        accounts = self.settings.channels.web.items()
        return {name: WebChannel(name, account, lambda: self.keys.visitor, own) for name, account in accounts}

    def _worker(self) -> Worker:
        engine = self.settings.engine
        breaker = Breaker(
            failures=engine.breaker_failures,
            pause_s=engine.breaker_pause_s,
            clock=time.monotonic,
            on_change=self.metrics.breaker_open.set,
        )
        runner = TurnRunner(
            self.store, self.model, self.hub, self.releases, self.switch, breaker, self.metrics, self.settings,
            presenter=self.platforms.presenter, media=self.platforms.media, knowledge=self.wits.knowing,
            tools=self.wits.acting,
        )  # fmt: skip
        worker = Worker(
            self.store, self.hub, runner, self.switch, self.metrics, self.settings, lambda: self.model.state
        )
        self.model.on_change(worker.model_changed)
        self.model.on_change(self.reconciler.wake)
        return worker

    def _loop(self) -> Loop:
        """Corrections, examples and retrains; an evaluation stands back while customers are being answered."""
        return Loop(
            self.store, self.settings, llm=self.model, releases=self.releases, registry=self.shelf.adapters,
            servers=self.reconciler, busy=lambda: self.worker.active > 0,
            specs=self.wits.tools.specs if self.wits.tools is not None else tuple,
        )  # fmt: skip

    def _staff(self) -> StaffDesk:
        """What staff see and do around conversations."""
        known = self.wits.knowledge
        assistant = Assistant(self.model, known.retriever if known is not None else None, self.settings)
        return StaffDesk(
            self.store, self.settings, self.metrics, model_state=lambda: self.hub.model_state,
            places=self.platforms.accounts.get, files=self.platforms.media.files, assistant=assistant,
            releases=self.releases, works=self.role != "gateway",
            export=self.wits.tools.ticket_updated if self.wits.tools is not None else export_nowhere,
            hook=self.wits.tools.customer_waiting if self.wits.tools is not None else hook_nowhere,
        )  # fmt: skip

    def _insight(self) -> Insight:
        """Figures, and questions to customers."""
        return Insight(
            self.store, self.settings, places=self.platforms.accounts.get, silent=self.switch.silent,
            sign=self.platforms.score, works=self.role != "gateway",
        )  # fmt: skip

    async def _prepared(self, server: VLLM, name: str) -> None:
        await self.reconciler.prepare(server, name)

    async def _purge(self, _body: Mapping[str, Any]) -> None:
        counts = await purge(self.store, self.settings.store, time.time())
        log.info("purged", **counts, files=await self.platforms.media.sweep())

    def routes(self) -> list[Route]:
        """The table of this process; a worker only answers probes."""
        if self.role == "worker":
            return self.health.routes()
        settings, store, tenant = self.settings, self.store, self.settings.tenant
        resources: list[Resource] = [
            self.health,
            self.web,
            WidgetFiles(self.web_channels),
            ConsolePages(),
            self.entrance,
            SwitchApi(self.switch, settings.http),
            ConfigurationApi(settings, self._again),
            ConversationsApi(store, tenant, self.handoff),
            self.platforms,
            *self._wits_resources(),
        ]
        table = [route for resource in resources for route in resource.routes()]
        return table + OpenApi(table, settings.name, version()).routes()

    def _wits_resources(self) -> list[Resource]:
        """What is known and what can be done, for staff and for programs; there also while it is switched off."""
        store, settings, known, tools = self.store, self.settings, self.wits.knowledge, self.wits.tools
        retriever = known.retriever if known is not None else None
        return [
            KnowledgeApi(store, settings, Documents(store, settings), retriever, known),
            SourcesApi(store, settings, Sources(store, settings)),
            GapsApi(store, settings.http, self.wits.gaps, Documents(store, settings)),
            ToolsApi(store, settings.tenant, settings.http, tools, tools.approvals.decide if tools else None),
            OpenAiApi(Assistant(self.model, retriever, settings), self.releases),
            DecisionsApi(store, settings, Assistant(self.model, retriever, settings), self.releases),
            ReleasesApi(store, settings, self.releases, self.watch),
            self.loop,
            self.staff,
            self.slack,
            self.customers,
            self.insight,
            *([McpApi(tools, settings.tenant)] if tools else []),
        ]

    def gate(self) -> Auth:
        """Who may call what."""
        return self.entrance.gate

    def resources(self) -> list[Callable[[], AbstractAsyncContextManager[None]]]:
        """What starts with the process, in order; it stops in reverse."""
        platforms = self.platforms
        started = [self.store.running, self._keys_loaded, self.hub.running, self.switch.running]
        started += [self.releases.running, self.loop.running, *self.staff.resources()]
        started += [platforms.media.running, platforms.accounts.running, *self.wits.resources()]
        started += self.insight.resources()
        if self.role != "gateway":
            started += [self._release_published, self.model.running, self.reconciler.running]
            started += [platforms.sender.running, self.worker.running, self.jobs.running, self.watch.running]
            started += self.slack.resources()
        elif self.settings.model.base_url:
            started.append(self.model.running)  # programs ask the assistant here (/v1); nothing is started for it
        if self.role != "worker":
            started += [self.entrance.running, *platforms.receiving()]
        return started

    @asynccontextmanager
    async def _keys_loaded(self) -> AsyncIterator[None]:
        await self.keys.load()
        yield

    @asynccontextmanager
    async def _release_published(self) -> AsyncIterator[None]:
        await self.releases.publish_configured()
        yield


def build(
    settings: Settings, *, role: str = "all", store: Store | None = None, again: Callable[[], Loaded] | None = None
) -> web.Application:
    """The application of one process; ``role`` is all, gateway (HTTP only) or worker (answers only).

    ``again`` reads the settings as they were read for this process: the console tells what a restart would change.
    """
    if role not in ROLES:
        raise ValueError(f"role must be one of {', '.join(ROLES)}, not {role!r}")
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    parts = Parts(settings, role, store, again)
    app = web.Application(client_max_size=settings.http.max_body_bytes, middlewares=[http_middleware(parts.metrics)])
    app[STORE] = parts.store
    app[METRICS] = parts.metrics
    install(app, parts.routes(), parts.gate())
    app.on_response_prepare.append(parts.web.share)
    for running in parts.resources():
        app.cleanup_ctx.append(_paired(running))

    async def drain(_: web.Application) -> None:
        parts.health.draining = True
        parts.staff.close_streams()
        await parts.web.close_streams()

    app.on_shutdown.append(drain)
    return app


def run(settings: Settings, *, role: str = "all") -> None:
    """Serve until SIGTERM or SIGINT; then stop intake, end streams with ``resume``, and finish or give back turns."""
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(_serve(settings, role))


async def _serve(settings: Settings, role: str) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    runner = runner_of(build(settings, role=role))
    try:
        await runner.setup()
        await web.TCPSite(runner, settings.http.host, settings.http.port, backlog=BACKLOG).start()
        _settle_memory()
        log.info("serving", role=role, addresses=[f"{host}:{port}" for host, port, *_ in runner.addresses])
        await stop.wait()
        log.info("stopping", drain_s=settings.http.drain_s)
    finally:
        await runner.cleanup()


def _settle_memory() -> None:
    """Take what was loaded so far out of the collector's sight: walking the SDKs stopped everything for 0.1 s."""
    gc.collect()
    gc.freeze()


def runner_of(app: web.Application) -> web.AppRunner:
    """An app's runner; bodies are never unpacked, so a small compressed one cannot cost a large amount of CPU."""
    return web.AppRunner(
        app, handle_signals=False, access_log=None, auto_decompress=False, shutdown_timeout=STREAMS_CLOSE_S
    )


Running = Callable[[], AbstractAsyncContextManager[None]]


def _paired(running: Running) -> Callable[[web.Application], AsyncIterator[None]]:
    async def context(_: web.Application) -> AsyncIterator[None]:
        async with running():
            yield

    return context


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop]:
    """The faster loop of uvloop where it is installed, else the standard one."""
    try:
        module = importlib.import_module("uvloop")
    except ModuleNotFoundError:
        return asyncio.new_event_loop
    return module.new_event_loop  # type: ignore[no-any-return]  # the module is loaded by name
