"""The table of conformance cases: whole, each case once, and every test it names exists."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

TESTS = Path(__file__).parent
TABLE = TESTS.parent / "docs" / "channels" / "cases.md"
CASES = {
    "W": ((1, 18), (20, 27), (30, 32), (40, 54)),
    "M": ((1, 6),),
    "S": ((1, 16), (20, 27), (30, 32), (40, 56)),
    "T": ((1, 1), (3, 3), (5, 12), (15, 17), (20, 27), (30, 32), (40, 52)),
    "V": ((1, 14),),
}
NUMBERED = re.compile(r"^(?:async )?def (test_[wmstv]\d\d_\w+)", re.MULTILINE)


def rows() -> Iterator[tuple[list[str], list[str], str]]:
    """Cases, tests and state of each row."""
    for line in TABLE.read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("| ") and cells[0] != "Case":
            cases, _, tests, state = cells
            yield cases.split(), re.findall(r"`([^`]+)`", tests), state


def test_every_case_is_in_the_table_once() -> None:
    expected = [
        f"{letter}{number:02}"
        for letter, ranges in CASES.items()
        for number in chain.from_iterable(range(first, last + 1) for first, last in ranges)
    ]
    assert Counter(chain.from_iterable(cases for cases, _, _ in rows())) == Counter(expected)


def test_every_test_of_the_table_exists() -> None:
    for cases, tests, state in rows():
        assert tests or state.startswith("left out: "), f"{cases}: name a test, or say why there is none"
        for named in tests:
            path, _, name = named.partition("::")
            assert (TESTS / path).is_file(), named
            source = (TESTS / path).read_text(encoding="utf-8")
            assert not name or re.search(rf"^(async )?def {name}\(", source, re.MULTILINE), named


def test_every_numbered_scenario_is_in_the_table() -> None:
    known = set(chain.from_iterable(tests for _, tests, _ in rows()))
    for path in sorted(TESTS.glob("scenarios/test_*.py")):
        for name in NUMBERED.findall(path.read_text(encoding="utf-8")):
            assert f"scenarios/{path.name}::{name}" in known, f"add {path.name}::{name} to {TABLE.name}"
