"""How an answer becomes Cloud API messages: text parts, reply buttons below the last one, a part per file; pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from channels import render
from channels.message import Attachment, Button, Chosen, Outbound
from channels.whatsapp.common import NAME

TEXT_UNITS = 4_096  # UTF-16 units
BUTTON_BODY_UNITS = 1_024
BUTTONS = 3  # of one message
LABEL_CHARACTERS = 20
ROWS = 10  # of one list
ROW_CHARACTERS = 24
CHOOSE = "…"  # what opens a list; the question stands above it
THUMBS = ("👍", "👎")
KINDS: Mapping[str, str] = {"image": "image", "audio": "audio", "video": "video"}


def render_parts(message: Outbound) -> Sequence[Mapping[str, Any]]:
    """The messages that together show ``message``, in order, without recipient and id."""
    if message.template is not None:
        return [_template(message.template)]
    cut = render.parts(message.text, message.citations, style=NAME, limit=TEXT_UNITS, measure=render.utf16_units)
    texts = [part.text for part in cut]
    files = [_file(file) for file in message.attachments]
    if message.reasons:
        return [*map(_text, texts[:-1]), *files, _list(texts[-1] if texts else CHOOSE, message.reasons)]
    feedback = tuple(Button(*pair) for pair in zip(THUMBS, message.feedback or (), strict=False))
    buttons = (*feedback, *message.buttons)
    if not buttons:
        return [*map(_text, texts), *files]
    if texts and render.utf16_units(texts[-1]) <= BUTTON_BODY_UNITS:
        body = texts.pop()
    else:  # the text is too long to carry buttons: they follow by themselves
        body = " ".join(button.label for button in buttons)
    rows = [buttons[start : start + BUTTONS] for start in range(0, len(buttons), BUTTONS)]
    first, *more = rows
    asked = [_buttons(body, first), *(_buttons(" ".join(button.label for button in row), row) for row in more)]
    return [*map(_text, texts), *files, *asked]


def _text(body: str) -> Mapping[str, Any]:
    return {"type": "text", "text": {"body": body, "preview_url": False}}


def _template(chosen: Chosen) -> Mapping[str, Any]:
    parameters = [{"type": "text", "text": value} for value in chosen.values]
    components = {"components": [{"type": "body", "parameters": parameters}]} if parameters else {}
    return {
        "type": "template",
        "template": {"name": chosen.key, "language": {"code": chosen.language}, **components},
    }


def _list(body: str, choices: Sequence[Button]) -> Mapping[str, Any]:
    """A list to choose from: it takes more than the three choices that buttons take."""
    rows = [{"id": each.payload, "title": each.label[:ROW_CHARACTERS]} for each in choices[:ROWS]]
    action = {"button": CHOOSE, "sections": [{"title": CHOOSE, "rows": rows}]}
    return {"type": "interactive", "interactive": {"type": "list", "body": {"text": body}, "action": action}}


def _buttons(body: str, buttons: Sequence[Button]) -> Mapping[str, Any]:
    replies = [
        {"type": "reply", "reply": {"id": button.payload, "title": button.label[:LABEL_CHARACTERS]}}
        for button in buttons
    ]
    return {
        "type": "interactive",
        "interactive": {"type": "button", "body": {"text": body}, "action": {"buttons": replies}},
    }


def _file(file: Attachment) -> Mapping[str, Any]:
    kind = KINDS.get(file.kind, "document")
    return {"type": kind, "file": {"ref": file.ref, "url": file.url, "name": file.name}}
