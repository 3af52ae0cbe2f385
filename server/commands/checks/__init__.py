"""What ``frontdesk doctor`` looks at: functions that return findings and change nothing."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """How bad it is: fine, worth a look, or in the way of serving customers."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Finding:
    """One result; ``repair`` is a command or a change, empty only when all is well."""

    name: str
    value: str
    level: Level = Level.OK
    repair: str = ""

    def line(self) -> str:
        """One line for the terminal, with the repair below it."""
        text = f"{self.level:<4}  {self.name:<12}  {self.value}"
        return f"{text}\n      {'':<12}  repair: {self.repair}" if self.repair else text


def ok(name: str, value: str) -> Finding:
    """All is well."""
    return Finding(name, value)


def warn(name: str, value: str, repair: str) -> Finding:
    """Serving works, but somebody should look."""
    return Finding(name, value, Level.WARN, repair)


def fail(name: str, value: str, repair: str) -> Finding:
    """Serving does not work, or a promise does not hold."""
    return Finding(name, value, Level.FAIL, repair)
