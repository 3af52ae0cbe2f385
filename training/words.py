"""Words as scores compare them: folded text, content tokens, token F1 and containment. Pure."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable
from typing import Final

TOKEN: Final = re.compile(r"\w+(?:[.,:]\d+)*", re.UNICODE)
CITATION: Final = re.compile(r"\[(\d{1,2})\]")
_ARTICLES: Final = "a an the der die das den dem des ein eine einen einem einer el la los las un una unos unas le les"
ARTICLES: Final = frozenset(_ARTICLES.split())
_APOSTROPHES: Final = str.maketrans({"\u2019": "'", "\u2018": "'", "ß": "ss"})


def folded(text: str) -> str:
    """Lower case without accents, with one kind of apostrophe: what people write for the same word looks the same."""
    if text.isascii():
        return text.lower()
    parted = unicodedata.normalize("NFKD", text.translate(_APOSTROPHES).casefold())
    return "".join(letter for letter in parted if not unicodedata.combining(letter))


def tokens(text: str) -> list[str]:
    """Words and figures of a text without citation marks and articles, in order."""
    return [word for word in TOKEN.findall(folded(CITATION.sub(" ", text))) if word not in ARTICLES]


def token_f1(answer: str, reference: str) -> float:
    """Harmonic mean of the shares of common tokens, 0 to 1; two texts without any word agree."""
    said, wanted = Counter(tokens(answer)), Counter(tokens(reference))
    if not said or not wanted:
        return float(said == wanted)
    common = (said & wanted).total()
    return 2 * common / (said.total() + wanted.total())


def best_f1(answer: str, references: Iterable[str]) -> float:
    """Token F1 against the nearest reference; 0 without any."""
    return max((token_f1(answer, reference) for reference in references), default=0.0)


def contains(answer: str, wanted: str) -> bool:
    """Whether all tokens of a reference stand together in an answer; a reference without words is in none."""
    needle = tokens(wanted)
    return bool(needle) and f" {' '.join(needle)} " in f" {' '.join(tokens(answer))} "


def citations(text: str) -> list[int]:
    """Numbers of the citation marks ``[n]`` in order of appearance, each once."""
    return list(dict.fromkeys(int(number) for number in CITATION.findall(text)))
