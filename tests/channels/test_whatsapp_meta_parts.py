"""How answers become Cloud API messages."""

from __future__ import annotations

import json

from channels.message import Attachment, Button, Outbound
from channels.whatsapp.meta_parts import render_parts

PERSON = Button("Talk to a person right now", "f1p")


def test_a_text_is_one_part_and_a_long_one_several() -> None:
    assert render_parts(Outbound("hello")) == [{"type": "text", "text": {"body": "hello", "preview_url": False}}]
    words = " ".join(f"word{number}" for number in range(1_500))
    parts = render_parts(Outbound(words))
    assert len(parts) > 1
    assert all(len(part["text"]["body"]) <= 4_096 for part in parts)
    assert json.loads(json.dumps(parts)) == parts


def test_buttons_stand_below_the_last_text() -> None:
    (part,) = render_parts(Outbound("hello", buttons=(PERSON,), feedback=("up", "down")))
    assert part["interactive"]["body"] == {"text": "hello"}
    assert [button["reply"] for button in part["interactive"]["action"]["buttons"]] == [
        {"id": "up", "title": "👍"},
        {"id": "down", "title": "👎"},
        {"id": "f1p", "title": "Talk to a person rig"},
    ]


def test_a_text_too_long_for_buttons_is_followed_by_them() -> None:
    long = "x" * 1_025
    first, second = render_parts(Outbound(long, feedback=("up", "down")))
    assert first["text"]["body"] == long
    assert second["interactive"]["body"] == {"text": "👍 👎"}


def test_more_than_three_buttons_need_more_messages() -> None:
    first, second = render_parts(Outbound("hello", buttons=(PERSON, PERSON), feedback=("up", "down")))
    assert len(first["interactive"]["action"]["buttons"]) == 3
    assert second["interactive"]["body"] == {"text": PERSON.label}


def test_files_are_parts_of_their_own() -> None:
    files = (
        Attachment("image", "https://shop.example.com/a.png"),
        Attachment("file", "", name="label.pdf", ref="f1"),
    )
    parts = render_parts(Outbound("hello", attachments=files))
    assert parts[1:] == [
        {"type": "image", "file": {"ref": "", "url": "https://shop.example.com/a.png", "name": ""}},
        {"type": "document", "file": {"ref": "f1", "url": "", "name": "label.pdf"}},
    ]


def test_nothing_to_say_is_nothing_to_send() -> None:
    assert render_parts(Outbound("  ")) == []
