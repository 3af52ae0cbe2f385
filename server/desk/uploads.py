"""Files that staff attach: taken in before their message, typed by their content, within the channel's limits."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, Final

from config.settings import MediaSettings
from server.conversation import Refused
from server.desk.places import Room
from server.ids import new_id
from server.media.files import Files, Incoming
from server.media.kinds import HEAD_BYTES, agreed, allowed, plain_type, sniff
from server.store.contract import Store, Tx

ARRIVES_S: Final = 120.0  # for a whole file
KINDS: Final = frozenset({"image", "audio", "video"})


class TooLarge(Exception):
    """The file is larger than the channel takes; the message names the limit."""


@dataclass(frozen=True, slots=True)
class Named:
    """A file on its way in: what its sender calls it and says it is."""

    conversation_id: str
    person: str
    name: str
    mime: str


class Uploads:
    """Takes files in; what never goes with a message is swept away with orphans of customers' files."""

    def __init__(self, store: Store, tenant: str, files: Files, media: MediaSettings) -> None:
        self._store = store
        self._tenant = tenant
        self._files = files
        self._types = media.types

    async def take(self, named: Named, limits: Room, chunks: AsyncIterator[bytes]) -> dict[str, Any]:
        """Store a file; answers with its id and what it is. Raises Refused, TooLarge, TimeoutError."""
        if not limits.file_bytes:
            raise Refused("this channel carries no files; send a link instead")
        file_id = new_id()
        incoming = Incoming(self._files.place(file_id))
        try:
            async with asyncio.timeout(ARRIVES_S):
                async for chunk in chunks:
                    await incoming.add(chunk, HEAD_BYTES)
                    _check(incoming.size_bytes, limits.file_bytes)
            mime = agreed(plain_type(named.mime), sniff(incoming.head))
            if not incoming.size_bytes or not mime or not allowed(mime, self._types):
                raise Refused(f"files of this type are not sent; allowed are {', '.join(self._types)}")
            if mime.startswith("image/"):
                _check(incoming.size_bytes, limits.image_bytes)
            await incoming.keep()
        finally:
            await incoming.drop()
        return await self._noted(file_id, named, mime, incoming.size_bytes)

    async def _noted(self, file_id: str, named: Named, mime: str, size_bytes: int) -> dict[str, Any]:
        kind = mime.partition("/")[0]
        kind = kind if kind in KINDS else "file"

        async def unit(tx: Tx) -> None:
            await tx.run(
                "inbox_sends.add_upload", id=file_id, tenant=self._tenant, conversation_id=named.conversation_id,
                person=named.person, name=named.name, mime=mime, kind=kind, size_bytes=size_bytes, now=tx.now_s,
            )  # fmt: skip

        await self._store.write(unit)
        return {"id": file_id, "name": named.name, "mime": mime, "kind": kind, "size_bytes": size_bytes}


def _check(size_bytes: int, limit_bytes: int) -> None:
    if size_bytes > limit_bytes:
        raise TooLarge(f"this channel takes files up to {limit_bytes / 1_000_000:g} MB; send a smaller one, or a link")
