"""Word-by-word English for German and Spanish questions, so that an English embedding model finds passages for them.

The word lists are general vocabulary of shops and support (``config/glossary``). The result is no translation to show
anybody: grammar stays that of the question, unknown words (names of products and places) stay as they are.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping
from functools import cache
from importlib import resources
from itertools import chain

LANGUAGES = ("de", "es")
WORD = re.compile(r"[^\W_]+(?:['\u2019][^\W_]+)*")
PHRASE_WORDS = 4  # the longest entry
SHORTEST_PART = 3  # letters of a part of a compound
MOST_PARTS = 3  # parts of a compound
FOREIGN_SHARE = 0.4  # of a question's words that only the glossary knows, from which on it counts as foreign
SUFFIXES: Mapping[str, tuple[str, ...]] = {
    "de": ("", "e", "n", "s", "t", "en", "er", "es", "em", "et", "st", "te", "ten", "ern"),
    "es": (
        "", "s", "es", "o", "a", "as", "an", "os", "e", "en", "ar", "er", "ir", "is", "me", "lo", "la", "se",
        "nos", "los", "las", "ais", "eis", "amos", "emos", "ado", "ada", "ido", "ida", "ando", "iendo", "aron", "arme",
    ),
}  # fmt: skip
BASES: Mapping[str, tuple[str, ...]] = {"de": ("", "en", "e", "n"), "es": ("", "ar", "er", "ir", "o", "a", "e")}
LINKS = ("", "s", "n", "en", "es", "e")  # between the parts of a German compound
_ENGLISH = (
    "a am an and any are as at be been but by can could did do does for from get got had has have he her him his how i "
    "if in is it its just like me my no not of off on one or our out over so some than that the their them then there "
    "they this to up was we were what when where which who why will with would you your die was war hat son vale den "
    "much many long last after before also all open order cost return refund ship delivery send buy pay"
)
ENGLISH = frozenset(_ENGLISH.split())


def fold(word: str) -> str:
    """A word in lower case without accents, ``ß`` as ``ss``; the form in which entries are compared."""
    plain = unicodedata.normalize("NFKD", word.casefold())
    return "".join(letter for letter in plain if not unicodedata.combining(letter))


class Glossary:
    """The entries of one language; ``lines`` are ``english: word word two-words``."""

    def __init__(self, language: str, lines: Iterator[str]) -> None:
        self.language = language
        self._entries: dict[str, str] = {}
        for line in lines:
            english, colon, words = line.partition(":")
            if colon and not line.startswith("#"):
                for word in words.split():
                    self._entries.setdefault(fold(word), english.strip())

    def knows(self, word: str) -> bool:
        """Whether a word, inflected or not, has an entry of its own."""
        return self._one(fold(word)) is not None

    def english(self, text: str) -> str:
        """The text with every known word in English; unknown words and names stay."""
        words = WORD.findall(text)
        folded = [fold(word) for word in words]
        found: list[str] = []
        place = 0
        while place < len(words):
            length, english = self._longest(folded, place)
            found.append(english or words[place])
            place += length
        return " ".join(found)

    def _longest(self, folded: list[str], place: int) -> tuple[int, str]:
        for length in range(min(PHRASE_WORDS, len(folded) - place), 1, -1):
            phrase = self._entries.get("-".join(folded[place : place + length]))
            if phrase:
                return length, phrase
        word = folded[place]
        return 1, self._one(word) or self._compound(word)

    def _one(self, word: str) -> str | None:
        if word in self._entries:
            return self._entries[word]
        for suffix in sorted(SUFFIXES[self.language], key=len):
            if suffix and word.endswith(suffix) and len(word) - len(suffix) >= SHORTEST_PART:
                stem = word.removesuffix(suffix)
                for base in BASES[self.language]:
                    if len(stem + base) > SHORTEST_PART and stem + base in self._entries:
                        return self._entries[stem + base]
        return None

    def _compound(self, word: str) -> str:
        return " ".join(self._parts(word, MOST_PARTS) or ()) if self.language == "de" else ""

    def _parts(self, word: str, most: int) -> tuple[str, ...] | None:
        whole = self._one(word)
        if whole:
            return (whole,)
        if most == 1:
            return None
        for cut in range(len(word) - SHORTEST_PART, SHORTEST_PART - 1, -1):
            rest = self._parts(word[cut:], most - 1)
            first = self._first(word[:cut]) if rest else None
            if rest and first:
                return (first, *rest)
        return None

    def _first(self, part: str) -> str | None:
        for link in LINKS:
            if part.endswith(link) and len(part) - len(link) >= SHORTEST_PART:
                found = self._entries.get(part.removesuffix(link)) or self._entries.get(part.removesuffix(link) + "e")
                if found:
                    return found
        return None


@cache
def glossary(language: str) -> Glossary:
    """The word list of a language, read once; raises KeyError for a language without one."""
    if language not in LANGUAGES:
        raise KeyError(language)
    text = resources.files("config").joinpath("glossary", f"{language}.yaml").read_text(encoding="utf-8")
    return Glossary(language, iter(text.splitlines()))


def language_of(question: str) -> str:
    """``de`` or ``es`` when the question's words are mostly known there and not English, else ``en``."""
    words = WORD.findall(question)
    own = [word for word in words if fold(word) not in ENGLISH]
    if not own:
        return "en"
    counts = {language: sum(glossary(language).knows(word) for word in own) for language in LANGUAGES}
    best = max(counts, key=lambda language: counts[language])
    english = len(words) - len(own)
    return best if counts[best] >= FOREIGN_SHARE * len(words) and counts[best] > english else "en"


def in_english(question: str) -> str:
    """The question in English words, or empty when it is not in a language with a word list."""
    language = language_of(question)
    return "" if language == "en" else glossary(language).english(question)


def expanded(question: str) -> str:
    """The question, followed by its English words where it is foreign: what the lexical half searches."""
    return " ".join(chain((question,), filter(None, (in_english(question),))))
