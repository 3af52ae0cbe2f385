"""The real channels inside the whole service, each against its platform's double: in by webhook, out once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.doubles.platform import SLACK as PATIENCE
from tests.doubles.platform import Courier
from tests.doubles.slack import Slack
from tests.doubles.telegram import TOKEN, Telegram
from tests.doubles.twilio import TwilioDouble
from tests.places import until
from tests.scenario import desk

ANSWER_S = 20.0
SIGNING = "slack-signing-secret"


def channels(**platforms: dict[str, Any]) -> dict[str, Any]:
    return {"channels": {"web": {"default": {}}} | {name: {"default": found} for name, found in platforms.items()}}


async def shown(count: Callable[[], int], wanted: int = 1) -> None:
    await until(lambda: count() >= wanted, ANSWER_S)


async def test_whatsapp_through_twilio(store_url: str, tmp_path: Path) -> None:
    async with TwilioDouble(callbacks="ordered").running() as twilio:
        account = {
            "account_sid": twilio.account_sid,
            "auth_token": twilio.auth_token,
            "from": twilio.sender.removeprefix("whatsapp:"),
            "api_base": twilio.base_url,
        }
        async with desk(store_url, tmp_path, **channels(whatsapp=account)) as service:
            twilio.webhook_url = f"{service.base}/webhooks/whatsapp"
            message = twilio.heard("+4915112345678", "where is my parcel?")
            for _ in range(3):
                assert (await twilio.deliver(message)).accepted
            await shown(lambda: len(twilio.seen("+4915112345678")))
            await twilio.say("+4915112345678", "thanks")
            await shown(lambda: len(twilio.seen("+4915112345678")), 2)
            assert twilio.seen("+4915112345678") == ["answer to: where is my parcel?", "answer to: thanks"]
            assert service.double.stats.requests == 2


async def test_telegram_by_webhook(store_url: str, tmp_path: Path) -> None:
    async with Telegram().running() as telegram, telegram.couriers() as courier:
        account = {"token": TOKEN, "secret_token": "s3cret", "api_base": telegram.base_url}
        async with desk(store_url, tmp_path, **channels(telegram=account)) as service:
            url = f"{service.base}/webhooks/telegram"
            update = telegram.says(42, "where is my parcel?")
            for _ in range(3):
                await courier.deliver(telegram.hook(update, url, "s3cret"))
            await shown(lambda: len(telegram.visible(42)))
            assert telegram.visible(42) == ["answer to: where is my parcel?"]
            assert service.double.stats.requests == 1


async def test_telegram_by_polling(store_url: str, tmp_path: Path) -> None:
    async with Telegram().running() as telegram:
        account = {"token": TOKEN, "mode": "polling", "api_base": telegram.base_url}
        async with desk(store_url, tmp_path, **channels(telegram=account)):
            telegram.waits(telegram.says(42, "one"), telegram.says(43, "two"))
            await shown(lambda: len(telegram.visible(42)))
            await shown(lambda: len(telegram.visible(43)))
            assert (telegram.visible(42), telegram.visible(43)) == (["answer to: one"], ["answer to: two"])


async def test_slack_events(store_url: str, tmp_path: Path) -> None:
    async with Slack().running() as slack, Courier(PATIENCE, hurry=20.0).running() as courier:
        account = {"bot_token": "xoxb-1", "signing_secret": SIGNING, "api_base": slack.api_base}
        async with desk(store_url, tmp_path, **channels(slack=account)) as service:
            url = f"{service.base}/webhooks/slack/events"
            for payload in slack.say("D1", "where is my parcel?"):
                for _ in range(2):
                    await slack.deliver(courier, url, SIGNING, payload)
            bot = slack.workspaces[0].bot_user
            await shown(lambda: len(slack.place("D1").said(bot)))
            assert slack.place("D1").said(bot) == ["answer to: where is my parcel?"]
            assert service.double.stats.requests == 1
