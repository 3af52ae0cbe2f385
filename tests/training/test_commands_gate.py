from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.training.subjects import everything, mostly, right, subject, unsigned, written, wrong
from training.commands import advise, gate

ASKED = everything()


def files(tmp_path: Path, **rules: object) -> list[str]:
    found = []
    for name, rule in rules.items():
        found += [f"--{name}", str(written(tmp_path / f"{name}.jsonl", subject(ASKED, rule)))]  # type: ignore[arg-type]
    return [*found, "--out", str(tmp_path / "report.json")]


@pytest.mark.parametrize(
    ("candidate", "status", "verdict"),
    [(right, 0, "promote"), (wrong, 3, "reject"), (unsigned(right), 4, "not_enough_evidence")],
)
def test_the_exit_status_is_the_verdict(
    tmp_path: Path, candidate: object, status: int, verdict: str, capsys: pytest.CaptureFixture[str]
) -> None:
    given = files(tmp_path, base=wrong, live=unsigned(right), candidate=candidate)
    assert gate.main([*given, "--target", "behaviour:style"]) == status
    assert capsys.readouterr().out.startswith(verdict)
    assert json.loads((tmp_path / "report.json").read_text())["verdict"] == verdict
    assert (tmp_path / "report.html").is_file()


def test_more_subjects_are_shown_beside(tmp_path: Path) -> None:
    given = files(tmp_path, base=wrong, live=mostly(1, 0.6), candidate=right)
    few = written(tmp_path / "few.jsonl", subject(ASKED, wrong))
    gate.main([*given, "--also", f"few-shot={few}"])
    assert list(json.loads((tmp_path / "report.json").read_text())["subjects"]) == [
        "base",
        "live",
        "candidate",
        "few-shot",
    ]


def test_what_cannot_be_judged_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = files(tmp_path, base=wrong, live=wrong, candidate=wrong)
    assert gate.main([*given, "--also", "nameless"]) == 2
    assert "NAME=FILE" in capsys.readouterr().err
    (tmp_path / "live.jsonl").unlink()
    assert gate.main(given) == 2


def test_advice_is_told_and_is_the_exit_status(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "examples.jsonl"
    path.write_text("".join(json.dumps(task.row) + "\n" for task in ASKED if task.suite == "heldout"))
    assert advise.main(["--examples", str(path)]) == 0
    assert capsys.readouterr().out.startswith("Yes")
    base = written(tmp_path / "base.jsonl", subject(ASKED, right))
    assert advise.main(["--examples", str(path), "--base", str(base), "--json"]) == 3
    assert json.loads(capsys.readouterr().out)["tune"] is False
    assert advise.main(["--examples", str(tmp_path / "none")]) == 2
