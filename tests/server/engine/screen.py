"""A platform on which drafts can be watched: every call is written down and takes the next thing of its script."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from channels.base import Limits
from server.engine.context import Context
from server.engine.record import Begun
from server.engine.show import Show
from server.lanes import Lease
from tests.places import Place
from tests.server.engine.bench import Desk, desk

LIMITS: dict[str, Any] = {
    "text_units": 200, "unit": "characters", "edit_interval_s": 0.02, "draft": "message", "typing_s": 0.0,
}  # fmt: skip

Step = Exception | asyncio.Event | str


@dataclass
class Screen:
    """A channel as far as showing goes; a script's error is raised, its event waited for, its text returned."""

    name: str = "chat"
    limits: Limits = field(default_factory=lambda: Limits(**LIMITS))
    script: dict[str, deque[Step]] = field(default_factory=dict)
    calls: list[tuple[Any, ...]] = field(default_factory=list)
    times: list[float] = field(default_factory=list)

    def plan(self, call: str, *steps: Step) -> None:
        """What the next calls of this kind do."""
        self.script[call] = deque(steps)

    def of(self, call: str) -> list[Any]:
        """The texts (or whatever came last) of the calls of one kind."""
        return [each[-1] for each in self.calls if each[0] == call]

    async def open_draft(self, draft_id: str, route: Mapping[str, str], text: str) -> str:
        return await self._step("open", draft_id, dict(route), text) or "p1"

    async def update_draft(self, provider_id: str, route: Mapping[str, str], text: str) -> None:
        await self._step("update", provider_id, dict(route), text)

    async def find_draft(self, draft_id: str, route: Mapping[str, str], tried_at: float) -> str:
        return await self._step("find", draft_id, dict(route), tried_at)

    async def typing(self, route: Mapping[str, str]) -> None:
        await self._step("typing", dict(route))

    async def _step(self, *call: Any) -> str:
        self.calls.append(call)
        self.times.append(time.monotonic())
        steps = self.script.get(call[0])
        step = steps.popleft() if steps else ""
        if isinstance(step, Exception):
            raise step
        if isinstance(step, asyncio.Event):
            await step.wait()
            return ""
        return step


NOW = {"outbox": {"draft_after_s": 0.0}}
ROUTE = {"chat": "7"}


class Turn:
    """A leased turn of a platform's customer whose answer is being written."""

    def __init__(self, one: Desk, lease: Lease, context: Context, begun: Begun) -> None:
        self.one = one
        self.lease = lease
        self.context = context
        self.begun = begun

    def show(self, *, begun: Begun | None = None, started: float | None = None) -> Show:
        return self.one.presenter.begin(self.context, self.lease, begun or self.begun, started)

    async def row(self, attempt: int = 1) -> dict[str, Any]:
        rows = await self.one.rows("shown", id="c1")
        return dict(next(row for row in rows if row["attempt"] == attempt))

    async def until_shown(self, shown: str, attempt: int = 1) -> dict[str, Any]:
        async with asyncio.timeout(5):
            while (row := await self.row(attempt))["shown"] != shown:
                await asyncio.sleep(0.005)
        return row


@asynccontextmanager
async def writing(place: Place, folder: Path, screen: Screen, **sections: Any) -> AsyncIterator[Turn]:
    async with desk(place, folder, screen=screen, **(NOW | sections)) as one:
        await one.releases.publish_configured()
        await one.say(channel="chat", route=ROUTE)
        lease = await one.take_one()
        context = await one.runner._reader.read(lease, 0.0)
        try:
            yield Turn(one, lease, context, await one.begin(lease))
        finally:
            await one.presenter.close()
