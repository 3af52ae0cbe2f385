from __future__ import annotations

import pytest

from channels.telegram.commands import GREETING, PERSON, Command, Me, command_of, is_for, phrase, without_mention

ME = Me(7, "Shop_Help_Bot")


@pytest.mark.parametrize(
    ("text", "command"),
    [
        ("/start", Command("start", "", "")),
        ("/START ref_1", Command("start", "", "ref_1")),
        ("/stop@shop_help_bot", Command("stop", "shop_help_bot", "")),
        ("/ask two\nlines", Command("ask", "", "two\nlines")),
        ("/a/b is a path", None),
        ("/ alone", None),
        ("no /start here", None),
        ("/" + "x" * 33, None),
    ],
)
def test_commands(text: str, command: Command | None):
    assert command_of(text) == command


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("@shop_help_bot hi", True),
        ("hi @SHOP_HELP_BOT!", True),
        ("hi @shop_help_bot_two", False),
        ("mail me@shop_help_bot", False),
        ("https://t.me/@shop_help_bot", False),
        ("/price", True),
        ("/price@shop_help_bot", True),
        ("/price@weather_bot", False),
        ("hello all", False),
        ("", False),
    ],
)
def test_what_a_group_says_to_the_bot(text: str, wanted: bool):
    assert is_for(ME, {}, text) is wanted


def test_replies_and_mentions_by_id_are_for_the_bot():
    assert is_for(ME, {"reply_to_message": {"from": {"id": 7}}}, "yes")
    assert not is_for(ME, {"reply_to_message": {"from": {"id": 8}}}, "yes")
    assert is_for(ME, {"entities": [{"type": "text_mention", "user": {"id": 7}}]}, "Shop, hi")


@pytest.mark.parametrize(
    ("text", "rest"),
    [
        ("@shop_help_bot, where?", "where?"),
        ("@shop_help_bot", "@shop_help_bot"),
        ("where is @shop_help_bot", "where is @shop_help_bot"),
        ("/hours@shop_help_bot today", "/hours today"),
        ("/hours today", "/hours today"),
        ("me@x.com", "me@x.com"),
    ],
)
def test_mentions_are_not_part_of_a_question(text: str, rest: str):
    assert without_mention(ME, text) == rest


def test_phrases_follow_the_customers_language():
    assert phrase(GREETING, "pt-br") == "Olá"
    assert phrase(PERSON, "xx") == PERSON["en"]
    assert phrase(PERSON, "") == PERSON["en"]
