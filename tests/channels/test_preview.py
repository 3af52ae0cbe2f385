"""Previews say what a platform shows: its text, what it counts, and every button."""

from __future__ import annotations

import json

import pytest

from channels import preview
from channels.message import Button, Outbound
from channels.slack import parts as slack
from channels.telegram.payloads import payloads_of
from channels.whatsapp.meta_parts import render_parts

MESSAGE = Outbound("Thirty days, **unworn** 🙂.", buttons=(Button("A person", "p1"),), feedback=("u1", "d1"))
BUTTONS = [("👍", "u1"), ("👎", "d1"), ("A person", "p1")]


def buttons(shown: preview.Shown) -> list[tuple[str, str]]:
    return [(button.label, button.payload) for button in shown.buttons]


def test_telegram_counts_the_text_without_its_tags():
    (payload,) = payloads_of(MESSAGE)
    shown = preview.shown("telegram", payload)
    assert (shown.markup, shown.text) == ("html", "Thirty days, <b>unworn</b> 🙂.")
    assert shown.units == len("Thirty days, unworn 🙂.") + 1  # the face takes two
    assert buttons(shown) == BUTTONS


def test_slack_shows_the_blocks_that_are_posted():
    (payload,) = slack.payloads(MESSAGE)
    shown = preview.shown("slack", payload)
    assert (shown.markup, "**unworn**" in shown.text) == ("markdown", True)
    assert buttons(shown) == BUTTONS
    assert [block["type"] for block in json.loads(shown.raw)["blocks"]] == ["markdown", "context_actions", "actions"]


def test_whatsapp_shows_both_transports():
    (payload,) = render_parts(MESSAGE)
    shown = preview.shown("whatsapp", payload)
    assert (shown.markup, shown.text) == ("whatsapp", "Thirty days, *unworn* 🙂.")
    assert buttons(shown) == BUTTONS
    (text,) = render_parts(Outbound("Hello"))
    assert (preview.shown("whatsapp", text).text, preview.shown("whatsapp", text).note) == ("Hello", "")
    twilio = preview.shown("whatsapp", {"content_sid": "HX1", "content_variables": {"1": "u1", "2": "d1"}})
    assert (twilio.note, buttons(twilio)) == ("template HX1", BUTTONS[:2])
    assert preview.shown("whatsapp", {"body": "", "file": {"ref": "f"}}).note == "file"


@pytest.mark.parametrize(("channel", "payload"), [("fax", {"text": "Hi"}), ("slack", {"text": "Hi"})])
def test_what_is_only_text_is_shown_plain(channel: str, payload: dict[str, str]):
    shown = preview.shown(channel, payload)
    assert (shown.text, shown.markup, shown.buttons) == ("Hi", "plain", ())
