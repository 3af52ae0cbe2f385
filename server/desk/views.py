"""The staff's list of conversations: views with counts, filters, order, read marks, priority, and saved filters."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from server.desk.notes import lock_own
from server.desk.words import bounds
from server.ids import new_id
from server.store.contract import Row, Store, Tx

VIEWS: Final = ("mine", "unassigned", "all", "mentions", "bot", "waiting", "snoozed", "closed")
PRIORITIES: Final = ("low", "normal", "high", "urgent")
SORTS: Final = ("newest", "waiting", "priority")
FAR: Final = 1e15  # a position before every line: places are below it


@dataclass(frozen=True, slots=True)
class Filter:
    """What a list shows; empty fields do not limit it. ``priority`` is one of PRIORITIES, ``label`` an id."""

    view: str = ""
    q: str = ""
    channel: str = ""
    account: str = ""
    owner: str = ""
    label: str = ""
    priority: str = ""
    sort: str = "newest"
    ids: tuple[str, ...] = ()
    team: str = ""


class Views:
    """Reads lists for one person at a time; ``wall`` gives epoch seconds."""

    def __init__(self, store: Store, tenant: str, wall: Callable[[], float] = time.time) -> None:
        self._store = store
        self._tenant = tenant
        self._wall = wall

    async def page(
        self, person: str, wanted: Filter, at: float, row_id: str, count: int, scope: str = ""
    ) -> Sequence[Mapping[str, Any]]:
        """Lines before a position, each with ``labels`` (ids), ``priority`` as a word and its ``place``.

        ``scope`` is what the person may see (:mod:`server.teams`).
        """
        limits = dict(bounds(wanted.q))
        if wanted.q.strip() and not limits["low1"]:
            return []  # nothing but signs
        rows = await self._store.rows(
            "inbox_views.page",
            tenant=self._tenant,
            person=person,
            scope=scope,
            now=self._wall(),
            view=wanted.view,
            channel=wanted.channel,
            account=wanted.account,
            owner=wanted.owner,
            label=wanted.label,
            team=wanted.team,
            priority=PRIORITIES.index(wanted.priority) if wanted.priority else -1,
            sort=wanted.sort,
            ids=_commas(wanted.ids),
            name=f"%{_like(wanted.q.strip().lower())}%" if wanted.q.strip() else "",
            at=min(at, FAR),
            id=row_id,
            count=count,
            **limits,
        )
        labels = await self._labels([row["id"] for row in rows])
        return [{**row, "labels": labels.get(row["id"], []), "priority": PRIORITIES[row["priority"]]} for row in rows]

    async def _labels(self, ids: Sequence[str]) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for row in await self._store.rows("inbox_views.labels_of", tenant=self._tenant, ids=_commas(ids)):
            found.setdefault(row["conversation_id"], []).append(row["label_id"])
        return found

    async def counts(self, person: str, scope: str = "") -> Mapping[str, Any]:
        """How much is in each view, and since when the longest waits (None: nobody does)."""
        row = await self._store.row(
            "inbox_views.counts", tenant=self._tenant, person=person, scope=scope, now=self._wall()
        )
        assert row is not None  # an aggregate always has its row
        return {**row, "all": row["all_open"]}

    async def by_channel(self, person: str = "", scope: str = "") -> Sequence[Row]:
        """Open conversations per channel account."""
        return await self._store.rows("inbox_views.open_by_channel", tenant=self._tenant, person=person, scope=scope)

    async def by_label(self, person: str = "", scope: str = "") -> Mapping[str, int]:
        """Open conversations per label."""
        rows = await self._store.rows("inbox_views.open_by_label", tenant=self._tenant, person=person, scope=scope)
        return {row["label_id"]: row["n"] for row in rows}

    async def saved(self, person: str) -> Sequence[Row]:
        """Filters that somebody or the shop keeps."""
        return await self._store.rows("inbox_views.saved", tenant=self._tenant, person=person)


async def save_view(tx: Tx, tenant: str, person: str, name: str, query: Mapping[str, str], *, shared: bool) -> str:
    """Keep filters under a name; returns its id."""
    view_id = new_id()
    await tx.run(
        "inbox_views.save", id=view_id, tenant=tenant, person=person, name=name, query=json.dumps(query),
        shared=int(shared), now=tx.now_s,
    )  # fmt: skip
    return view_id


async def mark_seen(tx: Tx, tenant: str, conversation_id: str, person: str, seq: int) -> None:
    """Remember how far somebody has read; they have seen where they were mentioned, too."""
    await tx.run("inbox_views.seen", person=person, id=conversation_id, seq=seq)
    await tx.run("inbox_views.mentions_seen", tenant=tenant, id=conversation_id, person=person, now=tx.now_s)


async def set_priority(tx: Tx, tenant: str, conversation_id: str, priority: str) -> None:
    """Say how urgent a conversation is; raises NotFound."""
    timeline = await lock_own(tx, tenant, conversation_id)
    await tx.run("inbox_views.priority", id=conversation_id, tenant=tenant, priority=PRIORITIES.index(priority))
    timeline.emit("priority", {"priority": priority}, audience="staff")
    await timeline.save(touch=False)


def _commas(ids: Sequence[str]) -> str:
    return f",{','.join(ids)}," if ids else ""


def _like(text: str) -> str:
    """A text inside a pattern; what means something there is left out."""
    return "".join(letter for letter in text if letter not in "%_\\")
