"""The judge finds each broken promise in rows that were right before."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.faults.load import Frame, Message, Screen
from tests.faults.tables import Tables
from tests.faults.verify import judge

SHOP, TALK = "shop", "c1"


class Story:
    """One conversation of two messages, two turns and a screen, all in order."""

    def __init__(self) -> None:
        self.tables = Tables(
            tenants=[{"id": SHOP, "event_tail": 0}],
            conversations=[{"id": TALK, "status": "bot", "seq": 0, "covered": 2}],
            lanes=[{"id": "l1", "key": TALK, "tail": 2, "done": 2, "holder": None}],
        )
        self.screen = Screen(TALK, "token")
        self.messages: list[Message] = []
        for number in (1, 2):
            self._turn(number)

    def _turn(self, number: int) -> None:
        turn, question, answer = f"{TALK}:{number}", f"q{number}", f"a{number}"
        seq = self._event("message", {"id": question})
        self.messages.append(
            Message(TALK, f"k{number}", f"Where is {number}?", 10.0 * number, 10.0 * number + 1, 1,
                    [{"message_id": question, "seq": seq, "duplicate": False}])
        )  # fmt: skip
        self._say(question, seq, "customer", f"Where is {number}?", None, number)
        key = {"turn": turn, "attempt": 1}
        self._event("draft_started", dict(key))
        self.screen.frames.append(Frame(1, None, "draft", {**key, "offset": 0, "text": "answer to: "}))
        text = f"answer to: Where is {number}?"
        self._say(answer, self._event("message", {"id": answer, "text": text}), "assistant", text, turn, None)
        self._event("draft_ended", {**key, "how": "final", "message_id": answer})
        self._event("turn_ended", {"turn": turn}, "staff")
        self.tables.drafts.append({"conversation_id": TALK, "first_seq": number, "attempt": 1, "state": "final"})
        self.tables.turns.append(
            {"id": turn, "conversation_id": TALK, "first_seq": number, "last_seq": number, "attempt": 1,
             "outcome": "answered", "reason": None, "message_id": answer}
        )  # fmt: skip

    def _say(self, name: str, seq: int, role: str, text: str, turn: str | None, item: int | None) -> None:
        body = {"client_message_id": f"k{item}"} if item else {}
        self.tables.messages.append(
            {"id": name, "conversation_id": TALK, "seq": seq, "item_seq": item, "role": role, "text": text,
             "body": body, "turn_id": turn}
        )  # fmt: skip

    def _event(self, kind: str, body: dict[str, Any], audience: str = "customer") -> int:
        tenant, conversation = self.tables.tenants[0], self.tables.conversations[0]
        tenant["event_tail"] += 1
        conversation["seq"] += 1
        seq = int(conversation["seq"])
        self.tables.events.append(
            {"tenant": SHOP, "number": tenant["event_tail"], "conversation_id": TALK, "seq": seq, "kind": kind,
             "audience": audience, "body": body}
        )  # fmt: skip
        if audience == "customer":
            self.screen.frames.append(Frame(1, seq, kind, body))
        return seq

    def found(self) -> set[str]:
        return set(judge(self.tables, self.messages, [self.screen], []).counts)


def test_a_story_in_order_is_clean():
    assert Story().found() == set()


def _lose(story: Story) -> None:
    story.tables.messages.pop(0)


def _double(story: Story) -> None:
    story.tables.messages.append({**story.tables.messages[0], "id": "again", "item_seq": 3})


def _uncover(story: Story) -> None:
    story.tables.turns.pop()


def _overlap(story: Story) -> None:
    story.tables.turns[0]["last_seq"] = 2


def _invert(story: Story) -> None:
    first, second = story.tables.turns
    first["message_id"], second["message_id"] = second["message_id"], first["message_id"]


def _overtake(story: Story) -> None:
    first, second = story.messages
    first.sent_at, first.acked_at = second.acked_at + 1, second.acked_at + 2


def _leave_open(story: Story) -> None:
    story.tables.drafts[1]["state"] = "open"


def _stay_behind(story: Story) -> None:
    story.tables.lanes[0]["done"] = 1


def _answer_twice(story: Story) -> None:
    answer = next(row for row in story.tables.messages if row["role"] == "assistant")
    story.tables.messages.append({**answer, "id": "another", "seq": 99})


def _skip_a_number(story: Story) -> None:
    del story.tables.events[3]


def _miss_a_frame(story: Story) -> None:
    del story.screen.frames[4]


def _see_twice(story: Story) -> None:
    story.screen.frames.append(story.screen.frames[0])


def _hole(story: Story) -> None:
    next(frame for frame in story.screen.frames if frame.kind == "draft").data["offset"] = 3


def _no_outcome(story: Story) -> None:
    story.tables.turns[0]["outcome"] = ""


def _say_something_else(story: Story) -> None:
    next(row for row in story.tables.messages if row["role"] == "assistant")["text"] = "answer to: nothing"


@pytest.mark.parametrize(
    ("harm", "finding"),
    [
        (_lose, "lost"),
        (_double, "doubled"),
        (_uncover, "uncovered"),
        (_overlap, "overlaps"),
        (_invert, "inversions"),
        (_overtake, "inversions"),
        (_leave_open, "open drafts"),
        (_stay_behind, "unfinished"),
        (_answer_twice, "doubled"),
        (_skip_a_number, "event gaps"),
        (_miss_a_frame, "screen gaps"),
        (_see_twice, "screen gaps"),
        (_hole, "screen drafts"),
        (_no_outcome, "unterminated"),
        (_say_something_else, "wrong answers"),
    ],
)
def test_each_harm_is_found(harm: Callable[[Story], None], finding: str):
    story = Story()
    harm(story)
    assert finding in story.found()
