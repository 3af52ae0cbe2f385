"""The widget's files, each named in one table: nothing else of the folder can be asked for."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from aiohttp import hdrs, web

import channels
from channels.web import WebChannel
from server.problems import Problem
from server.routes import Role, Route

FOLDER = Path(channels.__file__).parent / "widget"
TYPES = {
    ".js": "text/javascript",
    ".css": "text/css",
    ".html": "text/html",
    ".svg": "image/svg+xml",
}
FRAME = "/web/frame"
DEMO = "/web/demo"
PLACES = {"widget.js": "/widget.js", "frame.html": FRAME, "demo.html": DEMO}


@dataclass(frozen=True, slots=True)
class Static:
    """One file in memory with its strong ETag."""

    content: bytes
    content_type: str
    etag: str


def _load(path: Path) -> Static:
    content = path.read_bytes()
    return Static(content, TYPES[path.suffix], f'"{hashlib.sha256(content).hexdigest()[:20]}"')


class WidgetFiles:
    """Serves loader, frame and demo page; the frame says which sites may embed it."""

    def __init__(self, channels: Mapping[str, WebChannel]) -> None:
        self._channels = channels
        names = sorted(path.name for path in FOLDER.iterdir() if path.suffix in TYPES)
        self._files = {PLACES.get(name, f"/web/{name}"): _load(FOLDER / name) for name in names}

    def routes(self) -> list[Route]:
        """One public address per file."""
        special = {FRAME: self.frame, DEMO: self.demo}
        return [
            Route("GET", path, special.get(path, self.file), Role.PUBLIC, f"Widget file {path}") for path in self._files
        ]

    async def file(self, request: web.Request) -> web.StreamResponse:
        """A script or style; revalidated by ETag at each load, so an upgrade shows at once."""
        # loaded by strangers' pages and by the frame: readable from everywhere, it holds no secret
        headers = {"Access-Control-Allow-Origin": "*", "Cross-Origin-Resource-Policy": "cross-origin"}
        return self._answer(request, headers)

    async def frame(self, request: web.Request) -> web.StreamResponse:
        """The chat page, which only the configured sites may embed."""
        channel = self._channels.get(request.query.get("account", "default"))
        if channel is None or not channel.settings.enabled:
            raise Problem(404, "Not found", "There is no web account of this name; check data-account.")
        policy = (
            "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; "
            f"base-uri 'none'; form-action 'none'; frame-ancestors {channel.frame_ancestors}"
        )
        return self._answer(request, {"Content-Security-Policy": policy})

    async def demo(self, request: web.Request) -> web.StreamResponse:
        """A page that embeds the widget as a stranger's site would."""
        policy = (
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; frame-src 'self'; "
            "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        )
        return self._answer(request, {"Content-Security-Policy": policy})

    def _answer(self, request: web.Request, headers: dict[str, str]) -> web.StreamResponse:
        found = self._files[request.path]
        headers |= {"ETag": found.etag, "Cache-Control": "no-cache"}
        if request.headers.get(hdrs.IF_NONE_MATCH) == found.etag:
            return web.Response(status=304, headers=headers)
        return web.Response(body=found.content, content_type=found.content_type, charset="utf-8", headers=headers)
