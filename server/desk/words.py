"""Texts as words that both databases order alike: folded to a-z and 0-9, so that a prefix is a range."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from typing import Final

MOST_WORDS: Final = 200  # of one message: the rest of a very long one is not found
LONGEST: Final = 40  # characters of one word
SEARCHED: Final = 4  # words of a search that count
LAST: Final = "zzzz"  # behind every word that begins alike
_WORD: Final = re.compile(r"[^\W_]+")
_WIDE: Final = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")  # scripts without spaces


def words(text: str) -> list[str]:
    """The different words of a text in order; of scripts without spaces each pair of signs."""
    found: dict[str, None] = {}
    for raw in _WORD.findall(_plain(text)):
        for word in _pieces(raw):
            found[_folded(word)] = None
            if len(found) >= MOST_WORDS:
                return list(found)
    return list(found)


def bounds(query: str) -> Mapping[str, str]:
    """``low1`` … ``high4`` of a search for messages with words that begin like those of ``query``.

    The longest words come first, they leave the least to look at; a search without words has an empty ``low1``.
    """
    chosen = sorted(words(query), key=len, reverse=True)[:SEARCHED]
    chosen += [""] * (SEARCHED - len(chosen))
    limits = {f"low{number}": word for number, word in enumerate(chosen, 1)}
    return limits | {f"high{number}": word and word + LAST for number, word in enumerate(chosen, 1)}


def _plain(text: str) -> str:
    """Lower case without accents."""
    return "".join(
        letter for letter in unicodedata.normalize("NFKD", text.casefold()) if not unicodedata.combining(letter)
    )


def _pieces(raw: str) -> list[str]:
    if not _WIDE.search(raw):
        return [raw[:LONGEST]]
    raw = unicodedata.normalize("NFC", raw)
    return [raw[at : at + 2] for at in range(max(1, len(raw) - 1))]


def _folded(word: str) -> str:
    """A sign outside a-z and 0-9 becomes six that are inside, so that words beginning alike stay alike."""
    return "".join(letter if letter.isascii() else f"u{ord(letter):05x}" for letter in word)
