"""CSV and JSON: rows by the names of their columns, also as Markdown that keeps the names. Standard library only."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping
from typing import Any

from server.knowledge.formats.hints import Hints, Read, Unreadable, tidy
from server.knowledge.formats.plain import decode

MOST_COLUMNS = 200
MOST_ROWS = 50_000
MOST_CELL = 200_000  # characters
_SNIFFED = 16_384  # characters looked at to find the separator
_SEPARATORS = ",;\t|"


def load() -> None:
    """Nothing to load."""


def rows(data: bytes, hints: Hints) -> Read:
    """The rows of a CSV or JSON file by column name."""
    text = decode(data)
    found = _json(text) if text.lstrip()[:1] in {"[", "{"} else _csv(text)
    size = 0
    for row in found:
        size += sum(map(len, row)) + sum(map(len, row.values()))
        if size > 4 * hints.max_characters:
            raise Unreadable(f"the table has more than {4 * hints.max_characters:,} characters; split it")
    return Read("", "", tuple(found))


def read(data: bytes, hints: Hints) -> Read:
    """A table as a document: one section for each row, in which every value stands beside its column's name."""
    found = rows(data, hints).rows
    return Read("", tidy("\n\n".join(map(_section, found)), hints.max_characters))


def _section(row: Mapping[str, str]) -> str:
    label = next((value for value in row.values() if value and not value.replace(".", "").isdigit()), "")
    lines = [f"- {name}: {' '.join(value.split())}" for name, value in row.items() if value]
    return "\n".join(([f"## {' '.join(label.split())[:120]}", ""] if label else []) + lines)


def _csv(text: str) -> list[dict[str, str]]:
    csv.field_size_limit(MOST_CELL)
    head = text[:_SNIFFED].split("\n", 1)[0]
    separator = max(_SEPARATORS, key=head.count)
    if head.count(separator) >= MOST_COLUMNS:
        raise Unreadable(f"the table has more than {MOST_COLUMNS} columns; export only those that matter")
    try:
        table = csv.reader(
            io.StringIO(text.replace("\r\n", "\n").replace("\r", "\n")), delimiter=separator, strict=True
        )
        names = _names(next(table, []))
        return _capped(dict(zip(names, map(str.strip, cells), strict=False)) for cells in table if any(cells))
    except csv.Error as error:
        raise Unreadable(f"the table cannot be read ({error}); export it again as CSV with a header row") from None


def _names(header: list[str]) -> list[str]:
    names = [" ".join(name.split()) or f"column {number}" for number, name in enumerate(header, 1)]
    if not any(header):
        raise Unreadable("the table has no header row; its first row must name the columns")
    if len(names) > MOST_COLUMNS:
        raise Unreadable(f"the table has more than {MOST_COLUMNS} columns; export only those that matter")
    return names


def _capped(found: Iterable[dict[str, str]]) -> list[dict[str, str]]:
    taken: list[dict[str, str]] = []
    for row in found:
        if len(taken) >= MOST_ROWS:
            raise Unreadable(f"the table has more than {MOST_ROWS:,} rows; split it")
        taken.append(row)
    if not taken:
        raise Unreadable("the table has no rows below its header")
    return taken


def _json(text: str) -> list[dict[str, str]]:
    try:
        body = json.loads(text)
    except ValueError:
        raise Unreadable("the file is not JSON; it must be a list of objects") from None
    if isinstance(body, dict):
        lists = [value for value in body.values() if isinstance(value, list)]
        body = lists[0] if len(lists) == 1 else [body]
    if not isinstance(body, list) or not all(isinstance(row, dict) for row in body):
        raise Unreadable("the file must be a JSON list of objects, one for each row")
    if any(len(row) > MOST_COLUMNS for row in body):
        raise Unreadable(f"a row has more than {MOST_COLUMNS} fields; export only those that matter")
    return _capped({str(key): _flat(value) for key, value in row.items()} for row in body)


def _flat(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return "|".join(_flat(one) for one in value)
    if isinstance(value, dict):
        return ", ".join(f"{key}: {_flat(one)}" for key, one in value.items())
    return str(value)
