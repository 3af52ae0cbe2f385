"""What importing the server costs: time, memory, and which libraries must stay out."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from statistics import median

from server.install import ROOT

BUDGET = 4.0  # times the libraries it cannot do without, in the same minute: a slow machine slows both
LIBRARIES = "aiohttp.web, pydantic, structlog, asyncpg"
BUDGET_MIB = 120
ABSENT = {
    "torch",
    "transformers",
    "peft",
    "trl",
    "vllm",
    "chromadb",
    "lxml",
    "markitdown",
    "mcp",
    "numpy",
    "onnxruntime",
    "pandas",
    "pypdf",
    "tantivy",
    "trafilatura",
    "twilio",
    "slack_bolt",
    "telegram",
}
PROGRAM = """
import json, sys, time
started = time.process_time()
import {module}
took_ms = (time.process_time() - started) * 1000
status = open("/proc/self/status").read()  # the high-water mark of getrusage is inherited from the parent
mib = int(status.partition("VmHWM:")[2].split()[0]) / 1024
print(json.dumps({{"ms": took_ms, "mib": mib, "modules": sorted({{name.partition(".")[0] for name in sys.modules}})}}))
"""
NUMERIC = {"numpy"}  # what retrieval computes with; server.app loads it late
MODULES = sorted(
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
    for package in ("config", "channels", "models", "server")
    for path in (ROOT / package).rglob("*.py")
    if path.stem not in {"__main__", "child", "convert_gguf", "convert_minilm", "reading_child", "vllm_lora"}
)


def importing(module: str, kept: Path) -> dict[str, object]:
    """One import in a process of its own, with its sources compiled into ``kept`` by the first such process."""
    env = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(module=module)],
        cwd=ROOT,
        env=env | {"PYTHONPYCACHEPREFIX": str(kept)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout.splitlines()[-1]))


def test_importing_the_server_is_light(record_property: Callable[[str, object], None], tmp_path: Path) -> None:
    runs, least = [], []
    for _ in range(5):  # in turn, so that both meet the same moments
        runs.append(importing("server.app", tmp_path))
        least.append(float(str(importing(LIBRARIES, tmp_path)["ms"])))
    took = [float(str(run["ms"])) for run in runs]
    best_ms, ratio = min(took), median(ours / theirs for ours, theirs in zip(took, least, strict=True))
    mib = float(str(runs[0]["mib"]))
    record_property("import_ms", round(best_ms))
    record_property("import_mib", round(mib))
    print(f"import server.app: {best_ms:.0f} ms, libraries {min(least):.0f} ms, {ratio:.1f} times, {mib:.0f} MiB")
    assert not ABSENT & set(runs[0]["modules"])  # type: ignore[call-overload]
    assert mib <= BUDGET_MIB
    # of neighbours in time: the quickest of each kind may come from moments when the machine was not the same
    assert ratio <= BUDGET


def test_every_serving_module_can_be_imported_alone_without_training_libraries() -> None:
    program = (
        "import importlib, sys, subprocess\n"
        "for name in sys.argv[1:]:\n"
        "    for loaded in [m for m in sys.modules if m.split('.')[0] in {'config','channels','models','server'}]:\n"
        "        del sys.modules[loaded]\n"
        "    importlib.import_module(name)\n"
        f"bad = {sorted(ABSENT - NUMERIC)!r}\n"
        "assert not set(bad) & {m.split('.')[0] for m in sys.modules}, sorted(sys.modules)\n"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program, *MODULES],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
