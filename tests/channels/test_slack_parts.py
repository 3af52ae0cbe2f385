"""What an answer looks like on Slack: sizes, fallbacks, buttons, and nobody rung by the model's words."""

from __future__ import annotations

import pytest

from channels.message import Attachment, Button, Citation, Outbound
from channels.slack.parts import SECTION_CHARACTERS, TEXT_CHARACTERS, blocks, escaped, payloads, sections


def test_a_short_answer_is_one_markdown_block_with_its_text_for_notifications() -> None:
    (payload,) = payloads(Outbound("It arrives on **Friday**."))
    assert payload["text"] == "It arrives on *Friday*."
    assert blocks(payload) == [{"type": "markdown", "text": "It arrives on **Friday**."}]


def test_a_long_answer_is_complete_and_fits() -> None:
    words = " ".join(f"word{number}" for number in range(6_000))
    found = payloads(Outbound(words, feedback=("up", "down")))
    assert len(found) > 1
    assert " ".join(payload["markdown"] for payload in found).split() == words.split()
    for payload in found:
        sizes = [len(str(block.get("text", ""))) for block in blocks(payload)]
        assert max(sizes) <= TEXT_CHARACTERS
    assert ["feedback" in payload for payload in found] == [False] * (len(found) - 1) + [True]


def test_thumbs_and_buttons_stand_below() -> None:
    (payload,) = payloads(
        Outbound("Yes.", buttons=(Button("Talk to a person", "f1person"),), feedback=("f1up", "f1down"))
    )
    _, thumbs, row = blocks(payload)
    (element,) = thumbs["elements"]
    assert (thumbs["type"], element["type"]) == ("context_actions", "feedback_buttons")
    assert [element[name]["value"] for name in ("positive_button", "negative_button")] == ["f1up", "f1down"]
    assert [(each["text"]["text"], each["value"]) for each in row["elements"]] == [("Talk to a person", "f1person")]


def test_plainer_blocks_hold_the_same() -> None:
    text = "line\n" * 2_000
    (payload,) = payloads(Outbound(text, buttons=(Button("Person", "p"),), feedback=("u", "d")))
    *said, row = blocks(payload, rich=False)
    assert {block["type"] for block in said} == {"section"}
    assert all(len(block["text"]["text"]) <= SECTION_CHARACTERS for block in said)
    assert "".join(block["text"]["text"] for block in said).split() == text.split()
    assert [each["value"] for each in row["elements"]] == ["u", "d", "p"]
    assert len({each["action_id"] for each in row["elements"]}) == 3


def test_text_without_lines_is_cut_all_the_same() -> None:
    assert [len(block["text"]["text"]) for block in sections("x" * 7_000)] == [3_000, 3_000, 1_000]


@pytest.mark.parametrize("call", ["<!channel>", "<!here>", "<!everyone>", "<@U123>", "<!subteam^S1>"])
def test_the_model_rings_nobody(call: str) -> None:
    (payload,) = payloads(Outbound(f"hello {call} and @everyone"))
    for shown in (payload["text"], payload["markdown"], escaped(call)):
        assert call not in shown
        assert "@everyone" not in shown


def test_sources_and_files() -> None:
    citation = Citation("d1#2", "Shipping", "https://shop.example/shipping")
    files = (Attachment("file", "", "invoice.pdf", ref="m1"),)
    said, file = payloads(Outbound("Three days [d1#2].", citations=(citation,), attachments=files))
    assert "https://shop.example/shipping" in said["text"]
    assert (file["text"], file["file"]) == ("invoice.pdf", "m1")


def test_nothing_to_say_is_no_message() -> None:
    assert payloads(Outbound("  ", feedback=("u", "d"))) == []


def test_what_slack_would_refuse_is_left_out() -> None:
    (payload,) = payloads(Outbound("x", buttons=(Button("b" * 90, "v"), Button("far too long", "v" * 2_001))))
    (button,) = blocks(payload)[1]["elements"]
    assert len(button["text"]["text"]) == 75
