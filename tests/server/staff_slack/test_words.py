"""What stands in the staff channel."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.staff_slack.words import POST_CHARACTERS, TEXT_CHARACTERS, digest, gather, inert, line_of, root

ROW: dict[str, Any] = {
    "status": "waiting", "owner": None, "customer_name": "Marta", "channel": "whatsapp", "waiting_since": 1_000.0,
    "reason": "customer_asked",
}  # fmt: skip


def names(person: str | None) -> str:
    return {"ana": "Ana *Keller*"}.get(person or "", "somebody")


def event(kind: str, seq: int = 1, author: str | None = None, **body: Any) -> dict[str, Any]:
    empty = {"correction_id": None, "correction_text": None, "suggested": None, "route_reason": None}
    return {"kind": kind, "seq": seq, "author": author, "body": json.dumps(body), **empty}


@given(st.text())
def test_no_words_of_a_customer_are_markup_or_ring_anybody(text: str) -> None:
    shown = inert(text)
    assert "<" not in shown
    assert ">" not in shown
    assert "@channel" not in inert("@channel <!here> *x*")
    assert len(inert("x" * 10_000)) < TEXT_CHARACTERS + 100


@pytest.mark.parametrize("status", ["waiting", "claimed", "bot", "closed"])
def test_the_root_says_the_state_and_offers_what_can_be_done(status: str) -> None:
    payload = root({**ROW, "status": status, "owner": "ana"}, names, "https://desk.example/x")
    assert "Marta" in payload["text"]
    assert payload["buttons"][-1]["url"] == "https://desk.example/x"
    values = {each.get("value") for each in payload["buttons"]}
    assert ("claim" in values) == (status in {"waiting", "bot"})
    assert digest(payload) == digest(root({**ROW, "status": status, "owner": "ana"}, names, "https://desk.example/x"))


@pytest.mark.parametrize(
    ("given_event", "words"),
    [
        (event("message", role="customer", text="hello", attachments=[{"name": "a.png"}]), "[a.png]"),
        (event("message", role="assistant", text="yes"), "Assistant"),
        (event("message", role="staff", text="yes", author="ana") | {"author": "ana"}, "to the customer"),
        (event("message", role="notice", text="busy"), "busy"),
        (event("note", id="n1", text="look", author_name="Ben"), "note:"),
        (event("note", id="own", text="look", author_name="Ben"), ""),
        (event("state", status="waiting", reason="customer_asked"), "waits for a person"),
        (event("state", status="claimed"), "a person has"),
        (event("feedback", value="down"), "thumb down"),
        (event("feedback", value="up"), ""),
        (event("delivery", state="failed"), "did not arrive"),
        (event("delivery", state="sent"), ""),
        (event("message_edited", text="new"), "changed"),
        (event("correction"), ""),
        (event("labels"), ""),
    ],
)
def test_each_event_has_its_line(given_event: dict[str, Any], words: str) -> None:
    line, buttons = line_of(given_event, names, frozenset({"own"}))
    assert words in line if words else not line
    assert not buttons


def test_a_correction_ends_its_post_and_asks_for_a_decision() -> None:
    kept = event("correction", 2) | {
        "correction_id": "k1", "correction_text": "45 days", "suggested": "fact", "route_reason": "contradicts figures",
    }  # fmt: skip
    payload, upto = gather(
        [event("message", 1, role="customer", text="hi"), kept, event("state", 3, status="bot")], names, frozenset()
    )
    assert payload is not None
    assert upto == 2
    assert [each["value"] for each in payload["buttons"]] == ["fact:k1", "behaviour:k1"]
    assert "a passage says something else, new figures" in payload["text"]


def test_posts_stay_within_what_slack_takes_and_waits_are_heard() -> None:
    events = [event("message", seq, role="customer", text="x" * 2_000) for seq in range(1, 9)]
    payload, upto = gather(events, names, frozenset())
    assert payload is not None
    assert len(payload["text"]) <= POST_CHARACTERS + 100
    assert upto < 8
    loud, _ = gather([event("state", 1, status="waiting", reason="x")], names, frozenset())
    assert loud is not None
    assert loud["broadcast"]
    assert gather([event("labels", 7)], names, frozenset()) == (None, 7)
