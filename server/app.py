"""The wiring: makes every object once, connects them, and pairs each start with its stop. Nothing else lives here."""

from __future__ import annotations

import asyncio
import importlib
import signal
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Protocol

import structlog
from aiohttp import web

from channels.web import WebChannel, origin_of
from config.settings import Settings
from models.prompt import template_digest
from server.api.audit import AuditApi
from server.api.channels import ChannelsApi
from server.api.conversations import ConversationsApi
from server.api.health import Health
from server.api.keys import KeysApi
from server.api.people import PeopleApi
from server.api.sessions import SessionsApi
from server.api.switch import SwitchApi
from server.api.web import WebApi
from server.api.widget import WidgetFiles
from server.auth.attempts import Attempts
from server.auth.gate import Auth
from server.auth.keys import Keys
from server.auth.login import Login
from server.auth.passwords import Passwords
from server.auth.sessions import Sessions
from server.console_pages import ConsolePages
from server.engine.breaker import Breaker
from server.engine.turn import TurnRunner
from server.engine.worker import Worker
from server.feedback import Feedback
from server.gateway import Gateway
from server.handoff import Handoff
from server.hub import Hub
from server.install import version
from server.jobs import Jobs
from server.links import Links
from server.model import Model
from server.openapi import OpenApi
from server.people import People
from server.platforms import Platforms
from server.releases import Releases
from server.routes import Route, install
from server.secrets import InstallationKeys
from server.store.contract import Store
from server.store.open import open_store
from server.store.retention import purge
from server.switch import BotSwitch
from server.telemetry import Metrics, http_middleware

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

    def __init__(self, settings: Settings, role: str, store: Store | None = None) -> None:
        self.settings = settings
        self.role = role
        self.metrics = Metrics()
        self.store = store or open_store(settings.store_url, settings.store)
        self.store.on_group = self.metrics.committed
        self.keys = InstallationKeys(self.store)
        self.hub = Hub(self.store, interval_s=settings.engine.delta_interval_s)
        self.switch = BotSwitch(self.store, settings.tenant)
        self.releases = Releases(self.store, settings, template_digest())
        self.model = Model(settings, self.metrics)
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
        notes = dict(self.platforms.accounts.notes()) | ({"model": self.model.note} if role != "gateway" else {})
        self.health = Health(self.store, self.metrics, settings.http, notes)
        self.worker = self._worker()
        self.jobs = Jobs(self.store, settings.tenant, {"purge": self._purge}, {"purge": PURGE_CRON})

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
            presenter=self.platforms.presenter, media=self.platforms.media,
        )  # fmt: skip
        worker = Worker(
            self.store, self.hub, runner, self.switch, self.metrics, self.settings, lambda: self.model.state
        )
        self.model.on_change(worker.model_changed)
        return worker

    async def _purge(self, _body: Mapping[str, Any]) -> None:
        counts = await purge(self.store, self.settings.store, time.time())
        log.info("purged", **counts, files=await self.platforms.media.sweep())

    def routes(self) -> list[Route]:
        """The table of this process; a worker only answers probes."""
        if self.role == "worker":
            return self.health.routes()
        settings, store, tenant = self.settings, self.store, self.settings.tenant
        attempts = Attempts(settings.access.attempts_per_minute)
        sessions = Sessions(store, tenant, settings.access, settings.http)
        passwords = Passwords(settings.access.argon2_memory_kib)
        people = People(store, tenant, passwords, sessions)
        links = Links(store, tenant, settings.access, settings.http.public_url)
        login = Login(store, tenant, passwords, attempts, sessions)
        resources: list[Resource] = [
            self.health,
            self.web,
            WidgetFiles(self.web_channels),
            ConsolePages(),
            SessionsApi(store, login, sessions, settings.http),
            PeopleApi(people, links, sessions, attempts, settings.http),
            KeysApi(store, tenant, settings.http),
            SwitchApi(self.switch, settings.http),
            AuditApi(store, tenant),
            ConversationsApi(store, tenant, self.handoff),
            ChannelsApi(store, self.platforms.accounts, settings),
            self.platforms,
        ]
        table = [route for resource in resources for route in resource.routes()]
        return table + OpenApi(table, settings.name, version()).routes()

    def gate(self) -> Auth:
        """Who may call what."""
        settings, tenant = self.settings, self.settings.tenant
        sessions = Sessions(self.store, tenant, settings.access, settings.http)
        return Auth(self.store, sessions, Keys(self.store, tenant), settings.http)

    def resources(self) -> list[Callable[[], AbstractAsyncContextManager[None]]]:
        """What starts with the process, in order; it stops in reverse."""
        platforms = self.platforms
        started = [self.store.running, self._keys_loaded, self.hub.running, self.switch.running]
        started += [platforms.media.running, platforms.accounts.running]
        if self.role != "gateway":
            started += [self._release_published, self.model.running, platforms.sender.running, self.worker.running]
            started += [self.jobs.running]
        if self.role != "worker":
            started += platforms.receiving()
        return started

    @asynccontextmanager
    async def _keys_loaded(self) -> AsyncIterator[None]:
        await self.keys.load()
        yield

    @asynccontextmanager
    async def _release_published(self) -> AsyncIterator[None]:
        release = await self.releases.publish_configured()
        log.info("release_live", release=release)
        yield


def build(settings: Settings, *, role: str = "all", store: Store | None = None) -> web.Application:
    """The application of one process; ``role`` is all, gateway (HTTP only) or worker (answers only)."""
    if role not in ROLES:
        raise ValueError(f"role must be one of {', '.join(ROLES)}, not {role!r}")
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    parts = Parts(settings, role, store)
    app = web.Application(client_max_size=settings.http.max_body_bytes, middlewares=[http_middleware(parts.metrics)])
    app[STORE] = parts.store
    app[METRICS] = parts.metrics
    install(app, parts.routes(), parts.gate())
    app.on_response_prepare.append(parts.web.share)
    for running in parts.resources():
        app.cleanup_ctx.append(_paired(running))

    async def drain(_: web.Application) -> None:
        parts.health.draining = True
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
        log.info("serving", role=role, addresses=[f"{host}:{port}" for host, port, *_ in runner.addresses])
        await stop.wait()
        log.info("stopping", drain_s=settings.http.drain_s)
    finally:
        await runner.cleanup()


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
