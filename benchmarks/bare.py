"""The floor: a bare aiohttp handler that answers after one durable insert.

    python -m benchmarks.bare --port 8099 --store sqlite:///tmp/floor.db | postgresql://…

SQLite commits in groups from a thread (synchronous=FULL); PostgreSQL commits each insert on a pooled connection.
"""

from __future__ import annotations

import argparse
import asyncio
import queue
import sqlite3
import threading
import uuid
from typing import Protocol

import asyncpg
from aiohttp import web

GROUP = 256
CONNECTIONS = 8
TABLE = "create table if not exists inbox (id text primary key, client_id text not null, text text not null)"


class Inbox(Protocol):
    """Where a message is kept."""

    async def open(self) -> None: ...
    async def close(self) -> None: ...
    async def put(self, row: tuple[str, str, str]) -> None: ...


class SqliteInbox:
    def __init__(self, path: str) -> None:
        self._path = path
        self._waiting: queue.SimpleQueue[tuple[tuple[str, str, str], asyncio.Future[None]] | None] = queue.SimpleQueue()

    async def open(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._thread = threading.Thread(target=self._write)
        self._thread.start()

    async def close(self) -> None:
        self._waiting.put(None)
        await asyncio.to_thread(self._thread.join)

    async def put(self, row: tuple[str, str, str]) -> None:
        stored = self._loop.create_future()
        self._waiting.put((row, stored))
        await stored

    def _write(self) -> None:
        connection = sqlite3.connect(self._path, isolation_level=None)
        for sql in ("pragma journal_mode=wal", "pragma synchronous=full", TABLE):
            connection.execute(sql)
        closing = False
        while not closing:
            group = []
            while not group or (len(group) < GROUP and not self._waiting.empty()):
                entry = self._waiting.get()
                if entry is None:
                    closing = True
                    break
                group.append(entry)
            connection.execute("begin immediate")
            connection.executemany("insert into inbox values (?, ?, ?)", [row for row, _ in group])
            connection.execute("commit")
            self._loop.call_soon_threadsafe(self._settle, group)
        connection.close()

    @staticmethod
    def _settle(group: list[tuple[tuple[str, str, str], asyncio.Future[None]]]) -> None:
        for _, stored in group:
            if not stored.done():
                stored.set_result(None)


class PostgresInbox:
    def __init__(self, url: str) -> None:
        self._url = url

    async def open(self) -> None:
        self._pool = await asyncpg.create_pool(self._url, min_size=CONNECTIONS, max_size=CONNECTIONS)
        await self._pool.execute(TABLE)

    async def close(self) -> None:
        await self._pool.close()

    async def put(self, row: tuple[str, str, str]) -> None:
        await self._pool.execute("insert into inbox values ($1, $2, $3)", *row)


def build(store: str) -> web.Application:
    inbox: Inbox = SqliteInbox(store.removeprefix("sqlite://")) if store.startswith("sqlite") else PostgresInbox(store)

    async def message(request: web.Request) -> web.Response:
        body = await request.json()
        message_id = uuid.uuid4().hex
        await inbox.put((message_id, body["client_message_id"], body["text"]))
        return web.json_response({"message_id": message_id, "duplicate": False}, status=202)

    async def alive(_: web.Request) -> web.Response:
        return web.Response(text="ok")

    app = web.Application()
    app.add_routes([web.post("/messages", message), web.get("/", alive)])
    app.on_startup.append(lambda _: inbox.open())
    app.on_cleanup.append(lambda _: inbox.close())
    return app


def main() -> None:
    parser = argparse.ArgumentParser(description="A bare aiohttp handler with one durable insert")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--store", required=True)
    asked = parser.parse_args()
    web.run_app(build(asked.store), host="127.0.0.1", port=asked.port, access_log=None, print=None)


if __name__ == "__main__":
    main()
