from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
from aiohttp import web

from channels.base import Channel, Delivery, Outgoing, Rejected, Unknown
from channels.message import Attachment, Fact, Inbound, Pressed
from channels.telegram import make
from config.accounts import TelegramAccount
from tests.doubles.platform import Fault
from tests.doubles.telegram import SECRET, TOKEN, Telegram
from tests.doubles.telegram_bench import PRIVATE, ROUTE, Shelf, delivery, eventually, opened, outgoing, settings_for

PAYLOADS = sorted((Path(__file__).parent / "payloads" / "telegram").glob("*.json"))


@pytest.fixture
async def double() -> AsyncIterator[Telegram]:
    telegram = Telegram()
    async with telegram.running():
        yield telegram


def closed(**settings: object) -> Channel:
    return make("default", {"default": settings_for("", **settings)}, Shelf().services)


def test_it_keeps_the_contract():
    channel = closed(stream="edit")
    assert (channel.name, channel.account) == ("telegram", "default")
    limits = channel.limits
    assert (limits.text_units, limits.unit, limits.look_up, limits.proof_s) == (4096, "utf16", False, 0.0)
    assert limits.media_bytes == 20 * 1024 * 1024
    assert channel.template() is None


@pytest.mark.parametrize(
    ("stream", "draft", "interval_s"), [("draft", "preview", 1.0), ("edit", "message", 1.0), ("off", "none", None)]
)
def test_the_setting_decides_how_drafts_are_shown(stream: str, draft: str, interval_s: float | None):
    limits = closed(stream=stream).limits
    assert (limits.draft, limits.edit_interval_s) == (draft, interval_s)


@pytest.mark.parametrize("path", PAYLOADS, ids=[path.stem for path in PAYLOADS])
async def test_every_verified_update_is_taken(path: Path):
    """T40."""
    received = await closed().receive(delivery(path.read_bytes()))
    assert received.status == 200


@pytest.mark.parametrize("secret", [None, "", "wrong", SECRET + "x", SECRET[:-1], "gehéim", "\udcff"])
async def test_updates_without_the_right_secret_are_refused(secret: str | None):
    """T02 to T05."""
    with pytest.raises(Rejected) as caught:
        await closed().receive(delivery(PAYLOADS[0].read_bytes(), secret=secret))
    assert caught.value.status == 403
    assert SECRET not in caught.value.reason


async def test_without_a_secret_nobody_is_let_in():
    channel = closed(secret_token="", mode="polling")
    with pytest.raises(Rejected) as caught:
        await channel.receive(delivery(b"{}", secret=""))
    assert caught.value.status == 403


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b"{}", "text/plain", 415),
        (b"{}", "application/x-www-form-urlencoded", 415),
        (b"", "application/json", 400),
        (b"[]", "application/json", 400),
        (b'"x"', "application/json", 400),
        (b"\xff\xfe", "application/json", 400),
        (b"[" * 100_000, "application/json", 400),
        (b'{"message": ' + b"1" * 5_000 + b"}", "application/json", 400),
    ],
)
async def test_bodies_that_are_no_update(body: bytes, kind: str, status: int):
    with pytest.raises(Rejected) as caught:
        await closed().receive(delivery(body, kind=kind))
    assert caught.value.status == status


async def test_words_of_every_script_come_through():
    """T42 inbound."""
    text = "שלום 👩🏽‍🚀 ç \u0000 <b>&amp;"
    update = Telegram().says(PRIVATE, text)
    received = await closed().receive(delivery(json.dumps(update).encode(), kind="application/json; charset=utf-8"))
    (fact,) = received.facts
    assert isinstance(fact, Inbound)
    assert fact.text == text


class Desk:
    """A small service that takes updates in through the channel; ``fails`` counts deliveries answered 503."""

    def __init__(self, channel: Channel, fails: int = 0) -> None:
        self.channel = channel
        self.fails = fails
        self.facts: list[Fact] = []
        self.app = web.Application()
        self.app.router.add_post("/webhooks/telegram", self._take)

    async def _take(self, request: web.Request) -> web.Response:
        headers = {name.lower(): value for name, value in request.headers.items()}
        body = await request.read()
        sent = Delivery("POST", str(request.url), request.path, request.query, headers, body, time.time())
        try:
            received = await self.channel.receive(sent)
        except Rejected as rejected:
            return web.Response(status=rejected.status)
        if self.fails:
            self.fails -= 1
            return web.Response(status=503)
        self.facts.extend(received.facts)
        return web.Response(status=received.status)


