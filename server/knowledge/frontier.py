"""Where a crawl stands: what waits, what is done, and the counts that bound it, kept in a JSON-able dict.

The dict is changed in place and is whole after every page. Its keys: ``mark`` the site it belongs to, ``home`` the
address the start led to, ``queue`` [address, depth, tries] in order, ``done`` {short digest of the address: depth},
``bodies`` short digests of page bodies, ``shapes`` {family of addresses: how many}, ``chosen`` digests of canonical
addresses, ``visited`` and ``bytes`` of this run, ``counts`` by outcome, ``notes`` for staff, ``finished``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import NamedTuple

from server.knowledge.fetched import Frontier
from server.knowledge.links import Scope, shape, trap

VERSION = 1
DIGEST_CHARACTERS = 16  # 64 bits: two of 100,000 addresses share one once in three billion crawls
MOST_SHAPE = 100  # addresses of one family that only links name
MOST_SHAPES = 5_000  # families counted; further ones are not followed
MOST_NOTES = 20
QUEUE_PER_PAGE = 2  # waiting addresses per page that may be read: more would never be reached


class Entry(NamedTuple):
    """A waiting address; ``depth`` counts links from the start, ``tries`` those that failed."""

    url: str
    depth: int
    tries: int


class Journey:
    """A crawl's frontier with the sets that make it fast."""

    def __init__(self, data: Frontier, mark: str, *, max_pages: int, max_depth: int) -> None:
        same = data.get("version") == VERSION and data.get("mark") == mark
        self.fresh = not same or bool(data.get("finished"))
        self.data = data
        self._mark = mark
        self._max_depth = max_depth
        self._most_waiting = QUEUE_PER_PAGE * max_pages
        self._depths: dict[str, int] = dict(data["done"]) if same and self.fresh else {}  # of the last run
        self._seen = set() if self.fresh else set(data["done"]) | {digest(entry[0]) for entry in data["queue"]}
        self._bodies = set() if self.fresh else set(data["bodies"])
        self._chosen = set() if self.fresh else set(data["chosen"])

    def begin(self, home: str, scope: Scope, known: Iterable[str], listed: Iterable[str]) -> None:
        """Start anew with everything that is known to exist; a known page keeps the depth of the last run."""
        data = self.data
        data.clear()
        data.update(version=VERSION, mark=self._mark, home=home, queue=[], done={}, bodies=[], shapes={}, chosen=[])
        data.update(visited=0, bytes=0, failures=0, counts={}, notes=[], finished=False)
        self.add(scope.start, 0)
        for url in known:
            self.add(url, min(self._depths.get(digest(url), 1), self._max_depth), named=True)
        for url in listed:
            if scope.covers(url):
                self.add(url, min(1, self._max_depth), named=True)

    def add(self, url: str, depth: int, *, named: bool = False) -> None:
        """Let an address wait, once; ``named`` says that the site or the last run vouches for it: no trap is feared."""
        key = digest(url)
        if key in self._seen or depth > self._max_depth:
            return
        if len(self.data["queue"]) >= self._most_waiting and not named:
            self.note("more links than pages allowed: some were not followed")
            return
        if not named and depth and not self._worth(url):
            return
        self._seen.add(key)
        self.data["queue"].append([url, depth, 0])

    def next(self) -> Entry | None:
        """The address to visit; it stays in the queue until it is done."""
        queue = self.data["queue"]
        return Entry(*queue[0]) if queue else None

    def done(self, entry: Entry, outcome: str) -> None:
        """The first address of the queue is finished with."""
        self.data["queue"].pop(0)
        self.data["done"][digest(entry.url)] = entry.depth
        self.count(outcome)

    def later(self, entry: Entry) -> None:
        """Try the first address again after the others."""
        self.data["queue"].pop(0)
        self.data["queue"].append([entry.url, entry.depth, entry.tries + 1])

    def finish(self, why: str = "") -> None:
        """The run is over; what still waits is dropped."""
        if why:
            self.note(why)
        self.data["queue"].clear()
        self.data["finished"] = True

    def first_body(self, raw_digest: str) -> bool:
        """Whether no other page of this run had this very body."""
        short = raw_digest[:DIGEST_CHARACTERS]
        if short in self._bodies:
            return False
        self._bodies.add(short)
        self.data["bodies"].append(short)
        return True

    def choose(self, url: str, depth: int) -> None:
        """Another page says that this is its canonical address: visit it, and let it not point on."""
        key = digest(url)
        if key not in self._chosen:
            self._chosen.add(key)
            self.data["chosen"].append(key)
        self.add(url, depth)

    def chosen(self, url: str) -> bool:
        """Whether another page called this its canonical address."""
        return digest(url) in self._chosen

    def visited(self) -> None:
        """A request for a page was made."""
        self.data["visited"] += 1

    def count(self, outcome: str) -> None:
        """Count for the report."""
        counts = self.data["counts"]
        counts[outcome] = counts.get(outcome, 0) + 1

    def note(self, text: str) -> None:
        """Say something to staff, once."""
        notes = self.data["notes"]
        if text not in notes and len(notes) < MOST_NOTES:
            notes.append(text)

    def _worth(self, url: str) -> bool:
        if reason := trap(url):
            self.count(reason)
            return False
        family = shape(url)
        if not family:
            return True
        shapes: dict[str, int] = self.data["shapes"]
        if shapes.get(family, 0) >= MOST_SHAPE or (family not in shapes and len(shapes) >= MOST_SHAPES):
            self.count("endless")
            self.note(f"only {MOST_SHAPE} addresses like {family[:80]} were followed")
            return False
        shapes[family] = shapes.get(family, 0) + 1
        return True


def digest(url: str) -> str:
    """A short name for an address."""
    return hashlib.sha256(url.encode()).hexdigest()[:DIGEST_CHARACTERS]
