"""How often a canary is rolled back: two equal releases (it should not be), and worse ones (it should, and soon).

    python benchmarks/canary.py [--runs 1000] [--seed 5]

Cases come one after the other, are drawn to either side as the product draws them (the hash of a random id), and go
badly or not; a bad case shows it after a random delay. The product's own comparison is asked after every event, also
of days in which everybody's customers are unhappy.
"""

from __future__ import annotations

import argparse
import heapq
import random
import time
from dataclasses import dataclass, field

from server.releases.choice import choose
from server.releases.comparison import METRICS, Counts, Rules, Stage, compare

RULES = Rules(false_alarm=0.05, minimum_cases=10, cap=50)
KINDS = METRICS[:-1]
DELAY_CASES = 20.0  # mean number of further cases before a bad case shows


@dataclass(frozen=True)
class World:
    """One setting: the chance that a case goes badly, by kind, on either side."""

    name: str
    live: tuple[float, float, float]
    canary: tuple[float, float, float]
    share: float = 0.1
    cap: int = 50
    bad_days: bool = False
    past: Counts = field(default_factory=Counts)


@dataclass
class Result:
    """How one canary ended: rolled back at which canary case (None: not at all)."""

    at_case: int | None
    at_all: int


def simulate(world: World, dice: random.Random) -> Result:
    rules = Rules(RULES.false_alarm, RULES.minimum_cases, world.cap)
    tally = {side: {"cases": 0, **dict.fromkeys(METRICS, 0)} for side in ("canary", "live")}
    pending: list[tuple[float, str, tuple[str, ...]]] = []
    salt, number = f"{dice.random()}", 0
    harsh = 1.0
    while tally["canary"]["cases"] < world.cap or pending:
        if tally["canary"]["cases"] < world.cap:
            number += 1
            if world.bad_days and number % 40 == 1:
                harsh = dice.choice((0.3, 1.0, 3.0))
            side = choose(f"{dice.getrandbits(64)}", "live", "canary", world.share, salt)
            tally[side]["cases"] += 1
            rates = world.canary if side == "canary" else world.live
            bad = tuple(
                kind for kind, rate in zip(KINDS, rates, strict=True) if dice.random() < min(0.95, rate * harsh)
            )
            if bad:
                heapq.heappush(pending, (number + dice.expovariate(1 / DELAY_CASES), side, bad))
        else:
            number += 1
        while pending and pending[0][0] <= number:
            _, side, bad = heapq.heappop(pending)
            tally[side]["any_bad"] += 1
            for kind in bad:
                tally[side][kind] += 1
            stage = Stage(world.share, Counts(**tally["canary"]), Counts(**tally["live"]))
            if compare([stage], world.past, rules).verdict == "roll_back":
                return Result(tally["canary"]["cases"], number)
    return Result(None, number)


def worlds() -> list[World]:
    """Equal pairs first, then worse canaries."""
    usual = (0.04, 0.05, 0.02)
    rare, often = (0.01, 0.01, 0.01), (0.2, 0.25, 0.1)
    past = Counts(cases=400, settled=400, thumbs=16, handoff=20, tools=8, any_bad=42)
    return [
        World("equal, 10.6 % bad", usual, usual),
        World("equal, 10.6 % bad, days up to 3 times as bad", usual, usual, bad_days=True),
        World("equal, 3 % bad", rare, rare),
        World("equal, 46 % bad", often, often),
        World("equal, share 50 %, cap 200", usual, usual, share=0.5, cap=200),
        World("equal, share 100 %, compared with 400 past cases", usual, usual, share=1.0, cap=200, past=past),
        World("hand-overs 5 % -> 25 %", usual, (0.04, 0.25, 0.02)),
        World("hand-overs 5 % -> 35 %", usual, (0.04, 0.35, 0.02)),
        World("hand-overs 10 % -> 45 %, nothing else", (0.0, 0.1, 0.0), (0.0, 0.45, 0.0)),
        World("thumbs 4 % -> 25 %", usual, (0.25, 0.05, 0.02)),
        World("tool errors 2 % -> 20 %", usual, (0.04, 0.05, 0.2)),
        World("all together 10.6 % -> 24 %", usual, (0.09, 0.12, 0.05)),
        World("all together 10.6 % -> 45 %", usual, (0.18, 0.23, 0.13)),
        World("hand-overs 5 % -> 35 %, share 50 %", usual, (0.04, 0.35, 0.02), share=0.5),
        World("hand-overs 5 % -> 35 %, share 100 %", usual, (0.04, 0.35, 0.02), share=1.0, past=past),
        World("all together 10.6 % -> 24 %, cap 200", usual, (0.09, 0.12, 0.05), cap=200),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--runs", type=int, default=1_000)
    parser.add_argument("--seed", type=int, default=5)
    arguments = parser.parse_args()
    started = time.monotonic()
    print("| canaries | share | cap | rolled back | canary cases until then, median | 90 % |")
    print("| --- | --- | --- | --- | --- | --- |")
    for world in worlds():
        dice = random.Random(f"{arguments.seed} {world.name}")
        results = [simulate(world, dice) for _ in range(arguments.runs)]
        ended = sorted(result.at_case for result in results if result.at_case is not None)
        middle = str(ended[len(ended) // 2]) if ended else ""
        late = str(ended[int(len(ended) * 0.9)]) if ended else ""
        rate = f"{100 * len(ended) / len(results):.1f} %"
        print(f"| {world.name} | {world.share:g} | {world.cap} | {rate} | {middle} | {late} |", flush=True)
    print(f"\n{arguments.runs} runs each, seed {arguments.seed}, {time.monotonic() - started:.0f} s")


if __name__ == "__main__":
    main()
