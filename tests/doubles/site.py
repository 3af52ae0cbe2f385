"""A web site on loopback with everything a crawler meets: validators, redirects, slow and broken answers, traps."""

from __future__ import annotations

import asyncio
import hashlib
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from aiohttp import web

TYPES = {".html": "text/html", ".xml": "application/xml", ".txt": "text/plain", ".pdf": "application/pdf"}


@dataclass(slots=True)
class Page:
    """One answer; with ``etag`` it is given only when the visitor's differs. ``failures`` come before it."""

    body: bytes = b""
    mime: str = "text/html; charset=utf-8"
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    etag: bool = True
    delay_s: float = 0.0
    failures: list[tuple[int, dict[str, str]]] = field(default_factory=list)


def html(title: str, *links: str, head: str = "", text: str = "") -> Page:
    listed = "".join(f'<a href="{link}">{number}</a>' for number, link in enumerate(links))
    return Page(f"<html><head><title>{title}</title>{head}</head><body>{text or title}{listed}</body></html>".encode())


class SiteDouble:
    """Serves ``pages`` by path (with its query where that stands in the map) and counts who came."""

    def __init__(self, pages: dict[str, Page] | None = None) -> None:
        self.pages = pages or {}
        self.made: Callable[[str], Page | None] = lambda _path: None  # pages that are made up when asked for
        self.hits: Counter[str] = Counter()
        self.bodies = 0  # pages sent in full
        self.headers: dict[str, dict[str, str]] = {}  # of the last request to a path
        self.times: list[float] = []  # of requests
        self.base = ""

    @property
    def host(self) -> str:
        """127.0.0.1:port, as allow_hosts wants it."""
        return self.base.removeprefix("http://")

    @asynccontextmanager
    async def running(self) -> AsyncIterator[SiteDouble]:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._answer)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        self.base = f"http://127.0.0.1:{runner.addresses[0][1]}"
        try:
            yield self
        finally:
            await runner.cleanup()

    def serve_folder(self, folder: Path) -> None:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                mime = TYPES.get(path.suffix, "application/octet-stream")
                self.pages["/" + path.relative_to(folder).as_posix()] = Page(path.read_bytes(), mime)
        if "/index.html" in self.pages:
            self.pages["/"] = self.pages["/index.html"]

    def asked(self) -> set[str]:
        """Paths that were asked for, but for robots.txt and sitemap.xml."""
        return set(self.hits) - {"/robots.txt", "/sitemap.xml"}

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        path = request.path_qs
        self.hits[path] += 1
        self.headers[path] = dict(request.headers)
        self.times.append(asyncio.get_running_loop().time())
        page = self.pages.get(path) or self.made(path)
        if page is None:
            return web.Response(status=404, text="no such page")
        if page.delay_s:
            await asyncio.sleep(page.delay_s)
        if page.failures:
            status, headers = page.failures.pop(0)
            return web.Response(status=status, headers=headers)
        headers = dict(page.headers)
        if page.etag and page.status == 200:
            headers["ETag"] = f'"{hashlib.sha256(page.body).hexdigest()[:16]}"'
            if request.headers.get("If-None-Match") == headers["ETag"]:
                return web.Response(status=304, headers={"ETag": headers["ETag"]})
        self.bodies += page.status == 200 and not path.endswith((".txt", ".xml"))
        return web.Response(status=page.status, body=page.body, headers={**headers, "Content-Type": page.mime})
