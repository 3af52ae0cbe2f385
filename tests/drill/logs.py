"""What a process logged during a drill: errors nobody expects, and what must never stand in a log."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from tests.drill.crowd import TOKEN

SECRET: Final = ("TOKEN", "SECRET", "KEY")  # ends of settings' names
SHOWN: Final = 5  # lines named per log
LONGEST: Final = 2_000  # characters of a line that is shown


def crashes(name: str, text: str) -> list[str]:
    """Errors nobody expects, whatever platforms do: each has a traceback in the log of process ``name``."""
    lines = [line for line in text.splitlines() if '"level": "error"' in line or line.startswith("Traceback")]
    return [f"{name} logged {line[:LONGEST]}" for line in lines]


def leaks(name: str, text: str, settings: Mapping[str, str]) -> list[str]:
    """Secrets of the settings and words of customers in the log of process ``name``; said without repeating them."""
    secrets = {key: value for key, value in settings.items() if key.endswith(SECRET) and value}
    found = [f"{name} logged the value of {key}" for key, value in secrets.items() if value in text]
    lines = [number for number, line in enumerate(text.splitlines(), 1) if TOKEN.search(line)]
    return found + [f"{name} logged what customers wrote, in line {number}" for number in lines[:SHOWN]]
