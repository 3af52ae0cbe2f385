"""The demo shop's desk as ``frontdesk demo`` starts it, and customers who write to it over HTTP; for other scripts.

Everything is the product's own: settings of ``config/demo``, its documents and database, a vLLM child with the real
weights. Each conversation is on a web account of its own, because a customer has one conversation per account.
"""

from __future__ import annotations

import asyncio
import json
import os
import sqlite3
import sys
import time
import uuid
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web
from joserfc import jwk, jwt

from benchmarks import shop_day
from config.accounts import WebAccount
from config.settings import Settings
from server import app as server_app
from server.commands import demo_shop
from server.commands.client import parse
from server.commands.demo import demo_settings, free_port
from server.commands.shared import opened, public_url
from server.knowledge.sources import Sources
from server.redaction import secrets_of
from server.telemetry import setup_logging

SECRET = "the-web-site-and-the-desk-share-this-one"
LOOPBACK = "127.0.0.1"
FIRST_PORT = 18_400
READY_S = 400.0
ANSWER_S = 300.0  # of a slow machine: a model that is late answers late, after a notice
POLL_S = 0.1
SETTLED_S = 0.3


@dataclass
class Desk:
    """A running desk: where it answers, and its two databases to look into."""

    url: str
    data_dir: Path
    http: aiohttp.ClientSession

    def rows(self, sql: str, *values: object) -> list[dict[str, Any]]:
        return _rows(self.data_dir / "frontdesk.db", sql, values)

    def shop(self, sql: str, *values: object) -> list[dict[str, Any]]:
        return _rows(self.data_dir / "shop.db", sql, values)

    def forget_bookings(self) -> None:
        """Take away what conversations booked, so that each request finds the same shop."""
        with sqlite3.connect(self.data_dir / "shop.db", timeout=10) as shop:
            shop.execute("delete from bookings where idempotency_key is not null")
        shop.close()


@dataclass
class Talk:
    """One conversation; ``shown`` is every text that reached the customer, drafts that were taken back included."""

    desk: Desk
    id: str
    token: str
    said: list[str] = field(default_factory=list)
    shown: list[str] = field(default_factory=list)

    async def say(self, text: str) -> list[str]:
        """Write a message and wait for the end of its turn; the replies to it."""
        self.said.append(text)
        before = self._last_seq()
        headers = {"Authorization": f"Bearer {self.token}"}
        url = f"{self.desk.url}/web/conversations/{self.id}/messages"
        body = {"client_message_id": uuid.uuid4().hex, "text": text}
        async with self.desk.http.post(url, json=body, headers=headers) as response:
            assert response.status == 202, f"{response.status} {await response.text()}"
        async with asyncio.timeout(ANSWER_S):
            while not self._ended():
                await asyncio.sleep(POLL_S)
        return self._replies(before)

    def _last_seq(self) -> int:
        row = self.desk.rows("select max(seq) as seq from message where conversation_id = ?", self.id)[0]
        return int(row["seq"] or 0)

    def _ended(self) -> bool:
        sql = "select max(item_seq) as tail from message where conversation_id = ?"
        tail = self.desk.rows(sql, self.id)[0]["tail"]
        covered = self.desk.rows("select max(last_seq) as covered from turn where conversation_id = ?", self.id)
        return tail is not None and covered[0]["covered"] == tail

    def _replies(self, after: int) -> list[str]:
        sql = "select text from message where conversation_id = ? and role <> 'customer' and seq > ? order by seq"
        return [row["text"] for row in self.desk.rows(sql, self.id, after)]

    async def follow(self) -> None:
        """Collect what the customer's page is sent, until cancelled."""
        headers = {"Authorization": f"Bearer {self.token}"}
        url = f"{self.desk.url}/web/conversations/{self.id}/events"
        async with self.desk.http.get(url, headers=headers) as response:
            draft = ""
            async for frame in parse(response.content):
                if frame.event == "draft":
                    draft = draft[: int(frame.data["offset"])] + str(frame.data["text"])
                elif frame.event == "draft_ended":
                    self.shown.append(draft)
                    draft = ""
                elif frame.event != "message" or frame.data.get("role") != "customer":
                    self.shown.append(json.dumps(frame.data, ensure_ascii=False))

    def steps(self) -> list[dict[str, Any]]:
        """The journal of every turn of the conversation."""
        sql = "select tool, arguments, state, result from step where conversation_id = ? order by first_seq, number"
        return [
            {**row, "arguments": json.loads(row["arguments"]), "result": json.loads(row["result"] or "null")}
            for row in self.desk.rows(sql, self.id)
        ]

    def turns(self) -> list[dict[str, Any]]:
        sql = (
            "select outcome, reason, prompt_tokens, completion_tokens, timings from turn where conversation_id = ? "
            "order by first_seq"
        )
        return self.desk.rows(sql, self.id)


