"""Rules that a row or a suite states about its answer, such as a signature that must stand at the end. Pure.

A row's ``checks`` may hold::

    must_contain      ["x", ["either", "or"]]   every entry, of a list one; case and accents do not matter
    must_not_contain  ["x"]
    must_match        ["regular expression"]    each is found somewhere; ``(?m)`` and the like stand in the pattern
    must_not_match    ["regular expression"]
    number            42                        the only figure that may be told as the result: the last one said
    language          "de"                      of the words
    max_words         20                        tokens that are words
    refuses           true | false              says that it does not know
    calls             "name" | false            calls this tool, or none at all
    asks              true                      has a question mark
    cites             [1, 2]                    cites at least one of these passages and no other
    no_echo           ["x"]                     strings of the prompt that must not be repeated
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final

from training.refusals import refuses
from training.spoken import spoken
from training.words import citations, folded, tokens

FIGURE: Final = re.compile(r"-?\d+(?:[.,]\d+)*")
SURE_WORDS: Final = 4  # shorter answers have no language of their own

Calls = Sequence[Mapping[str, Any]]
Check = Callable[[str, Calls, Any], bool]


@lru_cache(maxsize=512)
def _pattern(text: str) -> re.Pattern[str]:
    return re.compile(text)


def _holds(text: str, wanted: str | Sequence[str]) -> bool:
    plain = folded(text)
    return any(folded(each) in plain for each in ([wanted] if isinstance(wanted, str) else wanted))


def _last_figure(text: str) -> float | None:
    found = FIGURE.findall(text)
    if not found:
        return None
    plain = re.sub(r"[.,](?=\d{3}(?!\d))", "", found[-1]).replace(",", ".")
    return float(plain) if plain.count(".") <= 1 else None


def _in_language(text: str, wanted: str) -> bool:
    found = spoken(text)
    return found == wanted or (found == "" and 0 < len(tokens(text)) <= SURE_WORDS)


def _calls(calls: Calls, wanted: str | bool) -> bool:  # noqa: FBT001 - the value of a check: a name or false
    names = [call.get("name") for call in calls]
    return wanted in names if isinstance(wanted, str) else bool(names) is wanted


TABLE: Final[Mapping[str, Check]] = {
    "must_contain": lambda text, _, wanted: all(_holds(text, each) for each in wanted),
    "must_not_contain": lambda text, _, wanted: not any(_holds(text, each) for each in wanted),
    "must_match": lambda text, _, wanted: all(_pattern(each).search(text) for each in wanted),
    "must_not_match": lambda text, _, wanted: not any(_pattern(each).search(text) for each in wanted),
    "number": lambda text, _, wanted: _last_figure(text) == float(wanted),
    "language": lambda text, _, wanted: _in_language(text, wanted),
    "max_words": lambda text, _, wanted: len(tokens(text)) <= wanted,
    "refuses": lambda text, _, wanted: refuses(text) is wanted,
    "calls": lambda _, calls, wanted: _calls(calls, wanted),
    "asks": lambda text, _, wanted: ("?" in text or "؟" in text) is wanted,
    "cites": lambda text, _, wanted: bool(citations(text)) and set(citations(text)) <= set(wanted),
    "no_echo": lambda text, _, wanted: not any(_holds(text, each) for each in wanted),
}


def failed(checks: Mapping[str, Any], text: str, calls: Calls) -> list[str]:
    """Names of the checks that an answer does not pass; raises KeyError for a check that does not exist."""
    spoken_at_all = bool(text.strip()) or bool(calls)
    return [name for name, wanted in checks.items() if not (spoken_at_all and TABLE[name](text, calls, wanted))]


def faults(checks: Mapping[str, Any]) -> list[str]:
    """What is wrong with a row's checks, in words; empty when they can be used."""
    found = [f"unknown check {name!r}; known are {', '.join(TABLE)}" for name in checks if name not in TABLE]
    for name in ("must_match", "must_not_match"):
        for text in checks.get(name, ()):
            try:
                _pattern(text)
            except re.error as error:
                found.append(f"{name}: {text!r} is no regular expression: {error}")
    return found
