"""Where a correction belongs: facts go to the knowledge, behaviour goes to the adapter. PURE; a person decides.

The edited answer is compared with what was said, asked and retrieved, sentence by sentence. Figures, names, negations
and words that none of these hold are facts; the same facts said in another way are behaviour. Greetings and signatures
never count as facts.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final, Literal

from server.grounding.support import COURTESY
from server.knowledge.figures import NUMBER, figures, known
from server.knowledge.sentences import split
from server.knowledge.wording import content, words

Route = Literal["fact", "behaviour"]
Why = Literal[
    "contradicts", "figures", "names", "negated", "unsupported", "taken_out",  # facts
    "passage_says_it", "tools", "tone", "format", "signature", "shorter", "longer", "left_out",  # behaviour
]  # fmt: skip
FACTS: Final[frozenset[str]] = frozenset({"contradicts", "figures", "names", "negated", "unsupported", "taken_out"})

SAME: Final = 0.5  # share of the shorter sentence's words from which on two sentences speak of the same thing
FRESH_WORDS: Final = 3  # words nobody had said before, from which on a sentence says something new
FRESH_SHARE: Final = 0.5  # and their share of its words: fewer are another way to say it
SHORT, LONG = 0.75, 1.34  # words of the edited answer per word of the original
TITLE_CHARACTERS: Final = 300
STYLE: Final = frozenset(
    {"tone", "format", "unclear"}
)  # what the corrector says is wrong, where words alone prove little
NOT_WORDS: Final = (
    "not no never none cannot can't don't doesn't won't isn't aren't without nicht kein keine keinen keiner nie ohne "
    "sin nunca jamás tampoco ningún ninguna"
)
NOT: Final = frozenset(words(NOT_WORDS))
MANNERS: Final = COURTESY | frozenset(
    content(
        "trouble apologies apology apologise inconvenience appreciate patience frustrating unfortunately worry "
        "delighted wish lovely reaching happily gladly certainly absolutely simply quick note moment hear problem "
        "leider geduld unannehmlichkeiten entschuldigung bedauern selbstverständlich natürlich lamento disculpa "
        "disculpas molestias paciencia claro"
    )
)
GREETING = re.compile(
    r"\A\s*(?:hi|hello|hey|dear|good (?:morning|day|afternoon|evening)|hallo|liebe[rs]?|guten (?:tag|morgen|abend)|"
    r"sehr geehrte[rs]?|hola|buen[oa]s (?:días|tardes)|estimad[oa])\b[^\n.?]{0,40}?(?:[,!:]|\n)\s*",
    re.IGNORECASE,
)
SIGNATURE = re.compile(
    r"(?:\n|(?<=[.!?])\s)\s*(?:(?:best|kind|warm)(?:est)? (?:regards|wishes)|regards|sincerely|cheers|yours\b|"
    r"(?:viele|liebe|beste|freundliche) gr(?:ü|ue)(?:ß|ss)e|mit freundlichen gr|un saludo|saludos|--|—\s*\w)"
    r"[\s\S]{0,120}\Z",
    re.IGNORECASE,
)
MARKS = re.compile(r"(?m)^\s*(?:[-*+•]|\d{1,2}[.)]|#+|\|)\s|\*\*|__|\]\(|\n\s*\n")
CITED = re.compile(r"[ \t]*\[\d{1,3}\](?!\()")
CAPITAL = re.compile(r"(?<=[\w,;:)\"'] )[A-ZÀ-Þ][\w'-]+(?:\.\w+)?")


@dataclass(frozen=True, slots=True)
class Source:
    """A passage that was in the prompt of the answer; ``document_id`` is empty where it is not known any more."""

    id: str
    document_id: str
    title: str
    text: str


@dataclass(frozen=True)
class Case:
    """A correction with what the answer rested on.

    ``reason`` is the corrector's own word, ``calls`` whether tools were named, ``language`` a code.
    """

    question: str
    answer: str
    edited: str
    passages: tuple[Source, ...] = ()
    reason: str = "wrong"
    calls: bool = False
    language: str = "en"

    @cached_property
    def added(self) -> list[str]:
        """Sentences of the edited answer that the original does not have."""
        return _without(self.wanted, self.said)

    @cached_property
    def gone(self) -> list[str]:
        """Sentences of the original that the edited answer does not have."""
        return _without(self.said, self.wanted)

    @cached_property
    def said(self) -> list[str]:
        """The original's sentences, without greeting and signature."""
        return split(bare(self.answer))

    @cached_property
    def wanted(self) -> list[str]:
        """The edited answer's sentences, without greeting and signature."""
        return split(bare(self.edited))

    @cached_property
    def heard(self) -> frozenset[str]:
        """Stems of everything that was said or asked."""
        return frozenset(content(f"{self.answer}\n{self.question}"))

    @cached_property
    def read(self) -> frozenset[str]:
        """Stems of everything the passages say."""
        return frozenset(stem for each in self.passages for stem in content(f"{each.title}\n{each.text}"))

    @cached_property
    def figures_heard(self) -> frozenset[str]:
        """Readings of every figure that was said or asked."""
        return known(f"{self.answer}\n{self.question}")

    @cached_property
    def figures_read(self) -> frozenset[str]:
        """Readings of every figure in the passages."""
        return frozenset().union(*(known(f"{each.title}\n{each.text}") for each in self.passages))


