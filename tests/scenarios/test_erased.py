"""D6: one customer's name and address planted everywhere, by real paths, and nowhere to be found after the erase."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import zipfile
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, closing
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from server.auth.tokens import new_key
from server.collect import Collector
from server.customers.tables import CONVERSATION, COVERED, CUSTOMER, EMPTY
from server.examples import Examples
from server.ids import new_id
from server.retrain.folder import Folder, write_rows
from server.retrain.runs import Runs
from server.store import migrate
from server.store.contract import Tx
from server.tools.mail import FolderNotifier, Letter
from tests.doubles.telegram import Telegram
from tests.scenario import Service, Visitor
from tests.scenarios.chats import TelegramChats, in_telegram
from tests.scenarios.test_knowledge import _embed

SUBJECT = "zqsubject"
NAME, MAIL = "Zqsubject Quandt", "zqsubject@example.com"
CHAT = 77100077
KEY = new_key()
WAIT_S = 60.0  # other programs may have the machine
CALM = {"send_timeout_s": 20.0, "lease_s": 45.0}
pytestmark = pytest.mark.filterwarnings(
    "ignore:Exception ignored in. <coroutine object connect_tcp:pytest.PytestUnraisableExceptionWarning"
)
FILLED: dict[str, dict[str, Any]] = {  # columns whose values the schema restricts
    "feedback": {"value": "up", "kind": "rating"},
    "composer_draft": {"kind": "reply"},
    "scheduled_message": {"state": "sent"},
    "step": {"number": 91},
    "draft": {"first_seq": 91},
    "tool_rate": {"hour": 1, "calls": 1},
    "sla_clock": {"side": "response", "kind": "first", "ended_at": 1.0},
    "correction": {"route": "fact"},
    "item": {"seq": 91, "dead": "parked"},
    "pace": {"chat": str(CHAT), "channel": "telegram", "account": "default"},
    "review": {"verdict": "skip"},
    "turn": {"first_seq": 9_001},
    "customer_merge": {"basis": "person"},
    "webhook_delivery": {"state": "sent"},
    "desk_state": {"priority": 1},
    "survey": {"kind": "csat"},
    "staff_act": {"state": "done"},
    "fact_span": {"case_id": "case-of-theirs"},
    "fact_answer": {"case_id": "case-of-theirs", "value": "up"},
    "fact_case": {"case_id": "case-of-theirs"},
}


@dataclass
class Base:
    """The database as it lies there: every table, also those no query names."""

    url: str

    async def read(self, text: str, *values: Any) -> list[dict[str, Any]]:
        if self.url.startswith("sqlite"):
            with closing(sqlite3.connect(self.url.removeprefix("sqlite:///"), timeout=10)) as base, base:
                base.row_factory = sqlite3.Row
                return [dict(row) for row in base.execute(text, values)]
        base = await asyncpg.connect(self.url)
        try:
            numbered = text
            for number in range(1, len(values) + 1):
                numbered = numbered.replace("?", f"${number}", 1)
            return [dict(row) for row in await base.fetch(numbered, *values)]
        finally:
            await base.close()

    async def tables(self) -> list[str]:
        if self.url.startswith("sqlite"):
            rows = await self.read("select name from sqlite_master where type = 'table' and name not like 'sqlite_%'")
        else:
            rows = await self.read("select tablename as name from pg_tables where schemaname = 'public'")
        return sorted(row["name"] for row in rows)

    async def columns(self, table: str) -> dict[str, str]:
        """Name and type of every column."""
        if self.url.startswith("sqlite"):
            return {row["name"]: row["type"] for row in await self.read(f"pragma table_info({table})")}
        text = "select column_name as name, data_type as type from information_schema.columns where table_name = ?"
        return {row["name"]: row["type"] for row in await self.read(text, table)}

    async def hits(self, words: tuple[str, ...] = (SUBJECT, str(CHAT))) -> dict[str, int]:
        """In how many rows of each table a word stands."""
        found = {}
        for table in await self.tables():
            rows = [str(tuple(row.values())).lower() for row in await self.read(f"select * from {table}")]
            count = sum(any(word in row for word in words) for row in rows)
            if count:
                found[table] = count
        return found


@dataclass
class Subject:
    """Somebody who wrote on two channels, and the desk they wrote to."""

    desk: TelegramChats
    base: Base
    folder: Path
    update: Mapping[str, Any]
    visitor: Visitor
    customer: str = ""

    @property
    def service(self) -> Service:
        return self.desk.service

    async def call(self, method: str, path: str, body: Any = None, *, status: int = 200, **more: Any) -> Any:
        url, headers = f"{self.service.base}{path}", {"Authorization": f"Bearer {KEY.text}"}
        async with self.service.http.request(method, url, json=body, headers=headers, **more) as answer:
            raw = await answer.read()
            assert answer.status == status, (path, raw[:400])
            return json.loads(raw) if answer.content_type == "application/json" and raw else raw

    async def one(self, text: str, *values: Any) -> Any:
        (row,) = await self.base.read(text, *values)
        return next(iter(row.values()))

    def files(self) -> list[str]:
        """Files below the data folder that hold the subject; the database itself is read as tables."""
        found = [path for path in self.folder.rglob("*") if path.is_file() and not path.name.startswith("desk.db")]
        return [str(path) for path in found if SUBJECT.encode() in path.read_bytes().lower()]


async def person(tx: Tx) -> None:
    await tx.run(
        "access.add_key", id=KEY.id, tenant="default", name="drill", role="admin", key_hash=KEY.key_hash,
        created_by=None, now=tx.now_s,
    )  # fmt: skip


@asynccontextmanager
async def planted(url: str, folder: Path) -> AsyncIterator[Subject]:
    """The subject in a running desk, known by conversations, files, examples, a dataset, documents and letters."""
    app = web.Application()
    app.router.add_post("/v1/embeddings", _embed)
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(TestServer(app, host="127.0.0.1"))
        at = str(server.make_url("")).rstrip("/")
        telegram = await stack.enter_async_context(Telegram().running())
        known = {"embedding_url": f"{at}/v1", "chroma_url": at}
        desk = await stack.enter_async_context(in_telegram(url, folder, telegram, knowledge=known, outbox=CALM))
        await desk.service.store.write(person)
        telegram.file("doc1", f"a letter of {NAME}".encode(), "documents/letter.txt")
        sender = {
            "id": CHAT,
            "is_bot": False,
            "first_name": "Zqsubject",
            "last_name": "Quandt",
            "username": "zqsubject_q",
        }
        document = {"file_id": "doc1", "file_unique_id": "u", "file_name": f"{SUBJECT}.txt", "mime_type": "text/plain",
                    "file_size": 29}  # fmt: skip
        update = await desk.says(CHAT, f"I am {NAME}, {MAIL}", **{"from": sender})
        await desk.answered(CHAT, 1, WAIT_S)
        file = telegram.says(CHAT, "", **{"from": sender, "document": document})
        await desk.tells(file)
        await desk.answered(CHAT, 2, WAIT_S)
        visitor = await desk.service.visitor()
        await visitor.say(f"It is {MAIL} again, where is my lamp?")
        await visitor.answered(1, WAIT_S)
        yield Subject(desk, Base(url), folder, update, visitor)


async def worked_on(subject: Subject) -> None:
    """What staff do with such a customer in a day."""
    talk, call = subject.visitor.conversation, subject.call
    theirs = "select customer_id from conversation where channel = ?"
    subject.customer = await subject.one(theirs, "telegram")
    other = await subject.one(theirs, "web")
    await call("POST", f"/api/customers/{subject.customer}/merge", {"other": other})
    await call("PUT", f"/api/customers/{subject.customer}", {"name": NAME, "attributes": {"mail": MAIL}}, status=204)
    answer = await subject.one("select id from message where role = 'assistant' and conversation_id = ?", talk)
    rated = {"message_id": answer, "value": "down", "reason": "wrong", "comment": f"says {SUBJECT}"}
    assert (await subject.visitor.post("feedback", rated)).status == 204
    corrected = {"message_id": answer, "text": f"Dear {NAME}, three days.", "reason": "tone", "note": SUBJECT}
    await call("POST", "/api/corrections", corrected, status=201)
    await call("POST", f"/api/conversations/{talk}/claim")
    await call("POST", f"/api/conversations/{talk}/notes", {"text": f"{SUBJECT} called", "mentions": []}, status=201)
    await call("PUT", f"/api/conversations/{talk}/draft", {"kind": "reply", "text": f"Dear {NAME}"}, status=204)
    await call("POST", f"/api/conversations/{talk}/snooze", {})
    label = await call("POST", "/api/labels", {"name": "vip", "colour": "#112233"}, status=201)
    await call("PUT", f"/api/conversations/{talk}/labels", {"labels": [label["id"]]}, status=204)
    await call("POST", f"/api/conversations/{talk}/send", {"text": f"Hello {NAME}", "undo": False}, status=202)
    document = {"title": f"Case of {NAME}", "text": f"# Case\n\n{NAME} has the address {MAIL}. Lamps last long."}
    await call("POST", "/api/knowledge/documents", document, status=201)
    view = {"name": "theirs", "query": {"q": MAIL}, "shared": True}
    await call("POST", "/api/views", view, status=201)
    await FolderNotifier(subject.folder / "mail").send(Letter(MAIL, "Your code", f"{NAME}: 123456"))


async def trained_on(subject: Subject) -> str:
    """A run that learned from the customer, as far as its rows and files go; returns the adapter."""
    store, settings = subject.service.store, subject.service.settings
    await Collector(store, settings, tuple).run({})
    examples, run = Examples(store, "default", settings.training), new_id()
    for row in await examples.page((float("inf"), ""), 50):
        await store.write(lambda tx, one=row["id"]: examples.approve(tx, one, "ana"))  # type: ignore[misc]
    rows = [row async for row in examples.rows()]
    assert rows, "nothing was learned from the customer"
    folder = Folder(settings.data_dir / "training" / run)
    run = await Runs(store, "default", settings.data_dir / "training").start("person", "ana")
    folder = Folder(settings.data_dir / "training" / run)
    folder.make()
    folder.dataset.mkdir()
    write_rows(folder.examples, rows)
    write_rows(folder.dataset / "train.jsonl", rows)
    (folder.path / "report.html").write_text(f"<td>{NAME}</td>")

    async def unit(tx: Tx) -> None:
        await tx.run(
            "loop.add_dataset", id=f"d-{run}", tenant="default", run_id=run, rows_count=len(rows), now=tx.now_s
        )
        for row in rows:
            await tx.run("loop.add_row", dataset_id=f"d-{run}", example_id=row["id"].partition("#")[0], message_id=None)
        await tx.run(
            "loop.add_adapter", name="default-abc", tenant="default", dataset_id=f"d-{run}", run_id=run, digest="abc",
            manifest="{}", now=tx.now_s,
        )  # fmt: skip

    await store.write(unit)
    return "default-abc"


async def fill(subject: Subject) -> None:
    """A row of the subject in every table that the day left empty; a new table gets one by itself."""
    base, talk = subject.base, subject.visitor.conversation
    ids = {
        "conversation_id": talk, "customer_id": subject.customer, "tenant": "default", "kept_id": subject.customer,
        "message_id": await subject.one("select min(id) from message where conversation_id = ?", talk),
        "outbox_id": await subject.one("select min(id) from outbox"),
        "note_id": await subject.one("select min(id) from note"),
        "lane_id": await subject.one("select id from lane where kind = 'in' and key = ?", talk),
        "example_id": await subject.one("select min(id) from example"),
        "identity_id": await subject.one("select identity_id from conversation where id = ?", talk),
    }  # fmt: skip
    for name, key in (("team", "team_id"), ("gap", "gap_id")):
        ids[key] = new_id()
        more = ", state" if name == "gap" else ", name"
        await base.read(
            f"insert into {name} (id, tenant, created_at{more}) values (?, ?, ?, ?)"
            + ("" if base.url.startswith("sqlite") else " returning id"), ids[key], "default", 1.0, "open",
        )  # fmt: skip
    parents = ("fact_case",)
    for table in (*parents, *CONVERSATION, *CUSTOMER):
        if table != "item" and await base.read(f"select * from {table}"):  # jobs have items too
            continue
        given = FILLED.get(table, {})
        values: dict[str, Any] = {}
        for column, kind in (await base.columns(table)).items():
            text = "text" in kind.lower()
            made = f"{SUBJECT} {talk}" if table == "webhook_delivery" else f"{SUBJECT}-{new_id()}"
            number: Any = 1.0 if "double" in kind.lower() or "real" in kind.lower() else 1
            values[column] = given.get(column, ids.get(column, made if text else number))
        marks = ", ".join("?" * len(values))
        back = "" if base.url.startswith("sqlite") else " returning *"
        await base.read(f"insert into {table} ({', '.join(values)}) values ({marks}){back}", *values.values())


async def erased(subject: Subject) -> dict[str, Any]:
    row = await subject.call("POST", f"/api/customers/{subject.customer}/erase", {"confirm": NAME.lower()}, status=202)
    async with asyncio.timeout(WAIT_S):
        while row["state"] in {"queued", "running"}:
            await asyncio.sleep(0.05)
            row = await subject.call("GET", f"/api/erasures/{row['id']}")
    assert row["state"] == "done", row
    return dict(row["report"])


async def findable(subject: Subject) -> None:
    """Wait until the search by words holds the document."""
    async with asyncio.timeout(WAIT_S):
        while SUBJECT not in json.dumps(await subject.call("GET", "/api/knowledge/search?q=quandt")).lower():
            await asyncio.sleep(0.1)


async def indexed(subject: Subject) -> None:
    async with asyncio.timeout(WAIT_S):
        while await subject.base.read("select id from document where state = 'queued'"):
            await asyncio.sleep(0.05)


async def copied(subject: Subject) -> None:
    """The copy holds what will be gone."""
    copy = await subject.call("POST", f"/api/customers/{subject.customer}/export")
    with zipfile.ZipFile(BytesIO(copy)) as archive:
        assert archive.testzip() is None
        words = b"".join(archive.read(name) for name in archive.namelist() if not name.startswith("files/"))
        (file,) = [archive.read(name) for name in archive.namelist() if name.startswith("files/")]
    assert words.lower().count(SUBJECT.encode()) > 20
    assert file == f"a letter of {NAME}".encode()


async def repeated(subject: Subject) -> None:
    """What platforms repeat begins nothing; who writes again begins anew."""
    for _ in range(2):  # what platforms repeat stays unanswered and unknown
        assert (await subject.desk.tells(subject.update)).statuses == [200]
    again = await subject.visitor.say(f"It is {MAIL} again, where is my lamp?", "m1")
    assert again["duplicate"]
    assert await subject.base.hits() == {}
    assert await subject.base.read("select id from conversation") == []
    await subject.visitor.say("Hello, it is me.")  # who writes again begins anew
    async with asyncio.timeout(WAIT_S):
        while not await subject.base.read("select id from message where role = 'assistant'"):
            await asyncio.sleep(0.05)


async def test_nothing_of_an_erased_customer_is_left(store_url: str, tmp_path: Path) -> None:
    async with planted(store_url, tmp_path) as subject:
        await worked_on(subject)
        adapter = await trained_on(subject)
        await indexed(subject)
        await fill(subject)
        await findable(subject)
        before = await subject.base.hits()
        assert before.keys() >= {"message", "event", "identity", "example", "document", "chunk"}, before
        empty = [table for table in (*CONVERSATION, *CUSTOMER) if not await subject.base.read(f"select * from {table}")]
        assert not empty
        assert {Path(name).name for name in subject.files()} >= {"examples.jsonl", "train.jsonl", "report.html"}
        await copied(subject)

        report = await erased(subject)
        await indexed(subject)
        await subject.desk.quiet()
        assert await subject.base.hits() == {}
        assert subject.files() == []
        found = await subject.call("GET", "/api/knowledge/search?q=quandt+lamps")
        assert SUBJECT not in json.dumps(found).lower()
        assert report["adapters"] == [adapter]
        assert await subject.one("select erased_reason from adapter where name = ?", adapter) == "erased"
        assert report["conversations"] == 2
        assert report["documents"] == 1
        assert await subject.base.read("select id from customer") == []

        await repeated(subject)
        await subject.service.check_laws(subject.visitor.conversation)
    if store_url.startswith("sqlite"):  # nor in what the file has free
        raw = (tmp_path / "desk.db").read_bytes().lower()
        assert raw.count(SUBJECT.encode()) == 0


async def test_every_table_is_erased_or_says_why_not(store_url: str, tmp_path: Path) -> None:
    del tmp_path
    named = set()
    for migration in migrate.load():
        words = migration.sql.lower().split()
        named |= {words[at + 2] for at, word in enumerate(words[:-2]) if (word, words[at + 1]) == ("create", "table")}
    assert named - COVERED == set(), "say in server/customers/tables.py how their rows are erased, or why not"
    assert COVERED - named - {"migration"} == set(), "these tables are not made by any migration"
    assert all(EMPTY.values())
    assert store_url
