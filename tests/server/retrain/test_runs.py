"""Runs in the store: one at a time, fenced by their epoch."""

from __future__ import annotations

from pathlib import Path

import pytest

from server.conversation import NotFound, Refused
from server.store.contract import Fenced
from tests.server.retrain.rig import rig


async def test_whoever_lost_a_run_writes_nothing_more(tmp_path: Path):
    async with rig(f"sqlite:///{tmp_path}/a.db", tmp_path) as one:
        await one.fill()
        run = await one.start()
        first = await one.runs.take(run, "live1")
        assert first is not None
        await one.runs.take(run, "live1")
        for step in (one.runs.enter(first, "train"), one.runs.mirror(first, "train", {}), one.runs.note(first),
                     one.runs.end(first, "done", "train")):  # fmt: skip
            with pytest.raises(Fenced):
                await step


async def test_one_run_at_a_time(tmp_path: Path):
    async with rig(f"sqlite:///{tmp_path}/a.db", tmp_path) as one:
        run = await one.start()
        with pytest.raises(Refused, match="running already"):
            await one.start()
        assert await one.store.write(lambda tx: one.runs.stop(tx, run, "bob")) == "stopped"
        with pytest.raises(NotFound):
            await one.store.write(lambda tx: one.runs.stop(tx, "nothing", "bob"))
        await one.start()
