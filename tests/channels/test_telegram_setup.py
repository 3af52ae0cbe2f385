from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from channels.telegram.updates import WANTED
from tests.doubles.platform import Fault
from tests.doubles.telegram import SECRET, TOKEN, Telegram
from tests.doubles.telegram_bench import Shelf, eventually, opened

PUBLIC = "https://shop.example"


@pytest.fixture
async def double() -> AsyncIterator[Telegram]:
    telegram = Telegram()
    async with telegram.running():
        yield telegram


@pytest.mark.parametrize(
    ("account", "url"),
    [("default", f"{PUBLIC}/webhooks/telegram"), ("second", f"{PUBLIC}/webhooks/telegram/second")],
)
async def test_the_webhook_is_registered_at_the_start(double: Telegram, account: str, url: str):
    async with opened(double, Shelf(public_url=f"{PUBLIC}/"), account=account) as channel:
        await eventually(lambda: double.webhook)
        assert (await channel.check()).ok
    assert (double.webhook["url"], double.webhook["secret_token"]) == (url, SECRET)
    assert double.webhook["allowed_updates"] == list(WANTED)


@pytest.mark.parametrize(
    ("public_url", "more"),
    [
        ("", {}),
        ("http://127.0.0.1:8080", {}),
        (PUBLIC, {"register_webhook": False}),
        (PUBLIC, {"mode": "polling"}),
    ],
)
async def test_a_webhook_is_registered_only_where_it_can_work(
    double: Telegram, public_url: str, more: dict[str, object]
):
    async with opened(double, Shelf(public_url=public_url), **more) as channel:
        await eventually(lambda: channel.me.username)
    assert double.calls["setWebhook"] == 0


async def test_it_is_tried_again_and_gives_up_only_when_refused(double: Telegram):
    double.faults.script("getMe", Fault.ERROR_BEFORE)
    double.unsupported.add("setWebhook")
    async with opened(double, Shelf(public_url=PUBLIC)) as channel:
        await eventually(lambda: channel.me.username)
        await eventually(lambda: double.calls["setWebhook"] == 1)
    assert double.calls["getMe"] == 2


async def test_health_names_the_repair(double: Telegram):
    async with opened(double) as channel:
        none = await channel.check()
        double.webhook = {"url": f"{PUBLIC}/webhooks/telegram"}
        fine = await channel.check()
        double.last_error = "Connection refused"
        old = await channel.check()
        double.waits(double.says(1, "x"))
        stuck = await channel.check()
    assert [none.ok, fine.ok, old.ok, stuck.ok] == [False, True, True, False]
    assert "http.public_url" in none.detail
    assert "Connection refused" in stuck.detail


async def test_a_webhook_of_somebody_else_is_noticed(double: Telegram):
    async with opened(double, Shelf(public_url=PUBLIC)) as channel:
        await eventually(lambda: double.webhook)
        double.webhook = {"url": "https://elsewhere.example/hook"}
        health = await channel.check()
    assert not health.ok


async def test_a_bad_token_is_named_without_being_shown(double: Telegram):
    async with opened(double, token=TOKEN[:-1] + "x") as channel:
        health = await channel.check()
    assert not health.ok
    assert "@BotFather" in health.detail
    assert TOKEN[:-1] not in health.detail


async def test_a_server_that_knows_no_webhook_info_still_counts(double: Telegram):
    double.unsupported.add("getWebhookInfo")
    async with opened(double) as channel:
        health = await channel.check()
    assert health.ok
