"""Reading a web site: robots.txt, sitemaps, links breadth first; what did not change is not loaded, let alone parsed.

One request at a time and with a pause, as the site's robots.txt asks. Pages from the last run are asked for again with
their validators, wherever they are linked now; a page leaves when it answers 404 or 410, moved, is no longer in scope
or forbids itself. A server that errs or asks for patience never makes a page leave.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any

import structlog
from yarl import URL

from config.knowledge import Crawl
from server.egress import Egress, EgressFailed, EgressRefused, Response, TooLarge
from server.knowledge.contract import SourceRefused
from server.knowledge.fetched import Frontier, Item, Known, SourceDown
from server.knowledge.frontier import Journey
from server.knowledge.links import Scope, normal
from server.knowledge.manners import Manners, Now, Sleep
from server.knowledge.robots import Robots, fetch_robots
from server.knowledge.sitemap import Sitemaps
from server.knowledge.visit import REDIRECTS, RETRY_S, Visitor, validators

log = structlog.get_logger()

MOST_HOPS = 5  # from the address that was typed to where the site lives
MOST_SITE_BYTES = 1_000_000_000  # of one run
_KEYS = frozenset({"url", "prefix", "origin", "sitemap", "max_pages", "max_depth"})


@dataclass(frozen=True, slots=True)
class SiteConfig:
    """What a source of kind site says; ``prefix`` is the part of the site that is read ("/help/").

    ``origin`` (https://shop.example) is what the site calls itself when it is read from a copy elsewhere: links and
    documents then carry that name, and requests go to ``url``'s host.
    """

    url: str
    prefix: str = "/"
    origin: str = ""
    sitemap: bool = True
    max_pages: int = 2_000
    max_depth: int = 8

    @classmethod
    def of(cls, config: Mapping[str, Any], crawl: Crawl) -> SiteConfig:
        """Read a source's config within the installer's limits; raises SourceRefused."""
        unknown = sorted(set(config) - _KEYS)
        if unknown:
            raise SourceRefused(f"a site has no setting {', '.join(unknown)}; known are {', '.join(sorted(_KEYS))}")
        url, origin = (normal(str(config.get(name, ""))) for name in ("url", "origin"))
        if not url:
            raise SourceRefused("a site needs its address in url, such as https://shop.example/help/")
        if config.get("origin") and not origin:
            raise SourceRefused("origin must be an address such as https://shop.example")
        prefix = str(config.get("prefix") or "/")
        if not prefix.startswith("/"):
            raise SourceRefused("prefix must begin with a slash, such as /help/")
        try:
            pages = min(int(config.get("max_pages") or crawl.max_pages), crawl.max_pages)
            depth = min(int(config.get("max_depth", crawl.max_depth)), crawl.max_depth)
        except (TypeError, ValueError):
            raise SourceRefused("max_pages and max_depth must be whole numbers") from None
        return cls(url, prefix, origin, bool(config.get("sitemap", True)), max(pages, 1), max(depth, 0))

    @property
    def mark(self) -> str:
        """What must be the same for a frontier to go on."""
        return f"{self.url} {self.prefix} {self.origin}"


class SiteReader:
    """Reads sites through guarded HTTP; safe for several sites at once."""

    def __init__(self, egress: Egress, crawl: Crawl, *, now: Now = time.time, sleep: Sleep = asyncio.sleep) -> None:
        self._egress = egress
        self._crawl = crawl
        self._now = now
        self._sleep = sleep

    async def read(
        self, config: Mapping[str, Any], frontier: Frontier, known: Mapping[str, Known]
    ) -> AsyncIterator[Item]:
        """Go on where ``frontier`` stands and change it in place; it is whole at each item and after the last one.

        Raises SourceRefused for an address that may never be read, SourceDown when the site cannot be read now.
        """
        site = SiteConfig.of(config, self._crawl)
        journey = Journey(frontier, site.mark, max_pages=site.max_pages, max_depth=site.max_depth)
        manners = Manners(self._crawl.delay_s, now=self._now, sleep=self._sleep)
        if journey.fresh:
            home, robots = await self._home(site, manners, known)
            scope = Scope(home, site.prefix, site.origin)
            listed = await self._listed(scope, robots, manners) if site.sitemap else []
            journey.begin(home, scope, known, listed)
        else:
            home = str(frontier["home"])
            scope = Scope(home, site.prefix, site.origin)
            robots = await self._robots(home, manners)
        visitor = Visitor(self._egress, self._crawl.max_bytes, scope, robots, manners, journey, known)
        while (entry := journey.next()) is not None:
            if stop := self._enough(site, journey):
                journey.finish(stop)
                break
            item = await visitor.visit(entry)
            if item is not None:
                yield item
        journey.finish()
        log.info("site_read", host=URL(home).host, visited=frontier["visited"], **frontier["counts"])

    @staticmethod
    def _enough(site: SiteConfig, journey: Journey) -> str:
        if journey.data["visited"] >= site.max_pages:
            return f"stopped at {site.max_pages} pages; raise max_pages to read more"
        if journey.data["bytes"] >= MOST_SITE_BYTES:
            return f"stopped at {MOST_SITE_BYTES} bytes"
        return ""

    async def _home(self, site: SiteConfig, manners: Manners, known: Mapping[str, Known]) -> tuple[str, Robots]:
        """Where the site lives: the typed address may lead to another scheme or host (www), and only it may."""
        home = site.url
        for _ in range(MOST_HOPS):
            robots = await self._robots(home, manners)
            if not robots.allows(home):
                raise SourceRefused("the site's robots.txt forbids reading its start; ask its owner")
            answer = await self._start(home, manners, known.get(Scope(home, site.prefix, site.origin).start))
            target = normal(answer.headers.get("location", ""), home) if answer.status in REDIRECTS else ""
            if not target or site.origin or URL(target).origin() == URL(home).origin():
                return home, robots
            home = target
        raise SourceRefused(f"the address leads on more than {MOST_HOPS} times; name the one it ends at")

    async def _start(self, home: str, manners: Manners, known: Known | None) -> Response:
        await manners.turn()
        try:
            answer = await self._egress.get(home, validators(known), accept=lambda _mime: False, redirects=0)
        except EgressRefused as refused:
            raise SourceRefused(f"the site cannot be read: {refused.reason}") from refused
        except TooLarge:
            raise SourceDown("the start of the site answers with an error page of absurd size") from None
        except EgressFailed as failed:
            raise SourceDown(f"the site does not answer: {failed.reason}", RETRY_S) from failed
        if answer.status >= 400:  # noqa: PLR2004 - where HTTP's errors begin
            wait_s = manners.retry_after(answer.headers)
            raise SourceDown(f"the start of the site answers {answer.status}", RETRY_S if wait_s is None else wait_s)
        return answer

    async def _robots(self, home: str, manners: Manners) -> Robots:
        await manners.turn()
        robots = await fetch_robots(self._egress, str(URL(home).origin()), self._crawl.user_agent)
        manners.at_least(robots.delay_s)
        return robots

    async def _listed(self, scope: Scope, robots: Robots, manners: Manners) -> list[str]:
        async def fetch(url: str, most: int) -> Response:
            await manners.turn()
            return await self._egress.get(url, max_bytes=most)

        return await Sitemaps(fetch, scope).pages(robots.sitemaps)
