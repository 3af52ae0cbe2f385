"""What stands before a retrain: whether it can be started now, how long it may take, and whether it is worth it."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from config.settings import Settings
from server.examples import Examples
from server.retrain.children import Children
from server.retrain.contract import Machine, StageFailed
from server.retrain.folder import last_object, write_rows
from server.retrain.runs import Runs
from server.store.contract import Store

GIB = 1024**3
FREE_GIB = 2.0  # checkpoints, an adapter and three files of answers
ADVICE_NO = 3  # exit status of `advise` when it says no


@dataclass(frozen=True, slots=True)
class Check:
    """One condition of a retrain; ``stops`` when it cannot be started without, ``value`` for the sentence."""

    name: str
    ok: bool
    stops: bool
    detail: str


@dataclass(frozen=True, slots=True)
class Estimate:
    """About how long a retrain of so many rows takes, by the newest one that went to its end (``run``)."""

    seconds: float
    rows: int
    run: str
    run_rows: int
    run_seconds: float


@dataclass(frozen=True, slots=True)
class Plan:
    """What a retrain started now would meet; ``open_run`` is one that is under way."""

    approved: int
    minimum: int
    open_run: str | None
    checks: tuple[Check, ...]
    estimate: Estimate | None


class Planner:
    """Looks at the store and this machine; ``machine`` says what there is for training or raises LookupError."""

    def __init__(
        self, store: Store, settings: Settings, examples: Examples, runs: Runs, children: Children, folder: Path,
        machine: Callable[[], Machine],
    ) -> None:  # fmt: skip
        self._store = store
        self._settings = settings
        self._examples = examples
        self._runs = runs
        self._children = children
        self._folder = folder
        self._machine = machine
        self._asking = asyncio.Lock()

    async def plan(self) -> Plan:
        """As of now."""
        row = await self._store.row("review.approved", tenant=self._settings.tenant)
        approved = int(row["n"]) if row is not None else 0
        running = await self._runs.open()
        open_run = str(running["id"]) if running is not None else None
        checks = [self._enabled(), self._enough(approved), _free(open_run)]
        checks += [*await asyncio.to_thread(self._of_machine), self._served()]
        return Plan(approved, self._settings.training.minimum_examples, open_run, tuple(checks),
                    await self._estimate(approved))  # fmt: skip

    async def advice(self) -> dict[str, Any]:
        """The report "should we tune?" over everything approved now; raises StageFailed.

        A child process reads a private copy of the examples, which is gone when it has answered.
        """
        async with self._asking:
            rows = [row async for row in self._examples.rows()]
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            with tempfile.TemporaryDirectory(prefix="advice-", dir=self._folder) as name:
                folder = Path(name)
                await asyncio.to_thread(write_rows, folder / "examples.jsonl", rows)
                arguments: list[str | Path] = ["advise", "--examples", folder / "examples.jsonl", "--json"]
                ends = frozenset({0, ADVICE_NO})
                await self._children.run(folder, "advise", arguments, _nothing, threads=1, ends=ends)
                found = await asyncio.to_thread(last_object, folder / "advise.log")
        if not found:
            raise StageFailed("the report came back empty; see the server's log")
        return found

    def _enabled(self) -> Check:
        on = self._settings.training.enabled
        return Check("enabled", on, stops=True, detail="" if on else "training.enabled is off")

    def _enough(self, approved: int) -> Check:
        least = self._settings.training.minimum_examples
        return Check("examples", approved >= least, stops=False, detail=f"{approved} / {least}")

    def _served(self) -> Check:
        model = self._settings.model
        ok = bool(model.base_url) or model.lora_slots > 0
        return Check("served", ok, stops=False, detail="" if ok else "model.lora_slots is 0")

    def _of_machine(self) -> list[Check]:
        try:
            base = Check("weights", ok=True, stops=False, detail=self._machine().base_name)
        except LookupError as error:
            base = Check("weights", ok=False, stops=False, detail=str(error))
        there = next(path for path in (self._folder, *self._folder.parents) if path.is_dir())
        free = shutil.disk_usage(there).free / GIB
        return [base, Check("disk", free >= FREE_GIB, stops=False, detail=f"{free:.1f} GiB")]

    async def _estimate(self, rows: int) -> Estimate | None:
        last = await self._store.row("review.last_done", tenant=self._settings.tenant)
        if last is None or not rows:
            return None
        took = last["ended_at"] - last["started_at"]
        return Estimate(took * rows / last["rows_count"], rows, last["id"], last["rows_count"], took)


def _free(open_run: str | None) -> Check:
    return Check("free", open_run is None, stops=True, detail=open_run or "")


async def _nothing() -> None:
    """Nobody watches a question of a second."""
