"""Fetching one customer's file: what is too large or of a wrong type is not opened, or stopped, or thrown away."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import structlog
from aiohttp import ClientError

from channels.base import Channel, Limited, Refused, SendError
from channels.message import Attachment
from config.settings import MediaSettings
from server.media.files import Files, Incoming
from server.media.kinds import BINARY, HEAD_BYTES, agreed, allowed, plain_type, sniff

log = structlog.get_logger()

PATIENCE_S = 6.0  # a customer waits for the answer meanwhile: no further try begins after this
PAUSES_S = (0.5, 1.0, 2.0)  # between tries
_CLASSES = {"image": "image/*", "audio": "audio/*", "video": "video/*"}


@dataclass(frozen=True, slots=True)
class Ended:
    """What became of a file; ``reason`` says why it is not stored, ``mime`` and ``size_bytes`` are what was found."""

    state: Literal["stored", "refused", "failed"]
    reason: str | None = None
    path: str | None = None
    mime: str | None = None
    size_bytes: int | None = None


class _Stopped(Exception):
    """The file is not wanted; carries the end of it."""

    def __init__(self, ended: Ended) -> None:
        super().__init__(ended.reason)
        self.ended = ended


class Downloads:
    """Fetches files through their channel, within the limits of ``settings`` and of the platform."""

    def __init__(self, files: Files, settings: MediaSettings) -> None:
        self._files = files
        self._settings = settings

    async def take(
        self, channel: Channel | None, file_id: str, attachment: Attachment, route: Mapping[str, str]
    ) -> Ended:
        """Fetch, check and keep one file; never raises for what a file or a platform does."""
        if channel is None:
            return Ended("failed", "unavailable")
        limit = min(self._settings.max_bytes, channel.limits.media_bytes or self._settings.max_bytes)
        refusal = self._unopened(attachment, limit)
        if refusal:
            return Ended("refused", refusal)
        try:
            async with asyncio.timeout(self._settings.timeout_s):
                return await self._persistently(channel, file_id, attachment, route, limit)
        except TimeoutError:
            return Ended("failed", "unavailable")
        except OSError as error:
            log.error("media_not_kept", file=file_id, error=type(error).__name__)  # noqa: TRY400 - no trace needed
            return Ended("failed", "storage")

    def _unopened(self, attachment: Attachment, limit: int) -> str:
        """Why a file is not even asked for, judged by what the platform says about it."""
        if attachment.size_bytes is not None and attachment.size_bytes > limit:
            return "too_large"
        declared = _declared(attachment)
        if declared in {"", BINARY} or declared.endswith("/*"):
            wanted = any(mime.startswith(declared.rstrip("*")) for mime in self._settings.types)
        else:
            wanted = allowed(declared, self._settings.types)
        return "" if wanted or declared == BINARY else "type"

    async def _persistently(
        self, channel: Channel, file_id: str, attachment: Attachment, route: Mapping[str, str], limit: int
    ) -> Ended:
        started, pauses = time.monotonic(), list(PAUSES_S)
        while True:
            try:
                return await self._once(channel, file_id, attachment, route, limit)
            except _Stopped as stopped:
                return stopped.ended
            except Refused as error:
                reason = error.code if error.code in {"host", "too_large", "type"} else "gone"
                return Ended("refused" if reason != "gone" else "failed", reason)
            except (SendError, ClientError, ConnectionError) as error:
                pause = pauses.pop(0) if pauses else PATIENCE_S
                if isinstance(error, Limited):
                    pause = max(pause, error.retry_after_s)
                log.info("media_waits", file=file_id, error=type(error).__name__)
            if time.monotonic() + pause - started >= PATIENCE_S:
                return Ended("failed", "unavailable")
            await asyncio.sleep(pause)

    async def _once(
        self, channel: Channel, file_id: str, attachment: Attachment, route: Mapping[str, str], limit: int
    ) -> Ended:
        """One try; raises _Stopped, SendError, ClientError, OSError."""
        incoming = Incoming(self._files.place(file_id))
        stream = channel.fetch(attachment, route)
        try:
            async for chunk in stream:
                if incoming.size_bytes + len(chunk) > limit:
                    raise _Stopped(Ended("refused", "too_large"))
                await incoming.add(chunk, HEAD_BYTES)
            if not incoming.size_bytes:
                raise _Stopped(Ended("failed", "gone"))
            mime = self._checked(attachment, incoming.head)
            await incoming.keep()
            return Ended("stored", None, self._files.relative(file_id), mime, incoming.size_bytes)
        finally:
            await incoming.drop()
            close = getattr(stream, "aclose", None)
            if close is not None:
                await close()

    def _checked(self, attachment: Attachment, head: bytes) -> str:
        """The type to keep it under; raises _Stopped when the content is not what was said or not wanted."""
        mime = agreed(_declared(attachment), sniff(head))
        if not mime or not allowed(mime, self._settings.types):
            raise _Stopped(Ended("refused", "type"))
        return mime


def _declared(attachment: Attachment) -> str:
    """What the platform says a file is: its type, or the class of its kind where it names no useful type."""
    declared = plain_type(attachment.mime)
    return _CLASSES.get(attachment.kind, declared) if declared in {"", BINARY} else declared
