"""Customers' files over HTTP: for staff by id, and for platforms by short-lived signed addresses."""

from __future__ import annotations

import asyncio
import json
import mimetypes
import re
from urllib.parse import quote

from aiohttp import web

from server.media.files import Addresses, Missing
from server.media.kinds import BINARY, INLINE
from server.media.reading import Media
from server.problems import Problem
from server.routes import Role, Route
from server.store.contract import Row

POLICY = "default-src 'none'; frame-ancestors 'none'; sandbox"
NAME_CHARACTERS = 120
_UNSAFE = re.compile(r"[\x00-\x1f\x7f/\\\"]+")


class MediaApi:
    """Addresses ``/api/media/{id}`` and ``/media/{token}``."""

    def __init__(self, media: Media, addresses: Addresses) -> None:
        self._media = media
        self._addresses = addresses

    def routes(self) -> list[Route]:
        """The table of this resource."""
        return [
            Route("GET", "/api/media/{id}", self.read, Role.VIEWER, "A file that a customer sent"),
            Route("GET", "/media/{token}", self.signed, Role.PUBLIC, "A file by its signed address"),
        ]

    async def read(self, request: web.Request) -> web.StreamResponse:
        """The file for somebody signed in; a browser shows only harmless images by itself."""
        return await self._answer(request.match_info["id"])

    async def signed(self, request: web.Request) -> web.StreamResponse:
        """The file for whoever holds an address that is still good; any other is unknown."""
        file_id = self._addresses.file_id(request.match_info["token"])
        if file_id is None:
            raise _unknown()
        return await self._answer(file_id)

    async def _answer(self, file_id: str) -> web.StreamResponse:
        try:
            row = await self._media.stored(file_id)
            path = self._media.files.place(file_id)
        except Missing:
            raise _unknown() from None
        if not await asyncio.to_thread(path.is_file):
            raise _unknown()
        mime = str(row["mime"] or BINARY)
        shown = "inline" if mime in INLINE else "attachment"
        return web.FileResponse(
            path,
            headers={
                "Content-Type": mime,
                "Content-Disposition": f"{shown}; filename*=UTF-8''{quote(_name(row, mime), safe='')}",
                "Content-Security-Policy": POLICY,
                "Cross-Origin-Resource-Policy": "same-origin",
                "Cache-Control": "private, no-store",
            },
        )


def _name(row: Row, mime: str) -> str:
    """What the customer called it, without anything a file system could misread."""
    name = _UNSAFE.sub("_", str(json.loads(row["source"]).get("name") or "")).strip(". ")
    return name[-NAME_CHARACTERS:] or f"file{mimetypes.guess_extension(mime) or ''}"


def _unknown() -> Problem:
    return Problem(404, "Not found", "There is no such file, or its address has expired; open the conversation again.")