@dataclass(frozen=True, slots=True)
class Proposal:
    """What to change in the knowledge.

    ``edit`` puts ``after`` in the place of ``before``; ``create`` adds a question (``title``) with its answer
    (``after``), and has neither passage nor document.
    """

    kind: Literal["edit", "create"]
    title: str
    before: str
    after: str
    passage_id: str = ""
    document_id: str = ""


@dataclass(frozen=True, slots=True)
class Suggestion:
    """Which way, why (the weightiest first), and for a fact what to change."""

    route: Route
    why: tuple[Why, ...]
    proposal: Proposal | None = None


def suggest(case: Case) -> Suggestion:
    """Where a correction belongs; behaviour where nothing speaks for a fact."""
    if case.calls:
        return Suggestion("behaviour", ("tools",))
    found = {why for sentence in case.added for why in _new(case, sentence)}
    if not case.added and case.reason == "wrong" and any(_passage_for(case, each) for each in case.gone):
        found.add("taken_out")
    proposal = propose(case) if found & FACTS else None
    if proposal is not None and proposal.kind == "edit" and "taken_out" not in found:
        found.add("contradicts")
    order: tuple[Why, ...] = ("contradicts", "figures", "negated", "names", "taken_out", "unsupported")
    if proposal is not None:
        return Suggestion("fact", tuple(why for why in order if why in found), proposal)
    return Suggestion("behaviour", tuple(_manner(case, found)))


def propose(case: Case) -> Proposal:
    """The change of the knowledge that would make the edited answer right."""
    for sentence in [each for each in case.added if _is_fact(case, each)]:
        found = _passage_for(case, sentence) or _passage_for(case, _counterpart(case, sentence))
        if found and (after := _changed(found[1], sentence)):
            return _edit(found, after)
    for sentence in () if case.added else case.gone:
        if found := _passage_for(case, sentence):
            return _edit(found, "")
    title = " ".join(case.question.split())[:TITLE_CHARACTERS] or "Correction"
    return Proposal("create", title, "", bare(case.edited))


def bare(text: str) -> str:
    """A text without its greeting, its signature and the marks of its citations."""
    return SIGNATURE.sub("", GREETING.sub("", CITED.sub("", text), count=1), count=1).strip()


def _edit(found: tuple[Source, str], after: str) -> Proposal:
    passage, before = found
    return Proposal("edit", passage.title, before, after, passage.id, passage.document_id)


def _new(case: Case, sentence: str) -> Iterator[Why]:
    """What of a sentence nobody had said; what a passage says already is no news."""
    fresh = [figure for figure in figures(sentence) if not figure & case.figures_heard]
    if any(not figure & case.figures_read for figure in fresh):
        yield "figures"
    elif fresh:
        yield "passage_says_it"
    if _names(case, sentence):
        yield "names"
    if _negated(case, sentence):
        yield "negated"
    own = frozenset(content(sentence)) - MANNERS
    unheard = own - case.heard
    unknown = unheard - case.read
    least = FRESH_WORDS if case.reason in STYLE or _counterpart(case, sentence) else FRESH_WORDS - 1
    if case.reason not in STYLE and len(unknown) >= least and len(unknown) >= FRESH_SHARE * len(own):
        yield "unsupported"
    elif len(unheard) >= FRESH_WORDS and not unknown and len(unheard) >= FRESH_SHARE * len(own):
        yield "passage_says_it"


