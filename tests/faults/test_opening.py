"""An abandoned opening of a draft must not commit after the next one, whichever connection is the slower."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from server.engine.control import Control, Interrupt
from server.store.contract import Store, Unit
from tests.places import Place
from tests.server.engine.bench import Desk, ScriptedLLM, settings_for


class UnevenStore:
    """Two committers as on PostgreSQL: the first write after ``arm`` is on a slow one and cannot be called back."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._slow: asyncio.Task[Any] | None = None
        self._armed = False
        self.began = asyncio.Event()
        self.overtaken = asyncio.Event()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def arm(self) -> None:
        self._armed = True

    async def write(self, unit: Unit[Any], **how: Any) -> Any:
        if self._armed:
            self._armed = False
            self._slow = asyncio.create_task(self._late(unit, **how))
            self.began.set()
            return await asyncio.shield(self._slow)
        result = await self._store.write(unit, **how)
        self.overtaken.set()
        if self._slow is not None:
            await asyncio.wait({self._slow})
        return result

    async def _late(self, unit: Unit[Any], **how: Any) -> Any:
        try:
            async with asyncio.timeout(0.3):
                await self.overtaken.wait()
        except TimeoutError:
            pass  # nobody went ahead
        return await self._store.write(unit, **how)


@pytest.mark.parametrize("times", [1, 2])
async def test_the_answer_ends_its_own_draft_after_an_interrupted_opening(tmp_path: Path, times: int) -> None:
    async with Place("sqlite", f"sqlite:///{tmp_path}/desk.db").open(real_clock=True) as store:
        uneven = UnevenStore(store)
        desk = Desk(uneven, settings_for(tmp_path), llm=ScriptedLLM("yes"))  # type: ignore[arg-type]
        await desk.releases.publish_configured()
        await desk.say()
        lease, control = await desk.take_one(), Control()
        uneven.overtaken.clear()
        uneven.arm()
        running = asyncio.create_task(desk.runner.run(lease, control))
        await uneven.began.wait()
        await desk.store._store.write(_nothing)  # type: ignore[attr-defined]  # the model has answered by now
        for _ in range(times):
            control.interrupt(Interrupt.MORE)
            await asyncio.sleep(0.02)  # far below the slow committer's patience
        await running
        (turn,) = await desk.rows("turns", id="c1")
        drafts = [(row["attempt"], row["state"]) for row in await desk.rows("drafts", id="c1")]
    assert drafts == [(1, "replaced"), (2, "final")]
    assert (turn["attempt"], turn["outcome"]) == (2, "answered")


async def _nothing(_: object) -> None:
    """An empty unit."""
