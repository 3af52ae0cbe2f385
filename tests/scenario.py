"""The whole service in this process, driven over HTTP as customers and staff drive it."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import ClientResponse, ClientSession, ClientTimeout, web

from config.settings import Settings
from server.app import STORE, build, runner_of
from server.ids import new_id
from server.store.contract import Row, Store
from tests.model_double import ModelDouble, Pace

FAST: dict[str, Any] = {"settle_s": 0.0, "busy_after_s": 30.0, "delta_interval_s": 0.02}
OPEN_ACCOUNT = {"messages_per_minute": 10_000, "sessions_per_minute": 100_000}


@dataclass
class Frame:
    """One server-sent event as it came over the wire."""

    kind: str
    data: dict[str, Any]
    id: int | None = None


@dataclass
class Visitor:
    """A customer's page: its session, and everything its stream showed."""

    http: ClientSession
    base: str
    token: str
    conversation: str
    frames: list[Frame] = field(default_factory=list)
    _ids: itertools.count[int] = field(default_factory=lambda: itertools.count(1))
    _reader: asyncio.Task[None] | None = None
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def url(self) -> str:
        return f"{self.base}/web/conversations/{self.conversation}"

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}

    async def post(self, path: str, body: Mapping[str, Any] | None = None, **more: Any) -> ClientResponse:
        response = await self.http.post(f"{self.url}/{path}", json=body or {}, headers=self.headers, **more)
        await response.read()
        return response

    async def say(self, text: str, client_id: str | None = None) -> dict[str, Any]:
        body = {"client_message_id": client_id or f"m{next(self._ids)}", "text": text}
        response = await self.post("messages", body)
        assert response.status == 202, await response.text()
        answer: dict[str, Any] = await response.json()
        return answer

    async def snapshot(self) -> dict[str, Any]:
        response = await self.http.get(self.url, headers=self.headers)
        assert response.status == 200, await response.text()
        answer: dict[str, Any] = await response.json()
        return answer

    def follow(self, last_id: int | None = None) -> None:
        """Read the stream in the background from here on."""
        self._reader = asyncio.create_task(self._read(last_id))

    async def leave(self) -> None:
        if self._reader is not None:
            self._reader.cancel()
            await asyncio.wait({self._reader})
            self._reader = None

    async def _read(self, last_id: int | None) -> None:
        headers = self.headers | ({"Last-Event-ID": str(last_id)} if last_id is not None else {})
        async with self.http.get(f"{self.url}/events", headers=headers, timeout=ClientTimeout(total=None)) as stream:
            assert stream.status == 200, await stream.text()
            kind, data, event_id = "", "", None
            async for raw in stream.content:
                name, _, value = raw.decode().rstrip("\n").partition(": ")
                if name == "event":
                    kind = value
                elif name == "data":
                    data = value
                elif name == "id":
                    event_id = int(value)
                elif not name and kind:
                    self.frames.append(Frame(kind, json.loads(data), event_id))
                    kind, data, event_id = "", "", None
                    self._changed.set()

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [frame.data for frame in self.frames if frame.kind == kind]

    def said(self, role: str) -> list[str]:
        return [message["text"] for message in self.of("message") if message["role"] == role]

    async def until(self, condition: Callable[[Visitor], object], timeout_s: float = 10.0) -> None:
        """Wait until the stream has shown what the condition asks for."""
        try:
            async with asyncio.timeout(timeout_s):
                while not condition(self):
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            shown = [(frame.id, frame.kind, frame.data) for frame in self.frames]
            raise AssertionError(f"not within {timeout_s} s; the stream showed {shown}") from None

    async def answered(self, count: int = 1, timeout_s: float = 10.0) -> list[str]:
        await self.until(lambda me: len(me.said("assistant")) >= count, timeout_s)
        return self.said("assistant")


class Service:
    """One running process of the service."""

    def __init__(self, settings: Settings, double: ModelDouble, role: str = "all", port: int = 0) -> None:
        self.settings = settings
        self.port = port
        self.double = double
        self.app = build(settings, role=role)
        self._runner = runner_of(self.app)
        self._http: ClientSession | None = None
        self._visitors: list[Visitor] = []
        self.base = ""

    @property
    def store(self) -> Store:
        return self.app[STORE]

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Service]:
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self.port, reuse_address=True)
        await site.start()
        self.base = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        async with ClientSession(timeout=ClientTimeout(total=20)) as self._http:
            try:
                yield self
            finally:
                for visitor in self._visitors:
                    await visitor.leave()
                await self._runner.cleanup()

    @property
    def http(self) -> ClientSession:
        assert self._http is not None
        return self._http

    async def visitor(self, *, follow: bool = True, **session: Any) -> Visitor:
        response = await self.http.post(f"{self.base}/web/session", json=session)
        assert response.status == 200, await response.text()
        body = await response.json()
        visitor = Visitor(self.http, self.base, body["token"], body["conversation_id"])
        self._visitors.append(visitor)
        if follow:
            visitor.follow()
        return visitor

    async def turns(self, conversation: str) -> list[Row]:
        return list(await self.store.rows("scenario.turns", conversation_id=conversation))

    async def check_laws(self, conversation: str) -> None:
        """Coverage is contiguous and whole, every turn has one outcome, no draft is open."""
        turns = await self.turns(conversation)
        lane = await self.store.row("scenario.lane", conversation_id=conversation)
        assert lane is not None
        nexts = 1
        for turn in turns:
            assert turn["first_seq"] == nexts, turns
            assert turn["last_seq"] >= turn["first_seq"]
            nexts = turn["last_seq"] + 1
        assert nexts - 1 == lane["done"] == lane["tail"]
        drafts = await self.store.rows("conversations.open_drafts", conversation_id=conversation)
        assert not drafts


def settings_for(url: str, folder: Path, double: ModelDouble, **sections: Mapping[str, Any]) -> Settings:
    """Settings of a scenario: quick, and with the model double; sections override single keys."""
    tree: dict[str, Any] = {
        "data_dir": str(folder),
        "store": {"url": url},
        "model": {"base_url": double.base_url} | dict(sections.pop("model", {})),
        "engine": FAST | dict(sections.pop("engine", {})),
        "access": {"argon2_memory_kib": 8_192},
        "channels": {"web": {"default": OPEN_ACCOUNT | dict(sections.pop("account", {}))}},
    }
    return Settings.model_validate(tree | sections)


@asynccontextmanager
async def desk(
    url: str, folder: Path, *, pace: Pace | None = None, wait_ready: bool = True, **sections: Mapping[str, Any]
) -> AsyncIterator[Service]:
    """A running service with its model double."""
    async with AsyncExitStack() as stack:
        double = await stack.enter_async_context(ModelDouble(pace))
        service = Service(settings_for(url, folder, double, **sections), double)
        await stack.enter_async_context(service.running())
        if wait_ready:
            await model_is(service, "ready")
        yield service


async def model_is(service: Service, state: str, timeout_s: float = 10.0) -> None:
    """Wait until the service says so of its model."""
    async with asyncio.timeout(timeout_s):
        while True:
            response = await service.http.get(f"{service.base}/readyz")
            if (await response.json())["notes"]["model"].startswith(state):
                return
            await asyncio.sleep(0.02)


def fresh_id() -> str:
    """A client message id nobody used."""
    return new_id()
