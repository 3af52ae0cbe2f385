from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator

import pytest

from channels.base import (
    File,
    Limited,
    Moves,
    Outgoing,
    Refused,
    SendError,
    Unauthorized,
    Unavailable,
    Unknown,
    Unreachable,
    WindowClosed,
)
from channels.message import Attachment, Button, Outbound
from tests.doubles.platform import Fault
from tests.doubles.telegram import TOKEN, Telegram
from tests.doubles.telegram_bench import GROUP, GROUP_ROUTE, PRIVATE, ROUTE, Shelf, opened, outgoing


@pytest.fixture
async def double() -> AsyncIterator[Telegram]:
    telegram = Telegram(hang_s=5.0)
    async with telegram.running():
        yield telegram


async def test_a_message_arrives_formatted_without_previews_and_is_named(double: Telegram):
    async with opened(double) as channel:
        sent = await channel.send(outgoing(channel, "**Hello** <you> & https://shop.example"))
    ((number, message),) = double.chat(PRIVATE).messages.items()
    assert sent.provider_id == f"{PRIVATE}:{number}"
    assert message.text == "Hello <you> & https://shop.example"
    assert message.previews_off
    assert (message.thread, message.reply_to, message.business) == (None, None, "")
    assert double.calls["sendMessage"] == 1


async def test_groups_get_replies_topics_and_business_chats_their_own_way(double: Telegram):
    async with opened(double) as channel:
        await channel.send(outgoing(channel, "in the group", GROUP_ROUTE))
        await channel.send(outgoing(channel, "in the topic", GROUP_ROUTE | {"thread": "12"}))
        sent = await channel.send(outgoing(channel, "for the owner", {"chat": "10002", "business": "bc77"}))
    first, second = double.chat(GROUP).messages.values()
    assert (first.reply_to, first.thread) == (41, None)
    assert (second.reply_to, second.thread) == (41, 12)
    (business,) = double.chat(10002).messages.values()
    assert business.business == "bc77"
    assert sent.provider_id == f"10002@bc77:{business.number}"


async def test_buttons_are_shown_below_the_last_part(double: Telegram):
    async with opened(double) as channel:
        text = "word " * 1_500
        payloads = channel.render(outbound := outgoing_message(text))
        for number, payload in enumerate(payloads):
            await channel.send(Outgoing(id=f"p{number}", route=ROUTE, payload=payload))
    first, second = double.chat(PRIVATE).messages.values()
    assert first.keyboard == []
    assert second.keyboard == [
        [{"text": "👍", "callback_data": "f1u.x"}, {"text": "👎", "callback_data": "f1d.x"}],
        [{"text": outbound.buttons[0].label, "callback_data": "f1p.x"}],
    ]


def outgoing_message(text: str) -> Outbound:
    return Outbound(text, buttons=(Button("Talk to a person", "f1p.x"),), feedback=("f1u.x", "f1d.x"))


async def test_markup_that_telegram_refuses_goes_out_as_plain_text_once(double: Telegram):
    """T42."""
    async with opened(double) as channel:
        out = Outgoing(id="p", route=ROUTE, payload={"html": "<b>1 < 2", "text": "1 < 2", "first": True})
        await channel.send(out)
        assert double.visible(PRIVATE) == ["1 < 2"]
        assert double.calls["sendMessage"] == 2
        broken = {"html": "<b>" + "x" * 5_000, "text": "x" * 5_000}
        with pytest.raises(Refused):
            await channel.send(Outgoing(id="p", route=ROUTE, payload=broken))
    assert double.calls["sendMessage"] == 4


RESERVED = "_*[]()~`>#+-=|{}.!<>&\"'\\ 1 < 2 && 3 > 2 &lt; &nbsp; </b> <script>alert(1)</script> a_b_c **x"


async def test_reserved_characters_arrive_as_they_are(double: Telegram):
    """T42: nothing that a model writes makes Telegram refuse a message."""
    async with opened(double) as channel:
        await channel.send(outgoing(channel, RESERVED))
    assert double.calls["sendMessage"] == 1
    (shown,) = double.visible(PRIVATE)
    assert "<script>alert(1)</script>" in shown
    assert "1 < 2 && 3 > 2" in shown


REFUSALS: list[tuple[str, type[SendError]]] = [
    ("blocked", Unreachable),
    ("unknown chat", Unreachable),
    ("refused", Refused),
    ("error", Unavailable),
    ("reset before", Unknown),
    ("reset after", Unknown),
    ("hang after", Unknown),
    ("bad token", Unauthorized),
    ("no server", Unavailable),
]


@pytest.mark.parametrize(("case", "kind"), REFUSALS, ids=[case for case, _ in REFUSALS])
async def test_what_failures_mean(double: Telegram, case: str, kind: type[SendError], caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.DEBUG)
    double.chat(PRIVATE).blocked = case == "blocked"
    double.chat(PRIVATE).known = case != "unknown chat"
    scripted = {"refused": Fault.REFUSED, "error": Fault.ERROR_BEFORE, "reset before": Fault.RESET_BEFORE,
                "reset after": Fault.RESET_AFTER, "hang after": Fault.HANG_AFTER}  # fmt: skip
    if case in scripted:
        double.faults.script("sendMessage", scripted[case])
    token = TOKEN[:-1] + "x" if case == "bad token" else TOKEN
    async with opened(double, Shelf(timeout_s=1.2), token=token) as channel:
        if case == "no server":
            await double.stop()
        with pytest.raises(kind) as caught:
            await channel.send(outgoing(channel, "hello"))
    assert type(caught.value) is kind
    error: BaseException | None = caught.value
    assert error is not None
    assert error.__cause__ is None  # an error's cause would carry the library's texts into logs
    secret = token.partition(":")[2]
    assert secret not in f"{error!r} {error} {vars(error)}"
    assert secret not in caplog.text
    assert double.calls["sendMessage"] <= 2


