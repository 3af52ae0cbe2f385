"""Reading a site again: time per page, memory and the longest stall of the event loop, for new and unchanged pages.

    python -m benchmarks.crawl --pages 1000

The site is a double in the same process, so figures include serving; a bare client beside it asks for the same pages
with the same validators and does nothing else. Politeness is set to nothing.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import resource
import time
from collections import Counter
from typing import Any

import aiohttp

from config.knowledge import Crawl
from server.egress import Egress
from server.knowledge.fetched import Fetched, Known
from server.knowledge.site import SiteReader
from tests.doubles.site import Page, SiteDouble, html

BEAT_S = 0.005
FILL = "The Wren desk lamp comes with two spare friction discs and a hexagon key of 3 mm. "


class Stalls:
    """The longest time between two beats of the loop, beyond the beat itself."""

    def __init__(self) -> None:
        self.longest_s = 0.0

    async def beat(self) -> None:
        last = time.perf_counter()
        while True:
            await asyncio.sleep(BEAT_S)
            now = time.perf_counter()
            self.longest_s = max(self.longest_s, now - last - BEAT_S)
            last = now


def site_of(pages: int) -> dict[str, Page]:
    made = {"/": html("Start", *[f"/page/{n}" for n in range(min(pages - 1, 50))])}
    for n in range(pages - 1):
        follow = [f"/page/{m}" for m in range(n * 20, n * 20 + 20) if m < pages - 1]
        made[f"/page/{n}"] = html(f"Page {n}", *follow, text=f"<h1>Page {n}</h1><p>{FILL * 200}</p>")
    return made


async def crawl(reader: SiteReader, url: str, frontier: dict[str, Any], known: dict[str, Known]) -> dict[str, Any]:
    stalls = Stalls()
    beating = asyncio.create_task(stalls.beat())
    kinds: Counter[str] = Counter()
    frontier_s = 0.0
    started = time.perf_counter()
    async for item in reader.read({"url": url}, frontier, known):
        kinds[type(item).__name__] += 1
        if isinstance(item, Fetched):
            known[item.uri] = Known(item.etag, item.last_modified, item.raw_digest)
        before = time.perf_counter()
        json.dumps(frontier)  # what storing it with each page would cost
        frontier_s += time.perf_counter() - before
    took_s = time.perf_counter() - started
    beating.cancel()
    return {
        **kinds,
        "ms_per_page": round(took_s / sum(kinds.values()) * 1_000, 2),
        "of_that_frontier_as_json_ms": round(frontier_s / sum(kinds.values()) * 1_000, 2),
        "frontier_bytes": len(json.dumps(frontier)),
        "longest_stall_ms": round(stalls.longest_s * 1_000, 1),
    }


async def bare(known: dict[str, Known]) -> dict[str, Any]:
    started = time.perf_counter()
    async with aiohttp.ClientSession() as http:
        for uri, page in known.items():
            async with http.get(uri, headers={"If-None-Match": page.etag}) as answer:
                await answer.read()
    return {"ms_per_page": round((time.perf_counter() - started) / len(known) * 1_000, 2)}


async def main(pages: int) -> None:
    async with SiteDouble(site_of(pages)).running() as site:
        egress = Egress([site.host])
        known: dict[str, Known] = {}
        frontier: dict[str, Any] = {}
        async with egress.running():
            reader = SiteReader(egress, Crawl(delay_s=0))
            for run in ("new", "unchanged"):
                figures = await crawl(reader, site.base + "/", frontier, known)
                print(json.dumps({"run": run, **figures, "bodies_sent": site.bodies}))
                site.bodies = 0
        print(json.dumps({"run": "bare client, unchanged", **await bare(known)}))
    print(json.dumps({"peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1_024}))


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--pages", type=int, default=1_000)
    asyncio.run(main(arguments.parse_args().pages))
