"""One short training run on the demo's own weights: what the unit tests show on a tiny model holds on the real one."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from config.settings import ModelSettings
from models.adapter_check import check
from models.base_identity import BaseIdentity
from models.weights import find

pytestmark = pytest.mark.loop

DEADLINE_S = 600.0


def row(number: int) -> dict[str, object]:
    question = f"Where is order {number}?" + " Please tell me." * (number % 4)
    return {
        "id": f"row-{number}", "behaviour": "style", "tools": [], "weight": 1.0,
        "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": question}],
        "target": {"content": f"Order {number} is on its way.\n\nKind regards, Ann of the desk", "tool_calls": []},
    }  # fmt: skip


def test_a_style_rule_is_learnt_in_a_dozen_steps(tmp_path: Path) -> None:
    pytest.importorskip("peft")
    found = find(ModelSettings())
    if found is None:
        pytest.skip("the demo's weights are not on this machine; run `make demo` once")
    dataset, run = tmp_path / "dataset", tmp_path / "run"
    dataset.mkdir()
    run.mkdir()
    for name, numbers in (("train", range(48)), ("heldout", range(48, 56))):
        text = "".join(json.dumps(row(number)) + "\n" for number in numbers)
        (dataset / f"{name}.jsonl").write_text(text, encoding="utf-8")
    (run / "recipe.json").write_text(json.dumps({"epochs": 2, "evaluations": 2}), encoding="utf-8")
    command = [sys.executable, "-m", "training", "train", "--dataset", str(dataset), "--base", str(found.folder)]
    command += ["--out", str(run), "--threads", "1"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE_S, check=False)
    assert done.returncode == 0, done.stderr
    adapter = Path(done.stdout.splitlines()[-1])
    manifest = json.loads((adapter / "manifest.json").read_text(encoding="utf-8"))
    losses = [point["loss"] for point in manifest["metrics"]["heldout"]]
    assert losses[-1] < 0.25 * losses[0]
    assert manifest["base"]["name"] == ModelSettings().name
    assert check(adapter, BaseIdentity.of(found.folder), max_rank=16) == []
