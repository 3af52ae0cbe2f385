"""Answers as Slack messages: a markdown block each, with the whole text again for notifications and screen readers.

Payloads stay independent of Block Kit: blocks are built when a message is sent, and built again from older pieces where
a workspace refuses the newer ones.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from channels import render
from channels.message import Outbound
from channels.slack import words

TEXT_CHARACTERS = 11_000  # all blocks together are refused near 13,200
SECTION_CHARACTERS = 3_000
LABEL_CHARACTERS = 75
VALUE_CHARACTERS = 2_000
BUTTONS_MAX = 20  # of an actions block, thumbs included

UP, DOWN = "👍", "👎"

Payload = Mapping[str, Any]
Block = dict[str, Any]


def payloads(message: Outbound) -> Sequence[Payload]:
    """The messages that together show ``message``: its text, a link per file, and the buttons below the last one."""
    texts = render.parts(message.text, message.citations, style="markdown", limit=TEXT_CHARACTERS, measure=len)
    found: list[dict[str, Any]] = [{"text": render.slack(part.text), "markdown": part.text} for part in texts]
    found += [{"text": escaped(file.name or "file"), "file": file.ref, "url": file.url} for file in message.attachments]
    buttons = [
        [each.label, each.payload]
        for each in (*message.buttons, *message.reasons)
        if len(each.payload) <= VALUE_CHARACTERS
    ]
    if found and message.feedback:
        found[-1]["feedback"] = list(message.feedback)
    if found and buttons:
        found[-1]["buttons"] = buttons
    return found


def blocks(payload: Payload, *, rich: bool = True) -> list[Block]:
    """The blocks of a payload; without ``rich`` only such as every workspace knows (sections and buttons)."""
    markdown = payload.get("markdown")
    body = [markdown_block(markdown)] if markdown and rich else sections(str(payload["text"]))
    buttons = [_button(label, value, f"choice_{number}") for number, (label, value) in enumerate(_buttons(payload))]
    feedback = payload.get("feedback")
    if feedback and not rich:
        thumbs = zip((UP, DOWN), feedback, ("up", "down"), strict=True)
        buttons = [*(_button(*thumb) for thumb in thumbs), *buttons]
    rows: list[Block] = [{"type": "actions", "elements": buttons[:BUTTONS_MAX]}] if buttons else []
    return [*body, *([_feedback(*feedback)] if feedback and rich else []), *rows]


def markdown_block(text: str) -> Block:
    """The block that takes CommonMark as it is."""
    return {"type": "markdown", "text": text}


def sections(text: str) -> list[Block]:
    """The text in sections of Slack's own markup, cut at lines where there are any."""
    found: list[Block] = []
    while text:
        cut = text if len(text) <= SECTION_CHARACTERS else text[: _line_end(text)]
        found.append({"type": "section", "text": {"type": "mrkdwn", "text": cut, "verbatim": True}})
        text = text[len(cut) :].lstrip("\n")
    return found


def escaped(text: str) -> str:
    """Plain text in which Slack sees neither markup nor anybody to ring."""
    return words.inert(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _line_end(text: str) -> int:
    return text.rfind("\n", 0, SECTION_CHARACTERS) + 1 or SECTION_CHARACTERS


def _buttons(payload: Payload) -> Sequence[tuple[str, str]]:
    return [(str(label), str(value)) for label, value in payload.get("buttons", ())]


def _button(label: str, value: str, action: str) -> Block:
    text = {"type": "plain_text", "text": label[:LABEL_CHARACTERS], "emoji": True}
    return {"type": "button", "action_id": f"frontdesk_{action}", "text": text, "value": value}


def _feedback(up: str, down: str) -> Block:
    buttons = {
        name: {"text": {"type": "plain_text", "text": label, "emoji": True}, "value": value}
        for name, label, value in (("positive_button", UP, up), ("negative_button", DOWN, down))
    }
    element = {"type": "feedback_buttons", "action_id": "frontdesk_feedback", **buttons}
    return {"type": "context_actions", "elements": [element]}
