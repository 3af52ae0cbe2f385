"""Telegram's own cases (T40 to T52 of the channel contracts): the whole service, by webhook and by polling."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path
from typing import Any

import pytest

from server.duty.words import Saying, say
from tests.doubles.platform import Fault
from tests.doubles.telegram import BOT, Telegram
from tests.model_double import Pace
from tests.places import until
from tests.scenarios.chats import HOOK_SECRET, in_telegram

ANA, BOB, GROUP, SUPERGROUP = 42, 43, -4001, -1001234567890
SLOW = Pace(tokens_per_s=20.0)
LONG = " ".join(f"word{number}" for number in range(36))
PAYLOADS = Path(__file__).parents[1] / "channels" / "payloads" / "telegram"
POLLING: dict[str, Any] = {"mode": "polling", "secret_token": ""}


async def test_t03_t05_without_the_right_secret_nothing_is_stored(store_url: str, tmp_path: Path) -> None:
    async with Telegram().running() as telegram, in_telegram(store_url, tmp_path, telegram) as desk:
        update = telegram.says(ANA, "hello")
        for secret in (None, "", "guessed", HOOK_SECRET + "x", HOOK_SECRET[:-1]):
            headers = {} if secret is None else {"X-Telegram-Bot-Api-Secret-Token": secret}
            answer = await desk.service.http.post(desk.url, json=update, headers=headers)
            assert answer.status == 403, secret
            assert HOOK_SECRET not in await answer.text()
        assert not await desk.rows("conversations")
        await desk.tells(update)
        assert await desk.answered(ANA) == ["answer to: hello"]


async def test_t40_every_kind_of_update_is_taken(store_url: str, tmp_path: Path) -> None:
    async with Telegram().running() as telegram, in_telegram(store_url, tmp_path, telegram) as desk:
        updates = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(PAYLOADS.glob("*.json"))]
        updates += [{"update_id": 1, "something_new": {"a": 1}}, {"update_id": 2}]
        assert len(updates) > 60
        for update in updates:
            assert (await desk.tells(update)).statuses == [200], update
        await desk.quiet(30.0)
        await desk.says(ANA, "are you there?")
        assert await desk.answered(ANA) == ["answer to: are you there?"]


async def test_t41_in_groups_only_what_is_meant_for_the_bot_is_answered(store_url: str, tmp_path: Path) -> None:
    async with Telegram().running() as telegram, in_telegram(store_url, tmp_path, telegram) as desk:
        await until(lambda: telegram.calls["getMe"])
        other_bot = {"id": 9, "is_bot": True, "first_name": "Other", "username": "other_bot"}
        topic = {"message_thread_id": 77, "is_topic_message": True}
        await desk.says(GROUP, "who brings the cake?")
        await desk.says(GROUP, "@other_bot hello")
        await desk.says(GROUP, f"@{BOT['username']} hello", **{"from": other_bot})
        await desk.says(GROUP, "I said so", **{"from": BOT})
        asked = await desk.says(GROUP, f"@{BOT['username']} are you open?")
        assert await desk.answered(GROUP) == ["answer to: are you open?"]
        (reply,) = telegram.chat(GROUP).messages.values()
        assert reply.reply_to == asked["message"]["message_id"]
        await desk.says(GROUP, f"@{BOT['username']} in a topic", **topic)
        await desk.answered(GROUP, 2)
        assert sorted(message.thread or 0 for message in telegram.chat(GROUP).messages.values()) == [0, 77]
        assert sorted(row["address"] for row in await desk.rows("conversations")) == [f"{GROUP}", f"{GROUP}:77"]
        assert desk.model.stats.requests == 2
        await desk.laws()


async def test_t42_reserved_characters_arrive_as_they_are(store_url: str, tmp_path: Path) -> None:
    odd = "a_b * c [d](e ~ > # + - = | { } . ! 1 < 2 & 3 > 2 <b> &amp; \\_ é 📦"
    async with Telegram().running() as telegram, in_telegram(store_url, tmp_path, telegram) as desk:
        desk.model.say_next(odd)
        await desk.says(ANA, odd)
        (shown,) = await desk.answered(ANA)
        assert desk.model.stats.last_user_messages == [odd]
        assert shown == odd.replace("&amp;", "&").replace("\\_", "_")  # CommonMark's own signs are read as such
        assert telegram.calls["sendMessage"] == 1
        desk.model.say_next("**bold** and `co<de>` and [shop](https://shop.example/?a=1&b=2)")
        await desk.says(ANA, "more")
        assert (await desk.answered(ANA, 2))[1] == "bold and co<de> and shop"


async def test_t43_a_pressed_button_is_confirmed_and_counts_once(store_url: str, tmp_path: Path) -> None:
    async with Telegram().running() as telegram, in_telegram(store_url, tmp_path, telegram) as desk:
        await desk.says(ANA, "hello")
        await desk.answered(ANA)
        (message,) = telegram.chat(ANA).messages.values()
        ((up, down),) = message.keyboard
        press = telegram.presses(ANA, message.number, up["callback_data"])
        for _ in range(2):
            await desk.tells(press)
        await until(lambda: telegram.answered == [press["callback_query"]["id"]])
        assert [rating["value"] for rating in await desk.rows("ratings")] == ["up"]
        await desk.tells(telegram.presses(ANA, message.number, down["callback_data"]))
        await until(lambda: len(telegram.answered) == 2)
        assert [rating["value"] for rating in await desk.rows("ratings")] == ["down"]
        await desk.answered(ANA, 2)
        asked = max(telegram.chat(ANA).messages.values(), key=lambda one: one.number)
        assert asked.text == "What was wrong with this answer?"
        reasons = {button["text"]: button["callback_data"] for row in asked.keyboard for button in row}
        assert list(reasons) == ["Wrong", "Outdated", "Unclear", "Rude", "Something else"]
        for label in ("Rude", "Outdated"):
            await desk.tells(telegram.presses(ANA, asked.number, reasons[label]))
        await desk.tells(telegram.presses(ANA, message.number, down["callback_data"]))
        (rating,) = await desk.rows("ratings")
        assert (rating["value"], rating["message_id"], bool(rating["turn_id"])) == ("down", rating["message_id"], True)
        await desk.laws()
        assert len(telegram.visible(ANA)) == 2, "asked once"
        assert desk.model.stats.requests == 1


async def test_the_human_command_calls_staff(store_url: str, tmp_path: Path) -> None:
    async with Telegram().running() as telegram, in_telegram(store_url, tmp_path, telegram) as desk:
        await desk.says(ANA, "/human my parcel is lost")
        told = say(Saying.NEXT, "en")
        assert sorted(await desk.answered(ANA, 2)) == [told, "answer to: my parcel is lost"]
        (conversation,) = await desk.rows("conversations")
        assert (conversation["status"], conversation["reason"]) == ("waiting", "customer_asked")


async def test_t45_two_readers_are_named_and_no_loop_spins(store_url: str, tmp_path: Path) -> None:
    telegram = Telegram()
    telegram.webhook = {"url": "https://elsewhere.example/hook"}
    async with telegram.running(), in_telegram(store_url, tmp_path, telegram, account=POLLING) as desk:
        telegram.waits(telegram.says(ANA, "hello"))
        async with asyncio.timeout(5):
            while "webhook" not in await desk.note("telegram/default"):
                await asyncio.sleep(0.05)
        assert telegram.calls["getUpdates"] <= 3
        telegram.webhook = {}
        assert await desk.answered(ANA) == ["answer to: hello"]
        assert telegram.calls["getUpdates"] <= 6


async def test_t45_another_poller_interrupts_and_nothing_is_lost(store_url: str, tmp_path: Path) -> None:
    async with Telegram().running() as telegram, in_telegram(store_url, tmp_path, telegram, account=POLLING) as desk:
        await until(lambda: telegram.calls["getUpdates"] == 1)
        rival = f"{telegram.base_url}/bot{telegram.token}/getUpdates"
        answer = await desk.service.http.get(rival, params={"timeout": 3})
        assert answer.status == 409, "ours came again and ended theirs in turn"
        telegram.waits(telegram.says(ANA, "hello"))
        assert await desk.answered(ANA) == ["answer to: hello"]
        assert telegram.calls["getUpdates"] <= 6
        assert telegram.confirmed


async def test_t46_an_edit_before_the_answer_changes_it_and_later_ones_do_not(store_url: str, tmp_path: Path) -> None:
    async with Telegram().running() as telegram, in_telegram(store_url, tmp_path, telegram, pace=SLOW) as desk:
        desk.model.say_next(LONG)
        asked = await desk.says(ANA, "where is parcel 7?")
        await until(lambda: desk.model.stats.requests == 1)
        message = asked["message"] | {"text": "where is parcel 8?", "edit_date": int(time.time()) + 1}
        for _ in range(2):
            await desk.tells(telegram.update("edited_message", message))
        assert await desk.answered(ANA) == ["answer to: where is parcel 8?"]
        assert (desk.model.stats.requests, desk.model.stats.cancelled) == (2, 1)
        late = message | {"text": "where is parcel 9?", "edit_date": int(time.time()) + 2}
        await desk.tells(telegram.update("edited_message", late))
        await desk.laws()
        assert telegram.visible(ANA) == ["answer to: where is parcel 8?"]
        assert desk.model.stats.requests == 2
        said = [row["text"] for row in await desk.rows("messages", conversation_id=(await desk.only())["id"])]
        assert said == ["where is parcel 9?", "answer to: where is parcel 8?"]


@pytest.mark.parametrize("told", ["by the refused send", "by the update"])
async def test_t47_who_blocks_the_bot_gets_nothing_more(store_url: str, tmp_path: Path, told: str) -> None:
    async with Telegram().running() as telegram, in_telegram(store_url, tmp_path, telegram) as desk:
        await desk.says(ANA, "hello")
        await desk.answered(ANA)
        telegram.chat(ANA).blocked = True
        if told == "by the update":
            gone = {"chat": {"id": ANA, "type": "private"}, "from": {"id": ANA, "is_bot": False, "first_name": "Ana"},
                    "date": 1, "old_chat_member": {"user": BOT, "status": "member"},
                    "new_chat_member": {"user": BOT, "status": "kicked", "until_date": 0}}  # fmt: skip
            await desk.tells(telegram.update("my_chat_member", gone))
        else:
            await desk.says(ANA, "one more")
        await desk.quiet()
        conversation = await desk.only()
        assert conversation["status"] == "closed"
        assert conversation["blocked_at"] is not None
        sends = telegram.calls["sendMessage"]
        assert sends == (1 if told == "by the update" else 2)
        await desk.laws()
        telegram.chat(ANA).blocked = False
        await desk.says(ANA, "here again")
        assert (await desk.answered(ANA, 2))[1] == "answer to: here again"


@pytest.mark.parametrize("told", ["by the refused send", "by both messages"])
async def test_t48_a_group_that_moves_keeps_its_conversation(store_url: str, tmp_path: Path, told: str) -> None:
    async with Telegram().running() as telegram, in_telegram(store_url, tmp_path, telegram) as desk:
        await until(lambda: telegram.calls["getMe"])
        await desk.says(GROUP, f"@{BOT['username']} one")
        await desk.answered(GROUP)
        before = await desk.only()
        telegram.chat(GROUP).migrated_to = SUPERGROUP
        if told == "by both messages":
            await desk.says(SUPERGROUP, "", migrate_from_chat_id=GROUP)
            await desk.says(GROUP, "", migrate_to_chat_id=SUPERGROUP)
            await desk.says(SUPERGROUP, f"@{BOT['username']} two")
        else:
            await desk.says(GROUP, f"@{BOT['username']} two")
        assert await desk.answered(SUPERGROUP) == ["answer to: two"]
        after = await desk.only()
        assert (after["id"], after["address"]) == (before["id"], str(SUPERGROUP))
        assert telegram.visible(GROUP) == ["answer to: one"]
        await desk.says(SUPERGROUP, f"@{BOT['username']} three")
        assert await desk.answered(SUPERGROUP, 2) == ["answer to: two", "answer to: three"]
        await desk.laws()


async def test_t49_a_changed_reaction_is_the_rating_of_that_answer(store_url: str, tmp_path: Path) -> None:
    async with Telegram().running() as telegram, in_telegram(store_url, tmp_path, telegram) as desk:
        await desk.says(ANA, "hello")
        await desk.answered(ANA)
        (number,) = telegram.chat(ANA).messages
        seen = []
        for old, new in (("", "👍"), ("👍", "👎🏿"), ("👎🏿", "🔥"), ("🔥", "👍"), ("👍", "")):
            await desk.tells(telegram.reacts(ANA, number, old, new))
            seen.append([rating["value"] for rating in await desk.rows("ratings")])
        assert seen == [["up"], ["down"], [None], ["up"], [None]]
        await desk.tells(telegram.reacts(ANA, number + 50, "", "👍"))
        assert [rating["value"] for rating in await desk.rows("ratings")] == [None]
        await desk.laws()


async def test_t50_a_document_of_30_mb_gets_a_polite_text(store_url: str, tmp_path: Path) -> None:
    async with Telegram().running() as telegram, in_telegram(store_url, tmp_path, telegram) as desk:
        document = {"file_id": "big", "file_unique_id": "u", "file_name": "all.pdf", "mime_type": "application/pdf",
                    "file_size": 30 * 1024 * 1024}  # fmt: skip
        telegram.file("big", b"%PDF-1.7 " + bytes(100))
        await desk.says(ANA, "", document=document)
        (told,) = await desk.answered(ANA)
        assert "large" in told
        assert (telegram.calls["getFile"], telegram.calls["file"]) == (0, 0)
        assert desk.model.stats.requests == 0
        (row,) = await desk.rows("files")
        assert (row["state"], row["reason"]) == ("refused", "too_large")
        await desk.laws()


async def test_t51_a_preview_grows_and_the_answer_comes_once(store_url: str, tmp_path: Path) -> None:
    async with Telegram().running() as telegram, in_telegram(store_url, tmp_path, telegram, pace=SLOW) as desk:
        desk.model.say_next(LONG)
        await desk.says(ANA, "tell me all")
        shown: set[str] = set()
        async with asyncio.timeout(5):
            while not telegram.visible(ANA):
                shown |= set(telegram.drafts(ANA))
                await asyncio.sleep(0.02)
        assert len(shown) >= 2, "it grows"
        assert all(LONG.startswith(text) for text in shown)
        assert await desk.answered(ANA) == [LONG]
        assert telegram.drafts(ANA) == []
        await desk.laws()


async def test_t51_a_message_that_grows_becomes_the_answer(store_url: str, tmp_path: Path) -> None:
    account = {"stream": "edit"}
    async with (
        Telegram().running() as telegram,
        in_telegram(store_url, tmp_path, telegram, account=account, pace=SLOW) as desk,
    ):
        desk.model.say_next(LONG)
        await desk.says(ANA, "tell me all")
        await until(lambda: telegram.visible(ANA))
        (number,) = telegram.chat(ANA).messages
        telegram.faults.script("editMessageText", Fault.ERROR_AFTER)  # one look of it fails
        await until(lambda: telegram.visible(ANA) == [LONG])
        await desk.laws()
        assert list(telegram.chat(ANA).messages) == [number]
        assert telegram.calls["sendMessage"] == 1


async def test_t52_one_chats_429_does_not_hold_up_another(store_url: str, tmp_path: Path) -> None:
    async with Telegram().running() as telegram, in_telegram(store_url, tmp_path, telegram) as desk:
        for chat in (ANA, BOB):
            await desk.says(chat, "hello")
            await desk.answered(chat)
        telegram.faults.script("sendMessage", Fault.LIMITED)  # retry_after 1
        await desk.says(ANA, "one")
        await until(lambda: telegram.faults.struck["limited"])
        limited = time.monotonic()
        await desk.says(BOB, "two")
        await until(lambda: len(telegram.visible(BOB)) == 2)
        assert time.monotonic() - limited < 0.8
        assert len(telegram.visible(ANA)) == 1
        assert (await desk.answered(ANA, 2))[1] == "answer to: one"
        assert time.monotonic() - limited > 0.9
        assert telegram.calls["sendMessage"] == 5, "no try is wasted while Telegram says later"
        await desk.laws()
