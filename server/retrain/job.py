"""The job ``retrain``: takes a run, does its stages in order, and ends it; taken again, it goes on at its stage."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import structlog

from server.retrain.contract import STAGES, Declined, Releases, RetrainError, StopAsked
from server.retrain.runs import Runs
from server.retrain.stages import Stages

log = structlog.get_logger()


class Retrain:
    """Works on runs; the job lane makes sure that only one process does, the run's epoch that only one can."""

    def __init__(self, runs: Runs, stages: Stages, releases: Releases) -> None:
        self._runs = runs
        self._stages = stages
        self._releases = releases

    async def run(self, body: Mapping[str, Any]) -> None:
        """Work on a run to its end. Raises Fenced when somebody else goes on with it, StoreUnavailable."""
        taken = await self._runs.take(str(body["run"]), self._releases.live)
        if taken is None:
            return
        stage = taken.stage
        log.info("retrain_taken", run=taken.id, stage=stage, epoch=taken.epoch)
        try:
            for stage in STAGES[STAGES.index(taken.stage) :]:
                await self._runs.enter(taken, stage)
                await self._stages.run(taken, stage)
        except (RetrainError, OSError, ValueError, LookupError) as error:  # also a full disk, or a file that is no JSON
            await self._runs.end(taken, _state(error), stage, str(error) or repr(error))
            log.warning("retrain_ended", run=taken.id, stage=stage, state=_state(error), reason=str(error))
            return
        await self._runs.end(taken, "done", stage)
        log.info("retrain_ended", run=taken.id, stage=stage, state="done")


def _state(error: Exception) -> str:
    match error:
        case StopAsked():
            return "stopped"
        case Declined():
            return "declined"
        case _:
            return "failed"
