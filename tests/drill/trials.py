"""What is done to the service while customers write: nothing, kills, an outage, the database away, a burst."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp

from tests.drill.crowd import Crowd
from tests.drill.options import Options
from tests.faults.drill import POINTS, Killer
from tests.faults.processes import Deployment
from tests.postgres import Cluster

PLATFORM_POINTS: Mapping[str, tuple[set[str], int]] = {  # where a process dies by name, and at which visit at most
    **{name: (roles, min(most, 5)) for name, (roles, most) in POINTS.items()},
    "send_marked": ({"all", "worker"}, 5),
    "send_done": ({"all", "worker"}, 5),
    "send_recording": ({"all", "worker"}, 5),
    "send_recorded": ({"all", "worker"}, 5),
    "turn_generated": ({"all", "worker"}, 5),
    "draft_intent": ({"all", "worker"}, 2),
    "draft_shown": ({"all", "worker"}, 2),
}
REFUSED = 503
REFUSED_IN_S = 2.9  # Slack hangs up after 3 s
REFUSED_SOON_S = 0.5  # once the database is known to be away
ANSWERED_IN_S = 60.0  # after an outage or the database's return
RSS_MIB = 400.0
LONGEST_LIFE_S = 4.0  # a kill comes this long after the last start at the latest
BUSY_S = 20.0  # how long the model stays slow after a burst: long enough for busy notices


@dataclass
class Outcome:
    """What a trial measured, and what it found wrong: (finding, sentence)."""

    facts: dict[str, object] = field(default_factory=dict)
    findings: list[tuple[str, str]] = field(default_factory=list)
    drain_s: float | None = None  # a limit of its own for answering everything
    over_at: float = 0.0  # monotonic time when what was taken away came back


@dataclass
class Stage:
    """Everything a trial plays with."""

    options: Options
    deployment: Deployment
    crowd: Crowd
    model: str
    say: Callable[[str], None]
    cluster: Cluster | None = None

    async def pace(self, tokens_per_s: float, first_token_s: float) -> None:
        """How fast the model writes from now on; 0 is at once."""
        body = {"tokens_per_s": tokens_per_s, "first_token_s": first_token_s}
        url = f"{self.model.removesuffix('/v1')}/double/pace"
        async with aiohttp.ClientSession() as http, http.post(url, json=body) as answer:
            answer.raise_for_status()


async def quiet(stage: Stage) -> Outcome:
    """Nothing is taken away; platforms misbehave as always."""
    await stage.crowd.written()
    await stage.crowd.finish()
    return Outcome(over_at=stage.crowd.last_at)


async def kills(stage: Stage) -> Outcome:
    """kill -9 at random instants and at named points, while customers go on writing."""
    options = stage.options
    killer = Killer(stage.deployment, stage.crowd, options.seed, stage.say, PLATFORM_POINTS, LONGEST_LIFE_S)
    times = max(1, options.kills // (2 * len(PLATFORM_POINTS)))
    await killer.run(options.kills, times)
    over_at = time.monotonic()
    await stage.crowd.written()
    await stage.crowd.finish()
    walls = sorted(start.wall_s for start in stage.deployment.starts)
    facts: dict[str, object] = {"kills": sum(killer.kills.values())}
    facts |= {f"kills {name}": count for name, count in sorted(killer.kills.items())}
    facts["ready after a kill, s"] = f"p50 {walls[len(walls) // 2]:.2f}  max {walls[-1]:.2f}" if walls else "none"
    return Outcome(facts, [("unexpected", f"never reached {where}") for where in killer.unreached], over_at=over_at)


async def outage(stage: Stage) -> Outcome:
    """The service is down; customers write; platforms give up as their patience ends."""
    await asyncio.sleep(stage.options.messages / stage.options.rate / 2)
    stage.say(f"the service goes down for {stage.options.outage_s:.0f} s")
    down_at = time.monotonic()
    await stage.deployment.kill(stage.deployment.nodes)
    await asyncio.sleep(stage.options.outage_s)
    await stage.deployment.up()
    up_at = time.monotonic()
    stage.say("the service is back")
    await stage.crowd.written()
    await stage.crowd.finish()
    during = [said for said in stage.crowd.said if down_at <= said.sent_at < up_at]
    given_up = sum(not said.accepted for said in stage.crowd.said)
    facts: dict[str, object] = {
        "down, s": round(up_at - down_at, 1),
        "written meanwhile": len(during),
        "platform gave up": given_up,
    }
    return Outcome(facts, over_at=up_at)


async def database_away(stage: Stage) -> Outcome:
    """The database stops answering (or crashes) while customers write; then it comes back."""
    assert stage.cluster is not None
    options = stage.options
    await asyncio.sleep(options.messages / options.rate / 2)
    stage.say(f"the database is {options.database_how} for {options.database_away_s:.0f} s")
    away_at = time.monotonic()
    processes = processes_of(stage.cluster)
    if options.database_how == "crashed":
        await asyncio.to_thread(stage.cluster.stop, "immediate")
    else:
        _signal(processes, signal.SIGSTOP)
    try:
        await asyncio.sleep(options.database_away_s)
    finally:
        returns_at = time.monotonic()
        if options.database_how == "crashed":
            await asyncio.to_thread(stage.cluster.start)
        else:
            _signal(processes, signal.SIGCONT)
    back_at = time.monotonic()
    stage.say("the database is back")
    await stage.crowd.written()
    await stage.crowd.finish()
    outcome = Outcome(over_at=back_at, drain_s=None)
    _refusals(outcome, stage, away_at, returns_at)
    return outcome


def processes_of(cluster: Cluster) -> list[int]:
    """The database server and all its children."""
    first = int((cluster.folder / "data" / "postmaster.pid").read_text(encoding="utf-8").split()[0])
    children = Path(f"/proc/{first}/task/{first}/children").read_text(encoding="utf-8").split()
    return [first, *map(int, children)]


def _signal(processes: list[int], number: int) -> None:
    for process in processes:
        os.kill(process, number)


def _refusals(outcome: Outcome, stage: Stage, away_at: float, returns_at: float) -> None:
    """Every try while the database was away must be refused by 503, and fast."""
    found: list[tuple[float, int, float, str]] = []  # seconds into the outage, status, seconds it took, line
    for said in stage.crowd.said:
        first_at = said.delivered.first_at if said.delivered else 0.0  # follow-ups wait for what they follow
        if said.delivered is None or not away_at + 0.5 <= first_at < returns_at - 3.0:
            continue
        found.append((first_at - away_at, said.delivered.statuses[0], said.delivered.took_s[0], said.line))
    refused = [took_s for _, status, took_s, _ in found if status == REFUSED]
    late = sorted(took_s for at_s, status, took_s, _ in found if status == REFUSED and at_s > REFUSED_IN_S)
    outcome.facts |= {
        "first tries while it was away": len(found),
        "refused by 503": len(refused),
        "refused within, s": round(max(refused), 2) if refused else "none",
        "refused at once, s": f"p50 {late[len(late) // 2]:.3f}  max {late[-1]:.3f}" if late else "none",
    }
    for at_s, status, took_s, line in found:
        if status != REFUSED:
            outcome.findings.append(
                ("unexpected", f"{at_s:.1f} s into it a {line} delivery got {status} instead of 503")
            )
        elif took_s > REFUSED_IN_S:
            outcome.findings.append(("slow", f"{at_s:.1f} s into it the refusal took {took_s:.1f} s"))
    if late and late[len(late) // 2] > REFUSED_SOON_S:
        outcome.findings.append(("slow", f"refusals took {late[len(late) // 2]:.2f} s though it was known to be away"))
    if not found:
        outcome.findings.append(("unexpected", "nobody wrote while the database was away; raise --rate"))


async def burst(stage: Stage) -> Outcome:
    """Far more than the model can answer at once; it stays slow for a while, then everything is answered."""
    await stage.crowd.written()
    wrote_s = time.monotonic() - stage.crowd.began_at
    await stage.crowd.finish()
    accepted_s = time.monotonic() - stage.crowd.began_at
    stage.say(f"written within {wrote_s:.1f} s, taken on within {accepted_s:.1f} s; the model stays slow")
    await asyncio.sleep(BUSY_S)
    await stage.pace(0.0, 0.0)
    facts: dict[str, object] = {
        "written within, s": round(wrote_s, 1),
        "deliveries over after, s": round(accepted_s, 1),
    }
    return Outcome(facts, over_at=time.monotonic())


def trial(options: Options) -> Callable[[Stage], Awaitable[Outcome]]:
    """Which of them the options ask for."""
    if options.kills:
        return kills
    if options.outage_s:
        return outage
    if options.database_away_s:
        return database_away
    return burst if options.burst else quiet
