"""Whether passages are likely to answer a question, and whether a message asks for knowledge at all. PURE.

What this can and cannot do is measured in ``docs/measurements/knowledge.md``: it tells questions of another world from
the shop's own; it hardly tells a question that the documents leave open from one that they answer in other words. The
second kind is held by grounding: an answer without support in its passages is not shown.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence

from models.chat import ChatMessage
from server.knowledge.contract import Passage
from server.knowledge.glossary import expanded, language_of
from server.knowledge.smalltalk import ABOUT_US, ANSWERS, COURTESIES, is_courtesy
from server.knowledge.wording import content

LOOKED_AT = 4  # passages
NAME = re.compile(r"(?<![.!?¿¡]\s)(?<!^)\b[A-Z][^\W_]+")
OTHER_MARKS = re.compile(r"[^\w\s'\u2019\u064b-\u0652]")  # Arabic vowels are part of words
# Fitted by benchmarks/knowledge_confidence.py so that a tenth of the demo shop's answerable questions stays below 0.5.
WEIGHTS: Mapping[str, float] = {"near": 3.01, "second": 2.33, "similar": 5.69, "named": 0.27}
BIAS = -4.47


def estimate(question: str, passages: Sequence[Passage]) -> float:
    """How likely the passages answer the question, 0 to 1; they are best first. Well under a millisecond."""
    if not passages:
        return 0.0
    if all(_near(passage) == 0.0 for passage in passages[:LOOKED_AT]):
        return _by_words(question, passages[:LOOKED_AT])  # no vectors at all: better an answer from words than none
    values = features(question, passages)
    total = BIAS + sum(weight * values[name] for name, weight in WEIGHTS.items())
    return round(1 / (1 + math.exp(-max(-30.0, min(30.0, total)))), 4)


def features(question: str, passages: Sequence[Passage]) -> dict[str, float]:
    """What the estimate looks at, each at most 1. Nothing of the question alone: how somebody asks proves nothing.

    ``near`` and ``second`` are cosines of the nearest sentences of two passages, ``similar`` the best cosine of a whole
    passage, ``named`` the share of the question's names that one passage holds.
    """
    top = passages[:LOOKED_AT]
    near = sorted((_near(passage) for passage in top), reverse=True)
    names = _names(question)
    return {
        "near": near[0],
        "second": near[1] if len(near) > 1 else 0.0,
        "similar": max(passage.similarity or 0.0 for passage in top),
        "named": max(len(names & _words(passage)) / len(names) for passage in top) if names else 1.0,
    }


def _by_words(question: str, passages: Sequence[Passage]) -> float:
    """The share of the question's words that one passage holds."""
    asked = frozenset(content(expanded(question)))
    return round(max(len(asked & _words(passage)) / len(asked) for passage in passages), 4) if asked else 0.0


def needs_knowledge(question: str, history: Sequence[ChatMessage] = ()) -> bool:
    """Whether a message asks for something that documents may hold: no greeting, thanks, plain yes, talk of us."""
    del history  # the last words of the assistant do not make a greeting a question
    text = " ".join(OTHER_MARKS.sub(" ", question).split()).casefold()
    if not any(letter.isalpha() for letter in text):
        return any(letter.isdigit() for letter in text)  # "4711?" may be an article; a thumb is none
    return not (text in ANSWERS or text in COURTESIES or is_courtesy(text) or bool(ABOUT_US.fullmatch(text)))


def _near(passage: Passage) -> float:
    return passage.nearness if passage.nearness is not None else passage.similarity or 0.0


def _names(question: str) -> frozenset[str]:
    """Words with a capital inside a question; German has them everywhere."""
    return frozenset() if language_of(question) == "de" else frozenset(content(" ".join(NAME.findall(question))))


def _words(passage: Passage) -> frozenset[str]:
    return frozenset(content(f"{passage.chunk.title} {passage.chunk.heading} {passage.chunk.text}"))
