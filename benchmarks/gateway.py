"""The gateway by the clock, beside a bare aiohttp handler with one durable insert, on both stores, in one run.

    python -m benchmarks.gateway [--rounds 3] [--store sqlite|postgresql|both] [--out gateway.json]

Every server, the model double, PostgreSQL (a throwaway cluster, fsync on) and the load generator are processes of
their own. ``gateway`` is the role that only acknowledges, ``all`` also answers every message with the instant double.
Targets move in rounds that alternate between them, so that other load on the machine meets all alike.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import sys
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

from benchmarks.processes import ROOT, Server, bare, double, folder, frontdesk, machine
from tests import postgres

SEQUENCES = 64
SATURATED = {"tokens_per_s": 4.0, "first_token_s": 8.0}
TARGET_P99_MS = 100.0
Figures = dict[str, Any]


@dataclass(slots=True)
class Target:
    """One server under measurement with what was measured."""

    server: Server
    kind: str  # bare | gateway | all
    store: str
    postmaster: int = 0
    idle_rss_mb: float = 0.0
    double: Server | None = None
    runs: dict[str, list[Figures]] = field(default_factory=dict)

    def add(self, name: str, figures: Figures) -> None:
        self.runs.setdefault(name, []).append(figures)

    def middle(self, name: str, figure: str) -> float:
        """The median over the rounds; NaN where it was not measured."""
        values = [run[figure] for run in self.runs.get(name, ())]
        return statistics.median(values) if values else float("nan")


async def load(target: Target, mode: str, **options: float) -> Figures:
    """One run of the load generator."""
    arguments = ["--url", target.server.url, "--pid", str(target.server.pid), "--mode", mode]
    arguments += ["--kind", "bare" if target.kind == "bare" else "frontdesk"]
    if target.postmaster:
        arguments += ["--postmaster", str(target.postmaster)]
    for name, value in options.items():
        arguments += [f"--{name}", str(value)]
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "benchmarks.load", *arguments, cwd=ROOT, stdout=asyncio.subprocess.PIPE
    )
    output, _ = await process.communicate()
    if process.returncode:
        raise RuntimeError(f"the load generator failed at {target.server.name}")
    figures: Figures = json.loads(output)
    print(f"  {target.server.name:20} {mode:7} {_brief(figures)}", file=sys.stderr, flush=True)
    return figures


def _brief(figures: Figures) -> str:
    return (
        f"{figures['per_s']:7.0f}/s {figures['cpu_us']:6.0f} us p50 {figures['p50_ms']:.1f} "
        f"p99 {figures['p99_ms']:.1f} load {figures['load_us']:.0f} us {figures['errors'] or ''}"
    )


async def started(stack: AsyncExitStack, where: Path, store: str, server: postgres.Cluster | None) -> list[Target]:
    """The three servers of one store, each with a database of its own."""
    targets = []
    for kind in ("bare", "gateway", "all"):
        name = f"{kind}-{store}"
        url, postmaster, model = f"sqlite://{where / name}.db", 0, None
        if server is not None:
            url = await stack.enter_async_context(server.database(empty=kind == "bare"))
            postmaster = int((server.folder / "data" / "postmaster.pid").read_text(encoding="ascii").split()[0])
        if kind == "bare":
            running = bare(name, url, where / name)
        else:
            model = await stack.enter_async_context(double(where / f"{name}-double.log"))
            settings = {
                "STORE__URL": url.replace("sqlite://", "sqlite:///") if server is None else url,
                "MODEL__BASE_URL": f"{model.url}/v1",
                "MODEL__MAX_SEQUENCES": str(SEQUENCES),
                "MODEL__FIRST_TOKEN_TIMEOUT_S": "30",
                "MODEL__GAP_TIMEOUT_S": "30",
            }
            running = frontdesk(name, where / name, settings, "gateway" if kind == "gateway" else "all")
        target = Target(await stack.enter_async_context(running), kind, store, postmaster, double=model)
        targets.append(target)
    return targets


async def measure(targets: list[Target], asked: argparse.Namespace) -> None:
    """Every figure of every target; rounds go back and forth through the targets."""
    await asyncio.sleep(2)
    for target in targets:
        target.idle_rss_mb = target.server.rss_mb
    for number in range(asked.rounds):
        order = targets if number % 2 == 0 else targets[::-1]
        for target in order:
            if target.kind != "all":
                target.add("closed", await load(target, "closed", seconds=asked.seconds))
        for target in order:
            if target.kind == "all":
                target.add("drain", await load(target, "drain", messages=asked.messages))
    for target in targets:
        target.add("open", await load(target, "open", seconds=asked.idle_seconds, rate=asked.rate))
    for target in targets:
        if target.kind == "all" and target.double is not None:
            await _pace(target.double, **SATURATED)
            target.add("saturated", await load(target, "open", seconds=asked.idle_seconds, rate=asked.rate))


async def _pace(model: Server, **pace: float) -> None:
    async with aiohttp.ClientSession() as session, session.post(f"{model.url}/double/pace", json=pace) as response:
        assert response.status == 200


def report(targets: list[Target], asked: argparse.Namespace) -> str:
    """The table and the verdicts as Markdown."""
    columns = ["server", "store", "ack/s, 32 connections", "turns ended/s", "CPU us/message", "of bare"]
    columns += ["PostgreSQL us/message", f"ack p50 / p99 ms at {asked.rate:g}/s", "the same, model saturated"]
    columns += ["MiB idle / after", "starts in s"]
    head = f"Machine: {machine()}. {asked.rounds} rounds, medians; {SEQUENCES} sequences; settle 0 s."
    lines = [head, "", _line(columns), "|---" * len(columns) + "|"]
    floors = {target.store: target for target in targets if target.kind == "bare"}
    lines += [_line(_cells(target, floors[target.store])) for target in targets]
    return "\n".join([*lines, "", *_verdicts(targets, floors)])


def _line(cells: list[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _cells(target: Target, floor: Target) -> list[str]:
    answers = target.kind == "all"
    name = "drain" if answers else "closed"
    cpu = target.middle(name, "cpu_us")
    return [
        target.kind,
        target.store,
        f"{target.middle(name, 'acks_per_s'):,.0f}",
        f"{target.middle('drain', 'per_s'):,.0f}" if answers else "-",
        f"{cpu:,.0f}",
        f"{cpu / floor.middle('closed', 'cpu_us'):.2f}",
        f"{target.middle(name, 'postgres_us'):,.0f}" if target.postmaster else "-",
        f"{target.middle('open', 'p50_ms'):.1f} / {target.middle('open', 'p99_ms'):.1f}",
        f"{target.middle('saturated', 'p50_ms'):.1f} / {target.middle('saturated', 'p99_ms'):.1f}" if answers else "-",
        f"{target.idle_rss_mb:.0f} / {target.server.rss_mb:.0f}",
        f"{target.server.started_s:.1f}",
    ]


def _verdicts(targets: list[Target], floors: dict[str, Target]) -> list[str]:
    lines = []
    for target in targets:
        if target.kind == "gateway":
            share = target.middle("closed", "per_s") / floors[target.store].middle("closed", "per_s")
            lines.append(f"* gateway role, {target.store}: {share:.2f} of the bare rate")
        for name in ("open", "saturated"):
            if target.kind == "all" and name in target.runs:
                p99 = target.middle(name, "p99_ms")
                verdict = "met" if p99 <= TARGET_P99_MS else "NOT met"
                lines.append(f"* ack p99 {name}, {target.store}: {p99:.1f} ms, target {TARGET_P99_MS:g}: {verdict}")
    return lines


async def run(asked: argparse.Namespace) -> None:
    stores = ["sqlite", "postgresql"] if asked.store == "both" else [asked.store]
    with folder() as where:
        async with AsyncExitStack() as stack:
            targets: list[Target] = []
            for store in stores:
                server = None
                if store == "postgresql":
                    server = stack.enter_context(postgres.cluster())
                    await server.make_template()
                targets += await started(stack, where, store, server)
            await measure(targets, asked)
            print(report(targets, asked))
            if asked.out:
                result = [
                    {"server": target.kind, "store": target.store, "idle_rss_mb": target.idle_rss_mb,
                     "started_s": target.server.started_s, "runs": target.runs}
                    for target in targets
                ]  # fmt: skip
                asked.out.write_text(json.dumps({"machine": machine(), "targets": result}, indent=1) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description="The gateway by the clock")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=4.0, help="of one closed-loop run")
    parser.add_argument("--messages", type=int, default=600, help="of one run that waits for every answer")
    parser.add_argument("--rate", type=float, default=100.0, help="messages per second of the latency runs")
    parser.add_argument("--idle-seconds", type=float, default=20.0, help="of one latency run")
    parser.add_argument("--store", choices=["sqlite", "postgresql", "both"], default="both")
    parser.add_argument("--out", type=Path, help="file for the figures as JSON")
    asyncio.run(run(parser.parse_args()))


if __name__ == "__main__":
    main()