def _is_fact(case: Case, sentence: str) -> bool:
    return not FACTS.isdisjoint(_new(case, sentence))


def _names(case: Case, sentence: str) -> set[str]:
    """Capitalized words inside the sentence that stand nowhere else; German writes every noun that way."""
    if case.language.startswith("de"):
        return set()
    elsewhere = {*words(case.answer), *words(case.question)}
    elsewhere.update(word for each in case.passages for word in words(f"{each.title} {each.text}"))
    return {
        name for name in CAPITAL.findall(sentence) if not set(words(name)) <= elsewhere | {"i", "i'm", "i'll", "i've"}
    }


def _negated(case: Case, sentence: str) -> bool:
    """Whether it says the opposite of a sentence it took the place of."""
    other = _counterpart(case, sentence)
    return bool(other) and _no(other) != _no(sentence)


def _no(sentence: str) -> bool:
    return len(NOT & set(words(sentence.replace("\u2019", "'")))) % 2 == 1


def _counterpart(case: Case, sentence: str) -> str:
    """The sentence of the original that this one took the place of, "" when it is new."""
    ranked = max(case.gone, key=lambda each: _alike(each, sentence), default="")
    return ranked if ranked and _alike(ranked, sentence) >= SAME else ""


def _alike(one: str, other: str) -> float:
    """Share (0 to 1) of the shorter sentence's words that the other has; figures do not count, they may be wrong."""
    left, right = ({stem for stem in content(each) if not stem[0].isdigit()} for each in (one, other))
    smaller = min(len(left), len(right))
    return len(left & right) / smaller if smaller > 1 else 0.0


def _passage_for(case: Case, sentence: str) -> tuple[Source, str] | None:
    """The passage and its piece, as written there, that speaks of the same thing as a sentence."""
    best: tuple[float, Source, str] | None = None
    for passage in case.passages if sentence else ():
        for piece in split(passage.text):
            score = _alike(piece, sentence)
            written = _written(passage.text, piece) if score >= SAME and (best is None or score > best[0]) else ""
            if written:
                best = (score, passage, written)
    return (best[1], best[2]) if best else None


def _written(text: str, piece: str) -> str:
    """A piece as it stands in the text: itself, or the line that holds its words; "" where it spans lines."""
    if piece in text:
        return piece
    said = set(words(piece))
    held = [line.strip() for line in text.splitlines() if line.strip() and said >= set(words(line)) != set()]
    return max(held, key=len, default="")


def _changed(before: str, sentence: str) -> str:
    """The piece with the sentence's one other figure, else the sentence itself; "" where a table row cannot take it."""
    old, new = NUMBER.findall(before), NUMBER.findall(sentence)
    out, into = [one for one in old if one not in new], [one for one in new if one not in old]
    if len(out) == len(into) == 1:
        return before.replace(out[0], into[0], 1)
    return "" if "|" in before else sentence


def _manner(case: Case, found: Iterable[Why]) -> Iterator[Why]:
    """How the same facts were said in another way; never nothing."""
    told: list[Why] = [why for why in found if why == "passage_says_it"]
    if case.reason == "tone":
        told.append("tone")
    if bool(SIGNATURE.search(case.answer)) != bool(SIGNATURE.search(case.edited)):
        told.append("signature")
    ratio = (len(words(bare(case.edited))) or 1) / (len(words(bare(case.answer))) or 1)
    if ratio < SHORT:
        told.append("left_out" if not case.added and not _all_read(case, case.gone) else "shorter")
    elif ratio > LONG:
        told.append("longer")
    if len(MARKS.findall(case.answer)) != len(MARKS.findall(case.edited)):
        told.append("format")
    if not told or (case.added and told in (["signature"], ["format"])):
        told.append("tone" if words(case.answer) != words(case.edited) else "format")
    yield from dict.fromkeys(told)


def _all_read(case: Case, gone: Sequence[str]) -> bool:
    """Whether the passages say everything that was left out."""
    return all(frozenset(content(each)) - MANNERS - frozenset(content(case.question)) <= case.read for each in gone)


def _without(some: Sequence[str], others: Sequence[str]) -> list[str]:
    known_ones = {tuple(words(each)) for each in others}
    return [each for each in some if tuple(words(each)) not in known_ones and words(each)]
