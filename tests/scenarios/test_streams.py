"""Answers that platforms show while they are written, with faults around every call: one whole message in the end.

What S11 to S15 and T11 to T15 are for plain sends (``test_platforms.py``), for Slack's streams and for Telegram's
messages that grow.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.doubles.platform import Fault
from tests.doubles.slack import Slack
from tests.doubles.telegram import Telegram
from tests.model_double import Pace
from tests.scenarios.chats import BOT, in_slack, in_telegram

ANA = 42
HANG_S = 1.5  # longer than a send is waited for
SHORT = " ".join(f"word{number}" for number in range(20))
LONG = " ".join(f"word{number}" for number in range(40))
LONGEST = "\n\n".join(f"{number}: {'many_words_' * 40}" for number in range(60))  # 26,600 characters, 120 tokens
QUICK, SLOW = Pace(tokens_per_s=40.0), Pace(tokens_per_s=25.0)

OPENING = [Fault.RESET_BEFORE, Fault.RESET_AFTER, Fault.HANG_AFTER, Fault.ERROR_AFTER, Fault.LIMITED, Fault.REFUSED]
GROWING = [Fault.RESET_AFTER, Fault.ERROR_BEFORE, Fault.LIMITED]
ENDING = [Fault.RESET_BEFORE, Fault.RESET_AFTER, Fault.HANG_AFTER, Fault.ERROR_AFTER, Fault.LIMITED, Fault.REFUSED]
IN_SLACK = [
    *(("chat.startStream", fault, QUICK, SHORT) for fault in OPENING),
    *(("chat.appendStream", fault, SLOW, LONG) for fault in GROWING),
    *(("chat.stopStream", fault, QUICK, SHORT) for fault in (Fault.RESET_AFTER, Fault.HANG_AFTER, Fault.REFUSED)),
    *(("chat.update", fault, QUICK, SHORT) for fault in ENDING),
]


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """One store is enough for what happens between us and a platform; whole answers run over both."""
    return f"sqlite:///{tmp_path / 'desk.db'}"


@pytest.mark.parametrize(("method", "fault", "pace", "text"), IN_SLACK)
async def test_a_slack_stream_ends_as_one_whole_message(
    sqlite_url: str, tmp_path: Path, method: str, fault: Fault, pace: Pace, text: str
) -> None:
    slack = Slack(hang_s=HANG_S)
    async with slack.running(), in_slack(sqlite_url, tmp_path, slack, pace=pace) as desk:
        desk.model.say_next(text)
        slack.faults.script(method, fault)
        await desk.says("C1", f"<@{BOT}> tell me all")
        await desk.answered("C1")
        assert slack.faults.struck[fault.value] == 1, "the fault was met"
        assert desk.texts("C1") == [text]
        assert slack._streams == {}, "nothing looks as if it were still being written"
        await desk.laws()
        assert desk.model.stats.requests == 1


@pytest.mark.parametrize("fault", ENDING)
async def test_a_growing_message_of_telegram_ends_as_the_one_answer(
    sqlite_url: str, tmp_path: Path, fault: Fault
) -> None:
    telegram = Telegram(hang_s=HANG_S)
    async with (
        telegram.running(),
        in_telegram(sqlite_url, tmp_path, telegram, account={"stream": "edit"}, pace=QUICK) as desk,
    ):
        desk.model.say_next(SHORT)
        telegram.faults.script("editMessageText", fault)
        await desk.says(ANA, "tell me all")
        await desk.answered(ANA)
        assert telegram.faults.struck[fault.value] == 1, "the fault was met"
        assert telegram.visible(ANA) == [SHORT]
        await desk.laws()


@pytest.mark.parametrize("fault", [Fault.RESET_AFTER, Fault.HANG_AFTER, Fault.LIMITED, Fault.REFUSED])
async def test_a_preview_of_telegram_may_fail_and_the_answer_comes_once(
    sqlite_url: str, tmp_path: Path, fault: Fault
) -> None:
    telegram = Telegram(hang_s=HANG_S)
    async with telegram.running(), in_telegram(sqlite_url, tmp_path, telegram, pace=QUICK) as desk:
        desk.model.say_next(SHORT)
        telegram.faults.script("sendMessageDraft", fault)
        await desk.says(ANA, "tell me all")
        assert await desk.answered(ANA) == [SHORT]
        assert telegram.faults.struck[fault.value] == 1, "the fault was met"
        assert telegram.drafts(ANA) == []
        await desk.laws()


async def test_an_answer_too_long_for_one_message_grows_and_comes_whole(store_url: str, tmp_path: Path) -> None:
    pace = Pace(tokens_per_s=250.0)
    words = LONGEST.split()
    async with Slack().running() as slack, in_slack(store_url, tmp_path, slack, pace=pace) as desk:
        desk.model.say_next(LONGEST)
        await desk.says("C1", f"<@{BOT}> tell me all")
        parts = await desk.answered("C1", 3)
        assert slack.calls["chat.startStream"] == 1
        assert len(parts) == 3
        assert " ".join(parts).split() == words
        assert all(len(part) <= 12_000 for part in parts)
        await desk.laws()
    account = {"stream": "edit"}
    async with (
        Telegram().running() as telegram,
        in_telegram(store_url, tmp_path, telegram, account=account, pace=Pace(tokens_per_s=60.0)) as bot,
    ):
        cut = "\n\n".join(LONGEST.split("\n\n")[:24])
        bot.model.say_next(cut)
        await bot.says(ANA, "tell me all")
        parts = await bot.answered(ANA, 3)
        assert " ".join(parts).split() == cut.split()
        assert min(bot.telegram.chat(ANA).messages.values(), key=lambda one: one.number).edits >= 1
        await bot.laws()
