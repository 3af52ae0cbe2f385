"""What came with the customer's messages, as text for the model and as problems to be told politely."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, fields
from typing import Any, Literal

import structlog
from aiohttp import ClientSession

from channels.base import Channel, File
from channels.message import Attachment
from config.settings import Settings
from server.media.download import Downloads, Ended
from server.media.files import Addresses, Files, Missing
from server.media.kinds import BINARY
from server.media.transcription import Transcription
from server.store.contract import Row, Store, Tx

log = structlog.get_logger()

Code = Literal["voice", "image", "file", "too_large", "type", "unavailable"]
"""Why something that came with a message is not in the question: voice, image and file arrived (staff can open them)
but the model cannot read them; too_large and type were refused; unavailable could not be fetched."""

AT_ONCE = 4  # files fetched side by side for one turn
VOICE_MARK = "[voice message]"
_FIELDS = frozenset(one.name for one in fields(Attachment))
_READABLE = frozenset({"location", "contact"})


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that came with a message and cannot be read; one per file."""

    message_id: str
    code: Code


@dataclass(frozen=True, slots=True)
class Reading:
    """``texts`` belong to the messages' own texts, ``problems`` are told to the customer."""

    texts: Mapping[str, str] = field(default_factory=dict)
    problems: Sequence[Problem] = ()


class Media:
    """Reads what came with messages; ``channels`` gives the channel of (platform, account), None when it is off."""

    def __init__(
        self,
        store: Store,
        channels: Callable[[str, str], Channel | None],
        settings: Settings,
        addresses: Addresses,
    ) -> None:
        self.files = Files(settings.data_dir / "media")
        self._store = store
        self._channels = channels
        self._tenant = settings.tenant
        self._addresses = addresses
        self._downloads = Downloads(self.files, settings.media)
        self._transcription = Transcription(settings.media)
        self._session: ClientSession | None = None

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Hold the connections to the speech-to-text service open until the block ends."""
        async with ClientSession() as session:
            self._session = session
            try:
                yield
            finally:
                self._session = None

    async def read(self, conversation_id: str, message_ids: Sequence[str]) -> Reading:
        """Fetch what still waits, and say what all of it means; asked again, it finds what was stored.

        Takes up to ``media.timeout_s`` per file (some side by side). Raises a StoreError only.
        """
        came = [row for message_id in message_ids for row in await self._rows(conversation_id, message_id)]
        if not came:
            return Reading()
        rows = await self._fetched(conversation_id, came)
        texts: dict[str, list[str]] = {}
        problems = []
        for row in rows:
            attachment = _attachment(row)
            text, code = await self._meaning(row, attachment)
            if text:
                texts.setdefault(str(row["message_id"]), []).append(text)
            if code:
                problems.append(Problem(str(row["message_id"]), code))
        return Reading({key: "\n".join(lines) for key, lines in texts.items()}, tuple(problems))

    async def file(self, file_id: str) -> File:
        """A stored file with its content; raises Missing."""
        row = await self.stored(file_id)
        return File(_attachment(row).name, str(row["mime"] or BINARY), await self.files.read(file_id))

    async def stored(self, file_id: str) -> Row:
        """The row of a stored file of this tenant; raises Missing."""
        row = await self._store.row("media.read", tenant=self._tenant, id=file_id)
        if row is None or row["state"] != "stored" or not row["path"]:
            raise Missing("no file of this id is stored")
        return row

    def file_url(self, file_id: str) -> str:
        """A public address of a stored file that works for some minutes; empty without ``http.public_url``."""
        return self._addresses.url(file_id)

    async def sweep(self) -> int:
        """Remove files whose message was purged; returns how many. For the nightly job, after the purge."""

        async def known(file_id: str) -> bool:
            return await self._store.row("media.known", id=file_id) is not None

        return await self.files.sweep(known, time.time())

    async def _rows(self, conversation_id: str, message_id: str) -> Sequence[Row]:
        return await self._store.rows("media.of_message", conversation_id=conversation_id, message_id=message_id)

    async def _fetched(self, conversation_id: str, rows: Sequence[Row]) -> Sequence[Row]:
        """The rows again after everything that waited was settled."""
        waiting = [row for row in rows if row["state"] == "waiting"]
        if not waiting:
            return rows
        origin = await self._store.row("media.origin", conversation_id=conversation_id)
        assert origin is not None, "media rows belong to a conversation"
        channel = self._channels(str(origin["channel"]), str(origin["account"]))
        route = json.loads(origin["route"])
        gate = asyncio.Semaphore(AT_ONCE)

        async def settle(row: Row) -> None:
            async with gate:
                await self._settle(conversation_id, row, channel, route)

        try:
            async with asyncio.TaskGroup() as group:
                for row in waiting:
                    group.create_task(settle(row))
        except ExceptionGroup as errors:
            raise errors.exceptions[0] from None
        ids = dict.fromkeys(str(row["message_id"]) for row in rows)
        return [row for message_id in ids for row in await self._rows(conversation_id, message_id)]

    async def _settle(self, conversation_id: str, row: Row, channel: Channel | None, route: Mapping[str, str]) -> None:
        """Decide one file and commit what became of it."""
        attachment, file_id = _attachment(row), str(row["id"])
        if attachment.kind in _READABLE:
            ended = Ended("stored", "text")  # its text is all there is
        elif not attachment.url and not attachment.ref:
            ended = Ended("refused", "type")
        else:
            ended = await self._downloads.take(channel, file_id, attachment, route)
        log.info("media_settled", file=file_id, kind=attachment.kind, state=ended.state, reason=ended.reason)

        async def unit(tx: Tx) -> None:
            await tx.run(
                "media.settle",
                id=file_id,
                state=ended.state,
                reason=ended.reason,
                path=ended.path,
                mime=ended.mime,
                size_bytes=ended.size_bytes,
                now=tx.now_s,
            )

        await self._store.write(unit, order=conversation_id)

    async def _meaning(self, row: Row, attachment: Attachment) -> tuple[str, Code | None]:
        """The text a row adds to the question, and the problem to be told about it."""
        if attachment.kind in _READABLE:
            return attachment.text, None
        if row["state"] != "stored":
            return attachment.text, _refusal(row)
        if attachment.kind != "audio" and not attachment.voice:
            return attachment.text, "image" if attachment.kind == "image" else "file"
        said = str(row["transcript"] or "") or await self._transcribed(row)
        return (f"{VOICE_MARK} {said}", None) if said else (attachment.text, "voice")

    async def _transcribed(self, row: Row) -> str:
        """What is said in a stored recording, kept with it; empty when nobody can tell."""
        if not self._transcription.on or self._session is None:
            return ""
        file_id = str(row["id"])
        try:
            content = await self.files.read(file_id)
        except Missing:
            return ""
        said = await self._transcription.text(self._session, content, str(row["mime"] or BINARY))
        if said:
            await self._store.write(lambda tx: tx.run("media.transcribed", id=file_id, transcript=said))
        return said


def _refusal(row: Row) -> Code:
    reason = row["reason"]
    if row["state"] == "refused" and reason in {"too_large", "type"}:
        return "too_large" if reason == "too_large" else "type"
    return "unavailable"


def _attachment(row: Row) -> Attachment:
    """What the platform said about a file; fields of another release are passed over."""
    source: dict[str, Any] = json.loads(row["source"])
    known = {name: value for name, value in source.items() if name in _FIELDS}
    return Attachment(**{"kind": "other", "url": ""} | known)
