"""A conversation with files on a store, a platform that serves them badly on demand, and a speech-to-text service."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, cast

from aiohttp import web
from aiohttp.test_utils import TestServer

from channels.base import Channel, Limits, SendError
from channels.message import Attachment
from config.settings import Settings
from server.media import Addresses, Media
from server.store.contract import Row, Store, Tx
from server.store.statements import load, parse
from tests.places import FakeClock, Place

KEY = b"k" * 32
PNG = b"\x89PNG\r\n\x1a\n" + bytes(600)
OGG = b"OggS" + bytes(600)
QUERIES = """
-- name: tenant
-- Whose files these are.
insert into tenant (id, created_at) values ('default', 0);
-- name: customer
-- A customer.
insert into customer (id, tenant, name, created_at) values ('c1', 'default', 'Ada', 0);
-- name: identity
-- An address on a platform.
insert into identity (id, tenant, channel, account, address, customer_id, profile, created_at)
values ('c1', 'default', 'telegram', 'default', '7', 'c1', '{}', 0);
-- name: conversation
-- A conversation on a platform.
insert into conversation (id, tenant, channel, account, address, identity_id, customer_id, status, route, covered,
    created_at, updated_at, said_at)
values ('c1', 'default', 'telegram', 'default', '7', 'c1', 'c1', 'bot', '{"chat": "7"}', 1, 0, 0, 0);
-- name: message
-- A message of the customer.
insert into message (id, tenant, conversation_id, seq, item_seq, channel, account, role, text, body, created_at)
values (:id, 'default', 'c1', cast(:seq as bigint), cast(:seq as bigint), 'telegram', 'default', 'customer', '', '{}',
    0);
-- name: messages
-- Which messages are left.
select id from message order by id;
"""
for dialect in ("sqlite", "postgresql"):
    load(dialect).update(parse("mediabench", QUERIES, dialect))


class Platform:
    """A channel whose files come from a script: bytes to send, or an error to raise, per try."""

    def __init__(self, *script: bytes | Exception | list[bytes | Exception]) -> None:
        self.limits = Limits(text_units=4_096, unit="utf16", edit_interval_s=None, media_bytes=0)
        self.script = deque(script)
        self.asked: list[tuple[Attachment, Mapping[str, str]]] = []
        self.endless = False
        self.hold: asyncio.Event | None = None  # what a silent platform waits for
        self.given_bytes = 0
        self.closed = 0

    async def fetch(self, attachment: Attachment, route: Mapping[str, str]) -> AsyncIterator[bytes]:
        self.asked.append((attachment, route))
        step = self.script.popleft() if self.script else SendError("empty script")
        try:
            for piece in step if isinstance(step, list) else [step]:
                if isinstance(piece, Exception):
                    raise piece
                self.given_bytes += len(piece)
                yield piece
            if self.hold is not None:
                await self.hold.wait()
            while self.endless:
                self.given_bytes += 65_536
                yield bytes(65_536)
        finally:
            self.closed += 1


class Speech:
    """An OpenAI-compatible transcription service: answers what it is told, and keeps what it was sent."""

    def __init__(self) -> None:
        self.answer: Any = {"text": " Where is my order? "}
        self.status = 200
        self.calls: list[dict[str, Any]] = []
        self.url = ""
        self.hold: asyncio.Event | None = None

    async def handle(self, request: web.Request) -> web.Response:
        if self.hold is not None:
            await self.hold.wait()
        fields = await request.post()
        file = cast("web.FileField", fields["file"])
        self.calls.append({
            "key": request.headers.get("Authorization"), "model": fields["model"], "name": file.filename,
            "type": file.content_type, "bytes": file.file.read(),
        })  # fmt: skip
        if isinstance(self.answer, bytes):
            return web.Response(body=self.answer, status=self.status)
        return web.json_response(self.answer, status=self.status, headers={"Location": "/elsewhere"})

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Speech]:
        app = web.Application()
        app.router.add_post("/v1/audio/transcriptions", self.handle)
        async with TestServer(app, host="127.0.0.1") as server:
            self.url = str(server.make_url("/v1/audio/transcriptions"))
            yield self


@dataclass
class Bench:
    """One conversation; ``platform`` None means that its account is off."""

    store: Store
    media: Media
    addresses: Addresses
    folder: Path
    clock: FakeClock
    channels: dict[str, Platform] = field(default_factory=dict)
    count: int = 0

    def serve(self, *script: bytes | Exception | list[bytes | Exception]) -> Platform:
        """What the platform does from now on."""
        platform = self.channels["telegram"] = Platform(*script)
        return platform

    async def say(self, *attachments: Attachment, message_id: str = "") -> str:
        """A message with files, as the gateway stores it."""
        self.count += 1
        message_id = message_id or f"m{self.count}"
        seq = self.count

        async def unit(tx: Tx) -> None:
            await tx.run("mediabench.message", id=message_id, seq=seq)
            for number, attachment in enumerate(attachments):
                await tx.run(
                    "media.add",
                    id=f"{message_id}-file-{number:04}",
                    tenant="default",
                    conversation_id="c1",
                    message_id=message_id,
                    number=number,
                    source=json.dumps(asdict(attachment)),
                    now=0.0,
                )

        await self.store.write(unit)
        return message_id

    async def rows(self, message_id: str) -> list[Row]:
        return list(await self.store.rows("media.of_message", conversation_id="c1", message_id=message_id))

    def kept(self) -> list[Path]:
        return sorted(path for path in self.folder.rglob("*") if path.is_file())


@asynccontextmanager
async def bench(place: Place, folder: Path, **media: Any) -> AsyncIterator[Bench]:
    settings = Settings.model_validate({"data_dir": folder, "media": media})
    async with place.open() as store:

        async def unit(tx: Tx) -> None:
            for name in ("tenant", "customer", "identity", "conversation"):
                await tx.run(f"mediabench.{name}")

        await store.write(unit)
        addresses = Addresses(lambda: KEY, "https://desk.example", place.clock.wall_s)
        channels: dict[str, Platform] = {}

        def channel(name: str, _account: str) -> Channel | None:
            return cast("Channel | None", channels.get(name))

        reader = Media(store, channel, settings, addresses)
        async with reader.running():
            yield Bench(store, reader, addresses, folder / "media", place.clock, channels)
