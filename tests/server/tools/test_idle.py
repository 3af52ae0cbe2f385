"""A yes to nothing is answered by code; a yes to a question of the model's is left to it."""

from __future__ import annotations

import pytest

from server.tools.dates import fold
from server.tools.idle import asks, idle
from server.tools.phrases import TEXTS
from server.tools.plans import NoPlan, Say
from server.tools.replies import say

TOLD = "Orders leave within two days."


def told(text: str, *history: str, language: str = "en") -> str:
    found = idle(fold(text), history, language)
    assert isinstance(found, Say | NoPlan)
    return found.text if isinstance(found, Say) else ""


@pytest.mark.parametrize("language", ["en", "de", "es"])
@pytest.mark.parametrize("text", ["yes", "Yes, please!", "no", "Ja", "nein.", "sí", "Sí, por favor", "👍"])
def test_nothing_waits(text: str, language: str) -> None:
    assert told(text, language=language) == told(text, TOLD, language=language) == TEXTS[language]["nothing_waiting"]


@pytest.mark.parametrize("text", ["ok", "OK, thanks", "vale", "alles klar", "no thanks", "nein danke"])
def test_an_ok_or_a_no_thanks_is_taken_note_of(text: str) -> None:
    assert told(text, TOLD) == TEXTS["en"]["noted"]


@pytest.mark.parametrize("text", ["yes I love it", "no, the blue one", "right now", "lol", "thanks", "oh", "yes?", ""])
def test_whatever_says_more_is_no_plain_answer(text: str) -> None:
    assert told(text, TOLD) == ""


def test_an_answer_to_a_question_is_the_models() -> None:
    for asked in ("Do you mean the oak lamp?", "Which one? The oak or the ash lamp.", "هل تقصد المصباح؟"):
        assert told("yes", TOLD, asked) == ""


def test_a_quoted_question_asks_nothing() -> None:
    assert told("yes", "This is what our documents say:\n\nCan I return it? Yes, within 30 days. [1]") != ""
    assert not asks("Can I pay later? Yes.\n\nTell me if you need more.")


def test_questions_of_code_do_not_go_on_for_ever() -> None:
    closing = told("yes")
    assert told("yes", closing) == TEXTS["en"]["go_on"]
    assert told("no", closing) == told("no", say("dropped", "de")) == TEXTS["en"]["noted"]


def test_a_yes_that_comes_too_late_books_nothing() -> None:
    asked = say("confirm_booking", "en", service="Visit", day="Monday", time="10:30", people="")
    assert told("yes", asked) == told("ok", asked) == TEXTS["en"]["too_late"]
    assert told("no", asked) == TEXTS["en"]["declined"]
    assert told("sí", say("confirm_ticket", "es", summary="a\nb"), language="es") == TEXTS["es"]["too_late"]
