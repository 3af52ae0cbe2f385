"""kill -9 under load, then the verdict.

``python -m tests.faults.drill --store sqlite|postgresql --roles joined|split --kills 50 --seed 1`` prints one line per
kill and a table, and exits with 1 when any promise was broken.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import platform
import random
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import aiohttp

from tests.drill.logs import crashes
from tests.faults import tables
from tests.faults.load import Load
from tests.faults.processes import Deployment, Died, Node, Start, database, model_server
from tests.faults.verify import FINDINGS, Verdict, judge

# Where a process may be killed by name (server/crashpoint.py), the roles that come by, and at which visit at most.
POINTS: dict[str, tuple[set[str], int]] = {
    "group_before_commit": ({"all", "gateway", "worker"}, 30),
    "group_after_commit": ({"all", "gateway", "worker"}, 30),
    "accept_before_commit": ({"all", "gateway"}, 8),
    "accept_after_commit": ({"all", "gateway"}, 8),
    "take_after_commit": ({"all", "worker"}, 8),
    "draft_opening": ({"all", "worker"}, 5),
    "draft_opened": ({"all", "worker"}, 5),
    "first_delta": ({"all", "worker"}, 5),
    "mid_generation": ({"all", "worker"}, 20),
    "turn_ending": ({"all", "worker"}, 5),
    "turn_ended": ({"all", "worker"}, 5),
}
READY_S = 3.0  # the promise, on a machine whose processors are not wanted by others
REACHED_WITHIN_S = 30.0
DRAIN_S = 120.0
ALL_AT_ONCE = 0.15  # share of kills that hit every process
WHILE_STARTING = 0.1  # share of kills that do not wait until the process is ready again
TOKENS_PER_S = 120.0  # fast enough that most answers are finished between two kills
FIRST_TOKEN_S = 0.08
LONGEST_LIFE_S = 2.0  # a kill comes this long after the last start at the latest


@dataclass
class Options:
    """What to run."""

    store: str
    roles: str
    kills: int
    seed: int = 1
    points: int = 1  # times that every named point is used, as far as ``kills`` allows
    visitors: int = 20
    pause_s: float = 2.0
    settings: dict[str, str] = field(default_factory=dict)


@dataclass
class Report:
    """What a drill did and found."""

    options: Options
    verdict: Verdict
    starts: list[Start]
    kills: Counter[str]
    facts: dict[str, object]

    def table(self) -> str:
        """The figures, one per line."""
        walls = sorted(start.wall_s for start in self.starts)
        cpus = sorted(start.cpu_s for start in self.starts)
        lines: dict[str, object] = {
            "store": self.options.store,
            "roles": self.options.roles,
            "seed": self.options.seed,
            "kills": sum(self.kills.values()),
            **{f"kills {name}": count for name, count in sorted(self.kills.items())},
            **self.facts,
            "restart to ready, s": _spread(walls),
            f"restarts over {READY_S:.0f} s": sum(wall > READY_S for wall in walls),
            "processor time to ready, s": _spread(cpus),
            **{name: self.verdict.counts[name] for name in FINDINGS},
            "verdict": "clean" if self.verdict.clean else "BROKEN",
        }
        width = max(map(len, lines))
        return "\n".join([f"{name:<{width}}  {value}" for name, value in lines.items()] + self.verdict.faults[:20])


def _spread(values: list[float]) -> str:
    if not values:
        return "none"
    p99 = values[min(len(values) - 1, int(0.99 * len(values)))]
    return f"p50 {statistics.median(values):.2f}  p99 {p99:.2f}  max {values[-1]:.2f}  (n={len(values)})"


class Restarted(Protocol):
    """A load that wants to know when a process is back."""

    def restarted(self) -> None:
        """What was killed answers again."""


class Killer:
    """Kills processes of one deployment by a seeded plan and starts them again."""

    def __init__(
        self,
        deployment: Deployment,
        load: Restarted,
        seed: int,
        say: Callable[[str], None],
        points: Mapping[str, tuple[set[str], int]] = POINTS,
        longest_life_s: float = LONGEST_LIFE_S,
    ) -> None:
        self._deployment = deployment
        self._load = load
        self._random = random.Random(seed)
        self._say = say
        self._points = points
        self._longest_life_s = longest_life_s
        self.kills: Counter[str] = Counter()
        self.unreached: list[str] = []

    def _note(self, node: str, how: str, start: Start | None) -> None:
        self.kills[how.partition(":")[0]] += 1
        ready = f"ready {start.wall_s:.2f} s ({start.cpu_s:.2f} s of processor)" if start else "killed again"
        self._say(f"{sum(self.kills.values()):03d} {node:<9} {how:<24} {ready}")

    async def at_random(self) -> None:
        """One kill at a random instant; some hit everything, some hit a process that has just been started."""
        nodes = self._deployment.nodes
        victims = nodes if self._random.random() < ALL_AT_ONCE else [self._random.choice(nodes)]
        await asyncio.sleep(self._random.uniform(0, self._longest_life_s))
        await self._deployment.kill(victims)
        name = victims[0].name if len(victims) == 1 else "all"
        if self._random.random() < WHILE_STARTING:
            await asyncio.gather(*(self._deployment.start(node) for node in victims))
            self._note(name, "random", None)
            await asyncio.sleep(self._random.uniform(0, 1.0))
            await self._deployment.kill(victims)
            how = "while starting"
        else:
            how = "random"
        await asyncio.gather(*(self._deployment.start(node) for node in victims))
        ready = await asyncio.gather(*(self._deployment.ready(node) for node in victims))
        self._load.restarted()
        self._note(name, how, max(ready, key=lambda start: start.wall_s))

    async def at_point(self, point: str) -> None:
        """One kill at a named point: the victim is restarted with the order to die there."""
        roles, most = self._points[point]
        node = self._random.choice([node for node in self._deployment.nodes if node.role in roles])
        count = self._random.randint(1, most)
        await self._deployment.kill([node])
        await self._deployment.start(node, crash=f"{point}:{count}")
        reached = await self._dies(node)
        if not reached:
            self.unreached.append(f"{point}:{count} on {node.name}")
            await self._deployment.kill([node])
        await self._deployment.start(node)
        ready = await self._deployment.ready(node)
        self._load.restarted()
        self._note(node.name, f"{point}:{count}" if reached else f"unreached {point}", ready)

    @staticmethod
    async def _dies(node: Node) -> bool:
        assert node.process is not None
        try:
            await asyncio.wait_for(node.process.wait(), REACHED_WITHIN_S)
        except TimeoutError:
            return False
        return node.process.returncode == -9

    async def run(self, kills: int, points: int) -> None:
        """Every point ``points`` times, but half of the kills at most, and else random instants; shuffled."""
        plan = [name for name in self._points for _ in range(points)]
        self._random.shuffle(plan)
        plan = plan[: kills // 2]
        plan += [""] * (kills - len(plan))
        self._random.shuffle(plan)
        for point in plan:
            await (self.at_point(point) if point else self.at_random())


async def drill(options: Options, url: str, folder: Path, say: Callable[[str], None] = print) -> Report:
    """Run one drill on an empty store and judge it."""
    async with (
        model_server(tokens_per_s=TOKENS_PER_S, first_token_s=FIRST_TOKEN_S) as model,
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0, force_close=True)) as http,
        Deployment(url, folder, options.roles, model, options.settings).running() as deployment,
    ):
        return await _drill(options, deployment, http, say)


async def _drill(
    options: Options, deployment: Deployment, http: aiohttp.ClientSession, say: Callable[[str], None]
) -> Report:
    load = Load(http, deployment.gateway.url, options.seed, visitors=options.visitors, pause_s=options.pause_s)
    killer = Killer(deployment, load, options.seed, say)
    deployment.starts.clear()  # the first start migrates; restarts are what is measured
    began = time.monotonic()
    unexpected: list[str] = []
    try:
        await load.start()
        await killer.run(options.kills, options.points)
        lasted_s = time.monotonic() - began
        await load.finish()
        if not await tables.drained(deployment.store_url, DRAIN_S):
            unexpected.append(f"the lanes were not empty {DRAIN_S:.0f} s after the last kill")
        rows = await tables.load(deployment.store_url)
        await _screens_complete(load, rows)
    except Died as error:
        raise RuntimeError(f"{error}:\n{_log_tails(deployment)}") from error
    finally:
        await load.close()
    unexpected += [*load.unexpected, *killer.unreached]
    for node in deployment.nodes:
        unexpected += crashes(node.name, node.log.read_text(encoding="utf-8", errors="replace"))
    verdict = judge(rows, load.messages, load.screens, unexpected)
    return Report(options, verdict, deployment.starts, killer.kills, _facts(load, rows, lasted_s))


def _facts(load: Load, rows: tables.Tables, lasted_s: float) -> dict[str, object]:
    deliveries = sum(message.deliveries for message in load.messages)
    return {
        "duration, s": round(lasted_s),
        "conversations": len(rows.conversations),
        "messages written": len(load.messages),
        "messages acknowledged": sum(bool(message.answers) for message in load.messages),
        "deliveries": deliveries,
        "deliveries repeated on purpose": load.repeated,
        "deliveries answered as duplicates": sum(a["duplicate"] for m in load.messages for a in m.answers),
        "messages sent out of order": load.overtaken,
        "connections broken": load.broken,
        "refusals by status": dict(sorted(load.refused.items())) or "none",
        "turns": len(rows.turns),
        "outcomes": dict(Counter(f"{turn['outcome']} {turn['reason'] or ''}".strip() for turn in rows.turns)),
        "answers retried": sum(turn["attempt"] > 1 for turn in rows.turns),
        "drafts": dict(Counter(draft["state"] for draft in rows.drafts)),
        "parked": sum(item["dead"] is not None for item in rows.items),
        "events": len(rows.events),
        "screen connections": sum(screen.connections for screen in load.screens),
    }


async def _screens_complete(load: Load, rows: tables.Tables) -> None:
    """Give the screens a moment to read to the end; what is missing then is a finding."""
    last: dict[str, int] = {}
    for event in rows.events:
        if event["audience"] == "customer" and event["conversation_id"] is not None:
            last[event["conversation_id"]] = event["seq"]
    deadline = time.monotonic() + 15
    while time.monotonic() < deadline:
        if all(screen.last_id >= last.get(screen.conversation, 0) for screen in load.screens):
            return
        await asyncio.sleep(0.1)


def _log_tails(deployment: Deployment) -> str:
    return "\n".join(f"{node.name}: {node.log.read_text(errors='replace')[-1500:]}" for node in deployment.nodes)


def main() -> int:
    """Parse, run, print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--store", choices=["sqlite", "postgresql"], required=True)
    parser.add_argument("--roles", choices=["joined", "split"], required=True)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--points", type=int, default=2, help="times that each named point is among the kills")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--visitors", type=int, default=20)
    options = Options(**vars(parser.parse_args()))
    load_before = os.getloadavg()[0]
    with tempfile.TemporaryDirectory(prefix="desk-drill-") as name, database(options.store, Path(name)) as url:
        report = asyncio.run(drill(options, url, Path(name), lambda line: print(line, flush=True)))
    print(report.table())
    print(
        f"machine: {os.cpu_count()} cores, load average {load_before:.1f} before and {os.getloadavg()[0]:.1f} after, "
        f"Python {platform.python_version()}"
    )
    return 0 if report.verdict.clean else 1


if __name__ == "__main__":
    sys.exit(main())
