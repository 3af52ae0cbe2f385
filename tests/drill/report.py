"""Figures of a drill: acknowledgements per channel, memory, and the verdict, as a table or as JSON."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

from tests.drill.crowd import Said
from tests.drill.lines import Line
from tests.drill.options import Options
from tests.drill.verdict import FINDINGS, Verdict
from tests.faults.processes import Deployment

SAMPLE_S = 0.2
MIB = 1024
FAULTS_SHOWN = 25


def percentile(values: Sequence[float], share: float) -> float:
    """The value that a share of sorted values does not exceed; 0 of none."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0


@dataclass
class Watch:
    """What is measured all the time: the service's memory, and how late this process runs itself."""

    rss_mib: float = 0.0
    lags_s: list[float] = field(default_factory=list)

    @asynccontextmanager
    async def over(self, deployment: Deployment) -> AsyncIterator[Watch]:
        """Measure until the end of the block."""
        task = asyncio.create_task(self._run(deployment))
        try:
            yield self
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async def _run(self, deployment: Deployment) -> None:
        while True:
            for node in deployment.nodes:
                if node.alive:
                    self.rss_mib = max(self.rss_mib, peak_mib(node.pid))
            due = time.monotonic() + SAMPLE_S
            await asyncio.sleep(SAMPLE_S)
            self.lags_s.append(time.monotonic() - due)


def peak_mib(pid: int) -> float:
    """The most memory a process ever held, MiB; 0 for one that is gone."""
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / MIB
    return 0.0


def acknowledgements(said: Iterable[Said], name: str) -> dict[str, float]:
    """Milliseconds from the request that was accepted to its 2xx, on one line."""
    taken = [each.delivered.ack_s * 1_000 for each in said if each.line == name and each.delivered is not None
             and each.delivered.ack_s is not None]  # fmt: skip
    shares = {"p50_ms": 0.5, "p99_ms": 0.99, "max_ms": 1.0}
    return {"n": len(taken)} | {key: round(percentile(taken, share), 1) for key, share in shares.items()}


@dataclass
class Report:
    """What a drill did and found."""

    options: Options
    verdict: Verdict
    facts: dict[str, object]
    acks: dict[str, dict[str, float]]

    def table(self) -> str:
        """One figure per line, then the first faults."""
        lines: dict[str, object] = {**self.facts}
        for name, ack in self.acks.items():
            figures = f"p50 {ack['p50_ms']}  p99 {ack['p99_ms']}  max {ack['max_ms']}  (n={ack['n']:.0f})"
            lines[f"acknowledged {name}, ms"] = figures
        lines |= {name: count for name, count in sorted(self.verdict.figures.items()) if count}
        lines |= {name: self.verdict.counts[name] for name in FINDINGS}
        lines["verdict"] = "clean" if self.verdict.clean else "BROKEN"
        width = max(map(len, lines))
        shown = self.verdict.faults[:FAULTS_SHOWN]
        more = len(self.verdict.faults) - len(shown)
        return "\n".join(
            [f"{name:<{width}}  {value}" for name, value in lines.items()]
            + shown
            + ([f"and {more} more"] if more else [])
        )

    def as_json(self) -> str:
        """The same for programs."""
        body = {
            "clean": self.verdict.clean,
            "options": asdict(self.options),
            "facts": self.facts,
            "acknowledgements": self.acks,
            "figures": dict(self.verdict.figures),
            "findings": {name: self.verdict.counts[name] for name in FINDINGS},
            "faults": self.verdict.faults,
        }
        return json.dumps(body, indent=2, default=str)


def facts(said: Sequence[Said], lines: Iterable[Line], watch: Watch) -> dict[str, object]:
    """What happened, besides the trial's own figures."""
    tries = [status for each in said if each.delivered for status in each.delivered.statuses]
    struck: Counter[str] = Counter()
    for line in lines:
        struck.update(line.faults.struck)
    return {
        "messages written": len(said),
        "messages accepted": sum(each.accepted for each in said),
        "customers": len({(each.line, each.customer) for each in said}),
        "tries by status": dict(sorted(Counter(tries).items())),
        "faults of platforms": dict(sorted(struck.items())),
        "service's memory at most, MiB": round(watch.rss_mib),
        "drill's own delay, ms": f"p99 {percentile(watch.lags_s, 0.99) * 1_000:.1f}",
    }
