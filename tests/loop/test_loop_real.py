"""The loop with nothing replaced: corrections over the API, real training, real vLLM, canary, promotion, rollback.

The short form of ``python -m benchmarks.loop_demo``: a few corrections and a few rows of each suite, so its verdict is
"not enough evidence", and a person overrides it with a reason. The long form's figures: docs/measurements/loop.md.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from server.install import ROOT

DEADLINE_S = 1_200.0
pytestmark = [pytest.mark.loop, pytest.mark.timeout(DEADLINE_S + 30)]
ROWS = 2  # of each suite
NEEDED = ("general", "must_pass", "safety")


def few(folder: Path) -> Path:
    folder.mkdir()
    for name in NEEDED:
        lines = (ROOT / "config/demo/suites" / f"{name}.jsonl").read_text(encoding="utf-8").splitlines(keepends=True)
        (folder / f"{name}.jsonl").write_text("".join(lines[:ROWS]), encoding="utf-8")
    return folder


def test_corrections_become_an_adapter_that_customers_get_and_lose_again(tmp_path: Path):
    recipe = tmp_path / "recipe.json"
    recipe.write_text(json.dumps({"train": {"epochs": 1, "effective_batch": 4, "evaluations": 1, "heldout_rows": 2}}))
    log = tmp_path / "log.json"
    command = [sys.executable, "-m", "benchmarks.loop_demo", "--corrections", "10", "--fresh", "3"]
    command += ["--suites", str(few(tmp_path / "suites")), "--recipe", str(recipe), "--log", str(log)]
    done = subprocess.run(
        [*command, "--folder", str(tmp_path / "desk")], cwd=ROOT, capture_output=True, text=True, check=False,
        timeout=DEADLINE_S,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-2_000:] + done.stderr[-4_000:]
    report = json.loads(log.read_text(encoding="utf-8"))
    assert report["approved"] == report["corrections"] == 10
    run = report["retrain"]["retrain"]
    assert (run["state"], run["verdict"], run["error"]) == ("done", "not_enough_evidence", None)
    candidate = run["candidate"]
    assert set(report["after"]["asked"]) == {candidate}
    assert candidate not in report["rolled_back"]["asked"]
    assert report["lineage"]["release_id"] == candidate
    assert report["lineage"]["sources"]
    assert report["load"]["mixed_releases"] == 0
    assert not report["load"]["failed"]
