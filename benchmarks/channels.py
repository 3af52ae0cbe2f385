"""Signed webhooks of the four platforms by the clock, beside bare handlers of the same libraries, in one run.

    python -m benchmarks.channels [--lines twilio,meta,slack,telegram] [--rounds 3] [--out channels.json]

*floor* is a raw aiohttp handler that verifies and stores nothing; *library* verifies and parses with the platform's own
library and keeps nothing on disk; *gateway* is ``frontdesk serve --role gateway`` on SQLite and on PostgreSQL (a
throwaway cluster, fsync on); *all* also answers each message by an instant model and sends the answer to a platform
that takes it at once, *library answers* sends a fixed text to the same platform. Each is a process of its own, as are
load generator, model, platform and PostgreSQL. Rounds go back and forth through the targets.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import sys
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.channel_lines import LINES, Line
from benchmarks.processes import ROOT, Server, double, folder, frontdesk, machine, served
from models.serve import free_port
from tests import postgres

SEQUENCES = 64
CUSTOMERS = 400  # each has written before the clock runs: first contacts are not what a busy day is made of
WARM_S = 40.0
TARGET_US = 500.0
Figures = dict[str, Any]


@dataclass(slots=True)
class Target:
    """One server under measurement with what was measured."""

    line: Line
    kind: str  # floor | library | gateway | answers | all
    server: Server
    store: str = ""
    postmaster: int = 0
    api: str = ""
    accounts: int = 1
    idle_rss_mb: float = 0.0
    runs: dict[str, list[Figures]] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return f"{self.kind} {self.store}".strip()

    def middle(self, mode: str, figure: str) -> float:
        """The median over the rounds; NaN where it was not measured."""
        values = [run[figure] for run in self.runs.get(mode, ())]
        return statistics.median(values) if values else float("nan")

    async def load(self, mode: str, *, note: bool = True, **options: float) -> None:
        """One run of the load generator."""
        arguments = ["--line", self.line.name, "--url", self.server.url, "--pid", str(self.server.pid), "--mode", mode]
        arguments += ["--postmaster", str(self.postmaster), "--api", self.api, "--accounts", str(self.accounts)]
        for name, value in options.items():
            arguments += [f"--{name.replace('_', '-')}", str(value)]
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "benchmarks.channel_load", *arguments, cwd=ROOT, stdout=asyncio.subprocess.PIPE
        )
        output, _ = await process.communicate()
        if process.returncode:
            raise RuntimeError(f"the load generator failed at {self.line.name} {self.name}")
        figures: Figures = json.loads(output)
        print(f"  {self.line.name:9}{self.name:20}{mode:7}{_brief(figures)}", file=sys.stderr, flush=True)
        if note:
            self.runs.setdefault(mode, []).append(figures)


def _brief(figures: Figures) -> str:
    return (
        f"{figures['per_s']:7.0f}/s {figures['cpu_us']:6.0f} + {figures['postgres_us']:.0f} us p50 "
        f"{figures['p50_ms']:.1f} p99 {figures['p99_ms']:.1f} load {figures['load_us']:.0f} us "
        f"{figures['calls'] or ''} {figures['errors'] or ''}"
    )


@dataclass(slots=True)
class Bench:
    """What a run has in common: its folder, stores and options."""

    where: Path
    cluster: postgres.Cluster | None
    asked: argparse.Namespace

    @property
    def stores(self) -> list[str]:
        return ["sqlite", "postgresql"] if self.asked.store == "both" else [self.asked.store]

    def peer(self, line: Line, kind: str, api: str, *options: str) -> AbstractAsyncContextManager[Server]:
        port = free_port()
        arguments = ["-m", "benchmarks.channel_peers", "--line", line.name, "--kind", kind, "--port", str(port)]
        arguments += ["--api", api, *options]
        log = self.where / f"{line.name}-{kind}{''.join(options)}.log"
        return served(kind, arguments, f"http://127.0.0.1:{port}", "/alive", log)

    async def ours(self, stack: AsyncExitStack, line: Line, kind: str, store: str, api: str, accounts: int) -> Target:
        """The service on an empty database of its own."""
        name, postmaster = f"{line.name}-{kind}-{store}", 0
        url = f"sqlite:///{self.where / name}.db"
        if store == "postgresql" and self.cluster is not None:
            url = await stack.enter_async_context(self.cluster.database())
            pidfile = self.cluster.folder / "data" / "postmaster.pid"
            postmaster = int(pidfile.read_text(encoding="ascii").split()[0])
        settings = {"STORE__URL": url, "OUTBOX__CONCURRENCY": "32"} | line.environment(accounts, api)
        if kind == "all":
            model = await stack.enter_async_context(double(self.where / f"{name}-model.log"))
            settings |= {"MODEL__BASE_URL": f"{model.url}/v1", "MODEL__MAX_SEQUENCES": str(SEQUENCES)}
        running = frontdesk(name, self.where / name, settings, kind)
        return Target(line, kind, await stack.enter_async_context(running), store, postmaster, api, accounts)

    def platform(self, line: Line) -> AbstractAsyncContextManager[Server]:
        port = free_port()
        arguments = ["-m", "benchmarks.channel_platform", "--port", str(port)]
        log = self.where / f"{line.name}-platform.log"
        return served("platform", arguments, f"http://127.0.0.1:{port}", "/calls", log)

    async def acks(self, line: Line) -> list[Target]:
        """Deliveries that are verified, taken in and acknowledged."""
        async with AsyncExitStack() as stack:
            api = (await stack.enter_async_context(self.platform(line))).url
            targets = [
                Target(line, kind, await stack.enter_async_context(self.peer(line, kind, api)))
                for kind in ("floor", "library")
            ]
            targets += [await self.ours(stack, line, "gateway", store, api, 1) for store in self.stores]
            await asyncio.sleep(1)
            for target in targets:
                target.idle_rss_mb = target.server.rss_mb
                await target.load("closed", note=False, seconds=WARM_S, most_per_s=CUSTOMERS / WARM_S)
            for number in range(self.asked.rounds):
                for target in targets if number % 2 == 0 else targets[::-1]:
                    await target.load("closed", seconds=self.asked.seconds)
            for target in targets:
                await target.load("open", seconds=self.asked.open_seconds, rate=self.asked.rate)
        return targets

    async def cycles(self, line: Line) -> list[Target]:
        """Messages that are also answered; enough accounts that none of them is paced."""
        count = self.asked.messages
        accounts = -(-count // line.burst)
        async with AsyncExitStack() as stack:
            api = (await stack.enter_async_context(self.platform(line))).url
            peer = self.peer(line, "library", api, "--answer")
            targets = [Target(line, "answers", await stack.enter_async_context(peer), api=api)]
            targets += [await self.ours(stack, line, "all", store, api, accounts) for store in self.stores]
            await asyncio.sleep(2)
            for number in range(self.asked.rounds + 1):  # the first one only warms up: all customers are new
                for target in targets if number % 2 == 0 else targets[::-1]:
                    await target.load("cycle", note=number > 0, messages=count, customers=count)
        return targets


def report(targets: list[Target], asked: argparse.Namespace) -> str:
    """Both tables and the verdicts as Markdown."""
    lines = [f"{datetime.now(UTC):%Y-%m-%d}. {machine()}. {asked.rounds} rounds, medians.", ""]
    columns = ["platform", "server", "ack/s", "of library", "of floor", "CPU us/message", "of library", "of floor"]
    columns += ["PostgreSQL us/message", f"ack p50 / p99 ms at {asked.rate:g}/s", "MiB idle / after"]
    lines += [_line(columns), "|---" * len(columns) + "|"]
    lines += [_line(_ack_cells(target, targets)) for target in targets if "closed" in target.runs]
    columns = ["platform", "server", "answered/s", "CPU us/message", "of library", "PostgreSQL us/message"]
    columns += ["calls to the platform per message", "MiB after"]
    lines += ["", _line(columns), "|---" * len(columns) + "|"]
    lines += [_line(_cycle_cells(target, targets)) for target in targets if "cycle" in target.runs]
    verdicts = [_verdict(target, targets) for target in targets if target.kind == "gateway"]
    return "\n".join([*lines, "", *verdicts])


def _line(cells: list[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _beside(target: Target, targets: list[Target], kind: str) -> Target:
    return next(other for other in targets if other.line is target.line and other.kind == kind)


def _share(target: Target, targets: list[Target], kind: str, figure: str, mode: str = "closed") -> float:
    return target.middle(mode, figure) / _beside(target, targets, kind).middle(mode, figure)


def _ack_cells(target: Target, targets: list[Target]) -> list[str]:
    return [
        target.line.name,
        target.name,
        f"{target.middle('closed', 'per_s'):,.0f}",
        f"{_share(target, targets, 'library', 'per_s'):.2f}",
        f"{_share(target, targets, 'floor', 'per_s'):.2f}",
        f"{target.middle('closed', 'cpu_us'):,.0f}",
        f"{_share(target, targets, 'library', 'cpu_us'):.2f}",
        f"{_share(target, targets, 'floor', 'cpu_us'):.2f}",
        f"{target.middle('closed', 'postgres_us'):,.0f}" if target.postmaster else "-",
        f"{target.middle('open', 'p50_ms'):.1f} / {target.middle('open', 'p99_ms'):.1f}",
        f"{target.idle_rss_mb:.0f} / {target.middle('open', 'rss_mb'):.0f}",
    ]


def _cycle_cells(target: Target, targets: list[Target]) -> list[str]:
    last = target.runs["cycle"][-1]
    calls = {name.partition(".")[2]: number / last["messages"] for name, number in last["calls"].items() if number}
    return [
        target.line.name,
        target.name,
        f"{target.middle('cycle', 'per_s'):,.0f}",
        f"{target.middle('cycle', 'cpu_us'):,.0f}",
        f"{_share(target, targets, 'answers', 'cpu_us', 'cycle'):.2f}",
        f"{target.middle('cycle', 'postgres_us'):,.0f}" if target.postmaster else "-",
        ", ".join(f"{name} {share:.2g}" for name, share in sorted(calls.items())),
        f"{target.middle('cycle', 'rss_mb'):.0f}",
    ]


def _verdict(target: Target, targets: list[Target]) -> str:
    cpu, share = target.middle("closed", "cpu_us"), _share(target, targets, "floor", "per_s")
    words = "met" if cpu <= TARGET_US else "NOT met"
    return (
        f"* {target.line.name}, {target.name}: {cpu:,.0f} us, target {TARGET_US:g}: {words}; "
        f"{share:.2f} of the raw handler's rate"
    )


async def run(asked: argparse.Namespace) -> None:
    with folder() as where:
        async with AsyncExitStack() as stack:
            cluster = None
            if asked.store != "sqlite":
                cluster = stack.enter_context(postgres.cluster())
                await cluster.make_template()
            bench = Bench(where, cluster, asked)
            targets: list[Target] = []
            for name in asked.lines.split(","):
                targets += await bench.acks(LINES[name])
                if asked.messages:
                    targets += await bench.cycles(LINES[name])
            print(report(targets, asked))
    if asked.out:
        found = [
            {"line": target.line.name, "library": target.line.library, "kind": target.kind, "store": target.store,
             "idle_rss_mb": target.idle_rss_mb, "accounts": target.accounts, "runs": target.runs}
            for target in targets
        ]  # fmt: skip
        asked.out.write_text(json.dumps({"machine": machine(), "targets": found}, indent=1) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description="Webhooks of messaging platforms by the clock")
    parser.add_argument("--lines", default=",".join(LINES), help="which platforms, separated by commas")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=2.0, help="of one closed-loop run")
    parser.add_argument("--messages", type=int, default=300, help="of one run that waits for every answer; 0 = none")
    parser.add_argument("--rate", type=float, default=100.0, help="messages per second of the latency runs")
    parser.add_argument("--open-seconds", type=float, default=8.0, help="of one latency run")
    parser.add_argument("--store", choices=["sqlite", "postgresql", "both"], default="both")
    parser.add_argument("--out", type=Path, help="file for the figures as JSON")
    asyncio.run(run(parser.parse_args()))


if __name__ == "__main__":
    main()