@asynccontextmanager
async def talk(desk: Desk, account: str, customer: str | None) -> AsyncIterator[Talk]:
    """A conversation on ``account``, proven by the site's signature to be ``customer`` of the shop's, or nobody's."""
    body: dict[str, Any] = {"account": account}
    if customer:
        claims = {"sub": customer, "exp": int(time.time()) + 3_000}
        body["identity"] = jwt.encode({"alg": "HS256"}, claims, jwk.OctKey.import_key(SECRET))
    async with desk.http.post(f"{desk.url}/web/session", json=body) as response:
        assert response.status == 200, f"{response.status} {await response.text()}"
        session = await response.json()
    assert session["verified"] is bool(customer)
    made = Talk(desk, session["conversation_id"], session["token"])
    following = asyncio.create_task(made.follow())
    try:
        yield made
        await asyncio.sleep(SETTLED_S)  # the last frames
    finally:
        following.cancel()
        with suppress(asyncio.CancelledError, aiohttp.ClientError):
            await following


@asynccontextmanager
async def running(
    data_dir: Path,
    accounts: list[str],
    planted: Path | None = None,
    change: Callable[[Settings], Settings] = lambda settings: settings,
) -> AsyncIterator[Desk]:
    """The desk with its model up and its documents read.

    ``planted`` is a question-and-answer file read beside them, ``change`` gives other settings.
    """
    settings = change(_settings(data_dir, accounts))
    with (data_dir / "desk.log").open("a", encoding="utf-8") as log:
        setup_logging(settings.log, secrets=secrets_of(settings), stream=log)
        await demo_shop.make_database(settings, shop_day.DAY)
        runner = server_app.runner_of(server_app.build(settings))
        try:
            await runner.setup()
            await web.TCPSite(runner, settings.http.host, settings.http.port).start()
            port = int(settings.knowledge.crawl.allow_hosts[0].rpartition(":")[2])
            async with demo_shop.site(port) as site, _session() as http:
                await _read_documents(settings, site, planted)
                desk = Desk(public_url(settings), data_dir, http)
                await _model_up(desk, accounts[0])
                yield desk
        finally:
            await runner.cleanup()


def _settings(data_dir: Path, accounts: list[str]) -> Settings:
    data_dir.mkdir(parents=True, exist_ok=True)
    os.environ["FRONTDESK_DATA_DIR"] = str(data_dir)
    settings, *_ = demo_settings(free_port(LOOPBACK, FIRST_PORT))
    account = {"identity_secret": SECRET, "sessions_per_minute": 10_000, "messages_per_minute": 1_000}
    made = {name: WebAccount.model_validate({**account, "name": "Marlow & Pine"}) for name in accounts}
    channels = settings.channels.model_copy(update={"web": made})
    return settings.model_copy(update={"channels": channels})


def _session() -> aiohttp.ClientSession:
    return aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0), timeout=aiohttp.ClientTimeout(total=None))


async def _read_documents(settings: Settings, site: str, planted: Path | None) -> None:
    async with opened(settings) as store:
        if planted is not None:
            sources = Sources(store, settings)
            await sources.create("qa", "Planted", {"path": str(planted)})
        loaded = await demo_shop.load_knowledge(store, settings, site, say)
        if planted is not None:
            while any(source.state != "indexed" for source in await sources.list()):
                await asyncio.sleep(POLL_S)
    say(f"{loaded.documents} documents, {loaded.passages} passages")


async def _model_up(desk: Desk, account: str) -> None:
    began = time.monotonic()
    async with talk(desk, account, None) as first:
        headers = {"Authorization": f"Bearer {first.token}"}
        async with asyncio.timeout(READY_S):
            while True:
                async with desk.http.get(f"{desk.url}/web/conversations/{first.id}", headers=headers) as response:
                    if (await response.json())["model"] == "ready":
                        break
                await asyncio.sleep(POLL_S)
    say(f"model up after {time.monotonic() - began:.0f} s more")


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def _rows(path: Path, sql: str, values: tuple[object, ...]) -> list[dict[str, Any]]:
    connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=10)
    try:
        connection.row_factory = sqlite3.Row
        return [dict(row) for row in connection.execute(sql, values)]
    finally:
        connection.close()


def write_log(path: Path, report: Mapping[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(report, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    say(f"log: {path}")
