"""Buttons: short, signed for one account, and nothing else is believed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.buttons import KINDS, PAYLOAD_BYTES, Buttons, Kind, Press, reply_payload, reply_text
from server.ids import new_id

KEY = b"k" * 32
BUTTONS = Buttons("shop", lambda: KEY)
PLACE = ("telegram", "default")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("ref", [new_id(), "c1", ""], ids=["id", "short", "none"])
def test_what_we_sign_comes_back_and_fits_every_platform(kind: Kind, ref: str):
    payload = BUTTONS.payload(*PLACE, kind, ref)
    assert len(payload.encode()) <= PAYLOAD_BYTES
    assert BUTTONS.read(*PLACE, payload) == Press(kind, ref)


def test_thumbs_are_an_up_and_a_down_of_one_message():
    ref = new_id()
    assert [BUTTONS.read(*PLACE, one) for one in BUTTONS.thumbs(*PLACE, ref)] == [Press("up", ref), Press("down", ref)]


def test_an_id_in_another_spelling_stays_as_it_is():
    ref = new_id().replace("-", "")
    assert BUTTONS.read(*PLACE, BUTTONS.payload(*PLACE, "up", ref)) == Press("up", ref)


def test_a_reference_that_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="an id of ours"):
        BUTTONS.payload(*PLACE, "up", "x" * 60)


def test_a_payload_means_nothing_elsewhere():
    payload = BUTTONS.payload(*PLACE, "person", "c1")
    assert BUTTONS.read("telegram", "second", payload) is None
    assert BUTTONS.read("slack", "default", payload) is None
    assert Buttons("other", lambda: KEY).read(*PLACE, payload) is None
    assert Buttons("shop", lambda: b"x" * 32).read(*PLACE, payload) is None


def test_every_changed_character_voids_it():
    payload = BUTTONS.payload(*PLACE, "up", new_id())
    for place, letter in enumerate(payload):
        changed = payload[:place] + ("A" if letter != "A" else "B") + payload[place + 1 :]
        assert BUTTONS.read(*PLACE, changed) is None, place


@given(st.text(max_size=80))
def test_foreign_payloads_are_no_buttons_of_ours(payload: str):
    assert BUTTONS.read(*PLACE, payload) is None


@pytest.mark.parametrize(("text", "back"), [("Yes, book it", "Yes, book it"), ("é" * 31, ""), ("", "")])
def test_an_offered_reply_carries_its_words_where_they_fit(text: str, back: str):
    payload = reply_payload(text)
    assert len(payload.encode()) <= PAYLOAD_BYTES
    assert reply_text(payload) == back
    assert BUTTONS.read(*PLACE, payload) is None


def test_other_payloads_have_no_words():
    assert reply_text(BUTTONS.payload(*PLACE, "up", new_id())) == ""
