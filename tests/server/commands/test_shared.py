"""Settings, store and names for every command."""

from __future__ import annotations

import pytest

from config.settings import Settings
from server.commands import shared
from server.commands.failure import MISUSED, Failure
from server.store.contract import StoreError


@pytest.mark.parametrize(
    ("http", "url"),
    [
        ({}, "http://127.0.0.1:8080"),
        ({"host": "::1", "port": 9}, "http://[::1]:9"),
        ({"public_url": "https://desk.example.com/"}, "https://desk.example.com"),
    ],
)
def test_public_url(http: dict[str, object], url: str) -> None:
    assert shared.public_url(Settings.model_validate({"http": http})) == url


def test_bad_settings_are_a_failure_of_usage(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FRONTDESK_HTTP__PORT", "many")
    with pytest.raises(Failure) as caught:
        shared.settings()
    assert caught.value.code == MISUSED


def test_a_refusing_store_is_a_failure_with_doctor_as_repair() -> None:
    async def refuse() -> None:
        raise StoreError("no room")

    with pytest.raises(Failure, match="no room\n  repair: frontdesk doctor"):
        shared.run(refuse())


def test_the_operator_acts_with_the_shell_account() -> None:
    assert shared.operator(Settings()).kind == "cli"
