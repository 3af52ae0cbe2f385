"""The promises, held against what customers see, what platforms were told, and what the database says."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from server.engine.words import Notice, say
from tests.drill.crowd import TOKEN, Said
from tests.drill.lines import Line, Screen
from tests.drill.records import Records
from tests.faults.tables import Rows
from tests.model_double import answer_to

FINDINGS = (
    "lost", "missed", "doubled", "changed", "uncovered", "overlaps", "unterminated", "unfinished", "inversions",
    "wrong answers", "unknown texts", "given up", "open drafts", "notices", "statuses", "late", "slow", "leaked",
    "unexpected",
)  # fmt: skip
OUTCOMES = {"answered", "graceful", "handed_over"}
ARRIVED = {"sent", "delivered", "read"}
GIVEN_UP = {"failed", "parked", "cancelled", "expired"}
THUMBS = "👍 👎"
BUSY = frozenset(" ".join(say(notice, "en").split()) for notice in (Notice.BUSY, Notice.LOADING))


@dataclass(frozen=True)
class Rules:
    """What may be asked of this run: all callbacks arrived, and how many busy notices a customer may get."""

    callbacks_complete: bool = False
    notices_per_customer: int | None = None


@dataclass
class Verdict:
    """Counts per finding, a sentence for each, and what is allowed but worth a figure."""

    counts: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)
    figures: Counter[str] = field(default_factory=Counter)

    def find(self, finding: str, sentence: str) -> None:
        """Note one violation."""
        assert finding in FINDINGS, finding
        self.counts[finding] += 1
        self.faults.append(f"{finding}: {sentence}")

    @property
    def clean(self) -> bool:
        """Whether nothing was found."""
        return not self.faults


@dataclass(frozen=True)
class Sight:
    """A line as the verdict needs it: who sees what, and what the platform can do."""

    name: str
    channel: str
    account: str
    look_up: bool
    placeholders: bool  # growing answers are messages that cannot be looked up
    screens: Mapping[str, Screen]


def sight(line: Line) -> Sight:
    """A line at the end of a drill."""
    placeholders = line.name == "telegram-edit"
    return Sight(line.name, line.channel, line.account, line.look_up, placeholders, line.screens())


@dataclass
class Talk:
    """One conversation with everything that belongs to it."""

    row: Mapping[str, Any]
    sight: Sight
    screen: Screen
    said: list[Said] = field(default_factory=list)
    messages: Rows = field(default_factory=list)
    turns: Rows = field(default_factory=list)
    drafts: Rows = field(default_factory=list)
    outbox: dict[str, Mapping[str, Any]] = field(default_factory=dict)  # by message id
    parts: dict[str, Rows] = field(default_factory=lambda: defaultdict(list))  # by outbox id
    lanes: Rows = field(default_factory=list)

    @property
    def name(self) -> str:
        """For sentences."""
        return f"{self.sight.name} {self.row['address']}"


def judge(
    said: Sequence[Said], records: Records, sights: Iterable[Sight], unexpected: Sequence[str], rules: Rules
) -> Verdict:
    """Hold all promises of this drill against what is there."""
    verdict = Verdict()
    for sentence in unexpected:
        verdict.find("unexpected", sentence)
    talks = _talks(said, records, list(sights), verdict)
    _stored(verdict, said, records)
    for talk in talks:
        _coverage(verdict, talk)
        _answers(verdict, talk)
        _visible(verdict, talk)
        _order(verdict, talk)
        _drafts(verdict, talk)
        _notices(verdict, talk, rules)
    for row in records.parked:
        verdict.find("given up", f"item {row['seq']} of {row['kind']} lane {row['key']} is parked: {row['dead']}")
    if rules.callbacks_complete:
        _statuses(verdict, records)
    return verdict


def plain(text: str) -> str:
    """A text without differences that platforms make: blanks and line ends."""
    return " ".join(text.split())


def _talks(said: Sequence[Said], records: Records, sights: list[Sight], verdict: Verdict) -> list[Talk]:
    places = {(sight.channel, sight.account): sight for sight in sights}
    talks: dict[str, Talk] = {}
    seen: set[tuple[str, str]] = set()
    for row in records.conversations:
        place = places.get((row["channel"], row["account"]))
        if place is None:
            verdict.find("unexpected", f"a conversation on {row['channel']}/{row['account']}")
            continue
        talks[row["id"]] = Talk(row, place, place.screens.get(row["address"], Screen()))
        seen.add((place.name, row["address"]))
    for place in sights:
        for address, screen in place.screens.items():
            if (place.name, address) not in seen and (screen.texts or screen.unfinished):
                verdict.find("unknown texts", f"{place.name} {address} sees texts and has no conversation")
    by_address = {(talk.sight.name, talk.row["address"]): talk for talk in talks.values()}
    for each in said:
        if talk := by_address.get((each.line, each.address)):
            talk.said.append(each)
    _sort_in(records, talks)
    return list(talks.values())


def _sort_in(records: Records, talks: Mapping[str, Talk]) -> None:
    for name in ("messages", "turns", "drafts"):
        for row in getattr(records, name):
            if row["conversation_id"] in talks:
                getattr(talks[row["conversation_id"]], name).append(row)
    for row in records.lanes:
        if row["key"] in talks:
            talks[row["key"]].lanes.append(row)
    owners = {}
    for row in records.outbox:
        talk = talks.get(row["conversation_id"])
        if talk is not None and row["message_id"] is not None:
            talk.outbox[row["message_id"]] = row
            owners[row["id"]] = talk
    for row in records.parts:
        if row["outbox_id"] in owners:
            owners[row["outbox_id"]].parts[row["outbox_id"]].append(row)


def _stored(verdict: Verdict, said: Sequence[Said], records: Records) -> None:
    """Everything said is stored once, whether its delivery was accepted or it had to be read back."""
    kept: dict[str, list[str]] = defaultdict(list)
    for row in records.messages:
        for token in TOKEN.findall(row["text"]) if row["role"] == "customer" else ():
            kept[token].append(plain(row["text"]))
    for each in said:
        texts = kept[each.token]
        if len(texts) > 1:
            verdict.find("doubled", f"{each.token} of {each.line} is stored {len(texts)} times")
        elif texts and texts[0] != plain(each.text):
            verdict.find("changed", f"{each.token} of {each.line} is stored as {texts[0][:80]!r}")
        elif not texts and each.accepted:
            verdict.find("lost", f"{each.token} of {each.line} was accepted and is not stored")
        elif not texts:
            statuses = each.delivered.statuses if each.delivered else "cut off"
            verdict.find("missed", f"{each.token} of {each.line} was not accepted ({statuses}) and is not stored")
        verdict.figures["read back"] += bool(texts) and not each.accepted


def _coverage(verdict: Verdict, talk: Talk) -> None:
    lanes = {row["kind"]: row for row in talk.lanes}
    tail = lanes["in"]["tail"] if "in" in lanes else 0
    for kind, lane in lanes.items():
        if lane["done"] != lane["tail"] or lane["holder"] is not None:
            verdict.find("unfinished", f"{talk.name}: {kind} lane done {lane['done']} of {lane['tail']}")
    if talk.row["covered"] != tail:
        verdict.find("unfinished", f"{talk.name}: covered {talk.row['covered']} of {tail}")
    asked = [row["item_seq"] for row in talk.messages if row["role"] == "customer"]
    if asked != list(range(1, tail + 1)):
        verdict.find("inversions", f"{talk.name}: messages stand in lane order {asked[:20]}, tail {tail}")
    _covered_once(verdict, talk, tail)


def _covered_once(verdict: Verdict, talk: Talk, tail: int) -> None:
    covering = Counter(seq for turn in talk.turns for seq in range(turn["first_seq"], turn["last_seq"] + 1))
    for seq in sorted({*range(1, tail + 1), *covering}):
        if not covering[seq]:
            verdict.find("uncovered", f"{talk.name}: message {seq} belongs to no turn")
        elif covering[seq] > 1 or seq > tail:
            verdict.find("overlaps", f"{talk.name}: message {seq} of {tail} belongs to {covering[seq]} turns")
    for turn in talk.turns:
        if turn["outcome"] not in OUTCOMES:
            verdict.find("unterminated", f"{talk.name}: turn {turn['first_seq']} ended as {turn['outcome']!r}")


def _answers(verdict: Verdict, talk: Talk) -> None:
    """Each answered turn has one message, which answers exactly its questions."""
    by_id = {row["id"]: row for row in talk.messages}
    asked = {row["item_seq"]: row["text"] for row in talk.messages if row["role"] == "customer"}
    spoken = Counter(row["turn_id"] for row in talk.messages if row["role"] == "assistant")
    for turn in talk.turns:
        verdict.figures[f"turns {turn['outcome']}"] += 1
        if turn["outcome"] != "answered":
            continue
        questions = [asked[seq] for seq in range(turn["first_seq"], turn["last_seq"] + 1) if seq in asked]
        answer = by_id.get(turn["message_id"])
        if answer is None or spoken[turn["id"]] != 1:
            verdict.find("wrong answers", f"{talk.name}: {spoken[turn['id']]} answers to turn {turn['first_seq']}")
        elif plain(answer["text"]) != plain(answer_to("\n".join(questions))):
            verdict.find("wrong answers", f"{talk.name}: {answer['text'][:120]!r} to {questions}")


@dataclass
class _Share:
    """Of one text in one conversation: how often it must be visible, and how often it may be."""

    least: int = 0
    most: int = 0
    repeats: int = 0


def _visible(verdict: Verdict, talk: Talk) -> None:
    """What we said is on the screen once; what is on the screen was said."""
    shares: dict[str, _Share] = defaultdict(_Share)
    seen = Counter(plain(text) for text in talk.screen.texts)
    for row in talk.messages:
        if row["role"] in {"assistant", "notice", "staff"}:
            whole = plain(row["text"])
            sent = talk.outbox.get(row["id"])
            if sent is not None and len(talk.parts[sent["id"]]) > 1:
                shares[THUMBS].most += 1  # where the last piece has no room for buttons, they come by themselves
                for token in TOKEN.findall(whole):  # each line of a long answer has one; pieces end between lines
                    _expect(verdict, talk, row, shares[token])
                for text in [text for text in seen if _piece(text, whole)]:
                    times = seen.pop(text)
                    seen.update(dict.fromkeys(TOKEN.findall(text), times))
            else:
                _expect(verdict, talk, row, shares[whole])
    for text, share in shares.items():
        _counted(verdict, talk, text, share, seen.pop(text, 0))
    _strays(verdict, talk, seen, list(shares))


def _counted(verdict: Verdict, talk: Talk, text: str, share: _Share, times: int) -> None:
    if times < share.least:
        verdict.find("lost", f"{talk.name}: {text[:60]!r} is said to be sent and visible {times} of {share.least}")
    if text != THUMBS:
        verdict.figures["left to staff, not visible"] += max(0, share.most - max(times, share.least))
    extra = times - share.most
    if extra > share.repeats:
        verdict.find("doubled", f"{talk.name}: {text[:60]!r} is visible {times} times instead of {share.most}")
    elif extra > 0:
        verdict.figures["marked repeats"] += extra


def _piece(text: str, whole: str) -> bool:
    found = set(TOKEN.findall(text))
    return bool(found) and found <= set(TOKEN.findall(whole)) and " " in text


def _expect(verdict: Verdict, talk: Talk, row: Mapping[str, Any], share: _Share) -> None:
    """What the row's outbox says about being visible."""
    sent = talk.outbox.get(row["id"])
    state = sent["state"] if sent else "not in the outbox"
    verdict.figures[f"{talk.sight.name} {state}"] += 1
    share.most += 1
    if sent is None:
        verdict.find("lost", f"{talk.name}: {row['role']} {row['text'][:60]!r} is not in the outbox")
        return
    repeats = [part["repeats"] for part in talk.parts[sent["id"]]]
    if any(each > (0 if talk.sight.look_up else 1) for each in repeats):
        verdict.find("doubled", f"{talk.name}: {row['text'][:60]!r} was repeated {repeats} times")
    if not talk.sight.look_up:
        share.repeats += sum(repeats)
    if state in ARRIVED:
        share.least += 1
    elif state in GIVEN_UP or (state == "uncertain" and talk.sight.look_up):
        codes = [part["code"] for part in talk.parts[sent["id"]]]
        verdict.find("given up", f"{talk.name}: {row['text'][:60]!r} ended {state}, {sent['reason']} {codes}")
    elif state != "uncertain":
        verdict.find("unfinished", f"{talk.name}: {row['text'][:60]!r} is still {state}")


