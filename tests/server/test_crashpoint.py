import os
import signal
import subprocess
import sys
import time
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import pytest

from server import crashpoint

ROOT = Path(__file__).parents[2]


def loaded(monkeypatch: pytest.MonkeyPatch, order: str) -> tuple[ModuleType, list[int]]:
    """The module as a process started with this environment has it, and the signals it would send itself."""
    sent: list[int] = []
    monkeypatch.setenv("FRONTDESK_CRASH_AT", order)
    monkeypatch.setattr(os, "kill", lambda pid, number: sent.append(number) if pid == os.getpid() else None)
    spec = spec_from_file_location("crashpoint_of_a_test", crashpoint.__file__)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module, sent


@pytest.mark.parametrize(
    ("order", "dies_at", "how"),
    [
        ("here", 1, signal.SIGKILL),
        ("here:1", 1, signal.SIGKILL),
        ("here:3", 3, signal.SIGKILL),
        ("here:2:stop", 2, signal.SIGSTOP),
        ("elsewhere:1", None, None),
        ("", None, None),
    ],
)
def test_dies_once_at_its_count(
    monkeypatch: pytest.MonkeyPatch, order: str, dies_at: int | None, how: signal.Signals | None
):
    module, sent = loaded(monkeypatch, order)
    history = []
    for _ in range(5):
        module.reach("here")
        module.reach("another")
        history.append(list(sent))
    if dies_at is None:
        assert not sent
    else:
        assert not any(history[: dies_at - 1])
        assert history[dies_at - 1 :] == [[how]] * (6 - dies_at)


def test_a_real_process_dies_of_it():
    code = "from server.crashpoint import reach; reach('x'); print('one', flush=True); reach('x'); print('two')"
    environment = os.environ | {"FRONTDESK_CRASH_AT": "x:2"}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=30
    )
    assert (done.returncode, done.stdout) == (-signal.SIGKILL, "one\n")


def test_an_unused_point_costs_next_to_nothing():
    started = time.perf_counter()
    for _ in range(10_000):
        crashpoint.reach("nobody_asked")
    assert time.perf_counter() - started < 1
