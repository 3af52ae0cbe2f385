"""A whole access stack over a real store behind a real loopback server, for tests of sign-in and the API."""

from __future__ import annotations

import itertools
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import ClientResponse, ClientSession, CookieJar, web
from aiohttp.test_utils import TestServer

from config.knowledge import Knowledge, Parse
from config.settings import Access, Http, Settings, StoreSettings
from server.api.conversations import ConversationsApi
from server.api.gaps import GapsApi
from server.api.knowledge import KnowledgeApi
from server.api.releases import ReleasesApi
from server.api.sources import SourcesApi
from server.api.switch import SwitchApi
from server.api.teams import TeamsApi
from server.api.tools import ToolsApi
from server.auth.passwords import Passwords
from server.console_pages import ConsolePages
from server.conversation import NotFound, Refused
from server.entrance import Entrance
from server.knowledge.documents import Documents
from server.knowledge.gaps import Gaps
from server.knowledge.sources import Sources
from server.links import Links
from server.openapi import OpenApi
from server.people import People
from server.releases.registry import Releases
from server.releases.watch import Watch
from server.routes import Principal, Role, Route, install
from server.store.contract import Row, Store
from server.store.open import open_store
from server.switch import BotSwitch
from server.teams import Teams
from server.telemetry import Metrics
from tests.server.wits import ScriptedApprovals, ScriptedBox, ScriptedRetriever

TENANT = "shop"
PASSWORD = "correct horse battery"
CLI = Principal(TENANT, "cli", "root", Role.ADMIN)


class FakeClock:
    """Epoch seconds that move only when told."""

    def __init__(self) -> None:
        self.now_s = time.time()

    def __call__(self) -> float:
        return self.now_s


class CountingPasswords(Passwords):
    """The real hasher with little memory, counting how often it works."""

    def __init__(self) -> None:
        super().__init__(8_192)
        self.verified: list[str | None] = []

    async def verify(self, password_hash: str | None, password: str) -> bool:
        self.verified.append(password_hash)
        return await super().verify(password_hash, password)


class ScriptedHandoff:
    """Records transitions; conversation ``busy`` refuses, ``nowhere`` does not exist."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, ...]] = []

    def _step(self, *call: str) -> dict[str, Any]:
        self.calls.append(call)
        if call[1] == "busy":
            raise Refused("Ana has it; ask her to return it first.")
        if call[1] == "nowhere":
            raise NotFound("nowhere")
        return {"id": call[1], "step": call[0]}

    async def claim(self, conversation_id: str, person_id: str) -> dict[str, Any]:
        return self._step("claim", conversation_id, person_id)

    async def give_back(self, conversation_id: str, person_id: str) -> dict[str, Any]:
        return self._step("return", conversation_id, person_id)

    async def close(self, conversation_id: str, person_id: str) -> dict[str, Any]:
        return self._step("close", conversation_id, person_id)

    async def say(self, conversation_id: str, person_id: str, text: str) -> dict[str, Any]:
        return self._step("say", conversation_id, person_id, text)


@dataclass
class Browser:
    """One person's browser: keeps cookies, sends what a same-origin page sends."""

    desk: Desk
    session: ClientSession
    csrf: str = ""
    cross_site: bool = False

    async def call(self, method: str, path: str, body: Any = None, **headers: str) -> ClientResponse:
        sent = {"Sec-Fetch-Site": "cross-site" if self.cross_site else "same-origin"}
        if self.csrf:
            sent["X-CSRF-Token"] = self.csrf
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        answer = await self.session.request(
            method, self.desk.server.make_url(path), json=body, headers=sent, allow_redirects=False
        )
        await answer.read()
        return answer

    async def sign_in(self, email: str, password: str = PASSWORD) -> ClientResponse:
        answer = await self.call("POST", "/api/session", {"email": email, "password": password})
        if answer.status == 200:
            self.csrf = (await answer.json())["csrf"]
        return answer

    def cookies(self) -> dict[str, str]:
        return {cookie.key: cookie.value for cookie in self.session.cookie_jar}


