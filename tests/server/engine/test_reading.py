"""What files add to a question, and what is told about those nobody can read."""

from __future__ import annotations

from typing import Any, get_args

import pytest

from server.conversation import State
from server.engine.context import Context, Said
from server.engine.reading import with_files
from server.engine.words import Notice
from server.media.reading import Code, Problem, Reading


def context(*said: Said) -> Context:
    fields: dict[str, Any] = dict.fromkeys(("release", "now_s", "notice_at", "stop_seq"))
    return Context(
        conversation_id="c1", channel="chat", account="default", language="en", state=State(), question="as it was",
        history=(), route={}, edits=0, opted_out=False, blocked=False, said=said, **fields,
    )  # fmt: skip


def test_texts_stand_with_their_messages_and_blank_lines_are_left_out():
    said = (Said("m1", "first", attached=False), Said("m2", "", attached=True), Said("m3", "third", attached=True))
    read = with_files(context(*said), Reading({"m2": "[voice message] two", "m3": "52.5, 13.4"}))
    assert read.question == "first\n[voice message] two\nthird\n52.5, 13.4"
    assert read.notes == ()


def test_equal_problems_are_told_once_in_their_order():
    codes: tuple[Code, ...] = ("too_large", "image", "too_large", "image")
    reading = Reading({}, [Problem("m1", code) for code in codes])
    assert with_files(context(), reading).notes == (Notice.TOO_LARGE, Notice.IMAGE_UNREADABLE)
    assert with_files(context(), reading).question == ""


@pytest.mark.parametrize("code", get_args(Code))
def test_every_problem_has_words_of_its_own(code: Code):
    (note,) = with_files(context(), Reading({}, [Problem("m1", code)])).notes
    others = [with_files(context(), Reading({}, [Problem("m1", other)])).notes for other in get_args(Code)]
    assert others.count((note,)) == 1
