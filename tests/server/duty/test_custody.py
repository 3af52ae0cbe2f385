"""Promises begin and end with what happens, one event after the other."""

from __future__ import annotations

from typing import Any

import pytest

from server.duty.custody import Begin, Custody, End, Retarget, Step, address_in, follow

FIRST, NEXT = Begin("response", "first"), Begin("response", "next")
WHOLE = Begin("resolution", "resolution")


def run(*events: tuple[str, dict[str, Any]]) -> tuple[Custody, list[Step]]:
    custody, steps = Custody("bot", 0.0), []
    for at, (kind, body) in enumerate(events, 1):
        custody, more = follow(custody, kind, body, float(at), text=body.get("text", ""))
        steps += more
    return custody, steps


def state(status: str) -> tuple[str, dict[str, Any]]:
    return "state", {"status": status}


def said(role: str, text: str = "") -> tuple[str, dict[str, Any]]:
    return "message", {"role": role, "text": text}


def test_a_wait_promises_a_first_answer_and_an_end() -> None:
    custody, steps = run(said("customer"), state("waiting"))
    assert steps == [FIRST, WHOLE]
    assert (custody.status, custody.since_at) == ("waiting", 2.0)


def test_staff_keep_the_first_promise_and_owe_the_next() -> None:
    _, steps = run(state("waiting"), state("claimed"), said("staff"), said("customer"), said("staff"))
    assert steps == [FIRST, WHOLE, WHOLE, End("response", kept=True), NEXT, End("response", kept=True)]


def test_closing_keeps_the_end_and_drops_an_open_answer() -> None:
    _, steps = run(state("waiting"), state("closed"))
    assert steps[2:] == [End("response", kept=False), End("resolution", kept=True)]


def test_going_back_to_the_bot_drops_both() -> None:
    _, steps = run(state("waiting"), state("bot"), said("customer"))
    assert steps[2:] == [End("response", kept=False), End("resolution", kept=False)]


def test_another_reason_does_not_restart_the_wait() -> None:
    custody, steps = run(state("waiting"), state("waiting"))
    assert steps == [FIRST, WHOLE]
    assert custody.since_at == 1.0


def test_what_the_bot_and_the_service_say_changes_nothing() -> None:
    assert run(said("assistant"), said("notice"), said("customer"))[1] == []


def test_a_new_case_owes_a_first_answer_again() -> None:
    custody, steps = run(
        state("waiting"), said("staff"), ("case_opened", {"case_id": "k"}), state("bot"), state("waiting")
    )
    assert steps[-2:] == [FIRST, WHOLE]
    assert custody.case_id == "k"


def test_another_priority_moves_the_promises() -> None:
    custody, steps = run(("priority", {"priority": "urgent"}), ("priority", {"priority": "odd"}))
    assert (custody.priority, steps) == (3, [Retarget()])


def test_an_address_counts_only_from_a_customer_who_waits() -> None:
    assert run(said("customer", "me@example.com"))[0].email is None
    custody = run(state("waiting"), said("customer", "write to Me@Example.com."))[0]
    assert (custody.email, custody.email_at) == ("me@example.com", 2.0)


@pytest.mark.parametrize(
    ("text", "found"),
    [("a b", None), ("x@y", None), ("to: a.b+c@d-e.co.uk!", "a.b+c@d-e.co.uk"), ("@a.com b@c.de", "b@c.de")],
)
def test_addresses_are_found_in_sentences(text: str, found: str | None) -> None:
    assert address_in(text) == found
