from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import Result

from server.commands import drill
from server.commands.failure import Failure
from server.install import ROOT

Command = Callable[..., Result]


def test_options_left_to_the_kind_are_not_named() -> None:
    given = drill.arguments({"kills": 3, "messages": 0, "rate": 0.0, "store": "", "config": None, "outage": 0.0})
    assert given == ["--kills=3", "--outage=0.0"]


def test_an_installed_package_has_no_doubles(command: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(drill, "ROOT", tmp_path)
    failure = command(drill.app).exception
    assert isinstance(failure, Failure)
    assert "source" in str(failure)


def test_a_missing_settings_file_is_named(command: Command) -> None:
    failure = command(drill.app, "--config", "nowhere.yaml").exception
    assert isinstance(failure, Failure)
    assert "nowhere.yaml" in str(failure)


def test_what_the_drill_refuses_is_the_exit_status(command: Command, capfd: pytest.CaptureFixture[str]) -> None:
    result = command(drill.app, "--kills", "1", "--burst")
    assert result.exit_code == 2
    assert "at a time" in capfd.readouterr().err


@pytest.mark.faults
@pytest.mark.timeout(120)
def test_the_command_prints_a_verdict_as_json(tmp_path: Path) -> None:
    config = tmp_path / "shop.yaml"
    config.write_text("engine: {settle_s: 0.1}\nmodel: {base_url: 'http://models.example.com/v1', max_sequences: 4}\n")
    done = subprocess.run(
        [sys.executable, "-m", "server.cli", "drill", "--messages", "20", "--channels", "slack,telegram", "--json",
         "--config", str(config)],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads(done.stdout)
    assert report["clean"] is True
    assert report["findings"]["lost"] == 0
    assert set(report["acknowledgements"]) == {"slack", "telegram", "telegram-edit"}
