"""Races of staff claims against answers being generated and sent, and many of the staff claiming one conversation.

    python -m benchmarks.claims [--races 1000] [--places web,slack,telegram,twilio] [--store postgresql] [--seed 1]

The whole service runs with doubles of the platforms and of the model. Triggers in its own database note, inside the
transactions, each claim, each mark *sending* of a bot's message and each stored answer; the order of the notes is the
order of the commits. Half of the claims come at a random moment of an answer, half right after it was stored. Promised
and counted: 0 marks and 0 stored answers after the claim, the claim's answer lists exactly the sends in flight, the bot
was last heard at most 200 ms after the claim's answer, and of 20 people who claim at once exactly one wins.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import statistics
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import structlog

from tests import postgres
from tests.scenarios.races import PLACES, SILENT_S, Verdict, contests, races

PEOPLE = 20
CONTESTS = 25


@asynccontextmanager
async def database(folder: Path, cluster: postgres.Cluster | None) -> AsyncIterator[str]:
    """An empty database of one run."""
    if cluster is None:
        yield f"sqlite:///{folder}/desk.db"
        return
    async with cluster.database() as url:
        yield url


async def run(place: str, count: int, seed: int, cluster: postgres.Cluster | None) -> Verdict:
    """The races of one channel."""
    with tempfile.TemporaryDirectory() as folder:
        async with database(Path(folder), cluster) as url:
            return await races(place, url, Path(folder), count, seed)


async def contest(cluster: postgres.Cluster | None) -> dict[str, Any]:
    """Many people at one conversation."""
    with tempfile.TemporaryDirectory() as folder:
        async with database(Path(folder), cluster) as url:
            found = await contests(url, Path(folder), PEOPLE, CONTESTS)
    winners = [statuses.count(200) for statuses in found]
    refused = all(status in {200, 409} for statuses in found for status in statuses)
    return {"people": PEOPLE, "contests": CONTESTS, "winners": sorted(set(winners)), "others_got_409": refused}


def figures(verdict: Verdict) -> dict[str, Any]:
    """One channel's row."""
    silent = sorted(verdict.silent_s)
    return {
        "races": verdict.races,
        "marked_after_claim": verdict.marked_after,
        "stored_after_claim": verdict.stored_after,
        "wrong_in_flight_lists": verdict.wrong_lists,
        "in_flight": verdict.in_flight,
        "claimed": dict(sorted(verdict.phases.items())),
        "silent_ms_p99": round(1000 * silent[int(0.99 * (len(silent) - 1))], 1),
        "silent_ms_max": round(1000 * silent[-1], 1),
        "later_than_200_ms": sum(each > SILENT_S for each in silent),
        "claim_ms_median": round(1000 * statistics.median(verdict.claim_s), 1),
    }


async def everything(arguments: argparse.Namespace, cluster: postgres.Cluster | None) -> int:
    """All channels and the contest; 1 when a promise broke."""
    places = arguments.places.split(",")
    report: dict[str, Any] = {"store": arguments.store, "seed": arguments.seed, "places": {}}
    clean = True
    for number, place in enumerate(places):
        share = arguments.races // len(places) + (number < arguments.races % len(places))
        verdict = await run(place, share, arguments.seed + number, cluster)
        clean &= verdict.clean
        report["places"][place] = figures(verdict)
        print(place, json.dumps(report["places"][place]), file=sys.stderr, flush=True)
    report["contest"] = await contest(cluster)
    clean &= report["contest"]["winners"] == [1] and report["contest"]["others_got_409"]
    print(json.dumps(report, indent=1))
    return 0 if clean else 1


def main() -> int:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--races", type=int, default=1_000)
    parser.add_argument("--places", default="web,slack,telegram,twilio")
    parser.add_argument("--store", choices=("sqlite", "postgresql"), default="sqlite")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    unknown = set(arguments.places.split(",")) - set(PLACES)
    if unknown:
        parser.error(f"no such place: {', '.join(sorted(unknown))}; there are {', '.join(PLACES)}")
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    if arguments.store == "sqlite":
        return asyncio.run(everything(arguments, None))
    with postgres.cluster() as cluster:
        asyncio.run(cluster.make_template())
        return asyncio.run(everything(arguments, cluster))


if __name__ == "__main__":
    sys.exit(main())
