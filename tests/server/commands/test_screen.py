"""Every draft ends in what was committed."""

from __future__ import annotations

import pytest

from server.commands.client import Frame
from server.commands.screen import Screen


def draft(offset: int, text: str) -> Frame:
    return Frame("draft", {"turn": "t", "attempt": 1, "offset": offset, "text": text})


def message(role: str, text: str) -> Frame:
    return Frame("message", {"id": "m", "seq": 1, "role": role, "text": text}, "1")


def ended(how: str) -> Frame:
    return Frame("draft_ended", {"turn": "t", "attempt": 1, "how": how})


STARTED = Frame("draft_started", {"turn": "t", "attempt": 1})


def shown(*frames: Frame) -> tuple[str, list[bool], Screen]:
    parts: list[str] = []
    screen = Screen(parts.append)
    ends = [screen.show(frame) for frame in frames]
    return "".join(parts), ends, screen


def test_a_streamed_answer_is_written_once() -> None:
    text, ends, screen = shown(
        message("customer", "hi"),
        STARTED,
        draft(0, "He"),
        draft(2, "llo"),
        message("assistant", "Hello."),
        ended("final"),
    )
    assert text == "Hello.\n"
    assert ends == [False, False, False, False, True, False]
    assert (screen.answers, screen.streamed, screen.writing) == (1, 1, False)


def test_an_answer_that_differs_from_its_draft_is_written_whole() -> None:
    text, _, screen = shown(STARTED, draft(0, "Hello [1]"), message("assistant", "Hello"), ended("final"))
    assert text == "Hello [1]\nHello\n"
    assert screen.streamed == 1


def test_an_answer_without_a_draft_is_not_streamed() -> None:
    text, _, screen = shown(STARTED, message("assistant", "All at once"))
    assert text == "All at once\n"
    assert (screen.answers, screen.streamed) == (1, 0)


def test_a_reconnected_draft_is_not_written_twice() -> None:
    text, _, screen = shown(STARTED, draft(0, "abc"), draft(0, "abcd"), draft(4, "e"))
    assert text == "abcde"
    assert screen.writing


@pytest.mark.parametrize(
    ("how", "mark", "end"), [("withdrawn", "\n(withdrawn)\n", True), ("replaced", "\n(begun again)\n", False)]
)
def test_other_ends_are_said(how: str, mark: str, end: bool) -> None:
    text, ends, _ = shown(STARTED, draft(0, "abc"), ended(how))
    assert text == f"abc{mark}"
    assert ends[-1] is end


def test_another_attempt_starts_on_a_line_of_its_own() -> None:
    assert shown(draft(0, "abc"), draft(0, "xyz"))[0] == "abc\nxyz"


@pytest.mark.parametrize(
    ("frame", "text", "end"),
    [
        (message("staff", "Ada here"), "[staff] Ada here\n", True),
        (message("notice", "Please wait"), "[notice] Please wait\n", False),
        (Frame("state", {"status": "waiting", "position": 2}), "[waiting for a person, position 2]\n", False),
        (Frame("state", {"status": "waiting"}), "[waiting for a person]\n", False),
        (Frame("state", {"status": "claimed"}), "[a person joined]\n", False),
        (Frame("state", {"status": "bot"}), "", False),
        (Frame("status", {"model": "ready"}), "", False),
    ],
)
def test_other_events(frame: Frame, text: str, end: bool) -> None:
    written, ends, _ = shown(frame)
    assert (written, ends) == (text, [end])


def test_footnotes_and_offered_replies_stand_under_the_answer() -> None:
    cited = [
        {"number": 1, "title": "Returns", "url": "https://shop.example/returns", "quote": "Thirty days."},
        {"number": 2, "title": "Wool", "url": "", "quote": "Cold."},
    ]
    frame = message("assistant", "Thirty days [1]. Wash cold [2].")
    frame.data.update(citations=cited, replies=["Yes", "No"])
    text, _, screen = shown(frame)
    assert text == (
        "Thirty days [1]. Wash cold [2].\n  [1] Returns (https://shop.example/returns)\n  [2] Wool\n  (Yes | No)\n"
    )
    assert screen.sources == 2
