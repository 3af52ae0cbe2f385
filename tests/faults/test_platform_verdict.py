"""The verdict on platforms can fail: every finding has a planted fault, and a clean run has none."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from server.engine.words import Notice, say
from tests.doubles.platform import Delivered
from tests.drill.crowd import Said
from tests.drill.lines import Screen
from tests.drill.logs import crashes, leaks
from tests.drill.records import Records
from tests.drill.verdict import FINDINGS, Rules, Sight, Verdict, judge

ONE, TWO = "qx0000000001", "qx0000000002"
BUSY = say(Notice.BUSY, "en")


@dataclass
class Run:
    """A drill that ended: two questions of one customer, two answers, all well."""

    said: list[Said]
    records: Records
    screen: Screen
    look_up: bool = True
    placeholders: bool = False
    rules: Rules = field(default_factory=Rules)

    def verdict(self) -> Verdict:
        sight = Sight("line", "slack", "default", self.look_up, self.placeholders, {"ana": self.screen})
        return judge(self.said, self.records, [sight], [], self.rules)

    def found(self) -> set[str]:
        return set(self.verdict().counts)


def message(number: int, role: str, text: str, item: int | None, turn: str) -> dict[str, Any]:
    return {"id": f"m{number}", "conversation_id": "c", "seq": number, "item_seq": item, "role": role, "text": text,
            "turn_id": turn}  # fmt: skip


def sent(number: int, message_id: str) -> tuple[dict[str, Any], dict[str, Any]]:
    row = {"id": f"o{number}", "conversation_id": "c", "message_id": message_id, "channel": "slack",
           "account": "default", "kind": "message", "state": "sent", "reason": None}  # fmt: skip
    part = {"outbox_id": f"o{number}", "number": 1, "channel": "slack", "account": "default", "state": "sent",
            "attempts": 1, "repeats": 0, "code": None}  # fmt: skip
    return row, part


def turn(number: int, first: int, last: int, message_id: str) -> dict[str, Any]:
    return {"id": f"t{number}", "conversation_id": "c", "first_seq": first, "last_seq": last, "attempt": 1,
            "outcome": "answered", "reason": None, "message_id": message_id}  # fmt: skip


def draft(shown: str | None, **more: Any) -> dict[str, Any]:
    return {"conversation_id": "c", "first_seq": 1, "attempt": 1, "state": "final", "shown": shown,
            "provider_id": "p", "tried_at": 1.0} | more  # fmt: skip


@pytest.fixture
def run() -> Run:
    pairs = [sent(1, "m2"), sent(2, "m4")]
    accepted = Delivered([200], [0.01], 0.01)
    records = Records(
        conversations=[{"id": "c", "channel": "slack", "account": "default", "address": "ana", "status": "bot",
                        "covered": 2}],
        lanes=[{"id": kind, "kind": kind, "key": "c", "tail": 2, "done": 2, "holder": None} for kind in ("in", "out")],
        messages=[
            message(1, "customer", f"where is {ONE}", 1, "t1"),
            message(2, "assistant", f"answer to: where is {ONE}", None, "t1"),
            message(3, "customer", f"where is {TWO}", 2, "t2"),
            message(4, "assistant", f"answer to: where is {TWO}", None, "t2"),
        ],
        turns=[turn(1, 1, 1, "m2"), turn(2, 2, 2, "m4")],
        drafts=[draft("done")],
        outbox=[row for row, _ in pairs],
        parts=[part for _, part in pairs],
    )  # fmt: skip
    return Run(
        [
            Said("line", 0, "ana", ONE, f"where is {ONE}", 1.0, 2.0, accepted),
            Said("line", 0, "ana", TWO, f"where is {TWO}", 3.0, 4.0, deepcopy(accepted)),
        ],
        records,
        Screen([f"answer to: where is {ONE}", f"answer to: where is {TWO}"]),
    )


def test_a_good_run_is_clean(run: Run) -> None:
    verdict = run.verdict()
    assert verdict.clean, verdict.faults
    assert verdict.figures["turns answered"] == 2


def notice(run: Run, times: int) -> None:
    for number in range(5, 5 + times):
        run.records.messages.append(message(number, "notice", BUSY, None, "t2"))
        row, part = sent(number, f"m{number}")
        run.records.outbox.append(row)
        run.records.parts.append(part)
        run.screen.texts.append(BUSY)


def forget(run: Run) -> None:
    del run.records.messages[2:]
    run.records.conversations[0]["covered"] = 1
    for lane in run.records.lanes:
        lane.update(tail=1, done=1)
    del run.records.turns[1], run.records.outbox[1], run.records.parts[1], run.screen.texts[1]


def refuse(run: Run) -> None:
    forget(run)
    run.said[1].delivered = Delivered([503, 0], [0.1, 0.1])


def unsent(run: Run) -> None:
    del run.records.outbox[1], run.records.parts[1], run.screen.texts[1]


def swap(run: Run) -> None:
    run.screen.texts.reverse()


def overtake(run: Run) -> None:
    run.said[0].sent_at, run.said[0].ended_at = 5.0, 6.0


def change(table: str, number: int = 0, **fields: Any) -> Callable[[Run], None]:
    def plant(run: Run) -> None:
        getattr(run.records, table)[number].update(fields)

    plant.__name__ = f"{table}-{'-'.join(fields)}"
    return plant


def show(*texts: str) -> Callable[[Run], None]:
    def plant(run: Run) -> None:
        run.screen.texts.extend(texts)

    plant.__name__ = f"show-{texts[0][:20]}"
    return plant


def repeat(run: Run) -> None:
    run.look_up = False
    run.records.parts[1]["repeats"] = 2


PLANTED: list[tuple[Callable[[Run], None], str]] = [
    (forget, "lost"),
    (lambda run: run.screen.texts.pop(), "lost"),
    (unsent, "lost"),
    (refuse, "missed"),
    (lambda run: run.records.messages.append(message(9, "customer", ONE, 3, "t1")), "doubled"),
    (lambda run: setattr(run.said[0], "text", f"where was {ONE}"), "changed"),
    (show(f"answer to: where is {TWO}"), "doubled"),
    (change("parts", repeats=1), "doubled"),
    (repeat, "doubled"),
    (lambda run: run.records.turns.pop(), "uncovered"),
    (change("turns", 1, first_seq=1), "overlaps"),
    (change("turns", 1, last_seq=3), "overlaps"),
    (change("turns", 1, outcome=None), "unterminated"),
    (change("lanes", 1, done=1), "unfinished"),
    (change("lanes", holder="w1"), "unfinished"),
    (change("outbox", state="sending"), "unfinished"),
    (swap, "inversions"),
    (overtake, "inversions"),
    (change("messages", 2, item_seq=3), "inversions"),
    (change("messages", 3, text="answer to: something else"), "wrong answers"),
    (show("hello from elsewhere"), "unknown texts"),
    (change("outbox", 1, state="parked", reason="errors"), "given up"),
    (change("outbox", 1, state="uncertain"), "given up"),
    (lambda run: run.records.parked.append({"kind": "in", "key": "c", "seq": 1, "dead": "errors"}), "given up"),
    (change("drafts", shown="opening"), "open drafts"),
    (change("drafts", state="open"), "open drafts"),
    (show("answer to: where"), "open drafts"),
    (lambda run: run.screen.unfinished.append("answer"), "open drafts"),
    (lambda run: notice(run, 2), "notices"),
]


@pytest.mark.parametrize(("plant", "finding"), PLANTED, ids=lambda each: getattr(each, "__name__", each))
def test_a_planted_fault_is_found(run: Run, plant: Callable[[Run], None], finding: str) -> None:
    plant(run)
    assert finding in run.found()


def test_every_finding_of_the_judge_has_a_planted_fault() -> None:
    elsewhere = {"statuses", "late", "slow", "unexpected", "leaked"}  # below, and in the trials
    assert {finding for _, finding in PLANTED} | elsewhere == set(FINDINGS)


def test_secrets_and_customers_words_in_a_log_are_found_and_not_repeated() -> None:
    settings = {"CHANNELS__X__TOKEN": "s3cret", "CHANNELS__X__SECRET": "", "CHANNELS__X__URL": "http://here"}
    quiet = "all is well at http://here"
    assert leaks("w-1", quiet, settings) == []
    found = leaks("w-1", f"{quiet}\nBearer s3cret\nshe wrote {ONE}", settings)
    assert found == ["w-1 logged the value of CHANNELS__X__TOKEN", "w-1 logged what customers wrote, in line 3"]
    assert crashes("w-1", quiet) == []
    assert crashes("w-1", "Traceback (most recent call last)") == ["w-1 logged Traceback (most recent call last)"]


def test_a_marked_repeat_is_allowed_where_nothing_can_be_looked_up(run: Run) -> None:
    run.look_up = False
    run.records.parts[1]["repeats"] = 1
    run.screen.texts.append(f"answer to: where is {TWO}")
    verdict = run.verdict()
    assert verdict.clean, verdict.faults
    assert verdict.figures["marked repeats"] == 1
    run.screen.texts.append(f"answer to: where is {TWO}")
    assert run.found() == {"doubled"}


def test_what_is_left_to_staff_where_nothing_can_be_looked_up_may_be_visible_or_not(run: Run) -> None:
    run.look_up = False
    run.records.outbox[1]["state"] = "uncertain"
    assert run.verdict().clean
    assert not run.verdict().figures["left to staff, not visible"]
    run.screen.texts.pop()
    assert run.verdict().clean
    assert run.verdict().figures["left to staff, not visible"] == 1


def test_one_placeholder_per_opening_that_nobody_heard_of_is_allowed_on_one_platform_only(run: Run) -> None:
    run.screen.texts.insert(0, "answer to: whe…")
    assert run.found() == {"open drafts"}
    run.placeholders = True
    assert run.found() == {"open drafts"}, "this draft's id was stored"
    run.records.drafts[0]["provider_id"] = None
    assert run.verdict().figures["stray placeholders"] == 1
    assert run.verdict().clean
    run.screen.texts.insert(0, "answer to: whe…")
    assert run.found() == {"open drafts"}


def test_one_notice_is_allowed_and_a_burst_counts_them_per_customer(run: Run) -> None:
    notice(run, 1)
    assert run.verdict().clean
    run.records.messages.append(message(9, "notice", BUSY, None, "t1"))
    row, part = sent(9, "m9")
    run.records.outbox.append(row)
    run.records.parts.append(part)
    run.screen.texts.append(BUSY)
    assert run.verdict().clean
    run.rules = replace(run.rules, notices_per_customer=1)
    assert run.found() == {"notices"}


def test_a_long_answer_in_pieces_is_held_to_its_tokens(run: Run) -> None:
    run.records.turns = [turn(1, 1, 2, "m4")]
    run.records.messages = [row for row in run.records.messages if row["id"] != "m2"]
    run.records.messages[-1].update(text=f"answer to: where is {ONE}\nwhere is {TWO}", turn_id="t1")
    del run.records.outbox[0], run.records.parts[0]
    run.records.parts.append({**run.records.parts[0], "number": 2})
    run.screen.texts = [f"answer to: where is {ONE}", f"where is {TWO}"]
    assert run.verdict().clean, run.verdict().faults
    run.screen.texts.append(f"where is {TWO}")
    assert run.found() == {"doubled"}
    del run.screen.texts[1:]
    assert run.found() == {"lost"}


def test_what_was_read_stays_read(run: Run) -> None:
    run.rules = Rules(callbacks_complete=True)
    assert run.verdict().clean
    run.records.parts[0]["channel"] = "whatsapp"
    assert run.found() == {"statuses"}
    run.records.parts[0]["state"] = "read"
    assert run.verdict().clean


def test_a_conversation_on_a_line_that_was_not_drilled_is_unexpected(run: Run) -> None:
    run.records.conversations[0]["channel"] = "web"
    assert "unexpected" in run.found()
