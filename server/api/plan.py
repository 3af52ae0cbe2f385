"""Before a retrain: what it would meet, and whether it is worth it."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from aiohttp import web

from server.api.shapes import Answer, answer
from server.problems import Problem
from server.retrain.contract import StageFailed
from server.retrain.plan import Planner
from server.routes import Role, Route


class CheckLine(Answer):
    """One condition of a retrain; one that ``stops`` must hold, the others are warnings."""

    name: str
    ok: bool
    stops: bool
    detail: str


class EstimateLine(Answer):
    """How long a retrain may take in seconds, by a finished ``run`` of ``run_rows`` rows in ``run_seconds``."""

    seconds: float
    rows: int
    run: str
    run_rows: int
    run_seconds: float


class PlanAnswer(Answer):
    """What a retrain started now would meet; no estimate before one has gone to its end."""

    approved: int
    minimum: int
    open_run: str | None
    checks: list[CheckLine]
    estimate: EstimateLine | None


class AdviceAnswer(Answer):
    """The report "should we tune?" with everything that was looked at."""

    tune: bool
    findings: list[dict[str, Any]]
    examples: int
    pairs: int
    behaviours: dict[str, int]


class PlanApi:
    """Addresses ``/api/retrains/plan`` and ``/api/retrains/advice``; they stand before ``/api/retrains/{id}``."""

    def __init__(self, planner: Planner) -> None:
        self._planner = planner

    def routes(self) -> list[Route]:
        """The table of this resource."""
        return [
            Route("GET", "/api/retrains/plan", self.plan, Role.VIEWER, "What a retrain would meet now",
                  answer=PlanAnswer),
            Route("GET", "/api/retrains/advice", self.advice, Role.STAFF, "Whether it is worth it to tune now",
                  answer=AdviceAnswer),
        ]  # fmt: skip

    async def plan(self, _request: web.Request) -> web.Response:
        """Checks and estimate as of now."""
        return answer(PlanAnswer.model_validate(asdict(await self._planner.plan())))

    async def advice(self, _request: web.Request) -> web.Response:
        """The report over everything that is approved now; takes a second or two."""
        try:
            found = await self._planner.advice()
        except StageFailed as error:
            raise Problem(503, "No report", str(error)) from None
        return answer(AdviceAnswer(**{name: found[name] for name in AdviceAnswer.model_fields}))
