"""Answers as the payloads of Telegram messages: HTML parts with a plain text each, and the inline keyboard; pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from channels.message import Attachment, Button, Outbound
from channels.render import parts, telegram_units

TEXT_UNITS = 4_096  # UTF-16 code units of a message, counted after its entities are parsed
CALLBACK_BYTES = 64  # of a button's payload
LABEL_CHARACTERS = 64
WAITING = "…"  # a draft that has no words yet

Payload = Mapping[str, Any]
Keyboard = list[list[dict[str, str]]]


def payloads_of(message: Outbound) -> list[Payload]:
    """The payloads of a message: its files after its text, the keyboard below the last piece of text."""
    texts = parts(message.text, message.citations, "telegram", TEXT_UNITS, telegram_units)
    found: list[dict[str, Any]] = [{"html": part.text, "text": part.plain} for part in texts]
    files = [_file(attachment) for attachment in message.attachments if attachment.ref]
    keyboard = keyboard_of(message)
    if keyboard and (found or files):
        (found or files)[-1]["keyboard"] = keyboard
    for number, payload in enumerate([*found, *files]):
        payload["first"] = number == 0
    return [*found, *files]


def opening(text: str, *, unfinished: bool = False) -> Payload:
    """The payload that shows the beginning of an answer: what its first message can hold.

    ``unfinished`` ends it with a sign that more comes, for a message that may be left standing as it is.
    """
    more = f" {WAITING}" if unfinished else ""
    part = next(iter(parts(text, (), "telegram", TEXT_UNITS - len(more), telegram_units)), None)
    html, plain = (part.text + more, part.plain + more) if part else (WAITING, WAITING)
    return {"html": html, "text": plain, "first": True}


REASONS_OF_ROW = 2  # their labels are short


def keyboard_of(message: Outbound) -> Keyboard:
    """Thumbs side by side, then a row for each button; payloads that Telegram would refuse are left out."""
    thumbs = [Button(label, payload) for label, payload in zip("👍👎", message.feedback or (), strict=False)]
    reasons = [
        message.reasons[start : start + REASONS_OF_ROW] for start in range(0, len(message.reasons), REASONS_OF_ROW)
    ]
    rows = [thumbs, *([button] for button in message.buttons), *reasons]
    return [row for row in map(_row, rows) if row]


def _row(buttons: Sequence[Button]) -> list[dict[str, str]]:
    return [
        {"text": button.label[:LABEL_CHARACTERS], "callback_data": button.payload}
        for button in buttons
        if button.label and 0 < len(button.payload.encode()) <= CALLBACK_BYTES
    ]


def _file(attachment: Attachment) -> dict[str, Any]:
    return {"file": attachment.ref, "kind": attachment.kind, "text": attachment.text}
