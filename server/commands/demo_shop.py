"""The demo shop's own things: its database, its web site on loopback, and its documents in the knowledge."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from aiohttp import web

from config.settings import Settings
from server.commands.failure import Failure
from server.install import ROOT
from server.knowledge.sources import Source, Sources
from server.store.contract import Row, Store
from server.tools.builtin.kit import demo_shop
from server.tools.builtin.seed import seed
from server.tools.builtin.shop import open_shop
from server.tools.contract import ToolUnavailable

DEMO = ROOT / "config/demo"
ORIGIN = "https://marlowandpine.example"  # what the site calls itself in its files
TYPES = {".html": "text/html", ".xml": "application/xml", ".txt": "text/plain", ".css": "text/css"}
POLL_S = 0.3
PATIENCE_S = 600.0  # for reading and embedding everything, the embedding model's conversion included
ENDED = frozenset({"indexed", "failed"})


@dataclass(frozen=True, slots=True)
class Loaded:
    """What the knowledge holds."""

    documents: int
    passages: int


async def make_database(settings: Settings, today: datetime) -> bool:
    """The shop's database, its dates moved to this week; whether it was made now. Raises Failure."""
    shop = open_shop(settings.tools.shop)
    try:
        async with shop.running():
            return await seed(shop, demo_shop(ROOT / "config"), today.date())
    except ToolUnavailable as error:
        raise Failure(f"the shop's database cannot be made: {error}", f"rm {settings.data_dir / 'shop.db'}") from None


@asynccontextmanager
async def site(port: int) -> AsyncIterator[str]:
    """The shop's web site on loopback; the address of its start page."""
    folder, origin = DEMO / "site", f"http://127.0.0.1:{port}"
    files = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}

    async def page(request: web.Request) -> web.Response:
        name = request.match_info["name"] or "index.html"
        path = files.get(f"{name}index.html" if name.endswith("/") else name)
        if path is None:
            raise web.HTTPNotFound
        text = (await asyncio.to_thread(path.read_text, encoding="utf-8")).replace(ORIGIN, origin)
        policy = {"Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src 'self'"}
        return web.Response(text=text, content_type=TYPES.get(path.suffix, "text/plain"), headers=policy)

    app = web.Application()
    app.router.add_get("/{name:.*}", page)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", port).start()
        yield f"{origin}/index.html"
    finally:
        await runner.cleanup()


def described(site_url: str) -> Mapping[str, tuple[str, dict[str, Any]]]:
    """Kind and settings of the shop's sources, by name."""
    return {
        "Shop documents": ("files", {"path": str(DEMO / "documents")}),
        "Products": ("catalogue", {"path": str(DEMO / "products.csv")}),
        "Questions and answers": ("qa", {"path": str(DEMO / "questions_and_answers.csv")}),
        "Web site": ("site", {"url": site_url}),
    }


async def load_knowledge(store: Store, settings: Settings, site_url: str, tell: Callable[[str], None]) -> Loaded:
    """Let the running server read the shop's sources, and wait until all of them can be answered from.

    ``tell`` gets a line for each source that is done. Raises Failure when one cannot be read, or after PATIENCE_S.
    """
    sources = Sources(store, settings)
    known = {source.name: source for source in await sources.list()}
    wanted = {}
    for name, (kind, config) in described(site_url).items():
        wanted[(await _queued(sources, known.get(name), kind, name, config)).id] = name
    try:
        async with asyncio.timeout(PATIENCE_S):
            await _ended(sources, wanted, tell)
            counts = await _findable(store, settings.tenant)
    except TimeoutError:
        raise Failure(f"the shop's documents were not read within {PATIENCE_S:.0f} s", "frontdesk doctor") from None
    states = await store.rows("listing.documents_by_state", tenant=settings.tenant)
    return Loaded(sum(row["documents"] for row in states), int(counts["chunks"]))


async def _queued(sources: Sources, known: Source | None, kind: str, name: str, config: dict[str, Any]) -> Source:
    """The source, waiting to be read: made now, moved to another address, or looked at again."""
    if known is None:
        return await sources.create(kind, name, config)
    if any(known.config.get(key) != value for key, value in config.items()):
        return await sources.update(known.id, config=config)
    return await sources.sync_now(known.id)


async def _ended(sources: Sources, wanted: dict[str, str], tell: Callable[[str], None]) -> None:
    open_ids = set(wanted)
    while open_ids:
        await asyncio.sleep(POLL_S)
        for source in await sources.list():
            if source.id not in open_ids or source.state not in ENDED or source.queued:
                continue
            if source.state == "failed":
                raise Failure(f"{source.name} cannot be read: {source.reason}", "frontdesk doctor")
            open_ids.discard(source.id)
            tell(f"{source.name}: {source.documents} documents" + (f" ({source.reason})" if source.reason else ""))


async def _findable(store: Store, tenant: str) -> Row:
    """The counts once no document waits for the index any more."""
    while True:
        counts = await store.row("listing.counts", tenant=tenant)
        assert counts is not None
        if not counts["waiting"]:
            return counts
        await asyncio.sleep(POLL_S)


def now() -> datetime:
    """The present, UTC."""
    return datetime.now(UTC)


def shop_path(data_dir: Path) -> str:
    """The URL of the demo shop's database."""
    return f"sqlite:///{data_dir.expanduser().absolute() / 'shop.db'}"
