"""A copy of everything the desk holds of a customer: a zip of JSON and files, written while it is read.

README.txt  customer.json  conversations/<id>.json  tables/<table>.json  files/<id>-<name>

Only one table or a piece of a file is in memory at a time. Inner numbers and keys (leases, code hashes, idempotency
keys) are left out: they say nothing about the person and would open doors.
"""

from __future__ import annotations

import asyncio
import json
import re
import time
import zipfile
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from server.conversation import NotFound
from server.customers.tables import CONVERSATION, CUSTOMER
from server.media.files import Files, Missing
from server.store.contract import Row, Store

PIECE_BYTES: Final = 262_144  # of a file, or of the archive, held at once
NOT_COPIED: Final = frozenset(
    {
        *("message_word", "mention", "part", "outbox", "seen", "draft", "tool_rate", "event", "alert", "told"),
        *("fact_answer", "fact_span", "fact_case", "fact_thread"),
        *("conversation_team", "webhook_delivery", "item", "lane", "dataset_row", "approval", "review", "pace"),
        *("reason_ask", "staff_act", "staff_thread", "fact_answer", "fact_span", "fact_case", "fact_thread"),
    }
)
"""Erased, but no copy is given: it repeats what is copied (events, indexes, rendered sends) or is the desk's work."""
HIDDEN: Final = frozenset({"code_hash", "key", "idempotency_key", "request_key", "route", "call_id", "tenant", "path"})
JSON_COLUMNS: Final = frozenset(
    {
        *("body", "profile", "attributes", "timings", "grounding", "arguments", "result", "slots", "source"),
        *("identities", "prompt", "target", "rejected", "tools", "sources", "calls", "reasons", "made"),
    }
)
README: Final = """This is a copy of everything {name} holds about you, made on {at}.

customer.json        your name, your addresses on each channel, and what staff noted
conversations/       what was said, one file per conversation; times are seconds since 1970 (UTC)
tables/              everything else, a file per kind: ratings, tickets, tool calls, files, notes ...
files/               the files that were sent
"""
_UNSAFE: Final = re.compile(r"[^\w.-]+")


class _Pipe:
    """What a zip writes into: bytes are taken out as they come, nothing is sought."""

    def __init__(self) -> None:
        self._held = bytearray()
        self._told = 0

    def write(self, data: bytes) -> int:
        self._held += data
        self._told += len(data)
        return len(data)

    def tell(self) -> int:
        return self._told

    def flush(self) -> None:
        """Nothing lies below."""

    def take(self, at_least: int = 1) -> bytes:
        if len(self._held) < at_least:
            return b""
        taken = bytes(self._held)
        self._held.clear()
        return taken


class Exporter:
    """Copies of customers' data of one tenant; ``name`` is the desk's, for the file that explains."""

    def __init__(self, store: Store, tenant: str, files: Files, name: str) -> None:
        self._store = store
        self._tenant = tenant
        self._files = files
        self._name = name

    async def open(self, customer_id: str) -> AsyncIterator[bytes]:
        """The archive's pieces; raises NotFound before the first one."""
        row = await self._store.row("customers.read", tenant=self._tenant, id=customer_id)
        if row is None or row["erased_at"] is not None:
            raise NotFound("there is no such customer, or the data was erased; reload the list")
        people = await self._store.rows("customers.same_person", tenant=self._tenant, id=str(row["id"]))
        return self._pieces(row, people)

    async def _pieces(self, customer: Row, people: Sequence[Row]) -> AsyncIterator[bytes]:
        pipe = _Pipe()
        with zipfile.ZipFile(pipe, "w", zipfile.ZIP_DEFLATED) as archive:  # type: ignore[call-overload]  # no seek
            made_at = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
            _put(archive, "README.txt", README.format(name=self._name, at=made_at))
            identities = await self._rows("identity", str(customer["id"]))
            _put(archive, "customer.json", _json({**shown(customer), "addresses": identities}))
            for table in [name for name in CUSTOMER if name not in NOT_COPIED and name not in {"identity", "customer"}]:
                rows = [row for person in people for row in await self._rows(table, str(person["id"]))]
                if rows:
                    _put(archive, f"tables/{table}.json", _json(rows))
            talks = await self._store.rows("erasing.conversations", tenant=self._tenant, customer=str(customer["id"]))
            talk_ids = [str(talk["id"]) for talk in talks]
            for talk_id in talk_ids:
                about = await self._rows("conversation", talk_id)
                said = await self._rows("message", talk_id)
                _put(archive, f"conversations/{talk_id}.json", _json({**about[0], "messages": said} if about else {}))
                if piece := pipe.take(PIECE_BYTES):
                    yield piece
            async for piece in self._tables(archive, pipe, talk_ids):
                yield piece
            async for piece in self._copied(archive, pipe, talk_ids):
                yield piece
        yield pipe.take()

    async def _tables(self, archive: zipfile.ZipFile, pipe: _Pipe, talks: Sequence[str]) -> AsyncIterator[bytes]:
        """One file per kind, over all conversations."""
        for table in [name for name in CONVERSATION if name not in NOT_COPIED | {"message", "conversation"}]:
            rows = [row for talk in talks for row in await self._rows(table, talk)]
            if rows:
                _put(archive, f"tables/{table}.json", _json(rows))
            if piece := pipe.take(PIECE_BYTES):
                yield piece

    async def _copied(self, archive: zipfile.ZipFile, pipe: _Pipe, talks: Sequence[str]) -> AsyncIterator[bytes]:
        """The files; one that is not on this machine's disk is left out."""
        for talk in talks:
            for row in [*await self._rows("media", talk), *await self._rows("upload", talk)]:
                source = row.get("source")
                called = row.get("name") or (source.get("name") if isinstance(source, dict) else "") or ""
                name = f"files/{row['id']}-{_UNSAFE.sub('_', str(called))[-80:]}".rstrip("-")
                async for piece in self._file(archive, pipe, str(row["id"]), name):
                    yield piece

    async def _file(self, archive: zipfile.ZipFile, pipe: _Pipe, file_id: str, name: str) -> AsyncIterator[bytes]:
        try:
            source = await asyncio.to_thread(self._files.place(file_id).open, "rb")
        except (Missing, FileNotFoundError):
            return
        with source, archive.open(name, "w", force_zip64=True) as target:
            while chunk := await asyncio.to_thread(source.read, PIECE_BYTES):
                target.write(chunk)
                if piece := pipe.take(PIECE_BYTES):
                    yield piece

    async def _rows(self, table: str, row_id: str) -> list[dict[str, Any]]:
        rows = await self._store.rows(f"customer_export.rows_{table}", tenant=self._tenant, id=row_id)
        return [shown(row) for row in rows]


def shown(row: Row) -> dict[str, Any]:
    """A row as its owner may have it: JSON as JSON, without keys of the desk."""
    return {name: _read(name, value) for name, value in row.items() if name not in HIDDEN and value is not None}


def file_name(customer_id: str) -> str:
    """What the archive is called; never the customer's name, which would stay in a browser's list of downloads."""
    return f"customer-{customer_id}-{time.strftime('%Y-%m-%d')}.zip"


def _read(name: str, value: Any) -> Any:
    if name not in JSON_COLUMNS or not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError:
        return value


def _put(archive: zipfile.ZipFile, name: str, text: str) -> None:
    archive.writestr(name, text.encode())


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, indent=1)
