"""Tables as documents: what a CSV file, a query or a catalogue gives, compared with what is stored."""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

from server.knowledge.contract import SourceRefused
from server.knowledge.fetched import Failed, Frontier, Gone, Known, Unchanged
from server.knowledge.files import contents
from server.knowledge.kinds import MOST_ROWS, Text
from server.knowledge.parsing import Reader

Record = Text | Unchanged | Gone | Failed
Texts = Callable[[list[dict[str, str]], Mapping[str, Any]], list[Text | Failed]]
"""What makes documents of a table's rows by a source's settings; raises SourceRefused."""
_FIELD = re.compile(r"\{([^{}]+)\}")


def text_digest(text: Text) -> str:
    """SHA-256 of all that a row says, in the place of the bytes of a file."""
    return hashlib.sha256(f"{text.title}\0{text.text}\0{text.url}".encode("utf-8", "replace")).hexdigest()


def compared(texts: Iterable[Text | Failed], known: Mapping[str, Known]) -> Iterator[Record]:
    """Which rows are new or changed, which are as they were, which are there twice, and which are gone."""
    seen: set[str] = set()
    for number, text in enumerate(texts, 1):
        if text.uri in seen:
            yield Failed(f"row {number}", f"{text.uri} is there twice; the first one counts")
            seen.add(f"row {number}")
            continue
        seen.add(text.uri)
        if isinstance(text, Failed):
            yield text
            continue
        stored = known.get(text.uri)
        yield Unchanged(text.uri) if stored and stored.raw_digest == text_digest(text) else text
    for uri in known:
        if uri not in seen:
            yield Gone(uri, "no longer in the source")


class TableReader:
    """Reads a source's CSV or JSON; ``texts`` makes documents of its rows, in a thread."""

    def __init__(self, reader: Reader, max_bytes: int, texts: Texts) -> None:
        self._reader = reader
        self._max_bytes = max_bytes
        self._texts = texts

    async def read(
        self, config: Mapping[str, Any], _frontier: Frontier, known: Mapping[str, Known]
    ) -> AsyncIterator[Record]:
        """Every row as it compares with what is stored; raises SourceRefused."""
        rows = await table(self._reader, config, self._max_bytes)
        for record in compared(await asyncio.to_thread(self._texts, rows, config), known):
            yield record


async def table(reader: Reader, config: Mapping[str, Any], max_bytes: int) -> list[dict[str, str]]:
    """All rows of a source's file, or of its uploaded ones by name; raises SourceRefused."""
    rows: list[dict[str, str]] = []
    for name, data in await contents(Path(config["path"] or config["folder"]), max_bytes):
        try:
            rows += await reader.rows(data, name)
        except SourceRefused as error:
            raise SourceRefused(f"{name}: {error}") from None
        if len(rows) > MOST_ROWS:
            raise SourceRefused(f"the source has more than {MOST_ROWS:,} rows; split it")
    return rows


def address(template: str, row: Mapping[str, str]) -> str:
    """A page's address with columns of the row in the braces; empty when one is missing."""
    names = _FIELD.findall(template)
    if any(not row.get(name) for name in names):
        return ""
    return _FIELD.sub(lambda found: quote(row[found[1]], safe=""), template)
