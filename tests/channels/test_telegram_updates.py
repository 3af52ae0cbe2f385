from __future__ import annotations

import dataclasses
import json
from dataclasses import is_dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.message import Consent, Fact, Inbound, Pressed
from channels.telegram.commands import Me
from channels.telegram.updates import READERS, WANTED, Reading, facts_of

PAYLOADS = Path(__file__).parent / "payloads" / "telegram"
UPDATES: dict[str, dict[str, Any]] = {
    path.stem: json.loads(path.read_text(encoding="utf-8")) for path in sorted(PAYLOADS.glob("*.json"))
}
ME = Me(7000000001, "shop_help_bot")
NOW_S = 1_762_009_999.0
GROUP = "-1001234567890"

SAID = {  # payload -> (address, external id, text)
    "text": ("10001", "10001:1", "Where is my order 1007? 📦"),
    "text_reply": ("10001", "10001:2", "This one"),
    "text_link": ("10001", "10001:3", "see here"),
    "forwarded": ("10001", "10001:4", "They wrote this"),
    "via_inline_bot": ("10001", "10001:5", "A gif caption"),
    "human": ("10002", "10002:9", "Ich möchte mit einem Menschen sprechen."),
    "help_command": ("10001", "10001:10", "/help opening hours"),
    "photo_caption": ("10001", "10001:11", "It arrived like this"),
    "private_topic": ("10001:77", "10001:28", "In my topic"),
    "group_mention": (GROUP, f"{GROUP}:41", "do you ship to Oslo?"),
    "group_mention_inside": (GROUP, f"{GROUP}:42", "does @shop_help_bot know the price?"),
    "group_text_mention": (GROUP, f"{GROUP}:43", "Shop, are you open?"),
    "group_reply_to_bot": (GROUP, f"{GROUP}:44", "and tomorrow?"),
    "group_command": (GROUP, f"{GROUP}:46", "/hours monday"),
    "group_caption_mention": (GROUP, f"{GROUP}:48", "what is this?"),
    "topic_mention": (f"{GROUP}:12", f"{GROUP}:49", "hello"),
    "group_thread_no_topic": (GROUP, f"{GROUP}:50", "again"),
    "business_customer": ("10002@bc77", "10002@bc77:80", "Is it in stock?"),
}
CARRIED = {  # payload -> what its attachment is
    "photo_caption": {"kind": "image", "ref": "AgACAgl", "mime": "image/jpeg", "size_bytes": 181222},
    "photo_album": {"kind": "image", "ref": "AgACAgl2"},
    "document_pdf": {"kind": "file", "name": "invoice.pdf", "mime": "application/pdf", "size_bytes": 40213},
    "document_image": {"kind": "image", "name": "scan.png", "mime": "image/png"},
    "document_large": {"kind": "file", "size_bytes": 31457280},
    "voice": {"kind": "audio", "voice": True, "mime": "audio/ogg"},
    "audio": {"kind": "audio", "voice": False, "name": "t.mp3"},
    "video": {"kind": "video", "mime": "video/mp4"},
    "video_note": {"kind": "video", "ref": "AgACAgvn"},
    "animation": {"kind": "video", "name": "cat.mp4"},
    "sticker": {"kind": "other", "name": "sticker", "text": "😡", "ref": ""},
    "location": {"kind": "location", "text": "38.722300, -9.139300"},
    "venue": {"kind": "location", "text": "Shop, Rua 1, 38.722300, -9.139300"},
    "contact": {"kind": "contact", "name": "Rui Dias", "text": "Rui Dias, +351900000000"},
    "poll": {"kind": "other", "name": "poll", "text": "Red or blue?"},
    "dice": {"kind": "other", "name": "dice", "text": "🎲"},
    "story": {"kind": "other", "name": "story", "text": ""},
}
TOLD = {  # payload -> the other facts, as kind and fields
    "edited_text": ("Edited", {"external_id": "10001:1", "text": "Where is my order 1008?", "edited_at": 1762000060.0}),
    "edited_caption": ("Edited", {"external_id": "10001:11", "text": "It arrived broken"}),
    "business_edited": ("Edited", {"address": "10002@bc77", "external_id": "10002@bc77:80"}),
    "business_owner": ("Echoed", {"address": "10002@bc77", "text": "Yes, two left."}),
    "callback_thumb": ("Pressed", {"payload": "f1u.abc", "label": "👍", "giver": "10001", "at": NOW_S}),
    "callback_person": ("Pressed", {"payload": "f1p.abc", "label": "Talk to a person"}),
    "callback_foreign": ("Pressed", {"payload": "size:m", "label": "Size M", "external_id": "callback:4384b"}),
    "callback_old_message": ("Pressed", {"address": "10001", "label": ""}),
    "callback_topic": ("Pressed", {"address": f"{GROUP}:12", "giver": "10002"}),
    "reaction_up": ("Reacted", {"value": "up", "provider_id": "10001:70", "giver": "10001"}),
    "reaction_up_skin": ("Reacted", {"value": "up"}),
    "reaction_change": ("Reacted", {"value": "down"}),
    "reaction_removed": ("Reacted", {"value": None}),
    "blocked": ("Blocked", {"address": "10001", "blocked": True}),
    "unblocked": ("Blocked", {"address": "10001", "blocked": False}),
    "group_removed": ("Blocked", {"address": GROUP, "blocked": True}),
    "group_migrates_to": ("Moved", {"address": "-4242", "to_address": GROUP, "route": {"chat": GROUP, "group": "1"}}),
    "group_migrates_from": ("Moved", {"address": "-4242", "to_address": GROUP, "route": {"chat": GROUP, "group": "1"}}),
}
COMMANDED = {"start", "start_deep_link", "stop"}
SILENT = UPDATES.keys() - SAID.keys() - CARRIED.keys() - TOLD.keys() - COMMANDED
KNOWN_SILENT = {
    "edited_live_location", "group_chatter", "group_reply_to_other", "group_command_other_bot", "group_from_bot",
    "group_own_message", "group_linked_channel", "group_members", "pinned", "channel_post", "edited_channel_post",
    "callback_inline", "reaction_heart", "reaction_custom", "reaction_count", "group_promoted", "channel_added",
    "business_our_reply", "business_deleted", "business_connection", "inline_query", "poll_answer",
    "chat_join_request", "unknown_kind", "broken_message",
}  # fmt: skip


