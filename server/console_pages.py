"""The console's files, read once at start and served from an explicit table.

The console behind the doors asks for its scripts and styles below an address that names their content, so a browser
keeps them and a second start asks for the page alone; an upgrade changes the address.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from importlib import resources
from pathlib import PurePosixPath

from aiohttp import hdrs, web

from server.problems import Handler
from server.routes import Role, Route

KINDS = {".html": "text/html", ".css": "text/css", ".svg": "image/svg+xml", ".js": "text/javascript"}
DOORS = {"/login": "login.html", "/setup": "setup.html"}  # pages for people who are not signed in yet
SHELL = "app.html"  # one page for everything behind the doors; its script reads the address
SCREENS = ("inbox", "contacts", "knowledge", "training", "analytics", "channels", "people", "settings")
INSIDE = "{inside:[0-9A-Za-z_.:/-]{1,200}}"  # a place inside a screen, such as the id of a conversation
FOLDERS: dict[str, tuple[str, ...]] = {  # folder -> its files; nothing else is reachable
    "": (
        "base.css",
        "console.css",
        "inbox.css",
        "people.css",
        "knowledge.css",
        "channels.css",
        "training.css",
        "contacts.css",
        "analytics.css",
        "icon.svg",
        "desk.js",
        "app.js",
        "login.js",
        "setup.js",
    ),
    "vendor": ("preact.js", "hooks.js", "htm.js", "signals.js", "signals-core.js", "uplot.js", "uplot.css"),
    "locales": ("en.js", "de.js", "door-en.js", "door-de.js"),
    "frame": (
        "api.js",
        "channels.js",
        "frame.js",
        "i18n.js",
        "icons.js",
        "keys.js",
        "later.js",
        "live.js",
        "notices.js",
        "overlay.js",
        "palette.js",
        "parts.js",
        "router.js",
        "session.js",
        "sheet.js",
        "stream.js",
        "theme.js",
        "top.js",
        "ui.js",
        "virtual.js",
    ),
    "pages": ("contacts.js", "settings.js", "access.js", "people.js"),
    "pages/analytics": ("behind.js", "chart.js", "figures.js", "page.js", "shown.js"),
    "pages/training": (
        "advice.js",
        "blind.js",
        "canary.js",
        "common.js",
        "compare.js",
        "curve.js",
        "data.js",
        "dataset.js",
        "diff.js",
        "example.js",
        "moves.js",
        "one.js",
        "page.js",
        "pages.js",
        "promote.js",
        "queue.js",
        "review.js",
        "rows.js",
        "run.js",
    ),
    "pages/settings": ("appearance.js", "configuration.js", "webhooks.js"),
    "pages/knowledge": (
        "add.js",
        "document.js",
        "documents.js",
        "gaps.js",
        "page.js",
        "parts.js",
        "search.js",
        "sources.js",
    ),
    "pages/channels": ("accounts.js", "page.js", "preview.js", "send.js", "simulator.js"),
    "pages/contacts": ("attributes.js", "contact.js", "data.js", "erasures.js", "merges.js", "person.js"),
    "pages/people": ("account.js", "audit.js", "everybody.js", "teams.js"),
    "pages/inbox": (
        "block.js",
        "bubble.js",
        "bulk.js",
        "canned.js",
        "correct.js",
        "composer.js",
        "customer.js",
        "desk.js",
        "drafts.js",
        "give.js",
        "holder.js",
        "keep.js",
        "labels.js",
        "list.js",
        "page.js",
        "promises.js",
        "replies.js",
        "suggest.js",
        "template.js",
        "thread.js",
        "tickets.js",
        "views.js",
        "why.js",
    ),
}
NAMED = re.compile(rb'(?<=="/console/)(?=[^"]+\.(?:js|css|svg)")')  # where the page names a file
FOREVER = "public, max-age=31536000, immutable"  # RFC 8246
SHARED = {"/frame/markdown.js": ("channels", "widget/markdown.js")}  # one safe renderer for customers and staff


@dataclass(frozen=True, slots=True)
class Asset:
    """One file in memory with its strong validator."""

    body: bytes
    kind: str
    etag: str


def files() -> dict[str, tuple[str, str]]:
    """Address below ``/console`` -> package and file inside it; screens all show the same page."""
    named = [f"{folder}/{name}".lstrip("/") for folder, names in FOLDERS.items() for name in names]
    table = {f"/{name}": ("server", f"console/{name}") for name in named} | SHARED
    pages = {address: ("server", f"console/{name}") for address, name in DOORS.items()}
    screens = [address for name in SCREENS for address in (f"/{name}", f"/{name}/{INSIDE}")]
    return table | pages | dict.fromkeys(["/", *screens], ("server", f"console/{SHELL}"))


class ConsolePages:
    """Addresses below ``/console``; raises FileNotFoundError at construction when the package lacks a file."""

    def __init__(self) -> None:
        read: dict[tuple[str, str], Asset] = {}
        self._assets: dict[str, Asset] = {}
        for address, place in files().items():
            if place not in read:
                read[place] = _read(*place)
            self._assets[address] = read[place]
        self.build = hashlib.sha256("".join(asset.etag for asset in read.values()).encode()).hexdigest()[:16]
        stamped = _asset(NAMED.sub(f"@{self.build}/".encode(), self._assets["/"].body), SHELL)
        self._assets |= {address: stamped for address, asset in self._assets.items() if asset is self._assets["/"]}

    def routes(self) -> list[Route]:
        """The table of these files; pages are public, everything they show is not."""
        table = [
            Route("GET", f"/console{address}", _serve(asset), Role.PUBLIC, f"Console file {address}")
            for address, asset in self._assets.items()
        ]
        kept = "/console/@{build:[0-9a-f]{16}}{name:/[0-9a-z_./-]{1,100}}"
        table.append(Route("GET", kept, self._kept, Role.PUBLIC, "Console file that browsers keep"))
        return [*table, Route("GET", "/console", _forward, Role.PUBLIC, "Console")]

    async def _kept(self, request: web.Request) -> web.Response:
        """A script or style for good; a page of another build gets today's file, and asks again next time."""
        asset = self._assets.get(request.match_info["name"])
        if asset is None or asset.kind == KINDS[".html"]:
            raise web.HTTPNotFound
        lasting = FOREVER if request.match_info["build"] == self.build else "no-cache"
        return _answer(request, asset, lasting)


def _read(package: str, name: str) -> Asset:
    return _asset(resources.files(package).joinpath(name).read_bytes(), name)


def _asset(body: bytes, name: str) -> Asset:
    return Asset(body, KINDS[PurePosixPath(name).suffix], hashlib.sha256(body).hexdigest()[:32])


def _serve(asset: Asset) -> Handler:
    async def handle(request: web.Request) -> web.Response:
        return _answer(request, asset, "no-cache")

    return handle


def _answer(request: web.Request, asset: Asset, lasting: str) -> web.Response:
    headers = {hdrs.CACHE_CONTROL: lasting, hdrs.ETAG: f'"{asset.etag}"'}
    known = {tag.value for tag in request.if_none_match or ()}
    if known & {asset.etag, "*"}:
        return web.Response(status=304, headers=headers)
    return web.Response(body=asset.body, content_type=asset.kind, charset="utf-8", headers=headers)


async def _forward(_request: web.Request) -> web.Response:
    raise web.HTTPFound("/console/")
