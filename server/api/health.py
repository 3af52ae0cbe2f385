"""What orchestrators and monitors ask: alive, ready, version, metrics."""

from __future__ import annotations

import asyncio
import ipaddress
import time
from collections.abc import Awaitable, Callable, Mapping

from aiohttp import web

from config.settings import Http
from server import lanes
from server.install import version as installed_version
from server.problems import Problem
from server.routes import Role, Route, client_ip
from server.store.contract import Store, StoreError, StoreUnavailable
from server.telemetry import Metrics

Check = Callable[[], Awaitable[str]]  # "" when well, else one sentence

PING_S = 2.0
KEPT_S = 1.0  # a ready answer is reused this long, so that probes cost the database nothing


class Health:
    """The four addresses of operations; ``notes`` are phrases shown beside readiness, by name."""

    def __init__(self, store: Store, metrics: Metrics, http: Http, notes: Mapping[str, Check]) -> None:
        self._store = store
        self._metrics = metrics
        self._http = http
        self._checks: dict[str, Check] = {"store": self._ping}
        self._notes = notes
        self._last: tuple[float, dict[str, str]] = (-KEPT_S, {})
        self.draining = False

    def routes(self) -> list[Route]:
        """Probes and figures; none shows customer data."""
        return [
            Route("GET", "/livez", self.live, Role.PUBLIC, "Whether the process runs"),
            Route("GET", "/healthz", self.live, Role.PUBLIC, "The same as /livez"),
            Route("GET", "/readyz", self.ready, Role.PUBLIC, "Whether messages are accepted, with reasons"),
            Route("GET", "/version", self.version, Role.PUBLIC, "Which version this is"),
            Route("GET", "/metrics", self.metrics, Role.PUBLIC, "Figures for Prometheus"),
        ]

    async def live(self, _request: web.Request) -> web.Response:
        """200 as long as the event loop turns."""
        return web.json_response({"status": "alive"})

    async def ready(self, _request: web.Request) -> web.Response:
        """200 when messages are accepted; 503 with one reason per failed check otherwise.

        The model is only noted: while it loads, messages are accepted and wait in their lanes.
        """
        failed = await self._failed()
        if self.draining:
            failed = {**failed, "server": "the server is stopping"}
        notes = {name: await note() for name, note in self._notes.items()}
        body = {"status": "ready" if not failed else "not ready", "reasons": failed, "notes": notes}
        return web.json_response(body, status=200 if not failed else 503)

    async def version(self, _request: web.Request) -> web.Response:
        """The running version."""
        return web.json_response({"name": "frontdesk", "version": installed_version()})

    async def metrics(self, request: web.Request) -> web.Response:
        """The exposition text, for callers inside the network only; lane gauges are read now."""
        caller = client_ip(request, self._http)
        if caller and not ipaddress.ip_address(caller).is_private:
            raise Problem(403, "Not from here", "Figures are only shown inside the network; scrape the server itself.")
        try:
            await self._lanes()
        except StoreError:
            self._metrics.lanes.clear()
        content, content_type = self._metrics.render()
        return web.Response(body=content, headers={"Content-Type": content_type})

    async def _lanes(self) -> None:
        for kind, counts in (await lanes.stats(self._store, time.time())).items():
            for state in ("ready", "leased", "waiting"):
                self._metrics.lanes.labels(kind, state).set(getattr(counts, state))
            self._metrics.lane_oldest_seconds.labels(kind).set(counts.oldest_s)

    async def _failed(self) -> dict[str, str]:
        at, failed = self._last
        if time.monotonic() - at < KEPT_S:
            return failed
        reasons = {name: await check() for name, check in self._checks.items()}
        failed = {name: reason for name, reason in reasons.items() if reason}
        self._last = (time.monotonic(), failed)
        return failed

    async def _ping(self) -> str:
        try:
            async with asyncio.timeout(PING_S):
                await self._store.ping()
        except StoreUnavailable as error:
            return str(error) or "the database does not answer"
        except TimeoutError:
            return f"the database did not answer within {PING_S:g} s"
        return ""
