from __future__ import annotations

import asyncio
import json
import os
import signal
import sqlite3
import sys
from pathlib import Path

import pytest

from server.install import ROOT
from tests.doubles.site import SiteDouble, html

PAGES = 120
PROGRAM = Path(__file__).with_name("crawl_process.py")


async def start(url: str, database: Path) -> asyncio.subprocess.Process:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return await asyncio.create_subprocess_exec(
        sys.executable, str(PROGRAM), url, str(database), env=environment, cwd=ROOT, stdout=asyncio.subprocess.DEVNULL
    )


async def reached(site: SiteDouble, count: int) -> None:
    async with asyncio.timeout(60):
        while len(site.asked()) < count:
            await asyncio.sleep(0.005)


@pytest.mark.faults
async def test_a_killed_crawl_goes_on_and_ends_with_exactly_the_pages(tmp_path: Path) -> None:
    pages = {f"/p/{n}": html(f"P{n}", f"/p/{2 * n}", f"/p/{2 * n + 1}") for n in range(1, PAGES)}
    pages["/"] = html("Start", "/p/1")
    database = tmp_path / "crawl.db"
    async with SiteDouble(pages).running() as site:
        for count in (30, 70):
            process = await start(site.base + "/", database)
            await reached(site, count)
            process.send_signal(signal.SIGKILL)
            assert await process.wait() == -signal.SIGKILL
        last = await start(site.base + "/", database)
        assert await asyncio.wait_for(last.wait(), 60) == 0
        again = sum(count - 1 for path, count in site.hits.items() if path in pages and path != "/")
    with sqlite3.connect(database) as connection:
        found = [row[0] for row in connection.execute("select uri from found where kind = 'Fetched'")]
        frontier = json.loads(connection.execute("select frontier from place").fetchone()[0])
    connection.close()
    assert len(found) == len(set(found))
    assert {uri.removeprefix(site.base) for uri in found} == set(pages)
    assert frontier["finished"]
    assert again <= 2  # the page that was under way at each kill
