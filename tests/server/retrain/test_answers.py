"""Two subjects' answers side by side, from the files of a run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from server.retrain.answers import pairs, said
from server.retrain.folder import Folder, write_rows


def entry(number: int, answer: dict[str, Any] | None, prompt: str = "p", suite: str = "heldout") -> dict[str, Any]:
    row = {
        "id": f"e{number}#1", "behaviour": "style", "messages": [{"role": "user", "content": "old"},
        {"role": "assistant", "content": "x"}, {"role": "user", "content": f"question {number}"}],
        "target": {"content": "wanted", "tool_calls": []},
    }  # fmt: skip
    return {"id": row["id"], "suite": suite, "prompt": prompt, "row": row, "answer": answer}


def test_pairs_are_over_equal_prompts(tmp_path: Path):
    folder = Folder(tmp_path)
    folder.make()
    call = {"content": "", "tool_calls": [{"name": "handoff_to_staff", "arguments": {"why": "asked"}}]}
    write_rows(folder.answers("live"), [entry(1, {"content": "a"}), entry(2, None), entry(3, {"content": "c"})])
    write_rows(folder.answers("candidate"), [entry(1, call), entry(2, {"content": "b"}), entry(3, {}, prompt="q")])
    found = pairs(folder)
    assert list(found) == ["heldout/e1#1", "heldout/e2#1"]
    one = found["heldout/e1#1"]
    assert (one.question, one.wanted, one.live, one.example) == ("question 1", "wanted", "a", "e1")
    assert one.candidate == '→ handoff_to_staff({"why": "asked"})'
    assert one.differs


def test_without_files_there_is_nothing(tmp_path: Path):
    assert pairs(Folder(tmp_path)) == {}
    assert said(None) == ""
