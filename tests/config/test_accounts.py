"""Channel accounts: on with all their secrets, off with none, and refused by name with half of them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from config.load import describe, load, read
from config.settings import RESERVED_ACCOUNTS, Channels
from config.wording import ConfigError

TWILIO = {"ACCOUNT_SID": "AC1", "AUTH_TOKEN": "twilio-secret", "FROM": "+14155238886"}
META = {"PHONE_NUMBER_ID": "1", "ACCESS_TOKEN": "meta-secret", "APP_SECRET": "app", "VERIFY_TOKEN": "verify"}
SLACK = {"BOT_TOKEN": "xoxb-1", "SIGNING_SECRET": "slack-secret"}
TELEGRAM = {"TOKEN": "1:telegram-secret", "SECRET_TOKEN": "s3cret"}


def environ(channel: str, values: Mapping[str, str]) -> dict[str, str]:
    return {f"FRONTDESK_CHANNELS__{channel.upper()}__{name}": value for name, value in values.items()}


def account(channel: str, values: Mapping[str, str], name: str = "default") -> Any:
    return getattr(load(environ(channel, values)).channels, channel)[name]


@pytest.mark.parametrize("channel", ["whatsapp", "slack", "telegram"])
def test_without_secrets_every_platform_is_off(channel: str) -> None:
    assert not account(channel, {}).on


@pytest.mark.parametrize(
    ("channel", "secrets"),
    [
        ("whatsapp", TWILIO),
        ("whatsapp", META | {"PROVIDER": "meta"}),
        ("slack", SLACK),
        ("slack", {"BOT_TOKEN": "xoxb-1", "APP_TOKEN": "xapp-1"}),
        ("telegram", TELEGRAM),
        ("telegram", {"TOKEN": "1:a", "MODE": "polling"}),
    ],
)
def test_with_all_its_secrets_an_account_is_on_and_can_be_left_off(channel: str, secrets: dict[str, str]) -> None:
    assert account(channel, secrets).on
    assert not account(channel, secrets | {"ENABLED": "false"}).on


@pytest.mark.parametrize(
    ("channel", "given", "missing"),
    [
        ("whatsapp", {"ACCOUNT_SID": "AC1"}, ("auth_token", "from")),
        ("whatsapp", {"ACCOUNT_SID": "AC1", "AUTH_TOKEN": "twilio-secret"}, ("from",)),
        ("whatsapp", {"PROVIDER": "meta", "ACCESS_TOKEN": "meta-secret", "PHONE_NUMBER_ID": "1"}, ("app_secret",)),
        ("slack", {"BOT_TOKEN": "xoxb-1"}, ("signing_secret", "app_token")),
        ("slack", {"SIGNING_SECRET": "slack-secret"}, ("bot_token",)),
        ("telegram", {"TOKEN": "1:telegram-secret"}, ("secret_token",)),
        ("telegram", {"SECRET_TOKEN": "s3cret"}, ("token",)),
    ],
)
def test_half_of_the_secrets_is_an_error_that_names_the_rest(
    channel: str, given: dict[str, str], missing: tuple[str, ...]
) -> None:
    with pytest.raises(ConfigError) as refused:
        account(channel, given)
    words = str(refused.value)
    assert all(name in words for name in missing)
    assert words.startswith(f"channels.{channel}.default: ")
    assert not any(value in words for value in ("twilio-secret", "meta-secret", "slack-secret", "telegram-secret"))


def test_the_number_is_written_as_from() -> None:
    assert account("whatsapp", TWILIO).sender == "whatsapp:+14155238886"
    assert account("whatsapp", TWILIO | {"FROM": "whatsapp:+4915112345678"}).sender == "whatsapp:+4915112345678"
    with pytest.raises(ConfigError, match=r"E\.164"):
        account("whatsapp", TWILIO | {"FROM": "0151 12345"})
    shown = {line.key: line for line in describe(read(environ("whatsapp", TWILIO)))}
    assert shown["channels.whatsapp.default.from"].source == "FRONTDESK_CHANNELS__WHATSAPP__FROM"
    assert shown["channels.whatsapp.default.auth_token"].value == "***"


def test_a_secret_may_stand_in_a_file(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("twilio-secret\n")
    given = TWILIO | {"AUTH_TOKEN_FILE": str(tmp_path / "token")}
    del given["AUTH_TOKEN"]
    assert account("whatsapp", given).auth_token.get_secret_value() == "twilio-secret"


def test_more_accounts_have_names(tmp_path: Path) -> None:
    file = tmp_path / "frontdesk.yaml"
    file.write_text('channels:\n  whatsapp:\n    outlet: {account_sid: AC2, auth_token: x, from: "+14155238887"}\n')
    accounts = load({}, file).channels.whatsapp
    assert (accounts["outlet"].on, accounts["default"].on) == (True, False)


@pytest.mark.parametrize("name", [*sorted(RESERVED_ACCOUNTS), "Upper", "with space", "", "-dash", "x" * 64])
def test_names_that_would_break_an_address_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match="no account name"):
        Channels.model_validate({"telegram": {name: {}}})


def test_metas_version_is_written_as_meta_does() -> None:
    given = META | {"PROVIDER": "meta"}
    assert account("whatsapp", given | {"GRAPH_VERSION": "v24.0"}).graph_version == "v24.0"
    for version in ("23.0", "v23", "latest"):
        with pytest.raises(ConfigError, match=r"such as v23\.0"):
            account("whatsapp", given | {"GRAPH_VERSION": version})


@pytest.mark.parametrize("value", ["with space", "ä", "x" * 257, "semi;colon"])
def test_telegrams_secret_is_what_telegram_accepts(value: str) -> None:
    with pytest.raises(ConfigError, match="openssl rand"):
        account("telegram", TELEGRAM | {"SECRET_TOKEN": value})


def test_a_base_address_replaces_the_platforms_own() -> None:
    given = account("slack", SLACK | {"API_BASE": "http://127.0.0.1:9000/"})
    assert given.api_base == "http://127.0.0.1:9000"
    with pytest.raises(ConfigError, match="absolute"):
        account("slack", SLACK | {"API_BASE": "slack.example"})
