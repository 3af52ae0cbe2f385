"""The staff's part of the API over a real store, with people who need no password: ``Bearer <name>`` is enough."""

from __future__ import annotations

import json
import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from aiohttp import ClientResponse, ClientSession, web
from aiohttp.test_utils import TestServer

from channels.base import Limits
from config.approved import Approved
from config.settings import Http, Settings
from models.chat import Decoding, ModelError
from server.assistant import Asked, Piece
from server.audit import audit
from server.desk.assembly import StaffDesk
from server.media.files import Files
from server.releases.bundle import Release
from server.routes import Principal, Role, install
from server.store.contract import Event, Row, Store, Tx
from server.store.open import open_store
from server.teams import Teams
from server.telemetry import Metrics
from server.timeline import lock

TENANT = "shop"
PEOPLE = {"ana": Role.STAFF, "ben": Role.STAFF, "vera": Role.VIEWER, "adam": Role.ADMIN}


class NamedGate:
    """Lets in whoever names one of PEOPLE; writes audit rows as the real gate does."""

    def __init__(self, store: Store, teams: Teams) -> None:
        self._store = store
        self._teams = teams

    async def who(self, request: web.Request) -> Principal | None:
        name = request.headers.get("Authorization", "").removeprefix("Bearer ")
        if name not in PEOPLE:
            return None
        return replace(principal(name), scope=await self._teams.scope(principal(name)))

    async def check_scope(self, request: web.Request, principal: Principal) -> None:
        await self._teams.check(request, principal)

    def check_forgery(self, request: web.Request, principal: Principal) -> None:
        """Nobody forges anything here."""

    async def record(self, request: web.Request, principal: Principal, action: str) -> None:
        await self._store.write(lambda tx: audit(tx, principal, action, request.path))


def principal(name: str) -> Principal:
    return Principal(TENANT, "person", name, PEOPLE[name], name.title(), f"{name}@example.com")


@dataclass
class Staff:
    """A running server with the staff's addresses."""

    store: Store
    desk: StaffDesk
    server: TestServer
    session: ClientSession
    settings: Settings
    assistant: ScriptedAssistant

    async def call(
        self, who: str, method: str, path: str, body: Any = None, *, data: bytes | None = None, **headers: str
    ) -> ClientResponse:
        sent = {"Authorization": f"Bearer {who}"} | {name.replace("_", "-"): value for name, value in headers.items()}
        answer = await self.session.request(
            method, self.server.make_url(path), json=body if data is None else None, data=data, headers=sent
        )
        await answer.read()
        return answer

    async def json(self, who: str, method: str, path: str, body: Any = None, status: int = 200) -> Any:
        answer = await self.call(who, method, path, body)
        assert answer.status == status, await answer.text()
        return await answer.json() if status != 204 else None

    async def talk(self, name: str, channel: str = "web", *, texts: tuple[str, ...] = ("Where is my order?",)) -> str:
        """A conversation of a customer of this name; returns its id."""
        identifier = f"conversation-{name}"
        place = {"tenant": TENANT, "channel": channel, "account": "default", "address": name}

        async def unit(tx: Tx) -> None:
            at = tx.now_s
            await tx.run("conversations.create_customer", id=f"c{name}", tenant=TENANT, name=name.title(), now=at)
            await tx.run(
                "conversations.create_identity", **place, id=f"i{name}", customer_id=f"c{name}", verified=0,
                profile=json.dumps({"email": f"{name}@example.com"}), now=at,
            )  # fmt: skip
            await tx.run(
                "conversations.create", **place, id=identifier, identity_id=f"i{name}", customer_id=f"c{name}",
                language="en", now=at,
            )  # fmt: skip

        await self.store.write(unit)
        for text in texts:
            await self.say(identifier, text)
        return identifier

    async def say(self, conversation_id: str, text: str) -> None:
        """The customer writes."""

        async def unit(tx: Tx) -> None:
            timeline = await lock(tx, conversation_id)
            timeline.said_at = tx.now_s
            await timeline.say("customer", text)
            await timeline.save()

        await self.store.write(unit, order=conversation_id)

    async def emit(self, kind: str, body: Mapping[str, Any]) -> None:
        """An event of the whole desk."""

        async def unit(tx: Tx) -> None:
            tx.emit(Event(TENANT, kind, body))

        await self.store.write(unit)

    async def events(self, after: int = 0) -> list[Row]:
        return list(await self.store.rows("store.events_since", tenant=TENANT, after=after, limit=10_000))


APPROVED = (
    Approved("order_ready", "en", "Hello {{1}}, your order {{2}} is ready."),
    Approved("HX0123", "en", ""),
)


class Platform:
    """An account of a platform, as far as the composer asks."""

    def __init__(self, limits: Limits, template: bool) -> None:
        self.limits = limits
        self._template = template

    def template(self) -> Mapping[str, Any] | None:
        return {"name": "hello"} if self._template else None

    def templates(self) -> Sequence[Approved]:
        return APPROVED if self._template else ()


PLATFORMS = {
    "whatsapp": Platform(Limits(1_600, "characters", None, window_s=86_400.0), template=True),
    "telegram": Platform(Limits(4_096, "utf16", 1.0), template=False),
}


class ScriptedAssistant:
    """Answers with what it is told to, and remembers what it was asked; ``error`` is raised after the first piece."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, Asked]] = []
        self.pieces: list[Piece] = [Piece("Hello, "), Piece("Marta."), Piece(finish="stop", citations=())]
        self.error: ModelError | None = None

    async def answer(self, release: Release, asked: Asked) -> AsyncIterator[Piece]:
        self.asked.append((release.id, asked))
        if self.error is not None and not self.pieces:
            raise self.error
        for piece in self.pieces:
            yield piece
            if self.error is not None:
                raise self.error


class OneRelease:
    """Knows the release ``live`` only."""

    live = "live"

    async def get(self, release_id: str) -> Release:
        if release_id != self.live:
            raise LookupError(release_id)
        return RELEASE


RELEASE = Release("live", "base", None, "Be kind.", "", Decoding(max_tokens=1_000), 600)


@asynccontextmanager
async def open_staff(url: str, *, people: bool = True, works: bool = True) -> AsyncIterator[Staff]:
    """The staff's addresses on the store behind ``url``; ``people`` False: they are in it already.

    ``works`` False: nothing runs by itself, a test moves each part.
    """
    assistant = ScriptedAssistant()
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(tenant=TENANT, data_dir=Path(folder), http=Http())
        store = open_store(url, settings.store)
        desk = StaffDesk(
            store, settings, Metrics(), model_state=lambda: "ready",
            places=lambda channel, _account: PLATFORMS.get(channel), files=Files(settings.data_dir / "media"),
            assistant=assistant, releases=OneRelease(), works=works,
        )  # fmt: skip
        app = web.Application(client_max_size=settings.http.max_body_bytes)
        install(app, desk.routes(), NamedGate(store, desk.teams))
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(store.running())
            if people:
                await store.write(_people)
            for running in desk.resources():
                await stack.enter_async_context(running())
            server = TestServer(app, host="127.0.0.1")
            await server.start_server()
            stack.push_async_callback(server.close)
            stack.callback(desk.close_streams)
            session = await stack.enter_async_context(ClientSession())
            yield Staff(store, desk, server, session, settings, assistant)


async def _people(tx: Tx) -> None:
    for name, role in PEOPLE.items():
        await tx.run(
            "people.add", id=name, tenant=TENANT, email=f"{name}@example.com", name=name.title(), role=role.value,
            password_hash="-", now=tx.now_s,
        )  # fmt: skip
