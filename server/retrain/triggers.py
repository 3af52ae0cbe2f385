"""What starts a retrain by itself: the clock, enough new examples, a release that got worse than its own beginning."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

import structlog

from config.training import Training
from server.conversation import Refused
from server.retrain.contract import Releases
from server.retrain.runs import Runs
from server.retrain.signals import Span, declines
from server.store.contract import Store
from server.thumbs import weigh

log = structlog.get_logger()

WATCH = "watch-loop"
WATCH_CRON = "*/10 * * * *"
BY_CLOCK = "retrain-by-clock"
DAY_S = 86_400.0
SPAN_S = 7 * DAY_S  # of each side of the comparison
REST_S = 7 * DAY_S  # after a run that a decline started, before another one may


class Triggers:
    """Two jobs: one by the clock, one that looks; both start at most one run, and none while another is open."""

    def __init__(
        self,
        store: Store,
        tenant: str,
        settings: Training,
        runs: Runs,
        releases: Releases,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        self._tenant = tenant
        self._settings = settings
        self._runs = runs
        self._releases = releases
        self._wall = wall

    async def by_clock(self, _body: Mapping[str, Any]) -> None:
        """The job of ``training.cron``."""
        if not self._settings.cron:
            return  # a schedule that an earlier setting left behind
        await self._start("cron", f"by the clock ({self._settings.cron})")

    async def watch(self, _body: Mapping[str, Any]) -> None:
        """The job that looks every few minutes; it starts nothing unless the settings say so."""
        if await self._runs.open() is not None:
            return
        last = await self._runs.last()
        since = last["created_at"] if last is not None else 0.0
        if self._settings.after_examples:
            row = await self._store.row("loop.approved_since", tenant=self._tenant, since=since)
            fresh = int(row["n"]) if row is not None else 0
            if fresh >= self._settings.after_examples:
                await self._start("examples", f"{fresh} examples were approved since the last retrain")
                return
        if self._settings.on_decline and self._wall() - since > REST_S:
            worse = await self.declined()
            if worse:
                await self._start("decline", "; ".join(worse))

    async def declined(self) -> list[str]:
        """In which figures the live release is worse than at its beginning, in words."""
        release = self._releases.live
        now = self._wall()
        whole = await self._store.row("loop.turn_outcomes", tenant=self._tenant, release=release, since=0.0, until=now)
        first = whole["first_at"] if whole is not None else None
        if first is None or now - first < 2 * SPAN_S:
            return []
        before = await self._span(release, first, first + SPAN_S)
        return [str(decline) for decline in declines(before, await self._span(release, now - SPAN_S, now))]

    async def _span(self, release: str, since: float, until: float) -> Span:
        values: dict[str, Any] = {"tenant": self._tenant, "release": release, "since": since, "until": until}
        thumbs = weigh(await self._store.rows("loop.thumbs", **values))
        turns = await self._store.row("loop.turn_outcomes", **values)
        cases = await self._store.row("loop.satisfaction", **values)
        assert turns is not None  # aggregates always give a row
        assert cases is not None
        return Span(
            thumbs, turns["turns"], turns["handed_over"], cases["n"], cases["mean"] or 0.0, cases["mean_square"] or 0.0
        )

    async def _start(self, cause: str, note: str) -> None:
        try:
            run = await self._runs.start(cause, f"system:{cause}", note=note)
        except Refused:
            return  # one is open: it takes the new examples with it, or the next look starts another
        log.info("retrain_started", run=run, cause=cause, note=note)
