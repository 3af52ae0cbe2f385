"""One page of a crawl: ask for it, read its answer, say what became of it and let its links wait."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from server.egress import Egress, EgressFailed, EgressRefused, Response, TooLarge
from server.knowledge.fetched import Failed, Fetched, Gone, Item, Known, SourceDown, Unchanged, raw_digest
from server.knowledge.frontier import Entry, Journey
from server.knowledge.links import Scope, normal
from server.knowledge.manners import Manners
from server.knowledge.page_head import Head, read_head
from server.knowledge.robots import Robots

MOST_TRIES = 3
MOST_FAILURES = 5  # pages in a row that did not answer: then the site is down, not the page
MOST_WAIT_S = 120.0  # a longer wait is the scheduler's, not a sleep
RETRY_S = 900.0  # where the site does not say
PAUSE_S = 5.0  # after the first failure, doubled after each further one
REDIRECTS = frozenset({301, 302, 303, 307, 308})
GONE = frozenset({404, 410})
PATIENCE = frozenset({429, 503})
UNCHANGED = 304
HTML = frozenset({"text/html", "application/xhtml+xml"})
WANTED = HTML | {"application/pdf", "text/plain", "text/markdown", "text/x-markdown"}
_VAGUE = frozenset({"", "application/octet-stream", "binary/octet-stream"})
_BY_NAME = {".pdf": "application/pdf", ".md": "text/markdown", ".txt": "text/plain", ".html": "text/html"}
ACCEPT = "text/html,application/xhtml+xml,application/pdf,text/markdown,text/plain;q=0.9"


class Visitor:
    """Visits pages of one site; each visit leaves the journey whole and gives at most one item."""

    def __init__(
        self,
        egress: Egress,
        max_bytes: int,
        scope: Scope,
        robots: Robots,
        manners: Manners,
        journey: Journey,
        known: Mapping[str, Known],
    ) -> None:
        self._egress = egress
        self._max_bytes = max_bytes
        self._scope = scope
        self._robots = robots
        self._manners = manners
        self._journey = journey
        self._known = known

    async def visit(self, entry: Entry) -> Item | None:
        """Deal with the first entry of the queue; None when there is nothing to say. Raises SourceDown."""
        reason = self._unwanted(entry.url)
        if reason:
            return self._out(entry, reason)
        await self._manners.turn()
        try:
            answer = await self._ask(entry.url)
        except (EgressRefused, TooLarge) as error:
            return self._failed(entry, error.reason)
        except EgressFailed as error:
            return self._again(entry, error.reason)
        if answer.status in PATIENCE:
            return self._patience(entry, answer)
        if answer.status >= 500:  # noqa: PLR2004 - the class of server errors
            return self._again(entry, f"the server answers {answer.status}")
        self._journey.data["failures"] = 0
        self._journey.visited()
        return await self._answered(entry, answer)

    async def _answered(self, entry: Entry, answer: Response) -> Item | None:
        if answer.status == UNCHANGED:
            return self._unchanged(entry)
        if answer.status in REDIRECTS:
            return self._moved(entry, answer)
        if answer.status in GONE:
            return self._out(entry, f"the page answers {answer.status}")
        if answer.status not in range(200, 300):
            return (
                self._failed(entry, f"the page answers {answer.status}")
                if entry.url in self._known
                else (self._out(entry, "not readable"))
            )
        if answer.skipped:
            return self._out(entry, "not a page")
        return await self._page(entry, answer)

    async def _ask(self, url: str) -> Response:
        return await self._egress.get(
            self._scope.fetchable(url),
            validators(self._known.get(url)),
            accept=lambda mime: _kind(mime, url) in WANTED,
            redirects=0,
            max_bytes=self._max_bytes,
        )

    def _unwanted(self, url: str) -> str:
        if not self._scope.covers(url):
            return "outside of what is read"
        if not self._robots.allows(self._scope.fetchable(url)):
            return "robots.txt forbids it"
        return ""

    async def _page(self, entry: Entry, answer: Response) -> Item | None:
        self._journey.data["bytes"] += len(answer.body)
        kind, robots = _kind(answer.mime, entry.url), answer.headers.get("x-robots-tag", "")
        content_type = answer.headers.get("content-type", "")
        page = await asyncio.to_thread(read_head, answer.body if kind in HTML else b"", content_type, robots)
        body_digest = raw_digest(answer.body)
        if not self._journey.first_body(body_digest):
            return self._out(entry, "the same page under another address")
        self._follow(entry, page)
        if not page.index:
            return self._out(entry, "the page asks not to be indexed")
        if self._elsewhere(entry, page):
            return self._out(entry, "the page names another address as its own")
        known = self._known.get(entry.url)
        if known is not None and known.raw_digest == body_digest:
            self._journey.done(entry, "unchanged")
            return Unchanged(entry.url)
        self._journey.done(entry, "fetched")
        return Fetched(
            uri=entry.url,
            url=entry.url,
            mime=kind,
            body=answer.body,
            etag=answer.headers.get("etag", ""),
            last_modified=answer.headers.get("last-modified", ""),
            title=page.title,
        )

    def _follow(self, entry: Entry, page: Head) -> None:
        if not page.follow:
            return
        base = normal(page.base, entry.url) or entry.url
        for link in page.links:
            url = self._scope.public(link, base)
            if url and self._scope.covers(url):
                self._journey.add(url, entry.depth + 1)

    def _elsewhere(self, entry: Entry, page: Head) -> bool:
        """Whether the page's canonical address is another page that this crawl may read instead."""
        if not page.canonical or self._journey.chosen(entry.url):
            return False
        url = self._scope.public(page.canonical, entry.url)
        if not url or url == entry.url or self._unwanted(url):
            return False
        self._journey.choose(url, entry.depth)
        return True

    def _unchanged(self, entry: Entry) -> Item:
        known = self._known.get(entry.url)
        if known is None:
            return self._failed(entry, "the page answers 304 to a first request")
        if known.raw_digest:
            self._journey.first_body(known.raw_digest)
        self._journey.done(entry, "unchanged")
        return Unchanged(entry.url)

    def _moved(self, entry: Entry, answer: Response) -> Item | None:
        url = self._scope.public(answer.headers.get("location", ""), entry.url)
        if url == entry.url:
            return self._failed(entry, "the page redirects to itself")
        if url and self._scope.covers(url):
            self._journey.add(url, entry.depth)
        return self._out(entry, "the page has moved")

    def _out(self, entry: Entry, reason: str) -> Item | None:
        """Not a document of this source: gone when it was one."""
        self._journey.done(entry, "gone" if entry.url in self._known else reason)
        return Gone(entry.url, reason) if entry.url in self._known else None

    def _failed(self, entry: Entry, reason: str) -> Item:
        self._journey.done(entry, "failed")
        return Failed(entry.url, reason)

    def _again(self, entry: Entry, reason: str, wait_s: float | None = None) -> Item | None:
        """Something that may pass: wait, try the page after the others, and give up on a site that is down."""
        self._journey.data["failures"] += 1
        if entry.tries + 1 >= MOST_TRIES:
            return self._failed(entry, reason)
        self._journey.later(entry)
        if wait_s is not None and wait_s > MOST_WAIT_S:
            raise SourceDown(f"{reason} and asks to wait {wait_s:.0f} s", wait_s)
        if self._journey.data["failures"] >= MOST_FAILURES:
            self._journey.data["failures"] = 0
            raise SourceDown(f"{MOST_FAILURES} requests in a row failed, the last one because {reason}", RETRY_S)
        self._manners.hold(PAUSE_S * 2**entry.tries if wait_s is None else wait_s)
        return None

    def _patience(self, entry: Entry, answer: Response) -> Item | None:
        """The site asks to wait: here when it is short, else the run ends and goes on when the time has come."""
        self._manners.slower()
        return self._again(entry, f"the server answers {answer.status}", self._manners.retry_after(answer.headers))


def validators(known: Known | None) -> dict[str, str]:
    """Headers of a request for a page, so that one that did not change is not sent again."""
    headers = {"Accept": ACCEPT}
    if known is not None and known.etag:
        headers["If-None-Match"] = known.etag
    if known is not None and known.last_modified:
        headers["If-Modified-Since"] = known.last_modified
    return headers


def _kind(mime: str, url: str) -> str:
    """The type of an answer; the name in the address decides where the server has no opinion."""
    if mime not in _VAGUE:
        return mime
    name = url.partition("?")[0].lower()
    return next((kind for tail, kind in _BY_NAME.items() if name.endswith(tail)), mime)