def read(name: str, me: Me = ME) -> list[Fact]:
    return list(facts_of(UPDATES[name], Reading("default", me, NOW_S)))


def test_there_are_payloads_of_every_kind():
    assert len(UPDATES) >= 40
    assert {kind for update in UPDATES.values() for kind in update} >= set(WANTED)
    assert set(SILENT) == KNOWN_SILENT


@pytest.mark.parametrize("name", SAID)
def test_what_customers_say(name: str):
    (fact,) = read(name)
    assert isinstance(fact, Inbound)
    assert (fact.address, fact.external_id, fact.text) == SAID[name]
    assert (fact.channel, fact.account, fact.verified) == ("telegram", "default", False)
    assert fact.sent_at == 1_762_000_000 + int(fact.external_id.rpartition(":")[2])
    assert fact.route["chat"] == fact.address.partition("@")[0].partition(":")[0]


@pytest.mark.parametrize("name", CARRIED)
def test_what_messages_carry(name: str):
    (fact,) = read(name)
    assert isinstance(fact, Inbound)
    (attachment,) = fact.attachments
    found = dataclasses.asdict(attachment)
    assert {key: found[key] for key in CARRIED[name]} == CARRIED[name]
    assert attachment.url == ""


@pytest.mark.parametrize("name", TOLD)
def test_what_else_platforms_tell(name: str):
    kind, fields = TOLD[name]
    (fact,) = read(name)
    assert type(fact).__name__ == kind
    assert {key: getattr(fact, key) for key in fields} == fields


