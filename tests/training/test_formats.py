from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.training.made import made
from training.formats import EXTRA, export, load, records, to_parquet
from training.rows import BadRows, Row

FORMATS = ("instruction", "messages", "prompt_completion", "preference")
TOOL = {
    "name": "find",
    "description": "Find it",
    "parameters": {"type": "object", "properties": {"a": {"type": "string"}}},
}


def several() -> list[Row]:
    history = [
        {"role": "system", "content": "System"}, {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": "Hello"}, {"role": "user", "content": "Où?\n\u2028 „so“"},
    ]  # fmt: skip
    steps = [
        {"role": "user", "content": "Find"},
        {"role": "assistant", "tool_calls": [{"id": "1", "name": "find", "arguments": {"a": [1, {"b": None}]}}]},
        {"role": "tool", "content": "{}", "tool_call_id": "1"},
    ]
    return [
        made(0, rejected={"content": "No."}, weight=2.5),
        made(1, messages=history, rejected={"tool_calls": [{"name": "find", "arguments": {"x": 1.5}}]}),
        made(2, messages=steps, tools=[TOOL], rejected={"content": "x"}, behaviour="chat", language=""),
        made(3, behaviour="tool_call", tools=[TOOL],
             target={"content": "Wait", "tool_calls": [{"name": "find", "arguments": {"a": "b", "n": 3}}]}),
    ]  # fmt: skip


def kept(row: Row) -> dict[str, Any]:
    return {name: getattr(row, name) for name in (*EXTRA, "messages", "target")}


@pytest.mark.parametrize("ending", ["jsonl", "parquet"])
@pytest.mark.parametrize("form", FORMATS)
def test_every_format_reads_back_what_it_wrote(tmp_path: Path, form: Any, ending: str) -> None:
    rows = several()
    path = tmp_path / f"rows.{ending}"
    written = export(rows, path, form)
    expected = {"instruction": rows[:2] + rows[3:], "preference": rows[:3]}.get(form, rows)
    back = load(path, form)
    assert written == len(back) == len(expected)
    assert [kept(row) for row in back] == [kept(row) for row in expected]
    if form != "instruction":
        assert [row.tools for row in back] == [row.tools for row in expected]
    if form == "preference":
        assert [row.rejected for row in back] == [row.rejected for row in expected]
    assert {row.origin for row in back} == {"import"}


def test_files_of_others_are_imported_without_our_fields(tmp_path: Path) -> None:
    path = tmp_path / "alpaca.jsonl"
    lines = [{"instruction": "Translate", "input": "house", "output": "Haus"}, {"instruction": "Say", "output": "Hi"}]
    path.write_text("\n".join(json.dumps(line) for line in lines), encoding="utf-8")
    first, second = load(path, "instruction")
    assert first.question == "Translate\nhouse"
    assert (first.behaviour, second.target.content) == ("chat", "Hi")
    assert first.conversation != second.conversation


def test_calls_of_others_choose_the_behaviour(tmp_path: Path) -> None:
    call = {"type": "function", "function": {"name": "handoff_to_staff", "arguments": '{"reason": "asked"}'}}
    record = {
        "messages": [
            {"role": "user", "content": "a person!"},
            {"role": "assistant", "content": None, "tool_calls": [call]},
        ]
    }
    path = tmp_path / "chat.jsonl"
    path.write_text(json.dumps(record), encoding="utf-8")
    (row,) = load(path, "messages")
    assert row.behaviour == "handoff"
    assert row.target.tool_calls[0].arguments == {"reason": "asked"}


def test_bad_records_are_named_by_number(tmp_path: Path) -> None:
    good = json.dumps(records([made(0)], "messages")[0])
    bad = json.dumps({"messages": [{"role": "user", "content": "secret"}]})
    path = tmp_path / "chat.jsonl"
    lines = [good, bad, "{", '{"messages": 3}', '{"messages": []}', good, "7"]
    path.write_text("\n".join(lines), encoding="utf-8")
    with pytest.raises(BadRows) as caught:
        load(path, "messages")
    assert [fault.line for fault in caught.value.faults] == [2, 3, 4, 5, 7]
    assert "secret" not in str(caught.value)


def test_the_same_record_twice_gets_two_ids(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    export([made(0), made(0)], path, "messages")
    assert len({row.id for row in load(path, "messages")}) == 2


def test_what_is_no_parquet_is_told(tmp_path: Path) -> None:
    path = tmp_path / "rows.parquet"
    path.write_bytes(b"PAR1 nonsense")
    with pytest.raises(BadRows, match="no Parquet file"):
        load(path, "messages")


def test_parquet_of_the_same_rows_has_the_same_bytes_also_when_empty() -> None:
    found = records(several(), "messages")
    assert to_parquet(found, "messages") == to_parquet(found, "messages")
    assert to_parquet([], "preference").startswith(b"PAR1")