async def test_a_hidden_success_is_seen_once_and_never_repeated_by_the_library(double: Telegram):
    double.faults.script("sendMessage", Fault.RESET_AFTER)
    async with opened(double) as channel:
        with pytest.raises(Unknown):
            await channel.send(outgoing(channel, "hello"))
    assert double.visible(PRIVATE) == ["hello"]
    assert double.calls["sendMessage"] == 1


async def test_a_limit_holds_for_the_chat(double: Telegram):
    """T52 at channel level: Telegram's 429 of one chat says nothing about another."""
    double.pacing.chat, double.pacing.retry_after_s = 1, 7
    async with opened(double) as channel:
        await channel.send(outgoing(channel, "one"))
        with pytest.raises(Limited) as caught:
            await channel.send(outgoing(channel, "two"))
        await channel.send(outgoing(channel, "elsewhere", {"chat": "10002"}))
    assert (caught.value.retry_after_s, caught.value.scope) == (7.0, "chat")


async def test_limits_of_quiet_chats_are_the_whole_bots(double: Telegram):
    double.pacing.account, double.pacing.window_s = 1, 60.0
    scopes = []
    async with opened(double) as channel:
        await channel.send(outgoing(channel, "one", {"chat": "1"}))
        for chat in ("2", "3"):
            with pytest.raises(Limited) as caught:
                await channel.send(outgoing(channel, "two", {"chat": chat}))
            scopes.append(caught.value.scope)
    assert scopes == ["chat", "account"]


async def test_a_group_that_moved_says_where(double: Telegram):
    """T48."""
    double.chat(-4242).migrated_to = GROUP
    async with opened(double) as channel:
        with pytest.raises(Moves) as caught:
            await channel.send(outgoing(channel, "hello", {"chat": "-4242", "message": "5"}))
        assert (caught.value.to_address, caught.value.route) == (str(GROUP), {"chat": str(GROUP), "group": "1"})
        await channel.send(outgoing(channel, "hello", caught.value.route))
    assert double.visible(GROUP) == ["hello"]


async def test_a_business_chat_that_fell_silent_is_a_closed_window(double: Telegram):
    async with opened(double) as channel:
        double.closed_business.add("bc77")
        with pytest.raises(WindowClosed):
            await channel.send(outgoing(channel, "late", {"chat": "10002", "business": "bc77"}))


async def test_a_file_goes_out_with_its_caption(double: Telegram):
    shelf = Shelf()
    shelf.files["f1"] = File("invoice.pdf", "application/pdf", b"%PDF-1.7")
    async with opened(double, shelf) as channel:
        attachment = Attachment(kind="file", url="", ref="f1", text="your invoice")
        await channel.send(outgoing(channel, "Here", attachments=(attachment,)))
        await channel.send(outgoing(channel, "Here", attachments=(attachment,), part=1))
    assert double.visible(PRIVATE) == ["Here", "[invoice.pdf] your invoice"]


async def test_answers_of_other_servers_may_lack_what_the_library_wants(double: Telegram):
    double.terse = True
    async with opened(double) as channel:
        sent = await channel.send(outgoing(channel, "hello"))
    (number,) = double.chat(PRIVATE).messages
    assert sent.provider_id == f"{PRIVATE}:{number}"


async def test_an_answer_without_a_number_is_a_success_with_a_name_of_its_own(double: Telegram):
    double.numberless = True
    async with opened(double) as channel:
        sent = await channel.send(outgoing(channel, "hello"))
    assert sent.provider_id == f"{PRIVATE}:part-part0"


async def test_typing_is_shown_and_its_absence_is_no_fault_of_sends(double: Telegram):
    async with opened(double) as channel:
        await channel.typing(ROUTE)
        assert double.chat(PRIVATE).actions == ["typing"]
        double.unsupported |= {"sendChatAction", "getMe", "sendMessageDraft", "setWebhook"}
        with pytest.raises(Refused) as caught:
            await channel.typing(ROUTE)
        assert not isinstance(caught.value, Unauthorized)
        await channel.send(outgoing(channel, "hello"))
    assert double.visible(PRIVATE) == ["hello"]


async def test_a_route_without_a_chat_is_refused(double: Telegram):
    async with opened(double) as channel:
        with pytest.raises(Refused):
            await channel.send(outgoing(channel, "hello", {}))


async def test_sends_run_side_by_side(double: Telegram):
    async with opened(double) as channel:
        await asyncio.gather(*(channel.send(outgoing(channel, f"m{n}", {"chat": str(n)})) for n in range(1, 21)))
    assert [double.visible(n) for n in range(1, 21)] == [[f"m{n}"] for n in range(1, 21)]
