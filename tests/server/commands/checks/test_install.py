"""Packages, vLLM and weights."""

from __future__ import annotations

from pathlib import Path

from config.settings import Settings
from server.commands.checks import Level
from server.commands.checks.install import (
    check_packages,
    check_vllm,
    check_weights,
    installed_version,
    newest_file_s,
    pins,
)

REMOTE = Settings.model_validate({"model": {"base_url": "http://127.0.0.1:9/v1"}})


def test_pins_are_read_and_comments_are_not() -> None:
    assert pins("# a==1\na==1.0\nb-c==2+cpu  # why\n--flag\n") == {"a": "1.0", "b-c": "2+cpu"}


def test_packages() -> None:
    have = {"a": "1", "b": "2+cpu"}
    assert check_packages({}).level is Level.WARN
    assert check_packages({"a": "1", "b": "2"}, have.get).level is Level.OK
    assert check_packages({"a": "2"}, have.get).level is Level.WARN
    missing = check_packages({"w": "1", "x": "1", "y": "1", "z": "1"}, have.get)
    assert missing.level is Level.FAIL
    assert missing.value == "4 missing: w, x, y, …"
    assert installed_version("pydantic")
    assert installed_version("no-such-package-at-all") is None


def test_vllm() -> None:
    assert check_vllm(Settings(), present=False).level is Level.FAIL
    assert check_vllm(Settings(), present=True).level is Level.OK
    assert check_vllm(REMOTE, present=False).level is Level.OK


def test_weights_that_are_not_here() -> None:
    absent = {"model": {"name": "nobody/nothing"}}
    assert check_weights(Settings.model_validate(absent)).level is Level.WARN
    absent["model"]["download"] = False  # type: ignore[assignment]
    assert check_weights(Settings.model_validate(absent)).level is Level.FAIL
    assert check_weights(REMOTE).level is Level.OK


def test_newest_file(tmp_path: Path) -> None:
    assert newest_file_s(tmp_path) == 0.0
    (tmp_path / "package").mkdir()
    (tmp_path / "package" / "a.py").write_text("")
    assert newest_file_s(tmp_path) > 0
