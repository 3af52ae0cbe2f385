"""A trainer that trains nothing but keeps every promise of ``python -m training``: paths in, paths out, exit statuses.

Run as ``python trainer.py COMMAND …``. What it does is written in ``script.json`` of the run's folder:
{"steps", "step_s", "gate": exit status, "advise": exit status, "die_at": {"command": times}, "fail": command}.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any


def option(name: str) -> Path:
    return Path(sys.argv[sys.argv.index(name) + 1])


def script(folder: Path) -> dict[str, Any]:
    found = Path(__file__).with_name("script.json") if not (folder / "script.json").exists() else folder / "script.json"
    return json.loads(found.read_text()) if found.exists() else {}


def count(folder: Path, name: str) -> int:
    """How often a command was started."""
    path = folder / "starts" / name
    path.parent.mkdir(exist_ok=True)
    with path.open("a") as file:
        file.write(f"{os.getpid()}\n")
    return len(path.read_text().splitlines())


def prepare() -> int:
    out = option("--out")
    out.mkdir(exist_ok=True)
    rows = [json.loads(line) for line in option("--examples").read_text().splitlines()]
    assert rows, "nothing to train on"
    cut = max(1, len(rows) * 4 // 5)
    for name, some in (("train", rows[:cut]), ("heldout", rows[cut:])):
        (out / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in some))
    (out / "manifest.json").write_text(json.dumps({"sha256": "d" * 64, "rows": len(rows)}))
    return 0


def train(plan: dict[str, Any], starts: int) -> int:
    """Steps on disk, so that a start after a kill goes on where it was."""
    out = option("--out")
    state = out / "checkpoints" / "step"
    state.parent.mkdir(exist_ok=True)
    done = int(state.read_text()) if state.exists() else 0
    stopping = []
    signal.signal(signal.SIGTERM, lambda *_: stopping.append(1))
    steps = plan.get("steps", 3)
    for step in range(done + 1, steps + 1):
        time.sleep(plan.get("step_s", 0.02))
        state.write_text(str(step))
        progress = {"state": "training", "step": step, "steps": steps, "loss": 1 / step, "left_s": 0.1 * (steps - step)}
        (out / "progress.partial").write_text(json.dumps(progress))
        (out / "progress.partial").replace(out / "progress.json")
        with (out / "progress.jsonl").open("a") as file:
            file.write(json.dumps({"step": step, "loss": 1 / step, "start": starts}) + "\n")
        if stopping:
            return 75
        if step == plan.get("die_at_step") and starts <= plan.get("deaths", 0):
            os.kill(os.getpid(), signal.SIGKILL)
    aside = out / "adapter.partial"
    aside.mkdir(exist_ok=True)
    if starts <= plan.get("dies", 0):
        os.kill(os.getpid(), signal.SIGKILL)
    (aside / "adapter_config.json").write_text("{}")
    aside.rename(out / "adapter")
    return 0


def evaluate() -> int:
    url, model = str(sys.argv[sys.argv.index("--url") + 1]), str(sys.argv[sys.argv.index("--model") + 1])
    key = os.environ[sys.argv[sys.argv.index("--key-env") + 1]]
    answers = []
    for line in option("--rows").read_text().splitlines():
        row = json.loads(line)
        body = json.dumps({"model": model, "messages": row["messages"], "max_tokens": 20}).encode()
        request = urllib.request.Request(
            f"{url}/chat/completions", body, {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=20) as response:
            message = json.load(response)["choices"][0]["message"]
        answers.append({"id": row["id"], "model": model, "row": row, "answer": message})
    option("--out").write_text("".join(json.dumps(answer) + "\n" for answer in answers))
    return 0


def main() -> int:
    command = sys.argv[1]
    folder = {
        "advise": lambda: option("--examples").parent,
        "prepare": lambda: option("--out").parent,
        "train": lambda: option("--out"),
        "evaluate": lambda: option("--out").parent.parent,
        "gate": lambda: option("--out").parent,
    }[command]()
    plan, starts = script(folder), count(folder, command)
    if plan.get("fail") == command:
        sys.stderr.write("something is wrong with row 7\n")
        return 2
    if command == "advise":
        print(json.dumps({"tune": not plan.get("advise"), "findings": [{"stops": True, "text": "facts are missing"}]}))
        return plan.get("advise", 0)
    if command == "prepare":
        return prepare()
    if command == "train":
        return train(plan, starts)
    if command == "evaluate":
        return evaluate()
    verdict = {0: "promote", 3: "reject", 4: "not_enough_evidence"}[plan.get("gate", 0)]
    option("--out").write_text(json.dumps({"verdict": verdict, "reasons": [], "fixed": [], "broken": []}))
    return plan.get("gate", 0)


if __name__ == "__main__":
    raise SystemExit(main())
