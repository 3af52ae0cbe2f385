"""Figures of a time: facts read in pages, added up by piece of time and by channel, language or release."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Literal
from zoneinfo import ZoneInfo

from config.insight import Analytics
from server.analytics.metrics import Rules, Sums
from server.analytics.periods import Period
from server.sight import ALL, Sight
from server.store.contract import Row, Store

By = Literal["none", "channel", "language", "release"]

PAGE_ROWS: Final = 2_000  # read and added up at a time: some ten milliseconds
DAYS: Final = 7
HOURS: Final = 24
FIRST: Final = (-1.0, "")
COLUMN: Final[dict[By, str]] = {"channel": "channel", "language": "language", "release": "release_id"}


@dataclass(frozen=True, slots=True)
class Filters:
    """Which cases count; an empty text is all of them."""

    channel: str = ""
    language: str = ""
    release: str = ""

    def values(self) -> dict[str, str]:
        """As queries take them."""
        return {"channel": self.channel, "language": self.language, "release": self.release}


@dataclass(slots=True)
class Summary:
    """A whole period: its sums, the ones of the time before, and when customers came."""

    now: Sums
    before: Sums
    heat: list[list[int]] = field(default_factory=lambda: [[0] * HOURS for _ in range(DAYS)])


@dataclass(frozen=True, slots=True)
class Piece:
    """The sums of one piece of time and one key ('' where nothing splits them)."""

    start: float
    key: str
    sums: Sums


class Reading:
    """Reads the facts of one bot."""

    def __init__(self, store: Store, tenant: str, settings: Analytics) -> None:
        self._store = store
        self._tenant = tenant
        self._settings = settings

    def rules(self, now_s: float) -> Rules:
        """What figures depend on besides facts."""
        return Rules(self._settings, now_s)

    async def summary(self, period: Period, filters: Filters, zone: ZoneInfo, now_s: float) -> Summary:
        """One period as a whole, beside the one before it."""
        rules = self.rules(now_s)
        found = Summary(Sums(rules), Sums(rules))
        since, until = period.before
        async for row in self._cases(since, until, filters):
            found.before.add(row)
        async for row in self._cases(period.since, period.until, filters):
            found.now.add(row)
            at = datetime.fromtimestamp(row["opened_at"], zone)
            found.heat[at.weekday()][at.hour] += 1
        moments = [min(since_until, now_s) for since_until in (until, period.until)]
        found.before.backlog, found.now.backlog = (
            sum(one.values()) for one in await self._backlog(moments, "none", filters)
        )
        return found

    async def series(self, period: Period, filters: Filters, by: By, now_s: float) -> list[Piece]:
        """The period piece by piece; every key has a row in every piece, in order of time and key."""
        rules = self.rules(now_s)
        groups: dict[tuple[int, str], Sums] = {}
        keys: set[str] = set() if by != "none" else {""}
        async for row in self._cases(period.since, period.until, filters):
            place = period.piece(row["opened_at"]), _key(row, by)
            keys.add(place[1])
            groups.setdefault(place, Sums(rules)).add(row)
        ends = [min(period.end(piece), now_s) for piece in range(len(period.starts))]
        backlog = await self._backlog(ends, by, filters)
        keys = keys.union(*backlog)
        pieces = []
        for number, start in enumerate(period.starts):
            for key in sorted(keys):
                sums = groups.get((number, key)) or Sums(rules)
                sums.backlog = backlog[number].get(key, 0)
                pieces.append(Piece(start, key, sums))
        return pieces

    async def choices(self) -> dict[str, list[str]]:
        """What there is to filter by: channels, languages, releases, the most frequent first."""
        rows = await self._store.rows("analytics.choices", tenant=self._tenant)
        ordered = sorted(rows, key=lambda row: (-row["n"], row["value"]))
        return {
            what: [row["value"] for row in ordered if row["what"] == what]
            for what in ("channel", "language", "release")
        }

    async def as_of(self) -> tuple[int, float | None]:
        """Number and time of the last event the facts know."""
        row = await self._store.row("analytics.as_of", tenant=self._tenant)
        return (int(row["number"]), row["at"]) if row else (0, None)

    async def promotions(self, period: Period) -> list[dict[str, Any]]:
        """When other releases went live, to be marked in charts."""
        rows = await self._store.rows(
            "analytics.promotions", tenant=self._tenant, since=period.since, until=period.until
        )
        return [dict(row) for row in rows]

    async def conversations(
        self,
        period: Period,
        filters: Filters,
        which: str,
        reason: str,
        position: tuple[float, str],
        count: int,
        sight: Sight = ALL,
    ) -> Sequence[Row]:
        """The cases behind a figure that somebody may see, the newest first, behind a position."""
        return await self._store.rows(
            "analytics.drill", tenant=self._tenant, since=period.since, until=period.until, which=which, reason=reason,
            back_s=self.rules(0.0).back_s, at=position[0], id=position[1], count=count, **filters.values(),
            **sight.values(),
        )  # fmt: skip

    async def _cases(self, since: float, until: float, filters: Filters) -> AsyncIterator[Row]:
        at, row_id = FIRST
        while True:
            rows = await self._store.rows(
                "analytics.cases", tenant=self._tenant, since=since, until=until, at=at, id=row_id, count=PAGE_ROWS,
                **filters.values(),
            )  # fmt: skip
            for row in rows:
                yield row
            if len(rows) < PAGE_ROWS:
                return
            at, row_id = rows[-1]["opened_at"], rows[-1]["case_id"]

    async def _backlog(self, moments: Sequence[float], by: By, filters: Filters) -> list[dict[str, int]]:
        """How many cases waited for or were with people at each moment (ascending), by key."""
        held: list[dict[str, set[str]]] = [{} for _ in moments]
        rows = await self._store.rows(
            "analytics.spans", tenant=self._tenant, since=moments[0], until=moments[-1], **filters.values()
        )
        for row in rows:
            for number in range(bisect_left(moments, row["from_at"]), len(moments)):
                if row["to_at"] is not None and row["to_at"] <= moments[number]:
                    break
                held[number].setdefault(_key(row, by), set()).add(row["case_id"])
        return [{key: len(cases) for key, cases in each.items()} for each in held]


def _key(row: Row, by: By) -> str:
    return str(row[COLUMN[by]] or "") if by != "none" else ""