def _strays(verdict: Verdict, talk: Talk, strays: Counter[str], known: list[str]) -> None:
    """Texts that are no message of ours: the beginnings of answers that somebody left there, or worse."""
    unsettled = _unsettled(talk)
    for text, times in strays.items():
        begun = text.rstrip("… ")
        answers = answer_to("").strip().startswith(begun) or begun.startswith(answer_to("").strip())
        if not answers and not any(each.startswith(begun) for each in known):
            verdict.find("unknown texts", f"{talk.name}: {text[:80]!r}")
        elif times <= unsettled:
            unsettled -= times
            verdict.figures["stray placeholders"] += times
        else:
            verdict.find("open drafts", f"{talk.name}: {text[:80]!r} was left half written")


def _unsettled(talk: Talk) -> int:
    """Openings of placeholders that nobody was told the outcome of, where none can be looked up."""
    tried = {row["tried_at"] for row in talk.drafts if row["tried_at"] is not None and not row["provider_id"]}
    return len(tried) if talk.sight.placeholders else 0


def _order(verdict: Verdict, talk: Talk) -> None:
    """Answers stand in the order of the questions; who wrote after an acknowledgement comes after it."""
    accepted = [token for row in talk.messages if row["role"] == "customer" for token in TOKEN.findall(row["text"])]
    position = {token: number for number, token in enumerate(accepted)}
    shown = dict.fromkeys(token for text in talk.screen.texts for token in TOKEN.findall(text))
    order = [position[token] for token in shown if token in position]
    for earlier, later in pairwise(order):
        if later < earlier:
            verdict.find("inversions", f"{talk.name}: {accepted[later]} is answered after {accepted[earlier]}")
    highest, acked = -1, sorted((each for each in talk.said if each.accepted), key=lambda each: each.ended_at)
    waiting = sorted((each for each in talk.said if each.token in position), key=lambda each: each.sent_at)
    for each in waiting:
        while acked and acked[0].ended_at < each.sent_at:
            highest = max(highest, position.get(acked.pop(0).token, -1))
        if position[each.token] < highest:
            verdict.find("inversions", f"{talk.name}: {each.token} overtook what was acknowledged before it was sent")


