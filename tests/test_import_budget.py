"""What importing the server costs: time, memory, and which libraries must stay out."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable

from server.install import ROOT

BUDGET_MS = 600  # of processor time, so that a busy machine does not decide
BUSY = 2.0  # shared caches and hyper-threads make even processor time longer; the best of five counts
BUDGET_MIB = 120
ABSENT = {
    "torch",
    "transformers",
    "peft",
    "trl",
    "vllm",
    "chromadb",
    "numpy",
    "pandas",
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
MODULES = sorted(
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
    for package in ("config", "channels", "models", "server")
    for path in (ROOT / package).rglob("*.py")
    if path.stem not in {"__main__", "child", "convert_gguf"}
)


def importing(module: str) -> dict[str, object]:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(module=module)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout.splitlines()[-1]))


def test_importing_the_server_is_light(record_property: Callable[[str, object], None]) -> None:
    runs = [importing("server.app") for _ in range(5)]
    best_ms = min(float(str(run["ms"])) for run in runs)
    mib = float(str(runs[0]["mib"]))
    record_property("import_ms", round(best_ms))
    record_property("import_mib", round(mib))
    print(f"import server.app: {best_ms:.0f} ms, {mib:.0f} MiB")
    assert not ABSENT & set(runs[0]["modules"])  # type: ignore[call-overload]
    assert mib <= BUDGET_MIB
    assert best_ms <= BUDGET_MS * BUSY


def test_every_serving_module_can_be_imported_alone_without_training_libraries() -> None:
    program = (
        "import importlib, sys, subprocess\n"
        "for name in sys.argv[1:]:\n"
        "    for loaded in [m for m in sys.modules if m.split('.')[0] in {'config','channels','models','server'}]:\n"
        "        del sys.modules[loaded]\n"
        "    importlib.import_module(name)\n"
        f"bad = {sorted(ABSENT)!r}\n"
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
