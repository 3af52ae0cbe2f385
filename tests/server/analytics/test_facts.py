"""Events as they come, and what a case's facts become: the corners that a simulated month may miss."""

from __future__ import annotations

from typing import Any

from server.analytics.facts import CaseFacts, Happened, Thread


class Talk:
    """One thread and its events, a minute apart."""

    def __init__(self) -> None:
        self.thread = Thread("talk", "shop", "web", "default", "en")
        self.number = 0

    def tell(self, kind: str, **body: Any) -> CaseFacts:
        self.number += 1
        self.thread.fold(Happened(self.number, kind, self.number * 60.0, body))
        case = self.thread.case or self.thread.last
        assert case is not None
        return case

    def open(self, case_id: str = "c1") -> CaseFacts:
        return self.tell("case_opened", case_id=case_id)

    def say(self, role: str) -> CaseFacts:
        return self.tell("message", role=role, id=f"m{self.number}")

    def state(self, status: str, reason: str | None = None) -> CaseFacts:
        return self.tell("state", status=status, reason=reason)


def test_a_handoff_that_staff_answer() -> None:
    talk = Talk()
    talk.open()
    talk.say("customer")
    talk.state("waiting", "customer_asked")
    talk.state("claimed")
    talk.say("staff")
    talk.state("closed")
    case = talk.tell("case_closed", case_id="c1", by="ana")
    assert (case.handed_at, case.handed_reason, case.staff_s) == (180.0, "customer_asked", 120.0)
    assert (case.handle_s, case.closed_by, case.closed_at) == (120.0, "staff", 420.0)
    assert [(span.kind, span.from_at, span.to_at) for span in talk.thread.spans] == [
        ("waiting", 180.0, 240.0),
        ("claimed", 240.0, 360.0),
    ]


def test_claimed_without_a_wait_is_taken_and_a_transfer_goes_on() -> None:
    talk = Talk()
    talk.open()
    talk.state("claimed")
    case = talk.state("claimed")  # to a colleague
    assert case.handed_reason == "taken"
    assert len(talk.thread.spans) == 1
    talk.state("bot")
    talk.state("claimed")
    case = talk.state("bot")
    assert case.handle_s == 120.0 + 60.0
    assert case.handed_at == 120.0


def test_a_new_case_of_a_held_conversation_is_carried() -> None:
    talk = Talk()
    first = talk.open()
    talk.state("claimed")
    talk.tell("case_closed", case_id="c1", by="idle")
    second = talk.open("c2")
    assert (first.closed_by, first.handle_s, first.next_at) == ("idle", 60.0, 240.0)
    assert (second.handed_reason, second.handed_at) == ("carried", 240.0)
    assert talk.state("bot").handle_s == 60.0


def test_notices_and_what_is_said_outside_a_case_do_not_count() -> None:
    talk = Talk()
    talk.thread.fold(Happened(1, "message", 1.0, {"role": "customer", "id": "early"}))
    case = talk.open()
    talk.say("notice")
    talk.say("assistant")  # before the customer said anything
    assert (case.customer_messages, case.bot_messages, case.bot_s) == (0, 1, None)


def test_old_events_without_figures_fold_too() -> None:
    talk = Talk()
    talk.open()
    case = talk.tell("turn_ended", outcome="answered", release="r1")
    talk.tell("turn_ended", outcome="graceful", release="r2", calls={"failed": 2}, prompt_tokens=5)
    assert (case.turns, case.answered, case.release_id, case.tools_failed) == (2, 1, "r1", 2)
    assert (case.prompt_tokens, case.completion_tokens) == (5, 0)


def test_ratings_promises_and_scores() -> None:
    case = Talk().open()
    for before, value in ((None, "up"), ("up", "down"), ("down", None), (None, "down")):
        case.rated(before, value)
    for outcome in ("met", "missed", "dropped"):
        case.promised({"outcome": outcome})
    for state, kind, score in (("asked", "csat", 0), ("scored", "csat", 4), ("asked", "nps", 0), ("scored", "nps", 0)):
        case.surveyed({"state": state, "kind": kind, "score": score})
    assert (case.thumbs_up, case.thumbs_down, case.sla_met, case.sla_breached) == (0, 1, 1, 1)
    assert (case.csat_asked, case.csat, case.nps_asked, case.nps) == (1, 4, 1, 0)
