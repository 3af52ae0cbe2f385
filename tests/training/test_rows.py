from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.training.made import given, made, save
from training.rows import LONGEST_LINE, BadRows, changed, dump, parse, read, share, write


def test_a_written_row_reads_back_without_its_contact_data(tmp_path: Path) -> None:
    row = made(known={"names": ["Ana Silva"], "emails": [], "phones": [], "addresses": []})
    write(tmp_path / "rows.jsonl", [row])
    assert "Ana" not in (tmp_path / "rows.jsonl").read_text(encoding="utf-8")
    (back,) = read(tmp_path / "rows.jsonl")
    assert changed(back, known=row.known) == row


def test_line_ends_inside_texts_never_end_a_line() -> None:
    row = made(target={"content": "a\u2028b\u0085c\u2029d", "tool_calls": []})
    assert len(dump(row).splitlines()) == 1
    assert parse(dump(row).encode()).target.content == "a\u2028b\u0085c\u2029d"


def test_every_bad_line_is_named_by_its_number_and_nothing_of_it_is_quoted(tmp_path: Path) -> None:
    lines = [
        json.dumps(given(1)).encode(),
        b"{broken secret",
        b"",
        json.dumps(given(2, behaviour="secret")).encode(),
        json.dumps(given(3) | {"secret": 1}).encode(),
        b'\xff\xfe"',
        json.dumps(given(1)).encode(),
        json.dumps(given(4, messages=[{"role": "assistant", "content": "x"}])).encode(),
        json.dumps(given(5, target={"content": " "})).encode(),
        json.dumps(given(6, weight=0)).encode(),
        b"[]",
    ]
    path = tmp_path / "examples.jsonl"
    path.write_bytes(b"\n".join(lines))
    with pytest.raises(BadRows) as caught:
        read(path)
    assert [fault.line for fault in caught.value.faults] == [2, 4, 5, 6, 7, 8, 9, 10, 11]
    assert "line 7: id: the same as in line 1" in str(caught.value)
    assert "broken secret" not in str(caught.value)


@pytest.mark.parametrize(
    "changes",
    [
        {"messages": [{"role": "user", "content": "a", "tool_calls": [{"name": "f", "arguments": {}}]}]},
        {"messages": [{"role": "user", "content": "a", "tool_call_id": "x"}]},
        {"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]},
        {"messages": []},
        {"created_at": -1},
        {"id": ""},
        {"weight": "1"},
        {"target": {"content": "x", "tool_calls": [{"name": "", "arguments": {}}]}},
    ],
)
def test_what_makes_no_sense_is_no_row(changes: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r".+"):
        parse(json.dumps(given(0, **changes)).encode())


def test_not_a_number_and_endless_lines_are_refused() -> None:
    with pytest.raises(ValueError, match="weight"):
        parse(json.dumps(given(0, weight=float("nan"))).encode())
    with pytest.raises(ValueError, match="longer than"):
        parse(b" " * (LONGEST_LINE + 1))


def test_many_faults_are_counted_not_listed(tmp_path: Path) -> None:
    path = tmp_path / "bad.jsonl"
    path.write_text("x\n" * 80, encoding="utf-8")
    with pytest.raises(BadRows, match="and 30 more"):
        read(path)


def test_a_failed_write_leaves_the_old_file(tmp_path: Path) -> None:
    path = save(tmp_path / "rows.jsonl", [given(1)])
    before = path.read_bytes()
    (tmp_path / "rows.jsonl.partial").mkdir()
    with pytest.raises(IsADirectoryError):
        write(path, [made(2)])
    assert path.read_bytes() == before


def test_shares_are_spread_and_stable() -> None:
    found = [share(str(number)) for number in range(2000)]
    assert 0.18 < sum(value < 0.2 for value in found) / 2000 < 0.22
    assert share("x") == share("x")