@pytest.mark.parametrize("name", sorted(KNOWN_SILENT))
def test_what_means_nothing_to_us(name: str):
    assert read(name) == []


def test_start_allows_messages_greets_and_keeps_the_deep_link_apart():
    consent, hello = read("start_deep_link")
    assert isinstance(consent, Consent)
    assert isinstance(hello, Inbound)
    assert (consent.allowed, consent.address) == (True, "10002")
    assert consent.inbound is not None
    assert (consent.inbound.text, consent.inbound.external_id) == ("/start ref_9f2c", "10002:7")
    assert (hello.text, hello.external_id) == ("Hallo", "10002:7:hello")
    assert hello.profile == {"locale": "de", "start": "ref_9f2c"}
    assert [getattr(fact, "text", "") for fact in read("start")][1] == "Olá"


def test_stop_forbids_messages():
    (consent,) = read("stop")
    assert isinstance(consent, Consent)
    assert not consent.allowed
    assert consent.inbound is not None
    assert consent.inbound.text == "/stop"


def test_a_profile_and_a_name_come_along():
    (fact,) = read("text")
    assert isinstance(fact, Inbound)
    assert (fact.name, fact.profile) == ("Ana Lima", {"locale": "pt-br", "username": "ana_l"})


def test_routes_carry_what_an_answer_needs():
    (topic,), (business,) = read("topic_mention"), read("business_customer")
    assert isinstance(topic, Inbound)
    assert isinstance(business, Inbound)
    assert topic.route == {"chat": GROUP, "thread": "12", "message": "49", "group": "1"}
    assert business.route == {"chat": "10002", "business": "bc77", "message": "80"}
    (pressed,) = read("callback_thumb")
    assert isinstance(pressed, Pressed)
    assert pressed.route["callback"] == "4382b"


def test_a_bot_that_does_not_know_its_name_yet_answers_mentions_of_any_bot():
    nameless = Me(7000000001)
    assert len(read("group_mention", nameless)) == 1
    assert len(read("group_command", nameless)) == 1
    assert read("group_chatter", nameless) == []


def test_deliveries_repeat_exactly():
    for name in UPDATES:
        assert read(name) == read(name)


scalars = st.none() | st.booleans() | st.integers() | st.text(max_size=8)
anything = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(
        ["chat", "id", "from", "type", "text", "message_id", "message", "photo", "data", "new_reaction", "date"]
    ), inner, max_size=5),
    max_leaves=12,
)  # fmt: skip


@given(st.sampled_from(sorted(READERS)), anything)
def test_no_update_is_a_fault(kind: str, content: object):
    found = facts_of({"update_id": 1, kind: content}, Reading("default", ME, NOW_S))
    assert all(is_dataclass(fact) for fact in found)


# -- the same update as python-telegram-bot understands it -----------------------------------------------------------


@pytest.mark.parametrize("name", sorted(UPDATES.keys() - {"broken_message", "unknown_kind"}))
def test_it_reads_what_the_library_reads(name: str):
    telegram = pytest.importorskip("telegram")
    update = telegram.Update.de_json(UPDATES[name], None)
    facts = read(name)
    for fact in facts:
        said = fact.inbound if isinstance(fact, Consent) else fact
        if isinstance(said, Inbound):
            message = update.message or update.business_message
            assert said.route["chat"] == str(message.chat.id)
            assert said.external_id.removesuffix(":hello").rpartition(":")[2] == str(message.message_id)
            assert said.sent_at == message.date.timestamp()
            assert said.name == message.from_user.full_name
            assert said.route.get("thread", "") == str(message.message_thread_id if message.is_topic_message else "")
            if message.photo:
                assert said.attachments[0].ref == message.photo[-1].file_id
            elif message.effective_attachment and said.attachments[0].ref:
                assert said.attachments[0].ref == message.effective_attachment.file_id
        if isinstance(fact, Pressed):
            assert (fact.payload, fact.giver) == (update.callback_query.data, str(update.callback_query.from_user.id))
