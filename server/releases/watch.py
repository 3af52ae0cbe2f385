"""Looks at the running canary every second and takes it back by itself when it does harm.

Every worker looks; the one whose transaction is first acts. Promotion without a click is a setting, off by default.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Final

import structlog

from config.settings import Settings
from server import shifts
from server.releases.comparison import Comparison, Counts, Rules, Stage, compare
from server.releases.moves import ReleaseRefused
from server.releases.registry import Releases, Trial
from server.releases.served import AdapterUnavailable
from server.routes import Principal, Role
from server.store.contract import Row, Store
from server.telemetry import Metrics

log = structlog.get_logger()

STEP_S: Final = 1.0  # rollback is to happen within 2 s of the case that tips the scales
DAY_S: Final = 86_400.0
HOUR_S: Final = 3_600.0


class Watch:
    """Compares, and acts on it; ``wall`` gives epoch seconds."""

    def __init__(
        self, store: Store, settings: Settings, releases: Releases, metrics: Metrics,
        wall: Callable[[], float] = time.time,
    ) -> None:  # fmt: skip
        self._store = store
        self._tenant = settings.tenant
        self._settings = settings.releases
        self._releases = releases
        self._metrics = metrics
        self._wall = wall
        self._by = Principal(settings.tenant, "system", "canary", Role.ADMIN)
        self._past: tuple[str, Counts] | None = None

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Look until the block ends."""
        task = asyncio.create_task(shifts.repeat("canary", self.step, partial(asyncio.sleep, STEP_S)), name="canary")
        try:
            yield
        finally:
            await shifts.end([task])

    async def step(self) -> None:
        """One look, and what follows from it."""
        trial = self._releases.canary
        if trial is None:
            self._metrics.canary_evidence.set(0.0)
            return
        found = await self.compare(trial)
        self._metrics.canary_evidence.set(found.evidence / found.needed)
        if found.verdict == "roll_back":
            await self._take_back(trial, found)
        elif found.verdict == "passed" and self._settings.automatic_promotion:
            await self._promote(trial, found)

    async def compare(self, trial: Trial) -> Comparison:
        """How the canary's cases went beside the live release's, as of now."""
        settled = self._wall() - self._settings.settle_h * HOUR_S
        rows = await self._store.rows("releases.outcomes", canary_id=trial.id, settled_before=settled)
        rules = Rules(self._settings.false_alarm, self._settings.minimum_cases, trial.cap)
        return compare(_stages(rows), await self._past_of(trial), rules)

    async def _past_of(self, trial: Trial) -> Counts:
        """The live release's cases from before the trial; they cannot change much, so they are read once."""
        if self._past is None or self._past[0] != trial.id:
            since = trial.started_at - self._settings.baseline_days * DAY_S
            row = await self._store.row(
                "releases.baseline", tenant=self._tenant, release_id=self._releases.live, since=since,
                until=trial.started_at,
            )  # fmt: skip
            assert row is not None  # an aggregate has one row
            self._past = trial.id, Counts(settled=row["cases"], **row)
        return self._past[1]

    async def _take_back(self, trial: Trial, found: Comparison) -> None:
        reason = f"the canary did worse than the live release, most of all in {found.worst}"
        live = await self._releases.roll_back(
            by=self._by, reason=reason, side="canary", canary_id=trial.id, figures=found.figures()
        )
        if live is not None:
            self._metrics.rollbacks.inc()
            log.error("canary_rolled_back", release=trial.release_id, live=live, **found.figures())

    async def _promote(self, trial: Trial, found: Comparison) -> None:
        try:
            await self._releases.promote(trial.release_id, by=self._by, figures=found.figures())
        except (ReleaseRefused, AdapterUnavailable) as error:
            log.warning("canary_not_promoted", release=trial.release_id, reason=str(error))


def _stages(rows: Sequence[Row]) -> list[Stage]:
    """Rows of the store, one per share and side, as stages."""
    sides: dict[float, dict[int, Counts]] = {}
    for row in rows:
        counts = {name: row[name] for name in Counts.__slots__}
        sides.setdefault(row["share"], {})[row["arm"]] = Counts(**counts)
    return [Stage(share, found.get(1, Counts()), found.get(0, Counts())) for share, found in sorted(sides.items())]
