"""Runs in the store: one at a time, fenced by an epoch, followed by events."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from server import lanes
from server.conversation import NotFound, Refused
from server.ids import new_id
from server.retrain.contract import STAGES, Stage
from server.store.contract import Event, Fenced, Row, Store, Tx, Value
from server.store.text import dump

JOB = "retrain"
OPEN = frozenset({"queued", "running"})


@dataclass(frozen=True, slots=True)
class Taken:
    """A run somebody goes on with: ``epoch`` fences whoever had it before."""

    id: str
    epoch: int
    stage: Stage
    folder: Path
    recipe: Mapping[str, Any]
    cause: str
    started_by: str
    dataset_id: str | None
    adapter: str | None
    live_release: str | None
    forced: bool

    @property
    def by_itself(self) -> bool:
        """Whether no person asked for it."""
        return self.cause in {"cron", "examples", "decline"}


class Runs:
    """The retrains of one bot; ``folder`` holds a folder for each."""

    def __init__(self, store: Store, tenant: str, folder: Path) -> None:
        self._store = store
        self._tenant = tenant
        self._folder = folder

    async def start(
        self, cause: str, by: str, *, note: str = "", recipe: Mapping[str, Any] | None = None, forced: bool = False
    ) -> str:
        """Queue a run; returns its id. Raises Refused while another one is open.

        ``forced`` trains although there are fewer examples than it takes.
        """
        return await self._store.write(lambda tx: self.put(tx, cause, by, note=note, recipe=recipe, forced=forced))

    async def put(
        self,
        tx: Tx,
        cause: str,
        by: str,
        *,
        note: str = "",
        recipe: Mapping[str, Any] | None = None,
        forced: bool = False,
    ) -> str:
        """The same inside a unit that also does something else; raises Refused."""
        run_id = new_id()
        row = await tx.row(
            "loop.add_run",
            id=run_id,
            tenant=self._tenant,
            folder=str(self._folder / run_id),
            recipe=dump(dict(recipe or {})),
            cause=cause,
            forced=int(forced),
            note=note,
            started_by=by,
            now=tx.now_s,
        )
        if row is None:
            raise Refused("a retrain is running already; stop it first, or wait for its end")
        await lanes.put(tx, self._tenant, "job", JOB, {"run": run_id})
        self._tell(tx, run_id, "queued", STAGES[0])
        return run_id

    async def stop(self, tx: Tx, run_id: str, by: str) -> str:
        """Ask an open run to stop; returns its state now. Raises NotFound, Refused for one that is over."""
        key = {"tenant": self._tenant, "id": run_id}
        row = await tx.row("loop.run", **key)
        if row is None:
            raise NotFound("there is no such retrain; reload the list")
        if row["state"] not in OPEN:
            raise Refused(f"the retrain is over already ({row['state']})")
        await tx.run("loop.stop_run", **key, stop_by=by, now=tx.now_s)
        stopped = await tx.run("loop.drop_waiting_run", **key, now=tx.now_s)
        state = "stopped" if stopped else "running"
        self._tell(tx, run_id, state, row["stage"])
        return state

    async def get(self, run_id: str) -> Row:
        """One run; raises NotFound."""
        row = await self._store.row("loop.run", tenant=self._tenant, id=run_id)
        if row is None:
            raise NotFound("there is no such retrain; reload the list")
        return row

    async def open(self) -> Row | None:
        """The run that waits or works."""
        return await self._store.row("loop.open_run", tenant=self._tenant)

    async def last(self) -> Row | None:
        """The newest run that was begun."""
        return await self._store.row("loop.last_run", tenant=self._tenant)

    async def page(self, position: tuple[float, str], count: int) -> Sequence[Row]:
        """Runs before a position, the newest first."""
        at, row_id = position
        return await self._store.rows("loop.runs", tenant=self._tenant, at=at, id=row_id, count=count)

    async def take(self, run_id: str, live: str) -> Taken | None:
        """Go on with an open run; None when it is over (or was never there)."""

        async def unit(tx: Tx) -> Taken | None:
            taken = await tx.row("loop.take_run", tenant=self._tenant, id=run_id, live=live or None, now=tx.now_s)
            if taken is None:
                return None
            row = await tx.row("loop.run", tenant=self._tenant, id=run_id)
            assert row is not None
            self._tell(tx, run_id, "running", row["stage"])
            return Taken(
                run_id, taken["epoch"], row["stage"], Path(row["folder"]), json.loads(row["recipe"]), row["cause"],
                row["started_by"], row["dataset_id"], row["adapter"], row["live_release"],
                bool(row["forced"]),
            )  # fmt: skip

        return await self._store.write(unit)

    async def enter(self, taken: Taken, stage: Stage) -> None:
        """Begin a stage; raises Fenced when somebody else goes on with the run."""

        async def unit(tx: Tx) -> None:
            values: dict[str, Value] = {
                "id": taken.id,
                "epoch": taken.epoch,
                "stage": stage,
                "progress": "{}",
                "now": tx.now_s,
            }
            if not await tx.run("loop.stage_run", **values):
                raise _fenced(taken)
            self._tell(tx, taken.id, "running", stage)

        await self._store.write(unit)

    async def mirror(self, taken: Taken, stage: Stage, progress: Mapping[str, Any]) -> str | None:
        """Keep and tell how far a stage is; returns who asked to stop it, if anybody. Raises Fenced."""

        async def unit(tx: Tx) -> str | None:
            row = await tx.row(
                "loop.mirror_run", id=taken.id, epoch=taken.epoch, progress=dump(dict(progress)), now=tx.now_s
            )
            if row is None:
                raise _fenced(taken)
            self._tell(tx, taken.id, "running", stage, progress)
            return str(row["stop_by"]) if row["stop_by"] else None

        return await self._store.write(unit)

    async def note(self, taken: Taken, **found: str) -> None:
        """Keep what a stage found out: verdict, advice, dataset_id, adapter, candidate. Raises Fenced."""
        await self._store.write(lambda tx: self.note_in(tx, taken, **found))

    async def note_in(self, tx: Tx, taken: Taken, **found: str) -> None:
        """The same inside a unit that also does something else; raises Fenced."""
        names = ("verdict", "advice", "dataset_id", "adapter", "candidate")
        values: dict[str, str | None] = {name: found.get(name) for name in names}
        if not await tx.run("loop.note_run", id=taken.id, epoch=taken.epoch, now=tx.now_s, **values):
            raise _fenced(taken)

    async def end(self, taken: Taken, state: str, stage: Stage, error: str | None = None) -> None:
        """End a run as done, failed, stopped or declined; raises Fenced."""

        async def unit(tx: Tx) -> None:
            values: dict[str, Value] = {
                "id": taken.id,
                "epoch": taken.epoch,
                "state": state,
                "error": error,
                "now": tx.now_s,
            }
            if not await tx.run("loop.end_run", **values):
                raise _fenced(taken)
            self._tell(tx, taken.id, state, stage)

        await self._store.write(unit)

    def _tell(self, tx: Tx, run_id: str, state: str, stage: str, progress: Mapping[str, Any] | None = None) -> None:
        body = {"run": run_id, "state": state, "stage": stage, "progress": dict(progress or {})}
        tx.emit(Event(self._tenant, "retrain", body))


def _fenced(taken: Taken) -> Fenced:
    return Fenced(f"retrain {taken.id} is in other hands since epoch {taken.epoch}; drop the work")
