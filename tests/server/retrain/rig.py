"""A retrain over a real store: its children keep the trainer's promises, its collaborators note their calls."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from models.adapters import BadAdapter
from server.examples import Examples
from server.jobs import Jobs
from server.releases.served import AdapterUnavailable
from server.retrain.children import Children
from server.retrain.contract import Machine
from server.retrain.door import Door
from server.retrain.job import Retrain
from server.retrain.runs import JOB, Runs
from server.retrain.stages import Stages
from server.rows import take_in
from server.store.contract import Row, Store
from tests.places import Place
from tests.server.engine.bench import ScriptedLLM, settings_for

TRAINER = Path(__file__).with_name("trainer.py")
ADAPTER = "default-0123456789ab"


@dataclass
class Made:
    name: str = ADAPTER
    digest: str = "0" * 64
    manifest: Mapping[str, Any] = field(default_factory=lambda: {"rank": 16})


@dataclass
class Bundle:
    model: str = "base"
    adapter: str | None = None


class FakeRegistry:
    """Takes in whatever it is given, unless it shall find a fault."""

    def __init__(self) -> None:
        self.sources: list[Path] = []
        self.bad = False

    def put(self, source: Path, tenant: str) -> Made:
        self.sources.append(source)
        if self.bad:
            raise BadAdapter("adapter", [])
        assert tenant == "default"
        assert source.is_dir()
        return Made()


class FakeReleases:
    """One live bundle; notes candidates and verdicts."""

    def __init__(self) -> None:
        self.live = "live1"
        self.bundle = Bundle()
        self.made: list[tuple[str, str | None, str | None]] = []
        self.judged: list[tuple[str, str, Mapping[str, Any]]] = []

    async def get(self, release_id: str) -> Bundle:
        if release_id != "live1":
            raise LookupError(f"release {release_id} is not in the store")
        return self.bundle

    async def candidate(self, adapter: str, *, by: Any, run: str | None, dataset: str | None) -> str:
        assert by.kind == "system"
        self.made.append((adapter, run, dataset))
        return "cand1"

    async def judge(self, release_id: str, verdict: str, report: Mapping[str, Any]) -> None:
        self.judged.append((release_id, verdict, report))


class FakeServers:
    """Model servers that have every adapter, unless they shall not."""

    def __init__(self) -> None:
        self.asked: list[set[str]] = []
        self.away = False

    async def ensure(self, names: Any, timeout_s: float) -> None:
        assert timeout_s > 0
        self.asked.append(set(names))
        if self.away:
            raise AdapterUnavailable("no model server had it")


@dataclass
class Rig:
    """What a test of retraining reaches for."""

    store: Store
    settings: Any
    folder: Path

    def __post_init__(self) -> None:
        self.registry, self.releases, self.servers = FakeRegistry(), FakeReleases(), FakeServers()
        self.llm = ScriptedLLM("an answer")
        self.examples = Examples(self.store, "default", self.settings.training)
        self.runs = Runs(self.store, "default", self.folder)
        self.threads: list[int] = []
        self.retrain = self.new()

    def new(self) -> Retrain:
        """What another process would have."""
        stages = Stages(
            self.store, self.settings, self.examples, self.runs,
            Children(self.settings.training, program=(sys.executable, str(TRAINER)), pause_s=0.01),
            registry=lambda: self.registry, releases=self.releases, servers=self.servers,
            door=Door(self.llm, self.releases.get, self.settings, lambda: False),
            machine=lambda: Machine(Path("/weights"), "base", 1, ()),
        )  # fmt: skip
        return Retrain(self.runs, stages, self.releases)

    async def fill(self, count: int = 6) -> None:
        """Approved examples from elsewhere."""
        for number in range(count):
            row = {
                "id": f"r{number}", "behaviour": "style",
                "messages": [{"role": "system", "content": "s"}, {"role": "user", "content": f"question {number}"}],
                "target": {"content": f"answer {number}. Your team"},
            }  # fmt: skip
            await self.store.write(lambda tx, row=row: take_in(tx, "default", row, "ana", "contract"))
        for row in await self.examples.page((float("inf"), ""), 200):
            await self.store.write(lambda tx, row=row: self.examples.approve(tx, row["id"], "ana"))

    async def start(self, cause: str = "person", **more: Any) -> str:
        return await self.runs.start(cause, "ana", **more)

    def plan(self, run: str, **plan: Any) -> Path:
        """What the trainer of this run does."""
        folder = self.folder / run
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "script.json").write_text(json.dumps(plan))
        return folder

    async def work(self, run: str, retrain: Retrain | None = None) -> Row:
        await (retrain or self.retrain).run({"run": run})
        return await self.runs.get(run)

    def starts(self, run: str, command: str) -> int:
        path = self.folder / run / "starts" / command
        return len(path.read_text().splitlines()) if path.exists() else 0

    @asynccontextmanager
    async def working(self) -> AsyncIterator[None]:
        """A process that takes jobs."""
        jobs = Jobs(self.store, "default", {JOB: self.new().run}, {}, long={JOB})
        async with jobs.running():
            yield

    async def until(self, condition: Callable[[], Any], timeout_s: float = 60.0) -> None:
        async with asyncio.timeout(timeout_s):
            while not condition():
                await asyncio.sleep(0.02)

    async def ended(self, run: str, timeout_s: float = 60.0) -> Row:
        async with asyncio.timeout(timeout_s):
            while (row := await self.runs.get(run))["ended_at"] is None:
                await asyncio.sleep(0.05)
        return row


@asynccontextmanager
async def rig(url: str, folder: Path, **training: Any) -> AsyncIterator[Rig]:
    quick = {"minimum_examples": 5, "progress_s": 0.05, "nice": 0, "advise": False} | training
    settings = settings_for(folder, training=quick)
    async with Place("", url).open(real_clock=True) as store:
        yield Rig(store, settings, folder / "runs")
