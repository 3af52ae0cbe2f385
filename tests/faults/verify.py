"""The verdict: what customers were promised, held against the rows in the database and the frames on their screens."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.faults.load import Frame, Message, Screen
from tests.faults.tables import Rows, Tables
from tests.model_double import answer_to

OUTCOMES = {"answered", "graceful", "handed_over"}
FINDINGS = (
    "lost", "doubled", "changed", "uncovered", "overlaps", "unfinished", "unterminated", "orphans", "wrong answers",
    "inversions", "open drafts", "draft ends", "event gaps", "screen gaps", "screen drafts", "unexpected",
)  # fmt: skip


@dataclass
class Verdict:
    """Counts per finding, all zero when every promise held, with a sentence for each of the first faults."""

    counts: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)

    def find(self, finding: str, sentence: str) -> None:
        """Note one violation."""
        assert finding in FINDINGS, finding
        self.counts[finding] += 1
        self.faults.append(f"{finding}: {sentence}")

    @property
    def clean(self) -> bool:
        """Whether nothing was found."""
        return not self.faults


def judge(tables: Tables, messages: Sequence[Message], screens: Sequence[Screen], unexpected: Sequence[str]) -> Verdict:
    """Hold all promises of this drill against what is there."""
    verdict = Verdict()
    for sentence in unexpected:
        verdict.find("unexpected", sentence)
    _acknowledged(verdict, tables, messages)
    _order_of_acceptance(verdict, messages)
    said, turns, drafts = (tables.by_conversation(name) for name in ("messages", "turns", "drafts"))
    lanes = {row["key"]: row for row in tables.lanes}
    for conversation in tables.conversations:
        key = conversation["id"]
        _coverage(verdict, conversation, lanes.get(key), said[key], turns[key])
        _answers(verdict, said[key], turns[key])
        _drafts(verdict, drafts[key], turns[key])
    _items(verdict, tables)
    _events(verdict, tables)
    for screen in screens:
        _screen(verdict, tables, screen)
    return verdict


def _acknowledged(verdict: Verdict, tables: Tables, messages: Sequence[Message]) -> None:
    stored: dict[tuple[str, str], Rows] = defaultdict(list)
    for row in tables.messages:
        if row["role"] == "customer":
            stored[(row["conversation_id"], row["body"]["client_message_id"])].append(row)
    for message in messages:
        rows = stored[(message.conversation, message.client_id)]
        if len(rows) > 1:
            verdict.find("doubled", f"{message.text!r} is stored {len(rows)} times")
        if message.answers and not rows:
            verdict.find("lost", f"{message.text!r} was acknowledged and is not there")
        promised = {(answer["message_id"], answer["seq"]) for answer in message.answers}
        kept = {(row["id"], row["seq"]) for row in rows}
        if promised and rows and promised != kept:
            verdict.find("changed", f"{message.text!r} was acknowledged as {promised}, stored as {kept}")
        if sum(not answer["duplicate"] for answer in message.answers) > 1:
            verdict.find("doubled", f"{message.text!r} was acknowledged as new more than once")
        if any(row["text"] != message.text for row in rows):
            verdict.find("changed", f"{message.text!r} is stored with another text")


def _order_of_acceptance(verdict: Verdict, messages: Sequence[Message]) -> None:
    """A message sent after another one of its conversation was acknowledged comes after it."""
    by_conversation: dict[str, list[Message]] = defaultdict(list)
    for message in messages:
        if message.answers:
            by_conversation[message.conversation].append(message)
    for group in by_conversation.values():
        acked = sorted(group, key=lambda message: message.acked_at)
        for later in group:
            before = [m.answers[0]["seq"] for m in acked if m.acked_at < later.sent_at]
            if before and max(before) > later.answers[0]["seq"]:
                verdict.find("inversions", f"{later.text!r} overtook what was acknowledged before it was sent")


def _coverage(
    verdict: Verdict, conversation: dict[str, Any], lane: dict[str, Any] | None, said: Rows, turns: Rows
) -> None:
    name = conversation["id"]
    tail = lane["tail"] if lane else 0
    if lane and (lane["done"] != tail or lane["holder"] is not None):
        verdict.find("unfinished", f"{name}: lane done {lane['done']} of {tail}, held by {lane['holder']}")
    if conversation["covered"] != tail:
        verdict.find("unfinished", f"{name}: covered {conversation['covered']} of {tail}")
    asked = [row["item_seq"] for row in said if row["role"] == "customer"]
    if asked != list(range(1, tail + 1)):
        verdict.find("inversions", f"{name}: messages stand in lane order {asked[:20]}, tail {tail}")
    covering = Counter(seq for turn in turns for seq in range(turn["first_seq"], turn["last_seq"] + 1))
    for seq in range(1, tail + 1):
        if covering[seq] == 0:
            verdict.find("uncovered", f"{name}: message {seq} belongs to no turn")
        elif covering[seq] > 1:
            verdict.find("overlaps", f"{name}: message {seq} belongs to {covering[seq]} turns")
    if any(seq > tail for seq in covering):
        verdict.find("overlaps", f"{name}: a turn covers more than was said")
    for turn in turns:
        if turn["outcome"] not in OUTCOMES:
            verdict.find("unterminated", f"{turn['id']}: outcome {turn['outcome']!r}")


def _answers(verdict: Verdict, said: Rows, turns: Rows) -> None:
    by_id = {row["id"]: row for row in said}
    asked = {row["item_seq"]: row for row in said if row["role"] == "customer"}
    spoken = Counter(row["turn_id"] for row in said if row["role"] == "assistant")
    known = {turn["id"]: turn for turn in turns}
    for row in said:
        turn = known.get(row["turn_id"])
        if row["role"] == "assistant" and (turn is None or turn["message_id"] != row["id"]):
            verdict.find("orphans", f"answer {row['id']} belongs to no turn's outcome")
    last_seq = 0
    for turn in turns:
        answer = by_id.get(turn["message_id"])
        if spoken[turn["id"]] > 1:
            verdict.find("doubled", f"{turn['id']} has {spoken[turn['id']]} answers")
        if turn["outcome"] != "answered":
            continue
        if answer is None:
            verdict.find("unterminated", f"{turn['id']} counts as answered without an answer")
            continue
        questions = [asked[seq] for seq in range(turn["first_seq"], turn["last_seq"] + 1) if seq in asked]
        if answer["seq"] < last_seq or any(question["seq"] > answer["seq"] for question in questions):
            verdict.find("inversions", f"{turn['id']}: its answer stands before its question or an older answer")
        last_seq = answer["seq"]
        if answer["text"] != answer_to("\n".join(question["text"] for question in questions)):
            verdict.find("wrong answers", f"{turn['id']}: {answer['text'][:120]!r}")


def _drafts(verdict: Verdict, drafts: Rows, turns: Rows) -> None:
    for draft in drafts:
        if draft["state"] == "open":
            verdict.find("open drafts", f"{draft['conversation_id']}:{draft['first_seq']} attempt {draft['attempt']}")
    final = Counter((draft["first_seq"], draft["attempt"]) for draft in drafts if draft["state"] == "final")
    expected = Counter(
        (turn["first_seq"], turn["attempt"]) for turn in turns if turn["outcome"] == "answered" and turn["attempt"]
    )
    if final != expected:
        states = sorted((draft["first_seq"], draft["attempt"], draft["state"]) for draft in drafts)
        verdict.find(
            "draft ends", f"final without answer {final - expected}, without final {expected - final}: {states}"
        )


def _items(verdict: Verdict, tables: Tables) -> None:
    for item in tables.items:
        if item["dead"] is None:
            verdict.find("unfinished", f"item {item['seq']} of lane {item['lane_id']} is still there")


def _events(verdict: Verdict, tables: Tables) -> None:
    tails = {row["id"]: row["event_tail"] for row in tables.tenants}
    numbers: dict[str, list[int]] = defaultdict(list)
    sequences: dict[str, list[int]] = defaultdict(list)
    for event in tables.events:  # in the order of their numbers
        numbers[event["tenant"]].append(event["number"])
        if event["conversation_id"] is not None:
            sequences[event["conversation_id"]].append(event["seq"])
    for tenant, tail in tails.items():
        if numbers[tenant] != list(range(1, tail + 1)):
            verdict.find("event gaps", f"tenant {tenant}: {len(numbers[tenant])} numbers up to {tail}")
    for conversation in tables.conversations:
        if sequences[conversation["id"]] != list(range(1, conversation["seq"] + 1)):
            verdict.find("event gaps", f"{conversation['id']}: {sequences[conversation['id']][-20:]}")
    announced = Counter(
        (e["conversation_id"], e["seq"], e["body"]["id"]) for e in tables.events if e["kind"] == "message"
    )
    if announced != Counter((m["conversation_id"], m["seq"], m["id"]) for m in tables.messages):
        verdict.find("event gaps", "messages and the events that announce them differ")
    ended = Counter(event["body"]["turn"] for event in tables.events if event["kind"] == "turn_ended")
    if ended != Counter(turn["id"] for turn in tables.turns):
        verdict.find("event gaps", "turns and the events that announce their end differ")


def _screen(verdict: Verdict, tables: Tables, screen: Screen) -> None:
    name = screen.conversation
    committed = [
        (event["seq"], event["kind"], event["body"])
        for event in tables.events
        if event["conversation_id"] == name and event["audience"] == "customer"
    ]
    seen = [(frame.id, frame.kind, frame.data) for frame in screen.frames if frame.id is not None]
    if seen != committed:
        ids, wanted = [row[0] for row in seen], [row[0] for row in committed]
        verdict.find(
            "screen gaps", f"{name}: saw {len(ids)} of {len(wanted)}; missing {sorted(set(wanted) - set(ids))[:10]}"
        )
    if any(frame.kind == "reset" for frame in screen.frames):
        verdict.find("screen gaps", f"{name}: was told to start over")
    started = Counter((f.data["turn"], f.data["attempt"]) for f in screen.frames if f.kind == "draft_started")
    ended = Counter((f.data["turn"], f.data["attempt"]) for f in screen.frames if f.kind == "draft_ended")
    if started != ended or any(count > 1 for count in started.values()):
        verdict.find("screen drafts", f"{name}: drafts begun and ended differ: {started - ended} {ended - started}")
    _texts(verdict, screen)


def _texts(verdict: Verdict, screen: Screen) -> None:
    """Per connection a draft's text grows without hole, and a final message begins with what was shown before it."""
    shown: dict[tuple[int, str, int], str] = {}
    last: Frame | None = None
    for frame in (frame for frame in screen.frames if frame.kind != "status"):
        data = frame.data
        if frame.kind == "draft":
            key = (frame.connection, data["turn"], data["attempt"])
            if data["offset"] != len(shown.get(key, "")):
                verdict.find("screen drafts", f"{screen.conversation}: a hole in the text of {key}")
            shown[key] = shown.get(key, "") + data["text"]
        elif frame.kind == "draft_ended" and data["how"] == "final":
            whole = last.data if last is not None and last.kind == "message" else {}
            text = shown.get((frame.connection, data["turn"], data["attempt"]), "")
            if whole.get("id") != data["message_id"] or not str(whole.get("text", "")).startswith(text.strip()):
                verdict.find("screen drafts", f"{screen.conversation}: the end of {data['turn']} is not its message")
        last = frame
