"""Recorded webhooks of Twilio, each with the facts it must become."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import pytest

from channels.base import Rejected
from channels.message import Inbound
from channels.whatsapp import twilio_facts
from channels.whatsapp.twilio import TwilioChannel
from tests.channels.whatsapp_kit import NOW_S, PAYLOADS, services, shown, twilio_accounts

RECORDED = [path for path in PAYLOADS if path.stem.startswith("twilio_")]


@pytest.mark.parametrize("path", RECORDED, ids=lambda path: path.stem)
def test_a_recorded_webhook_becomes_its_facts(path: Path) -> None:
    recorded = json.loads(path.read_text(encoding="utf-8"))
    channel = TwilioChannel("default", twilio_accounts(), services())
    facts = channel.normalize(recorded["payload"], now_s=NOW_S)
    assert [shown(fact, wanted) for fact, wanted in zip(facts, recorded["facts"], strict=False)] == recorded["facts"]
    assert len(facts) == len(recorded["facts"])


def test_a_message_without_an_id_is_impossible() -> None:
    with pytest.raises(Rejected) as caught:
        twilio_facts.normalize({"From": "whatsapp:+49151", "Body": "hi"}, "default", {}, NOW_S)
    assert caught.value.status == 422


def test_values_that_are_no_texts_are_left_out() -> None:
    channel = TwilioChannel("default", twilio_accounts(), services())
    payload = {"From": "whatsapp:+49151", "MessageSid": "SM1", "Body": "hi", "NumMedia": 3}
    (fact,) = channel.normalize(payload, now_s=NOW_S)
    assert isinstance(fact, Inbound)
    assert fact.attachments == ()


def test_a_listed_message_has_the_same_identity_as_its_webhook() -> None:
    record = SimpleNamespace(sid="SM1", from_="whatsapp:+49151", to="whatsapp:+14155238886", body=None)
    form = twilio_facts.form_of(record, [("https://api.twilio.com/x/Media/ME1", "image/png")])
    (fact,) = twilio_facts.normalize(form, "default", {}, NOW_S)
    assert isinstance(fact, Inbound)
    assert (fact.external_id, fact.address, fact.text) == ("SM1", "+49151", "")
    assert [(file.kind, file.url) for file in fact.attachments] == [("image", "https://api.twilio.com/x/Media/ME1")]


def test_never_more_files_than_a_message_can_have() -> None:
    form = {"From": "whatsapp:+49151", "MessageSid": "SM1", "NumMedia": "999999"}
    (fact,) = twilio_facts.normalize(form, "default", {}, NOW_S)
    assert isinstance(fact, Inbound)
    assert len(fact.attachments) == twilio_facts.FILES
