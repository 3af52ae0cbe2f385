"""What a rendered part would look like on its platform: text in the platform's markup, and the buttons below it. PURE.

For people who look at an answer without the platform; nothing here decides what is sent.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from channels.message import Button
from channels.render import utf16_units
from channels.slack import parts as slack_parts

Payload = Mapping[str, Any]
Markup = Literal["html", "markdown", "whatsapp", "plain"]
THUMBS = ("👍", "👎")


@dataclass(frozen=True, slots=True)
class Shown:
    """One platform message: ``units`` is what the platform counts of its text, ``raw`` what would be posted (JSON).

    ``note`` says what else it is: the name of a template, or that a file goes along.
    """

    text: str
    markup: Markup
    units: int
    buttons: tuple[Button, ...]
    note: str
    raw: str


def shown(channel: str, payload: Payload) -> Shown:
    """How one part of ``channel`` appears; a payload of an unknown shape is shown as it is."""
    return _READERS.get(channel, _plain)(payload)


def _telegram(payload: Payload) -> Shown:
    text = str(payload.get("html") or payload.get("text") or "")
    rows = payload.get("keyboard") or []
    buttons = [Button(key["text"], key["callback_data"]) for row in rows for key in row]
    note = "file" if "file" in payload else ""
    return _shown(text, "html", utf16_units(str(payload.get("text") or "")), buttons, note, payload)


def _slack(payload: Payload) -> Shown:
    buttons = [Button(*pair) for pair in zip(THUMBS, payload.get("feedback") or (), strict=False)]
    buttons += [Button(label, value) for label, value in payload.get("buttons") or ()]
    markdown = payload.get("markdown")
    text = str(markdown if markdown is not None else payload.get("text") or "")
    posted = {"text": payload.get("text", ""), "blocks": slack_parts.blocks(payload)}
    note = "file" if "file" in payload else ""
    return _shown(text, "markdown" if markdown is not None else "plain", len(text), buttons, note, posted)


def _whatsapp(payload: Payload) -> Shown:
    """Both transports: Meta's messages have a ``type``, Twilio's a ``body`` or a template."""
    if "type" not in payload:
        note = f"template {payload['content_sid']}" if payload.get("content_sid") else ""
        note = note or ("file" if payload.get("file") else "")
        variables = payload.get("content_variables") or {}
        buttons = [Button(*pair) for pair in zip(THUMBS, variables.values(), strict=False)]
        text = str(payload.get("body") or "")
        return _shown(text, "whatsapp", utf16_units(text), buttons, note, payload)
    if payload["type"] == "interactive":
        inner = payload["interactive"]
        text = str(inner["body"]["text"])
        buttons = [Button(one["reply"]["title"], one["reply"]["id"]) for one in inner["action"]["buttons"]]
        return _shown(text, "whatsapp", utf16_units(text), buttons, "", payload)
    text = str((payload.get("text") or {}).get("body") or "")
    note = {"text": "", "template": "template"}.get(str(payload["type"]), "file")
    return _shown(text, "whatsapp", utf16_units(text), (), note, payload)


def _plain(payload: Payload) -> Shown:
    text = str(payload.get("text") or "")
    return _shown(text, "plain", len(text), (), "", payload)


def _shown(text: str, markup: Markup, units: int, buttons: Sequence[Button], note: str, posted: Payload) -> Shown:
    raw = json.dumps(posted, ensure_ascii=False, indent=2, default=str)
    return Shown(text, markup, units, tuple(buttons), note, raw)


_READERS: Mapping[str, Callable[[Payload], Shown]] = {"telegram": _telegram, "slack": _slack, "whatsapp": _whatsapp}
