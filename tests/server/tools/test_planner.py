"""Whole conversations through the planner: slots over turns, corrections, digressions, confirmations, codes."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from models.chat import ToolSpec
from server.tools.contract import Caller
from server.tools.planner import plan
from server.tools.plans import Ask, Call, Confirmed, Declined, Dialogue, Force, NoPlan, Pending, Plan, Say
from server.tools.slots import Service, Vocabulary

NOW = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)
WORDS = Vocabulary(
    "MP",
    5,
    (
        Service(
            "workshop_visit",
            (("en", "Workshop visit"), ("de", "Werkstattbesuch")),
            ("workshop", "werkstatt", "taller"),
            ("10:30", "14:30"),
            6,
        ),
        Service(
            "showroom_consultation",
            (("en", "Showroom consultation"),),
            ("showroom", "consultation", "beratung"),
            ("11:00", "13:00", "16:00"),
            4,
        ),
    ),
    "Europe/Dublin",
)
NAMES = (
    "order_status",
    "confirm_identity",
    "book_appointment",
    "payment_link",
    "capture_lead",
    "create_ticket",
    "handoff_to_staff",
)
VISIT = {"service": "workshop_visit", "date": "2026-11-11", "time": "10:30"}
PENDING = Pending("r1", "book_appointment", VISIT)


NO_DIALOGUE = Dialogue()


def planned(
    text: str,
    dialogue: Dialogue = NO_DIALOGUE,
    pending: Pending | None = None,
    *,
    known: bool = True,
    history: tuple[str, ...] = (),
    language: str = "en",
    tools: tuple[str, ...] = NAMES,
) -> Plan:
    caller = Caller("t", "c", "web", "default", "k", language, "C-001" if known else "")
    return plan(text, history, dialogue, pending, caller, [ToolSpec(name, "", {}) for name in tools], NOW, WORDS)


def kept(asked: Plan) -> Dialogue:
    assert isinstance(asked, Ask), asked
    return Dialogue(asked.tool, asked.slots, asked.asked, asked.tries)


def arguments(found: Plan) -> dict[str, Any]:
    assert isinstance(found, Call), found
    return {"tool": found.tool, **found.arguments}


@pytest.mark.parametrize(
    "text",
    [
        "where's MP-20349",
        "mp20349 ???",
        "MP 20 349 please",
        "news on order 20349?",
        "20349",
        "Mp-2O349 hasn't come",
        "PM-20349",
        "wo ist MP\u201320349",
        "¿y mi pedido nº 20349?",
    ],
)
def test_order_numbers_are_recognised_as_people_write_them(text: str) -> None:
    assert arguments(planned(text)) == {"tool": "order_status", "order_number": "MP-20349"}


@pytest.mark.parametrize(
    "text",
    [
        "the lamp has 20349 lumens",
        "we are 20349 followers",
        "that was 20349 euros",
        "I live in 20349 Hamburg",
        "I need a thing",
        "if I cancel MP-20349, what do I get back?",
        "please cancel MP-20349",
        "I want to return order MP-20349",
    ],
)
def test_other_figures_and_other_wishes_start_no_look_up(text: str) -> None:
    assert planned(text) == NoPlan()


def test_a_booking_is_filled_over_several_turns() -> None:
    asked = planned("I'd like to make an appointment")
    assert isinstance(asked, Ask)
    assert (asked.asked, asked.missing, asked.replies) == (
        "service",
        ("service", "date", "time"),
        ("Workshop visit", "Showroom consultation"),
    )
    asked = planned("the workshop", kept(asked))
    assert isinstance(asked, Ask)
    assert asked.text == "Which day and time would you like for the Workshop visit?"
    asked = planned("next Wednesday", kept(asked))
    assert isinstance(asked, Ask)
    assert asked.replies == ("Wednesday 11 November, 10:30", "Wednesday 11 November, 14:30")
    found = planned("half ten, there are two of us", kept(asked))
    assert arguments(found) == {"tool": "book_appointment", **VISIT, "people": 2}
    assert isinstance(found, Call)
    assert found.summary == "Workshop visit on Wednesday 11 November at 10:30 for 2 people. Shall I book this?"
    assert found.replies == ("Yes", "No")


def test_a_question_in_between_goes_to_knowledge_and_slots_stay() -> None:
    asked = planned("book the workshop please")
    for digression in ("how much does it cost?", "where do I park?", "is it heated in there?"):
        assert planned(digression, kept(asked)) == NoPlan()
    assert arguments(planned("ok, Friday 13 November at 2.30 pm", kept(asked)))["time"] == "14:30"


def test_a_lone_hour_and_a_part_of_the_day_are_understood() -> None:
    asked = planned("showroom consultation on 12 November")
    assert arguments(planned("4", kept(asked)))["time"] == "16:00"
    assert arguments(planned("in the morning", kept(asked)))["time"] == "11:00"
    again = planned("in the afternoon", kept(asked))
    assert isinstance(again, Ask)
    assert again.replies == ("Thursday 12 November, 13:00", "Thursday 12 November, 16:00")


def test_part_of_a_day_waits_for_the_service() -> None:
    asked = planned("Can I make an appointment for Wednesday 11 November in the afternoon?")
    assert arguments(planned("workshop", kept(asked)))["time"] == "14:30"


def test_a_weekday_that_contradicts_the_date_is_asked_about() -> None:
    asked = planned("workshop on Wednesday 12 November at 10:30")
    assert isinstance(asked, Ask)
    assert asked.text.startswith("Thursday 12 November is what I understood")
    assert arguments(planned("the 11th", kept(asked)))["date"] == "2026-11-11"


def test_somebody_unknown_gives_name_and_contact() -> None:
    asked = planned("workshop on 11 November at 10:30", known=False)
    assert isinstance(asked, Ask)
    assert asked.missing == ("name", "contact")
    asked = planned("Bo Li", kept(asked), known=False)
    assert isinstance(asked, Ask)
    assert asked.asked == "contact"
    found = planned("bo@mail.example", kept(asked), known=False)
    assert (arguments(found)["name"], arguments(found)["contact"]) == ("Bo Li", "bo@mail.example")


def test_an_answer_nobody_understands_is_asked_again_once() -> None:
    asked = planned("where is my parcel?")
    again = planned("the blue one", kept(asked))
    assert isinstance(again, Ask)
    assert again.tries == 1
    assert planned("hm, the blue one", kept(again)) == NoPlan()
    assert isinstance(planned("I don't know the number", kept(asked)), Say)
    assert isinstance(planned("MP-2034", kept(asked)), Ask)
    assert arguments(planned("it's 20349", kept(asked)))["order_number"] == "MP-20349"


@pytest.mark.parametrize("text", ["never mind", "forget it", "cancel", "Vergiss es", "olvídalo"])
def test_a_call_under_way_can_be_called_off(text: str) -> None:
    assert isinstance(planned(text, kept(planned("I'd like to make an appointment"))), Say)


@pytest.mark.parametrize(
    "text",
    [
        "yes",
        "Yes please!",
        "yep, book it",
        "ok",
        "go ahead",
        "ja bitte",
        "gerne",
        "sí",
        "vale, adelante",
        "نعم",
        "أجل من فضلك",
        "👍",
    ],
)
def test_a_yes_confirms_what_was_asked(text: str) -> None:
    assert planned(text, pending=PENDING) == Confirmed("r1")


@pytest.mark.parametrize("text", ["no", "No thanks", "nein danke", "rather not", "لا", "don't", "never mind"])
def test_a_no_declines_it(text: str) -> None:
    found = planned(text, pending=PENDING)
    assert isinstance(found, Declined)
    assert found.request_id == "r1"


@pytest.mark.parametrize(
    "text",
    ["yes?", "yes but what does it cost?", "is there parking?", "maybe", "ok, and how do I get there?", "yesterday"],
)
def test_what_is_no_clear_yes_leaves_it_waiting(text: str) -> None:
    assert planned(text, pending=PENDING) == NoPlan()


@pytest.mark.parametrize(
    ("text", "changed"),
    [
        ("no, Friday", {"date": "2026-11-06"}),
        ("make it 2:30 pm instead", {"time": "14:30"}),
        ("yes but for three people", {"people": 3}),
        ("nein, am 13. November", {"date": "2026-11-13"}),
        ("mejor el viernes 13 de noviembre", {"date": "2026-11-13"}),
    ],
)
def test_a_correction_makes_a_new_request_of_it(text: str, changed: dict[str, Any]) -> None:
    found = planned(text, pending=PENDING)
    assert arguments(found) == {"tool": "book_appointment", **VISIT, **changed}
    assert isinstance(found, Call)
    assert found.replaces == "r1"


def test_a_listed_time_is_chosen_by_number_by_day_or_by_hour() -> None:
    history = (
        "Free times:\n1. Wednesday 4 November, 14:30\n2. Wednesday 11 November, 10:30\n3. Friday 13 November, 14:30",
    )
    dialogue = Dialogue(
        "book_appointment", {"service": "workshop_visit", "date": "2026-11-04", "time": "10:30"}, "time"
    )
    for text in ("2", "the second one", "number 2 please", "Wednesday 11 November, 10:30", "10:30 is fine"):
        assert arguments(planned(text, dialogue, history=history)) == {"tool": "book_appointment", **VISIT}, text
    assert arguments(planned("Friday the 13th", dialogue, history=history))["time"] == "14:30"


def test_a_code_is_taken_where_one_was_asked_for() -> None:
    waiting = Dialogue("order_status", {"order_number": "MP-20349"}, "code")
    expected = {"tool": "confirm_identity", "code": "482913", "order_number": "MP-20349"}
    for text in ("482913", "482 913", "the code is 482-913."):
        assert arguments(planned(text, waiting, known=False)) == expected
    assert arguments(planned("I never got a code, send it again", waiting, known=False))["tool"] == "order_status"
    assert planned("what does the Heron cost?", waiting, known=False) == NoPlan()
    assert arguments(planned("sorry, MP-20366 I mean", waiting, known=False))["order_number"] == "MP-20366"
    assert planned("482913") == NoPlan()


@pytest.mark.parametrize(
    "text",
    [
        "I want to talk to a human",
        "can I speak with someone please?",
        "real person please",
        "connect me to a representative",
        "agen" + "t",
        "Ich möchte mit einem Menschen sprechen",
        "quiero hablar con una persona",
        "أريد التحدث مع موظف",
    ],
)
def test_a_wish_for_a_person_wins(text: str) -> None:
    asked = kept(planned("I'd like to make an appointment"))
    for found in (planned(text), planned(text, asked), planned(text, pending=PENDING)):
        assert arguments(found)["tool"] == "handoff_to_staff"


def test_other_wishes() -> None:
    assert isinstance(planned("please open a ticket about my broken bowl"), Force)
    assert arguments(planned("call me back on +353 20 915 0111 about lamps"))["contact"] == "+353 20 915 0111"
    asked = planned("can you send me a payment link?")
    assert isinstance(asked, Ask)
    assert arguments(planned("MP-20374", kept(asked))) == {"tool": "payment_link", "order_number": "MP-20374"}


def test_a_ticket_by_name_wins_over_what_it_is_about() -> None:
    for text in ("Open a ticket about MP-20384", "log a complaint: my visit to the workshop on Friday at 10:30"):
        booking = kept(planned("I'd like to make an appointment"))
        order = kept(planned("where is my order?"))
        for found in (planned(text), planned(text, booking), planned(text, order), planned(text, pending=PENDING)):
            assert isinstance(found, Force)
            assert (found.tool, dict(found.known)) == ("create_ticket", {})
    spelled = planned("open a ticket about mp 20384")
    assert isinstance(spelled, Force)
    assert spelled.known == {"summary": "MP-20384: open a ticket about mp 20384"}


def test_what_a_ticket_is_about_is_asked_once_nothing_was_said() -> None:
    wish = planned("please open a ticket")
    assert isinstance(wish, Force)
    asked = kept(wish.otherwise) if wish.otherwise else Dialogue()
    assert (asked.tool, asked.asked) == ("create_ticket", "summary")
    assert isinstance(planned("MP-20384 came with a crack", asked), Force)
    assert isinstance(planned("why does my lamp flicker?", asked), Force)
    assert isinstance(planned("hello", asked), Ask)
    assert isinstance(planned("never mind", asked), Say)


def test_a_yes_to_nothing_is_answered_by_code() -> None:
    assert isinstance(planned("yes"), Say)
    assert planned("yes", history=("Do you mean the oak lamp?",)) == NoPlan()
    assert planned("ok", Dialogue("order_status", {}, "code")) == NoPlan()
    assert planned("yes", pending=PENDING) == Confirmed("r1")


def test_only_tools_that_are_there_are_planned() -> None:
    for text in ("where is MP-20349", "book the workshop tomorrow at 10:30", "I want to talk to a human"):
        assert planned(text, tools=("capture_lead",)) == NoPlan()


def test_questions_are_asked_in_the_customers_language() -> None:
    asked = planned("Ich brauche einen Termin in der Werkstatt", language="de")
    assert isinstance(asked, Ask)
    assert asked.text == "An welchem Tag und um wie viel Uhr wünschen Sie den Termin (Werkstattbesuch)?"
    other = planned("where is my parcel?", language="pt-BR")
    assert isinstance(other, Ask)
    assert other.text.startswith("Which order")
