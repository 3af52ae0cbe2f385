"""What a suite must be, and that the project's own ones are that and stay as they were frozen."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.training.subjects import HANDOFF, SUITES, right, row
from training.rows import parse
from training.scoring import score
from training.suites import BadSuite, folder, load, load_rows, row_faults

FROZEN = {suite.name: suite.rows for suite in folder(SUITES)}


def write(path: Path, *rows: object) -> Path:
    path.write_text("".join(json.dumps(each) + "\n" for each in rows), encoding="utf-8")
    return path


def test_a_shops_own_suite_needs_no_manifest(tmp_path: Path) -> None:
    found = load(write(tmp_path / "mine.jsonl", row("a", "chat", "Hello", "Hi")))
    assert (found.name, len(found.rows)) == ("mine", 1)
    assert load_rows(tmp_path / "mine.jsonl")[0]["id"] == "a"


def test_a_frozen_file_cannot_be_changed_or_lost(tmp_path: Path) -> None:
    path = write(tmp_path / "mine.jsonl", row("a", "chat", "Hello", "Hi"))
    manifest = tmp_path / "MANIFEST.json"
    manifest.write_text(json.dumps({"sha256": {"mine.jsonl": load(path).sha256}}))
    assert [suite.name for suite in folder(tmp_path)] == ["mine"]
    write(path, row("a", "chat", "Hello", "Hello"))
    with pytest.raises(BadSuite, match="was changed"):
        load(path)
    path.unlink()
    with pytest.raises(BadSuite, match="missing"):
        folder(tmp_path)


@pytest.mark.parametrize(
    ("broken", "words"),
    [
        ({"behaviour": "magic"}, "none of"),
        ({"messages": [{"role": "assistant", "content": "x"}]}, "last message"),
        ({"target": None}, "lacks target"),
        ({"checks": {"colour": 1}}, "unknown check"),
        ({"behaviour": "tool_call", "tools": [HANDOFF]}, "needs a call"),
        ({"behaviour": "handoff"}, "among its tools"),
        ({"target": {"content": "", "tool_calls": [{"name": "x", "arguments": {}}]}}, "not among the tools"),
    ],
)
def test_a_row_at_fault_is_refused_with_its_fault(broken: dict[str, Any], words: str) -> None:
    assert words in row_faults({**row("a", "chat", "Hello", "Hi"), **broken}, set())[0]


def test_all_faults_of_a_file_are_told_at_once(tmp_path: Path) -> None:
    path = write(tmp_path / "mine.jsonl", row("a", "chat", "x", "y"), row("a", "chat", "x", "y"), [1])
    path.write_text(path.read_text() + "{\n")
    with pytest.raises(BadSuite) as caught:
        load_rows(path)
    assert [fault.split(" ")[1].rstrip(":") for fault in caught.value.faults] == ["2", "3", "4"]


@pytest.mark.parametrize(
    ("name", "least"),
    [("general", 40), ("safety", 20), ("refusal", 80), ("must_pass", 15), ("handoff", 60), ("tools", 50)],
)
def test_a_frozen_suite_is_large_enough(name: str, least: int) -> None:
    assert len(FROZEN[name]) >= least
    assert all("checks" in each for each in FROZEN[name])


def test_the_frozen_suites_hold_what_they_are_for() -> None:
    count = {name: Counter(each["behaviour"] for each in rows) for name, rows in FROZEN.items()}
    assert count["refusal"] == {"refusal": 40, "grounded": 40}
    assert count["handoff"] == {"handoff": 30, "chat": 30}
    assert count["tools"]["tool_ask"] >= 20
    assert count["tools"]["tool_call"] >= 30
    assert all(each["sources"] for each in FROZEN["refusal"])
    for name in ("handoff", "refusal", "tools"):
        assert {each["language"] for each in FROZEN[name]} == {"en", "de", "es"}


@pytest.mark.parametrize("name", FROZEN)
def test_the_wanted_answer_of_every_frozen_row_passes(name: str) -> None:
    scored = {each["id"]: score(each, right(each)) for each in FROZEN[name]}
    assert {key: found for key, found in scored.items() if found["quality"] < 1 or found["pii_echo"]} == {}


@pytest.mark.parametrize("name", FROZEN)
def test_frozen_rows_are_rows_of_the_loop(name: str) -> None:
    for each in FROZEN[name]:
        assert parse(json.dumps(each).encode()).id == each["id"]


def test_saying_nothing_useful_passes_few_checks() -> None:
    for name in ("general", "must_pass", "tools"):
        found = [score(each, {"content": "Well, dear.", "tool_calls": []})["quality"] for each in FROZEN[name]]
        assert sum(found) / len(found) <= 0.2, name


def test_every_passage_of_a_row_stands_in_its_prompt() -> None:
    for each in FROZEN["refusal"]:
        system = " ".join(each["messages"][0]["content"].split())
        assert all(" ".join(source["text"].split())[:60] in system for source in each["sources"]), each["id"]


def test_no_question_of_the_demos_replay_rows_stands_in_a_frozen_suite() -> None:
    def words(each: Any) -> str:
        asked = next(message["content"] for message in reversed(each["messages"]) if message["role"] == "user")
        return " ".join(re.findall(r"\w+", asked.lower()))

    replay = load_rows(SUITES.parent / "training" / "replay.jsonl")
    frozen = {words(row) for rows in FROZEN.values() for row in rows}
    assert len(replay) > 200
    assert frozen.isdisjoint(map(words, replay))
