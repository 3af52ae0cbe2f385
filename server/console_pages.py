"""The console's files, read once at start and served from an explicit table."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from importlib import resources

from aiohttp import hdrs, web

from server.problems import Handler
from server.routes import Role, Route

FILES = {  # address below /console -> (file, content type); nothing else in the folder is reachable
    "": ("home.html", "text/html"),
    "/login": ("login.html", "text/html"),
    "/setup": ("setup.html", "text/html"),
    "/console.css": ("console.css", "text/css"),
    "/icon.svg": ("icon.svg", "image/svg+xml"),
    "/desk.js": ("desk.js", "text/javascript"),
    "/home.js": ("home.js", "text/javascript"),
    "/team.js": ("team.js", "text/javascript"),
    "/state.js": ("state.js", "text/javascript"),
    "/inbox.js": ("inbox.js", "text/javascript"),
    "/login.js": ("login.js", "text/javascript"),
    "/setup.js": ("setup.js", "text/javascript"),
}


@dataclass(frozen=True, slots=True)
class Asset:
    """One file in memory with its strong validator."""

    body: bytes
    kind: str
    etag: str


class ConsolePages:
    """Addresses below ``/console``; raises FileNotFoundError at construction when the package lacks a file."""

    def __init__(self) -> None:
        folder = resources.files("server").joinpath("console")
        self._assets = {}
        for address, (name, kind) in FILES.items():
            body = folder.joinpath(name).read_bytes()
            self._assets[address] = Asset(body, kind, hashlib.sha256(body).hexdigest()[:32])

    def routes(self) -> list[Route]:
        """The table of these files; pages are public, everything they show is not."""
        addresses = [(address or "/", asset) for address, asset in self._assets.items()]
        table = [
            Route("GET", f"/console{address}", _serve(asset), Role.PUBLIC, f"Console file {address}")
            for address, asset in addresses
        ]
        return [*table, Route("GET", "/console", _forward, Role.PUBLIC, "Console")]


def _serve(asset: Asset) -> Handler:
    async def handle(request: web.Request) -> web.Response:
        headers = {hdrs.CACHE_CONTROL: "no-cache", hdrs.ETAG: f'"{asset.etag}"'}
        known = {tag.value for tag in request.if_none_match or ()}
        if known & {asset.etag, "*"}:
            return web.Response(status=304, headers=headers)
        return web.Response(body=asset.body, content_type=asset.kind, charset="utf-8", headers=headers)

    return handle


async def _forward(_request: web.Request) -> web.Response:
    raise web.HTTPFound("/console/")
