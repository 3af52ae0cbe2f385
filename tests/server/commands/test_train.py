from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import Result

from server.commands import review, train
from server.commands.failure import Failure

Command = Callable[..., Result]
ROW = {
    "id": "a", "behaviour": "style", "messages": [{"role": "user", "content": "how long?"}],
    "target": {"content": "Three days. Your team", "tool_calls": []}, "rejected": {"content": "3"},
}  # fmt: skip


@pytest.fixture
def taken(command: Command, tmp_path: Path) -> Command:
    """One imported row waits for review."""
    path = tmp_path / "rows.jsonl"
    path.write_text(json.dumps(ROW) + "\n\n")
    assert "1 examples wait" in command(train.app, "import", str(path), "--basis", "consent").output
    assert (
        "0 examples wait for review now; 1 were" in command(train.app, "import", str(path), "--basis", "consent").output
    )
    return command


def test_a_retrain_is_queued_shown_and_stopped(command: Command) -> None:
    assert isinstance(command(train.app, "status").exception, Failure)
    assert "is queued" in command(train.app, "start", "--note", "new tone").output
    failure = command(train.app, "start").exception
    assert "running already" in str(failure)
    status = command(train.app, "status").output
    assert "queued · export" in status
    assert "note: new tone" in status
    assert "there is no such log" in str(command(train.app, "log").exception)
    assert "is stopped" in command(train.app, "stop").output
    assert "stopped · export" in command(train.app, "status", "--wait").output
    assert "over already" in str(command(train.app, "stop").exception)
    assert "no such retrain" in str(command(train.app, "status", "nothing").exception)


def test_approved_rows_go_out_and_others_do_not(taken: Command, tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    assert "0 approved" in taken(train.app, "export", str(out)).output
    done = taken(review.app, "queue", input="xxaa")
    assert "how long?" in done.output
    assert "1 looked at." in done.output
    assert "1 approved" in taken(train.app, "export", str(out)).output
    (row,) = [json.loads(line) for line in out.read_text().splitlines()]
    assert row["target"] == ROW["target"]
    assert out.stat().st_mode & 0o077 == 0


def test_files_that_cannot_be_used_change_nothing(command: Command, tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text(json.dumps(ROW) + '\n{"id": "b"}\n')
    assert "line 2: behaviour" in str(command(train.app, "import", str(path), "--basis", "consent").exception)
    assert "no ground" in str(command(train.app, "import", str(path), "--basis", "no").exception)
    assert "check the path" in str(command(train.app, "import", str(tmp_path / "x"), "--basis", "consent").exception)
    assert "no examples yet" in command(review.app, "list").output
    assert "mend the file" in str(command(train.app, "start", "--recipe", str(path)).exception)
    path.write_text("[1]")
    assert "no JSON object" in str(command(train.app, "start", "--recipe", str(path)).exception)


def test_a_line_of_progress_names_what_is_known() -> None:
    row = {"state": "running", "stage": "train", "progress": '{"step": 3, "steps": 9, "loss": 1.25, "left_s": 300}'}
    assert train.progress_line(row) == "running · train · step 3 of 9 · loss 1.250 · about 5 minutes left"
    row = {"state": "running", "stage": "evaluate", "progress": '{"subject": "base", "done": 7}'}
    assert train.progress_line(row) == "running · evaluate · base: 7 answers"
