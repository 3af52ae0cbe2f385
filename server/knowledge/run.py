"""One run over a source: takes its items, stores what changed, and remembers how far it came."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any

from server import lanes
from server.knowledge.contract import SourceRefused
from server.knowledge.documents import DOCUMENTS, ORDER, Draft, drop, put, refuse
from server.knowledge.fetched import Failed, Fetched, Frontier, Gone, Known, Unchanged, raw_digest
from server.knowledge.kinds import Text
from server.knowledge.parsing import Reader
from server.knowledge.records import text_digest
from server.lanes import Lease
from server.store.contract import Row, Store, Tx

BATCH = 50  # rows, and items that change nothing, are committed together
PLACE_S = 1.0  # between commits of the place while every item changes something: it may be large
LARGE_BYTES = 1_000_000  # are hashed beside the loop
BY_SOURCE = "source"  # who changed a document

Act = Callable[[Tx], Awaitable[None]]


class Run:
    """Works on one source under one lease; every write is fenced by it.

    ``place`` is the reader's frontier, ``counts`` what became of the items so far.
    """

    def __init__(self, store: Store, reader: Reader, source: Row, lease: Lease, lease_s: float, *, again: bool) -> None:
        self._store = store
        self._reader = reader
        self._source = source
        self._id = str(source["id"])
        self._tenant = str(source["tenant"])
        self._lease = lease
        self._lease_s = lease_s
        stored = json.loads(source["frontier"])
        self._interrupted = bool(stored.get("running"))
        self._again = (again and not self._interrupted) or bool(stored.get("again"))
        self.place: Frontier = {} if self._again and not self._interrupted else dict(stored.get("place", {}))
        fresh = dict.fromkeys(("seen", "changed", "unchanged", "failed", "deleted"), 0)
        self.counts: dict[str, int] = fresh | (json.loads(source["progress"]) if self._interrupted else {})
        self._known: dict[str, Row] = {}
        self._unchanged: list[str] = []
        self._acts: list[Act] = []
        self._placed_at = 0.0

    async def begin(self) -> None:
        """Say that the source is being read, and learn what is stored of it."""
        await self._store.write(self._state("fetching"), order=ORDER)
        self._placed_at = 0.0  # the first item is remembered at once
        rows = await self._store.rows("knowledge.known", source_id=self._id)
        self._known = {str(row["uri"]): row for row in rows}

    def known(self) -> Mapping[str, Known]:
        """What the reader is told; a run that reads everything again hears of no validators."""
        if self._again:
            return {uri: Known() for uri in self._known}
        return {
            uri: Known(row["etag"] or "", row["last_modified"] or "", row["raw_digest"])
            for uri, row in self._known.items()
        }

    async def take(self, item: Fetched | Text | Unchanged | Gone | Failed) -> None:
        """Store one item; rows and what changes nothing wait for a few others."""
        self.counts["seen"] += 1
        if isinstance(item, Fetched):
            await self._fetched(item)
        elif isinstance(item, Text):
            self._text(item)
        elif isinstance(item, Unchanged):
            self._same(item.uri)
        elif isinstance(item, Gone):
            self.counts["seen"] -= 1
            stored = self._known.get(item.uri)
            self.counts["deleted"] += int(stored is not None and stored["deleted_at"] is None)
            self._acts.append(partial(self._gone, uri=item.uri))
        else:
            self._failed(item)
        slow = self._acts and not isinstance(item, Text)  # the next one may be long in coming
        if slow or len(self._acts) + len(self._unchanged) >= BATCH:
            await self._flush()

    async def end_read(self) -> None:
        """Everything was read: the source is in the index as soon as its documents are."""
        failed, seen = self.counts["failed"], self.counts["seen"]
        await self._flush()
        if failed and failed == seen:
            await self.end("failed", f"none of its {seen} documents could be read; each says why")
        else:
            reason = f"{failed} of {seen} documents could not be read; each says why" if failed else None
            await self.end("parsing", reason)

    async def end(self, state: str, reason: str | None) -> None:
        """End the run; ``parsing`` means that it was read to its end."""
        await self._flush()
        keep = state == "parsing" or self._source["kind"] == "site"  # other readers begin anew after a failure
        frontier = json.dumps({"place": self.place if keep else {}})
        synced_at = time.time() if state == "parsing" else None

        async def unit(tx: Tx) -> None:
            await tx.row("knowledge.lock", tenant=self._tenant)
            await tx.run(
                "knowledge.end_run", tenant=self._tenant, id=self._id, state=state, reason=reason,
                progress=json.dumps(self.counts), frontier=frontier, synced_at=synced_at, now=tx.now_s,
            )  # fmt: skip
            await tx.rows("knowledge.settle_sources", tenant=self._tenant, now=tx.now_s)
            await lanes.ack(tx, self._lease, self._lease.items[-1].seq)
            tx.notify(DOCUMENTS)

        await self._store.write(unit, order=ORDER)

    async def put_off(self, reason: str, delay_s: float) -> None:
        """The source is down: say so, keep everything, and look again after ``delay_s`` seconds."""
        await self._flush()
        frontier = self._frontier()

        async def unit(tx: Tx) -> None:
            await tx.row("knowledge.lock", tenant=self._tenant)
            words = f"{reason}; trying again in {round(delay_s / 60) or 1} min"
            await self._note(tx, "failed", words, json.dumps(self.counts), frontier)
            await lanes.nack(tx, self._lease, delay_s, error=True)

        await self._store.write(unit, order=ORDER)

    async def _fetched(self, item: Fetched) -> None:
        """Parse new bytes; bytes that are known are not parsed."""
        stored = self._known.get(item.uri)
        large = len(item.body) > LARGE_BYTES
        digest = await asyncio.to_thread(raw_digest, item.body) if large else item.raw_digest
        if stored is not None and stored["raw_digest"] == digest and not self._again:
            self._same(item.uri)
            return
        draft = partial(
            Draft, self._id, item.uri, item.url, audience=str(self._source["audience"]), raw_digest=digest,
            etag=item.etag, last_modified=item.last_modified, fetched=True,
        )  # fmt: skip
        try:
            parsed = await self._reader.read(item.body, item.uri, item.mime, item.url)
        except SourceRefused as error:
            self.counts["failed"] += 1
            refused = draft(title=item.title or item.uri, text="", mime=item.mime)
            self._acts.append(partial(refuse, tenant=self._tenant, draft=refused, reason=str(error)))
            return
        said = draft(title=item.title or parsed.title, text=parsed.text, mime=parsed.mime)
        self._put(said)

    def _text(self, item: Text) -> None:
        self._put(
            Draft(
                self._id, item.uri, item.url, item.title, item.text, str(self._source["audience"]), "text/markdown",
                raw_digest=text_digest(item), fetched=True,
            )
        )  # fmt: skip

    def _put(self, draft: Draft) -> None:
        stored = self._known.get(draft.uri)
        same = stored is not None and stored["digest"] == draft.digest
        self.counts["unchanged" if same else "changed"] += 1
        self._acts.append(partial(self._stored, draft=draft))

    async def _stored(self, tx: Tx, draft: Draft) -> None:
        await put(tx, self._tenant, draft, BY_SOURCE)

    async def _gone(self, tx: Tx, uri: str) -> None:
        await drop(tx, self._tenant, self._id, [uri])

    def _same(self, uri: str) -> None:
        self.counts["unchanged"] += 1
        self._unchanged.append(uri)

    def _failed(self, item: Failed) -> None:
        """What could not be fetched keeps its text; what was never there gets a row that says why."""
        self.counts["failed"] += 1
        if item.uri in self._known:
            self._acts.append(
                lambda tx: _done(
                    tx.run(
                        "knowledge.doubt_document", source_id=self._id, uri=item.uri, reason=item.reason, now=tx.now_s
                    )
                )
            )
            return
        draft = Draft(self._id, item.uri, "", item.uri, "", str(self._source["audience"]), "")
        self._acts.append(partial(refuse, tenant=self._tenant, draft=draft, reason=item.reason))

    async def _flush(self) -> None:
        """Commit what was taken, with the place behind it; raises Fenced when somebody else has the source."""
        acts, uris = self._acts, self._unchanged
        if not acts and not uris:
            return
        self._acts, self._unchanged = [], []
        note = self._state("fetching")

        async def unit(tx: Tx) -> None:
            await note(tx)
            for act in acts:
                await act(tx)
            if uris:
                await tx.run("knowledge.touch_documents", source_id=self._id, uris=json.dumps(uris), now=tx.now_s)

        await self._store.write(unit, order=ORDER)

    def _state(self, state: str) -> Act:
        """A unit that holds the lease, and notes state, counts and (not too often) the place."""
        frontier = None
        if time.monotonic() - self._placed_at >= PLACE_S:
            self._placed_at = time.monotonic()
            frontier = self._frontier()
        counts = json.dumps(self.counts)

        async def unit(tx: Tx) -> None:
            await tx.row("knowledge.lock", tenant=self._tenant)
            await lanes.beat(tx, self._lease, self._lease_s)
            await self._note(tx, state, None, counts, frontier)

        return unit

    def _frontier(self) -> str:
        """The place of a run that is not at its end."""
        return json.dumps({"place": self.place, "running": True, "again": self._again})

    async def _note(self, tx: Tx, state: str, reason: str | None, counts: str, frontier: str | None) -> None:
        await tx.run(
            "knowledge.source_run", tenant=self._tenant, id=self._id, state=state, reason=reason,
            progress=counts, frontier=frontier, now=tx.now_s,
        )  # fmt: skip


async def _done(change: Awaitable[Any]) -> None:
    await change
