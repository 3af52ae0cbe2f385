"""Accounts of platforms against the platforms' doubles: what doctor says of addresses and credentials."""

from __future__ import annotations

from typing import Any

import pytest

from config.settings import Settings
from server.commands.checks import Finding, Level
from server.commands.checks.channels import check_accounts, check_addresses, platform_accounts
from server.commands.checks.network import check_switches
from tests.doubles.meta import MetaDouble
from tests.doubles.slack import Slack
from tests.doubles.telegram import SECRET, TOKEN, Telegram
from tests.doubles.twilio import TwilioDouble

PUBLIC = "https://desk.example.com"
HOOK = f"{PUBLIC}/webhooks/telegram"
NOBODY = "http://127.0.0.1:9"  # nobody listens on the discard port

TWILIO = {"account_sid": "AC1", "auth_token": "canary-token", "from": "+14155238886"}
META = {"provider": "meta", "phone_number_id": "1", "access_token": "a", "app_secret": "b", "verify_token": "c"}
EVENTS = {"bot_token": "xoxb-1", "signing_secret": "s"}
SOCKET = {"bot_token": "xoxb-1", "app_token": "xapp-1"}
BOT = {"token": TOKEN, "secret_token": SECRET}


def configured(platform: str, public_url: str = "", **accounts: dict[str, Any]) -> Settings:
    return Settings.model_validate({"http": {"public_url": public_url}, "channels": {platform: accounts}})


async def asked(platform: str, public_url: str = "", **account: Any) -> Finding:
    (finding,) = await check_accounts(configured(platform, public_url, default=account))
    assert finding.name == f"{platform}/default"
    assert bool(finding.repair) == (finding.level is not Level.OK)
    assert "canary" not in finding.line()
    return finding


@pytest.mark.parametrize(
    ("platform", "account", "called"),
    [
        ("whatsapp", TWILIO, True),
        ("whatsapp", META, True),
        ("whatsapp", TWILIO | {"api_base": NOBODY}, False),
        ("slack", EVENTS, True),
        ("slack", EVENTS | SOCKET, False),
        ("telegram", BOT, True),
        ("telegram", BOT | {"register_webhook": False}, False),
        ("telegram", BOT | {"mode": "polling"}, False),
        ("telegram", BOT | {"enabled": False}, False),
        ("telegram", {}, False),
    ],
)
def test_accounts_that_platforms_call_need_a_public_https_address(
    platform: str, account: dict[str, Any], called: bool
) -> None:
    for public_url in ("", "http://desk.example.com"):
        findings = check_addresses(configured(platform, public_url, default=account))
        assert [finding.level for finding in findings] == ([Level.FAIL] if called else [])
        assert all("PUBLIC_URL=https" in finding.repair for finding in findings)
    findings = check_addresses(configured(platform, PUBLIC, default=account))
    assert [finding.level for finding in findings] == ([Level.OK] if called else [])


def test_telegram_calls_four_ports_only() -> None:
    ports = {443: 0, 8443: 0, 8444: 1}
    for port, faults in ports.items():
        findings = check_addresses(configured("telegram", f"{PUBLIC}:{port}", default=BOT))
        assert sum(finding.level is Level.FAIL for finding in findings) == faults


def test_workspaces_of_one_slack_app_are_told_apart_by_their_ids() -> None:
    both = {"default": EVENTS | {"team_id": "T1"}, "labs": EVENTS | {"bot_token": "xoxb-2"}}
    (_, finding) = check_addresses(configured("slack", PUBLIC, **both))
    assert (finding.name, finding.level) == ("slack/labs", Level.WARN)
    assert "channels.slack.labs.team_id" in finding.repair
    both["labs"]["team_id"] = "T2"
    assert len(check_addresses(configured("slack", PUBLIC, **both))) == 1


def test_a_platform_alone_is_a_channel_too() -> None:
    only = {"web": {"default": {"enabled": False}}, "telegram": {"default": BOT}}
    settings = Settings.model_validate({"channels": only})
    assert [(platform, name) for platform, name, _ in platform_accounts(settings)] == [("telegram", "default")]
    assert check_switches(settings).level is Level.OK


async def test_without_platforms_nobody_is_asked() -> None:
    assert await check_accounts(Settings()) == []


async def test_twilios_credentials() -> None:
    async with TwilioDouble().running() as twilio:
        account = {"account_sid": twilio.account_sid, "from": "+14155238886", "api_base": twilio.base_url}
        assert (await asked("whatsapp", **account, auth_token=twilio.auth_token)).level is Level.OK
        refused = await asked("whatsapp", **account, auth_token="canary-wrong")
    assert (refused.level, "auth_token" in refused.value) == (Level.FAIL, True)


async def test_metas_credentials() -> None:
    async with MetaDouble().running() as meta:
        account = META | {"phone_number_id": meta.phone_number_id, "api_base": meta.base_url}
        assert (await asked("whatsapp", **account | {"access_token": meta.access_token})).level is Level.OK
        refused = await asked("whatsapp", **account | {"access_token": "canary-wrong"})
    assert (refused.level, "access_token" in refused.value) == (Level.FAIL, True)


async def test_slacks_token() -> None:
    async with Slack().running() as slack:
        assert (await asked("slack", **EVENTS, api_base=slack.api_base)).level is Level.OK
        refused = await asked("slack", **EVENTS | {"bot_token": "canary-wrong"}, api_base=slack.api_base)
    assert (refused.level, "bot_token" in refused.value) == (Level.FAIL, True)


@pytest.mark.parametrize(
    ("hook", "account", "level", "words"),
    [
        ("", {}, Level.OK, "set when the service starts"),
        ("", {"register_webhook": False}, Level.FAIL, "setWebhook"),
        ("", {"mode": "polling"}, Level.OK, "polled"),
        (HOOK, {}, Level.OK, "the bot answers"),
        (HOOK, {"mode": "polling"}, Level.FAIL, "deleteWebhook"),
        ("https://other.example/hook", {}, Level.FAIL, "points elsewhere"),
        ("", {"token": "1:canary-wrong"}, Level.FAIL, "token"),
    ],
)
async def test_telegrams_token_and_where_its_updates_go(
    hook: str, account: dict[str, Any], level: Level, words: str
) -> None:
    telegram = Telegram()
    async with telegram.running():
        telegram.webhook = {"url": hook} if hook else {}
        finding = await asked("telegram", PUBLIC, **BOT | {"api_base": telegram.base_url} | account)
    assert (finding.level, words in finding.value) == (level, True), finding
    assert telegram.calls["setWebhook"] == 0, "who only looks changes nothing"


async def test_a_platform_that_is_away_is_a_fault() -> None:
    for platform, account in (("slack", EVENTS), ("telegram", BOT), ("whatsapp", META), ("whatsapp", TWILIO)):
        assert (await asked(platform, **account, api_base=NOBODY)).level is Level.FAIL
