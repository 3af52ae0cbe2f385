"""Faults of the host, injected as figures."""

from __future__ import annotations

from pathlib import Path

from config.settings import Settings
from server.commands.checks import Level
from server.commands.checks.machine import check_clock, check_data_dir, check_memory, check_python

REMOTE = Settings.model_validate({"model": {"base_url": "http://127.0.0.1:9/v1"}})


def meminfo(mib: int) -> str:
    return f"MemTotal: 99 kB\nMemAvailable:   {mib * 1024} kB\n"


def test_python() -> None:
    assert check_python((3, 10, 4)).level is Level.FAIL
    assert check_python((3, 11, 0)).level is Level.OK


def test_memory() -> None:
    assert check_memory("", Settings()).level is Level.OK
    assert check_memory(meminfo(100), Settings()).level is Level.FAIL
    assert check_memory(meminfo(1_000), Settings()).level is Level.WARN
    assert check_memory(meminfo(1_000), REMOTE).level is Level.OK


def test_disk(tmp_path: Path) -> None:
    assert [each.level for each in check_data_dir(tmp_path / "new" / "folder", 50_000)] == [Level.OK, Level.OK]
    assert check_data_dir(tmp_path, 100)[-1].level is Level.FAIL
    assert check_data_dir(tmp_path, 1_000)[-1].level is Level.WARN
    assert check_data_dir(Path("/proc/nowhere"))[0].level is Level.FAIL


def test_clock() -> None:
    assert check_clock(0.0, 1_700_000_000.0).level is Level.FAIL
    assert check_clock(1_700_000_000.0, 1_700_000_000.0).level is Level.OK
