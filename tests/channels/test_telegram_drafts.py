from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from channels.base import Refused, Unavailable
from channels.telegram.drafts import GROUP_INTERVAL_S, draft_number
from tests.doubles.platform import Fault
from tests.doubles.telegram import Telegram
from tests.doubles.telegram_bench import GROUP, GROUP_ROUTE, PRIVATE, ROUTE, opened, outgoing


@pytest.fixture
async def double() -> AsyncIterator[Telegram]:
    telegram = Telegram()
    async with telegram.running():
        yield telegram


async def test_a_preview_grows_and_gives_way_to_the_answer(double: Telegram):
    """T51."""
    async with opened(double, stream="draft") as channel:
        shown = await channel.open_draft("d:1:1", ROUTE, "It **is")
        assert double.drafts(PRIVATE) == ["It **is"]
        await channel.update_draft(shown, ROUTE, "It **is** here")
        assert double.drafts(PRIVATE) == ["It is here"]
        await channel.send(outgoing(channel, "It **is** here now.", draft=shown))
        assert double.visible(PRIVATE) == ["It is here now."]
        assert double.drafts(PRIVATE) == []
        await channel.withdraw_draft(shown, ROUTE)
    assert double.calls["deleteMessage"] == 0


async def test_a_preview_is_found_by_its_id_after_a_crash(double: Telegram):
    async with opened(double, stream="draft") as channel:
        shown = await channel.open_draft("d:1:1", ROUTE, "It is")
    async with opened(double, stream="draft") as other:
        assert await other.find_draft("d:1:1", ROUTE, 0.0) == shown
        await other.send(outgoing(other, "It is here.", draft=shown))
    assert double.visible(PRIVATE) == ["It is here."]


@pytest.mark.parametrize("route", [GROUP_ROUTE, {"chat": "10002", "business": "bc77"}])
async def test_previews_are_for_the_bots_private_chats(double: Telegram, route: dict[str, str]):
    async with opened(double, stream="draft") as channel:
        with pytest.raises(Refused):
            await channel.open_draft("d:1:1", route, "It is")
    assert double.calls["sendMessageDraft"] == 0


async def test_a_server_without_previews_costs_only_the_preview(double: Telegram):
    double.unsupported.add("sendMessageDraft")
    async with opened(double, stream="draft") as channel:
        with pytest.raises(Refused):
            await channel.open_draft("d:1:1", ROUTE, "It is")
        await channel.send(outgoing(channel, "It is here."))
    assert double.visible(PRIVATE) == ["It is here."]


async def test_a_message_draft_is_edited_and_can_be_taken_away(double: Telegram):
    async with opened(double, stream="edit") as channel:
        shown = await channel.open_draft("d:1:1", ROUTE, "")
        assert double.visible(PRIVATE) == ["…"]
        await channel.update_draft(shown, ROUTE, "It is")
        await channel.update_draft(shown, ROUTE, "It is")  # not modified is a success
        assert double.visible(PRIVATE) == ["It is …"], "should it be left standing, it says that it is not whole"
        assert await channel.find_draft("d:1:1", ROUTE, 0.0) == ""
        await channel.withdraw_draft(shown, ROUTE)
        await channel.withdraw_draft(shown, ROUTE)
        assert double.visible(PRIVATE) == []
        with pytest.raises(Refused):
            await channel.update_draft(shown, ROUTE, "It is gone")


async def test_a_message_draft_of_a_business_chat_is_taken_away_there(double: Telegram):
    route = {"chat": "10002", "business": "bc77"}
    async with opened(double, stream="edit") as channel:
        await channel.withdraw_draft(await channel.open_draft("d:1:1", route, "It is"), route)
    assert double.visible(10002) == []
    assert double.calls["deleteBusinessMessages"] == 1


async def test_edits_in_groups_keep_their_distance(double: Telegram):
    async with opened(double, stream="edit") as channel:
        shown = await channel.open_draft("d:1:1", GROUP_ROUTE, "a")
        for text in ("a b", "a b c", "a b c d"):
            await channel.update_draft(shown, GROUP_ROUTE, text)
        assert double.calls["editMessageText"] == 1
        await channel.send(outgoing(channel, "a b c d e", GROUP_ROUTE, draft=shown))  # the end is never left out
    assert double.visible(GROUP) == ["a b c d e"]
    assert GROUP_INTERVAL_S * 20 >= 60.0


async def test_long_drafts_show_what_fits(double: Telegram):
    async with opened(double, stream="edit") as channel:
        shown = await channel.open_draft("d:1:1", ROUTE, "word " * 800)
        await channel.update_draft(shown, ROUTE, "word " * 3_000)
    assert len(double.visible(PRIVATE)[0]) <= 4_096


async def test_a_failing_edit_says_so(double: Telegram):
    async with opened(double, stream="edit") as channel:
        shown = await channel.open_draft("d:1:1", ROUTE, "It")
        double.faults.script("editMessageText", Fault.ERROR_BEFORE)
        with pytest.raises(Unavailable):
            await channel.update_draft(shown, ROUTE, "It is")


def test_numbers_are_stable_and_never_zero():
    numbers = {draft_number(f"d:{n}:1") for n in range(2_000)}
    assert len(numbers) == 2_000
    assert min(numbers) > 0
    assert max(numbers) < 2**31
    assert draft_number("d:1:1") == draft_number("d:1:1")