async def test_deliveries_are_repeated_until_taken_and_stay_in_order_within_a_chat(
    double: Telegram, serve: Callable[[web.Application], Awaitable[str]]
):
    desk = Desk(closed(), fails=3)
    url = await serve(desk.app)
    updates = [double.says(chat, f"{number}") for number in range(8) for chat in (1, 2, 3)]
    async with double.couriers() as courier:
        delivered = await double.delivers(courier, updates, f"{url}/webhooks/telegram")
    assert all(one.accepted for one in delivered)
    assert sum(len(one.statuses) for one in delivered) == len(updates) + 3
    for chat in ("1", "2", "3"):
        assert [fact.text for fact in desk.facts if isinstance(fact, Inbound) and fact.address == chat] == [
            str(number) for number in range(8)
        ]


@pytest.fixture
async def serve() -> AsyncIterator[Callable[[web.Application], Awaitable[str]]]:
    runners: list[web.AppRunner] = []

    async def start(app: web.Application) -> str:
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        runners.append(runner)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        return f"http://127.0.0.1:{runner.addresses[0][1]}"

    yield start
    for runner in runners:
        await runner.cleanup()


async def test_a_press_is_answered_and_a_second_time_is_no_harm(double: Telegram):
    """T43."""
    async with opened(double) as channel:
        await channel.send(outgoing(channel, "Answer", feedback=("f1u.x", "f1d.x")))
        (number,) = double.chat(PRIVATE).messages
        (pressed,) = channel.normalize(double.presses(PRIVATE, number, "f1d.x"), now_s=1.0)
        assert isinstance(pressed, Pressed)
        assert (pressed.payload, pressed.label, pressed.address) == ("f1d.x", "👎", str(PRIVATE))
        await channel.confirm(pressed)
        await channel.confirm(pressed)
        double.away = True
        await channel.confirm(pressed)
    assert double.answered == [pressed.route["callback"]]


async def test_a_reaction_names_the_message_it_is_on(double: Telegram):
    """T49."""
    async with opened(double) as channel:
        sent = await channel.send(outgoing(channel, "Answer"))
        (number,) = double.chat(PRIVATE).messages
        values = []
        for old, new in (("", "👍"), ("👍", "👎"), ("👎", "")):
            (fact,) = channel.normalize(double.reacts(PRIVATE, number, old, new), now_s=1.0)
            assert fact.provider_id == sent.provider_id  # type: ignore[union-attr]
            values.append(fact.value)  # type: ignore[union-attr]
    assert values == ["up", "down", None]


async def test_what_was_sent_cannot_be_looked_up():
    with pytest.raises(Unknown):
        await closed().find(Outgoing(id="p", route=ROUTE, payload={}))
    assert [batch async for batch in closed().catch_up(0.0)] == []


async def test_a_webhook_account_does_not_listen():
    async def accept(facts: object) -> None:
        raise AssertionError(facts)

    telegram = Telegram()
    async with telegram.running(), opened(telegram, mode="webhook") as channel:
        await asyncio.wait_for(channel.listen(accept), 5)
    assert telegram.calls["getUpdates"] == 0


async def test_it_starts_and_answers_without_the_platform():
    telegram = Telegram()
    await telegram.start()
    await telegram.stop()
    started = time.monotonic()
    async with opened(telegram, mode="polling") as channel:
        assert time.monotonic() - started < 1.0
        assert not (await channel.check()).ok


async def test_it_learns_its_name(double: Telegram):
    async with opened(double) as channel:
        await eventually(lambda: channel.me.username)
        assert channel.me.id == 7000000001


async def test_a_closed_channel_downloads_nothing():
    with pytest.raises(Unknown):
        _ = [chunk async for chunk in closed().fetch(Attachment("file", "", ref="x"), ROUTE)]


async def test_a_draft_of_messages_is_finished_by_an_edit_that_may_be_repeated(double: Telegram):
    async with opened(double, stream="edit") as channel:
        shown = await channel.open_draft("d:1:1", ROUTE, "Working")
        out = outgoing(channel, "**Done**", draft=shown, feedback=("f1u.x", "f1d.x"))
        double.faults.script("editMessageText", Fault.RESET_AFTER)
        with pytest.raises(Unknown):
            await channel.send(out)
        sent = await channel.send(out)
    assert sent.provider_id == shown
    ((_, message),) = double.chat(PRIVATE).messages.items()
    assert (message.text, len(message.keyboard)) == ("Done", 1)


async def test_a_draft_that_is_gone_is_sent_anew(double: Telegram):
    async with opened(double, stream="edit") as channel:
        shown = await channel.open_draft("d:1:1", ROUTE, "Working")
        double.chat(PRIVATE).messages.clear()
        sent = await channel.send(outgoing(channel, "Done", draft=shown))
    assert sent.provider_id != shown
    assert double.visible(PRIVATE) == ["Done"]


def test_the_token_is_in_no_representation():
    channel = make("default", {"default": TelegramAccount(token=TOKEN, secret_token=SECRET)}, Shelf().services)
    assert TOKEN not in repr(channel) + repr(channel.settings)
