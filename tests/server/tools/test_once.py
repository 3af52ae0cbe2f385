"""Journal, tool box and a service that honours keys together: a worker that dies anywhere causes no second effect."""

from __future__ import annotations

import random
from typing import Any

import pytest

from config.tools import Tools
from server.store.contract import Store
from server.telemetry import Metrics
from server.tools import journal
from server.tools.contract import Result, ToolError, ToolTimeout
from server.tools.journal import Proposal, Turn
from server.tools.limits import Limits
from server.tools.openapi_tools import OpenApiSource
from server.tools.runner import ToolBox
from server.tools.wire import GuardedHttp
from tests.doubles.crm import CrmDouble
from tests.server.tools.bench import caller, definition

ROUNDS = 40


class Died(Exception):
    """The process is gone; what was not committed never was."""


class Worker:
    """Makes one attempt after the other at a turn, with a model that wants another amount each time."""

    def __init__(self, store: Store, box: ToolBox, turn: Turn, dice: random.Random) -> None:
        self._store = store
        self._box = box
        self._turn = turn
        self._dice = dice
        self.wanted: list[float] = []

    def point(self) -> None:
        if self._dice.random() < 0.35:
            raise Died

    def model(self) -> Proposal:
        self.wanted.append(self._dice.randrange(1, 10_000) / 100)
        return Proposal("create_refund", {"order_id": "1042", "amount": self.wanted[-1]})

    async def attempt(self) -> None:
        while True:
            turn = self._turn
            steps = await journal.read(self._store, turn.conversation_id, turn.first_seq)
            following = journal.resume(steps)
            if following.do == "ask":
                if following.round:
                    return
                await self._propose()
            for step in following.steps:
                if following.do == "abandon":
                    await self._end(step.number, ToolTimeout("nobody knows"))
                else:
                    await self._run(step.number)
            self.point()

    async def _propose(self) -> None:
        call = self.model()
        self.point()
        await self._store.write(lambda tx: journal.propose(tx, self._turn, 0, [call]))
        self.point()

    async def _run(self, number: int) -> None:
        step = await self._store.write(lambda tx: journal.begin(tx, self._turn, number))
        self.point()
        try:
            end: Result | ToolError = await self._box.run(
                step.tool, step.arguments, caller(), step.key, repeat=step.attempts > 1
            )
        except ToolError as error:
            end = error
        self.point()
        if isinstance(end, ToolTimeout) and step.attempts < journal.MAX_ATTEMPTS:
            return
        await self._end(number, end)

    async def _end(self, number: int, end: Result | ToolError) -> None:
        await self._store.write(lambda tx: journal.finish(tx, self._turn, number, end))


@pytest.mark.parametrize("seed", [1])
async def test_one_turn_has_one_effect_however_often_its_worker_dies(
    store: Store, crm: CrmDouble, http: GuardedHttp, seed: int
) -> None:
    entry: dict[str, Any] = {"openapi": f"{crm.url}/openapi.json", "allow_hosts": (crm.host,), "timeout_s": 0.2}
    source = OpenApiSource(definition("crm", confirm=False, per_hour=ROUNDS, **entry), "", http)
    await source.load()
    box = ToolBox([], Tools(), Limits(store, 100.0), Metrics(), [source])
    dice = random.Random(seed)
    done = 0
    for first_seq in range(1, ROUNDS + 1):
        crm.faults = ["late"] if first_seq % 8 == 0 else []
        worker = Worker(store, box, Turn("default", "c1", first_seq), dice)
        for _ in range(50):
            try:
                await worker.attempt()
                break
            except Died:
                continue
        (step,) = await journal.read(store, "c1", first_seq)
        effects = [effect for effect in crm.effects if effect["key"] == step.key]
        assert len(effects) <= 1
        assert all(effect["amount"] == step.arguments["amount"] for effect in effects)
        if step.state == "done":
            done += 1
            assert len(effects) == 1
    assert len(crm.effects) == len({effect["key"] for effect in crm.effects})
    assert done >= ROUNDS * 0.6, "most turns end well in spite of it all"
