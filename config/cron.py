"""Cron texts, in UTC; the library is loaded by the first one that is read, not by every process's start."""

from __future__ import annotations

import importlib
from datetime import UTC, datetime
from typing import Any


def _library() -> Any:  # it has no types
    return importlib.import_module("croniter").croniter


def is_cron(text: str) -> bool:
    """Whether a text says when; six and seven fields (seconds, years) count, a caller may refuse them."""
    return bool(_library().is_valid(text))


def next_time(cron: str, after_s: float) -> float:
    """The first moment behind ``after_s`` that a valid cron text means, both in seconds since 1970."""
    return float(_library()(cron, datetime.fromtimestamp(after_s, UTC)).get_next(datetime).timestamp())
