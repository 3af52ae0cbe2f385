"""Rows of a database as documents: one query, read only, with limits on rows and time."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import itertools
import re
import sqlite3
import time
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from server.knowledge.contract import SourceRefused
from server.knowledge.fetched import Failed, Frontier, Known, SourceDown
from server.knowledge.kinds import SqlConfig, Text
from server.knowledge.records import Record, compared

_TAG = re.compile(r"</?[a-zA-Z][^>]*>")
_STEPS = 10_000  # of SQLite's machine between two looks at the clock
_CONNECT_S = 10.0
_FETCHED = 100  # rows at once
MOST_CHARACTERS = 100_000_000  # of all rows together
_READS = frozenset({sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION, sqlite3.SQLITE_RECURSIVE})
Row = Mapping[str, Any]


class SqlReader:
    """Runs a source's query; ``max_characters`` is the longest text of one row."""

    def __init__(self, max_characters: int) -> None:
        self._max_characters = max_characters

    async def read(
        self, config: Mapping[str, Any], _frontier: Frontier, known: Mapping[str, Known]
    ) -> AsyncIterator[Record]:
        """Every row as it compares with what is stored; raises SourceRefused, and SourceDown while it is away."""
        wanted = SqlConfig.model_validate({name: value for name, value in config.items() if name != "folder"})
        rows = await _sqlite(wanted) if wanted.url.startswith("sqlite:") else await _postgres(wanted)
        if len(rows) > wanted.rows:
            raise SourceRefused(f"the query gives more than {wanted.rows:,} rows; narrow it or raise rows")
        if rows:
            _check_columns(wanted, rows[0])
        texts = await asyncio.to_thread(self._texts, wanted, rows)
        for record in compared(texts, known):
            yield record

    def _texts(self, wanted: SqlConfig, rows: Sequence[Row]) -> list[Text | Failed]:
        texts: list[Text | Failed] = []
        for number, row in enumerate(rows, 1):
            text = document(wanted, row)
            if not text.uri.removeprefix("row:") or not text.title or len(text.text) > self._max_characters:
                texts.append(Failed(f"row {number}", f"row {number} has no key, no title, or too long a text"))
            else:
                texts.append(text)
        return texts


def document(config: SqlConfig, row: Row) -> Text:
    """A row as a document: several text columns become sections under their names, HTML marks are dropped."""
    values = [(name, _plain(row[name])) for name in config.text]
    one = len(values) == 1
    parts = [
        value if one else f"## {name.replace('_', ' ').capitalize()}\n\n{value}" for name, value in values if value
    ]
    title = " ".join(_plain(row[config.title]).split())
    link = str(row[config.link] or "") if config.link else ""
    url = link if re.fullmatch(r"https?://\S+", link) else ""
    return Text(f"row:{row[config.key]}" if row[config.key] is not None else "row:", url, title[:300],
                "\n\n".join([f"# {title}", *parts]))  # fmt: skip


def _plain(value: Any) -> str:
    return _TAG.sub("", str(value)).strip() if value is not None else ""


def _check_columns(config: SqlConfig, row: Row) -> None:
    missing = [name for name in (config.key, config.title, *config.text, config.link) if name and name not in row]
    if missing:
        raise SourceRefused(f"the query gives no column {', '.join(missing)}; it gives {', '.join(row)}")


class Budget:
    """Rows taken so far, unless they would fill the memory."""

    def __init__(self) -> None:
        self.rows: list[Row] = []
        self._size = 0

    def take(self, rows: Iterable[Row]) -> None:
        """Keep rows; raises SourceRefused."""
        for row in rows:
            self._size += sum(len(value) for value in row.values() if isinstance(value, str | bytes))
            if self._size > MOST_CHARACTERS:
                raise SourceRefused(f"the query gives more than {MOST_CHARACTERS:,} characters; narrow it")
            self.rows.append(row)


async def _sqlite(config: SqlConfig) -> Sequence[Row]:
    return await asyncio.to_thread(_sqlite_rows, config)


def _sqlite_rows(config: SqlConfig) -> Sequence[Row]:
    path = Path(config.url.removeprefix("sqlite:///")).expanduser().resolve()
    if not path.is_file():
        raise SourceRefused(f"there is no database file at {path}")
    until = time.monotonic() + config.timeout_s
    late = False

    def look() -> int:
        nonlocal late
        late = time.monotonic() > until
        return int(late)

    def allowed(action: int, *_: object) -> int:
        return sqlite3.SQLITE_OK if action in _READS else sqlite3.SQLITE_DENY

    try:
        with contextlib.closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, timeout=_CONNECT_S)) as database:
            database.row_factory = sqlite3.Row
            database.set_authorizer(allowed)
            database.set_progress_handler(look, _STEPS)
            found = database.execute(config.query)
            budget = Budget()
            budget.take(dict(row) for row in itertools.islice(found, config.rows + 1))
            return budget.rows
    except sqlite3.Error as error:
        if late:
            raise SourceRefused(f"the query takes more than {config.timeout_s:g} seconds; narrow it") from None
        raise SourceRefused(f"the query fails: {error}") from None


async def _postgres(config: SqlConfig) -> Sequence[Row]:
    asyncpg = importlib.import_module("asyncpg")
    timeout_ms = str(int(config.timeout_s * 1_000))
    only_reading = {
        "default_transaction_read_only": "on",
        "statement_timeout": timeout_ms,
        "application_name": "frontdesk",
    }
    try:
        async with asyncio.timeout(_CONNECT_S + config.timeout_s):
            connection = await asyncpg.connect(
                config.url, password=config.password() or None, timeout=_CONNECT_S, server_settings=only_reading
            )
            try:
                async with connection.transaction(readonly=True):
                    cursor = await connection.cursor(config.query)
                    budget = Budget()
                    while len(budget.rows) <= config.rows and (more := await cursor.fetch(_FETCHED)):
                        budget.take(map(dict, more))
                return budget.rows[: config.rows + 1]
            finally:
                await connection.close(timeout=1.0)
    except asyncpg.QueryCanceledError:
        raise SourceRefused(f"the query takes more than {config.timeout_s:g} seconds; narrow it") from None
    except (OSError, TimeoutError, asyncpg.PostgresConnectionError, asyncpg.CannotConnectNowError) as error:
        raise SourceDown(f"the database cannot be reached ({type(error).__name__})") from None
    except (asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise SourceRefused(f"the query fails: {str(error).partition(chr(10))[0]}") from None