def _drafts(verdict: Verdict, talk: Talk) -> None:
    for row in talk.drafts:
        if row["state"] == "open" or row["shown"] in {"opening", "open"}:
            where = f"{talk.name}: turn {row['first_seq']} attempt {row['attempt']}"
            verdict.find("open drafts", f"{where} is {row['state']}, shown {row['shown']}")
        verdict.figures[f"{talk.sight.name} drafts {row['shown'] or 'not shown'}"] += 1
    for text in talk.screen.unfinished:
        verdict.find("open drafts", f"{talk.name}: {text[:60]!r} still looks as if it were being written")


def _notices(verdict: Verdict, talk: Talk, rules: Rules) -> None:
    """At most one busy notice per turn, and per customer where that is asked for."""
    told = Counter(row["turn_id"] for row in talk.messages if row["role"] == "notice" and plain(row["text"]) in BUSY)
    verdict.figures["busy notices"] += sum(told.values())
    for turn, times in told.items():
        if times > 1:
            verdict.find("notices", f"{talk.name}: {times} busy notices in turn {turn}")
    most = rules.notices_per_customer
    if most is not None and sum(told.values()) > most:
        verdict.find("notices", f"{talk.name}: {sum(told.values())} busy notices")


def _statuses(verdict: Verdict, records: Records) -> None:
    """Every callback arrived, in whatever order: what was read stays read."""
    for row in records.parts:
        if row["channel"] == "whatsapp" and row["state"] in ARRIVED - {"read"}:
            verdict.find("statuses", f"part {row['number']} of {row['outbox_id']} is {row['state']}, and was read")