@dataclass
class Desk:
    """Everything wired as in production, with its parts in reach."""

    store: Store
    clock: FakeClock
    attempt_clock: FakeClock
    passwords: CountingPasswords
    handoff: ScriptedHandoff
    links: Links
    people: People
    switch: BotSwitch
    routes: Sequence[Route]
    server: TestServer
    settings: Settings
    retriever: ScriptedRetriever
    box: ScriptedBox
    approvals: ScriptedApprovals
    documents: Documents
    releases: Releases
    sessions: list[ClientSession] = field(default_factory=list)

    def browser(self, *, cross_site: bool = False) -> Browser:
        session = ClientSession(cookie_jar=CookieJar(unsafe=True))
        self.sessions.append(session)
        return Browser(self, session, cross_site=cross_site)

    async def person(self, role: Role, email: str = "") -> str:
        """Add an active person directly; returns the email to sign in with."""
        email = email or f"{role}@example.com"
        password_hash = await self.passwords.hash(PASSWORD)

        async def unit(tx: Any) -> None:
            await tx.run(
                "people.add", id=f"person-{email}", tenant=TENANT, email=email, name=email.partition("@")[0].title(),
                role=role.value, password_hash=password_hash, now=self.clock(),
            )  # fmt: skip

        await self.store.write(unit)
        return email

    async def signed_in(self, role: Role, email: str = "") -> Browser:
        browser = self.browser()
        answer = await browser.sign_in(await self.person(role, email))
        assert answer.status == 200, await answer.text()
        self.attempt_clock.now_s += 61.0  # set-up sign-ins must not count as attempts of the test
        return browser

    async def audit_rows(self, action: str = "") -> list[Row]:
        rows = await self.store.rows(
            "audit.page", tenant=TENANT, actor="", action=action, target="", since=0.0, at=float("inf"), id="",
            count=1_000,
        )  # fmt: skip
        return [row for row in rows if not action or row["action"] == action]


@asynccontextmanager
async def open_desk(
    url: str,
    *,
    access: Access | None = None,
    http: Http | None = None,
    extra: Sequence[Route] = (),
    max_file_bytes: int = 1_000_000,
) -> AsyncIterator[Desk]:
    """A running desk on the store behind ``url``."""
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(
            tenant=TENANT,
            data_dir=Path(folder),
            access=access or Access(),
            http=http or Http(),
            knowledge=Knowledge(parse=Parse(max_bytes=max_file_bytes)),
        )
        async with _opened(url, settings, extra) as desk:
            yield desk


@asynccontextmanager
async def _opened(url: str, settings: Settings, extra: Sequence[Route]) -> AsyncIterator[Desk]:
    access, http = settings.access, settings.http
    store = open_store(url, StoreSettings())
    clock, attempt_clock, passwords, handoff = FakeClock(), FakeClock(), CountingPasswords(), ScriptedHandoff()
    teams = Teams(store, TENANT, clock)
    entrance = Entrance(store, settings, teams, passwords=passwords, clock=clock, attempt_clock=attempt_clock)
    links = Links(store, TENANT, access, "http://desk.test", clock)
    switch = BotSwitch(store, TENANT)
    retriever, box, approvals = ScriptedRetriever(), ScriptedBox(), ScriptedApprovals()
    documents = Documents(store, settings)
    releases = Releases(store, settings, "template")
    resources = [
        ReleasesApi(store, settings, releases, Watch(store, settings, releases, Metrics())),
        KnowledgeApi(store, settings, documents, retriever, retriever),
        SourcesApi(store, settings, Sources(store, settings)),
        GapsApi(store, http, Gaps(store, TENANT), documents, attempt_clock),
        ToolsApi(store, TENANT, http, box, approvals),
        entrance,
        SwitchApi(switch, http),
        TeamsApi(store, http, teams),
        ConversationsApi(store, TENANT, handoff),
        ConsolePages(),
    ]
    routes = list(itertools.chain(extra, *(resource.routes() for resource in resources)))
    routes += OpenApi(routes, "shop", "0.1.0").routes()
    app = web.Application(client_max_size=http.max_body_bytes)
    install(app, routes, entrance.gate)
    async with store.running(), switch.running():
        server = TestServer(app, host="127.0.0.1")
        await server.start_server()
        desk = Desk(
            store, clock, attempt_clock, passwords, handoff, links, entrance.people, switch, routes, server, settings,
            retriever, box, approvals, documents, releases,
        )  # fmt: skip
        try:
            yield desk
        finally:
            for session in desk.sessions:
                await session.close()
            await server.close()
