"""A crawl in a process of its own, to be killed: ``crawl_process.py URL DATABASE``; item and frontier in one commit."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import sys

from config.knowledge import Crawl
from server.egress import Egress
from server.knowledge.site import SiteReader


async def main(url: str, database: str) -> None:
    connection = sqlite3.connect(database, isolation_level=None)
    connection.execute("create table if not exists found (uri text, kind text)")
    connection.execute("create table if not exists place (frontier text)")
    row = connection.execute("select frontier from place").fetchone()
    frontier = json.loads(row[0]) if row else {}
    egress = Egress([url.removeprefix("http://").rstrip("/")])
    async with egress.running():
        async for item in SiteReader(egress, Crawl(delay_s=0.005)).read({"url": url}, frontier, {}):
            connection.execute("begin")
            connection.execute("insert into found values (?, ?)", (item.uri, type(item).__name__))
            connection.execute("delete from place")
            connection.execute("insert into place values (?)", (json.dumps(frontier),))
            connection.execute("commit")
    connection.execute("update place set frontier = ?", (json.dumps(frontier),))
    connection.close()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2]))
