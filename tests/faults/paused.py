"""A worker stopped past its lease and continued: whatever it still wants to commit, there is exactly one answer.

``python -m tests.faults.paused --store sqlite|postgresql`` runs every place and exits with 1 when a promise was broken.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import aiohttp

from tests.faults import tables
from tests.faults.load import Load
from tests.faults.processes import Deployment, Node, database, model_server
from tests.faults.verify import Verdict, judge

LEASE_S = "1"
PLACES = (
    "take_after_commit:1:stop",  # before it opened a draft
    "mid_generation:3:stop",
    "turn_generated:1:stop",  # the answer is complete, only its commit is missing
)
DEADLINE_S = 30.0


async def until(what: str, condition: Callable[[], bool]) -> None:
    """Wait for a condition; raises TimeoutError with its name."""
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what} did not come within {DEADLINE_S:.0f} s")
        await asyncio.sleep(0.02)


def stopped(node: Node) -> bool:
    """Whether the process stands still."""
    status = Path(f"/proc/{node.pid}/stat").read_text(encoding="ascii")
    return status.rpartition(")")[2].split()[0] == "T"


def refused(node: Node) -> bool:
    """Whether a beat or a commit of this worker was fenced."""
    log = node.log.read_text(encoding="utf-8")
    return '"lease_lost"' in log or '"turn_fenced"' in log


async def paused(url: str, folder: Path, place: str) -> Verdict:
    """Stop one worker at a place, let a second one answer, continue the first, and judge the store."""
    async with model_server(tokens_per_s=40, first_token_s=0.05) as model, aiohttp.ClientSession() as http:
        deployment = Deployment(url, folder, "split", model, {"FRONTDESK_ENGINE__LEASE_S": LEASE_S})
        first, second = deployment.workers
        load = Load(http, deployment.gateway.url, 1, visitors=1, pause_s=0.5)
        try:
            await deployment.start(deployment.gateway)
            await deployment.ready(deployment.gateway)
            await deployment.start(first, crash=place)
            await deployment.ready(first)
            await load.start()
            await until("the stop of the first worker", lambda: stopped(first))
            await deployment.start(second)
            await deployment.ready(second)
            await _answered(url, 1)
            os.kill(first.pid, signal.SIGCONT)
            await until("the refusal of the first worker", lambda: refused(first))
            answered = len(await tables.fetch(url, "select id from turn"))
            await _answered(url, answered + 1)  # both work on
            await load.finish()
            return await _judged(url, load)
        finally:
            await load.close()
            await deployment.kill(deployment.nodes)


async def _answered(url: str, turns: int) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while len(await tables.fetch(url, "select id from turn where outcome = 'answered'")) < turns:
            await asyncio.sleep(0.05)


async def _judged(url: str, load: Load) -> Verdict:
    drained = await tables.drained(url, DEADLINE_S)
    rows = await tables.load(url)
    last = max(event["seq"] for event in rows.events if event["audience"] == "customer")
    await until("the last event on the screen", lambda: load.screens[0].last_id >= last)
    return judge(rows, load.messages, load.screens, load.unexpected if drained else ["the lanes did not drain"])


def main() -> int:
    """Parse, run all places, print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--store", choices=["sqlite", "postgresql"], required=True)
    dialect = parser.parse_args().store
    clean = True
    for place in PLACES:
        with tempfile.TemporaryDirectory(prefix="desk-pause-") as name, database(dialect, Path(name)) as url:
            verdict = asyncio.run(paused(url, Path(name), place))
        clean = clean and verdict.clean
        print(f"{dialect} {place:<26} {'one answer' if verdict.clean else verdict.faults}", flush=True)
    return 0 if clean else 1


if __name__ == "__main__":
    sys.exit(main())
