"""The table behind a chart, as CSV or Parquet: the same rows, the same figures."""

from __future__ import annotations

import csv
import importlib
import io
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from server.analytics.metrics import METRICS, figures
from server.analytics.reading import Piece

FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")  # beginnings that spreadsheets take for a formula
KEY_COLUMN: Final = "key"


class Unavailable(RuntimeError):
    """A format needs a package that is not installed; the message names it."""


def table(pieces: Sequence[Piece]) -> list[dict[str, Any]]:
    """One row per piece of time and key: its start (epoch seconds and UTC text), the key, every figure."""
    return [
        {
            "start": piece.start,
            "start_utc": datetime.fromtimestamp(piece.start, UTC).isoformat().replace("+00:00", "Z"),
            KEY_COLUMN: piece.key,
            **figures(piece.sums),
        }
        for piece in pieces
    ]


def csv_of(rows: Sequence[Mapping[str, Any]]) -> bytes:
    """CSV with a head line; figures as the API gives them, an empty field where there is none."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    columns = columns_of()
    writer.writerow(columns)
    for row in rows:
        writer.writerow(["" if row[name] is None else _harmless(row[name]) for name in columns])
    return text.getvalue().encode()


def parquet_of(rows: Sequence[Mapping[str, Any]]) -> bytes:
    """Parquet with typed columns; raises Unavailable without pyarrow. Takes a while: not for the event loop."""
    try:
        arrow = importlib.import_module("pyarrow")
        parquet = importlib.import_module("pyarrow.parquet")
    except ImportError as error:
        raise Unavailable("Parquet needs the package pyarrow; install it, or take CSV") from error
    texts = {"start_utc", KEY_COLUMN}
    made = arrow.table(
        {
            name: arrow.array([row[name] for row in rows], type=arrow.string() if name in texts else arrow.float64())
            for name in columns_of()
        }
    )
    out = io.BytesIO()
    parquet.write_table(made, out)
    return out.getvalue()


def columns_of() -> list[str]:
    """The columns of the table, in order."""
    return ["start", "start_utc", KEY_COLUMN, *METRICS]


def _harmless(value: Any) -> Any:
    """A text that no spreadsheet takes for a formula: languages are what a customer's page says."""
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA) else value
