from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from typer.testing import Result

from config.keys import LEAVES
from server.commands import config
from server.commands.failure import Failure

Command = Callable[..., Result]


def test_show_prints_value_and_source_and_no_secret(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FRONTDESK_CHANNELS__WEB__IDENTITY_SECRET", "canary" * 8)
    shown = command(config.app, "show")
    assert shown.exit_code == 0
    assert "canary" not in shown.output
    assert "***  (FRONTDESK_CHANNELS__WEB__IDENTITY_SECRET)" in shown.output
    rows = json.loads(command(config.app, "show", "--json").output)
    assert len(rows) == len(LEAVES)
    assert {"key": "http.port", "value": "8080", "source": "default"} in rows


def test_check(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    assert command(config.app, "check").output == "The settings are valid.\n"
    monkeypatch.setenv("FRONTDESK_NONSENSE", "1")
    assert isinstance(command(config.app, "check").exception, Failure)
