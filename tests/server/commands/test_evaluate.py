from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from typer.testing import CliRunner, Result

from server.commands import evaluate
from server.commands.evaluate import show
from server.commands.failure import MISUSED, Failure
from server.knowledge.evaluation import HALVES, Miss, Report, Score

Command = Callable[..., Result]


def failed(result: Result) -> Failure:
    assert isinstance(result.exception, Failure)
    return result.exception


def test_a_file_needs_its_documents(command: Command):
    assert failed(command(evaluate.app, "knowledge", "--set", "q.jsonl")).code == MISUSED


def test_a_file_that_is_none_is_named(command: Command, tmp_path: Path):
    failure = failed(command(evaluate.app, "knowledge", "--set", "q.jsonl", "--documents", str(tmp_path)))
    assert "q.jsonl cannot be read" in str(failure)


def test_a_report_for_people():
    score = Score(2, 0.5, 1.0, 1.0, 0.75)
    miss = Miss("q1", "Where?", "de", "not found", None, 0.4, ("Returns",))
    report = Report(
        3, 9, 0.5, dict.fromkeys(HALVES, score), {"de": score, "en": score}, 0.25, 0.1, 4, (miss,), ("a: b",)
    )
    app = evaluate.typer.Typer()
    app.command()(lambda: show(report, misses=True))
    told = CliRunner().invoke(app).output
    assert "3 documents, 9 passages" in told
    assert "fused" in told
    assert "0.250 of the unanswerable" in told
    assert "not found: q1 (de, no rank, confidence 0.40) Where?" in told
    assert "found instead: Returns" in told
