"""The language of each conversation: its messages vote, because one "ok" says nothing."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from lingua import IsoCode639_1, Language, LanguageDetector, LanguageDetectorBuilder

from training.rows import Row, changed
from training.scrub import MARK

SURE = 0.6  # share of the votes a language needs to win against the one that was recorded
LONGEST_VOTE = 200  # characters of a message that count; a pasted text does not outvote the rest
LEAST_LETTERS = 3
_NOISE = re.compile(r"https?://\S+|[\d_]+")


def detector(languages: Sequence[str]) -> LanguageDetector | None:
    """A detector for two-letter codes; None when there is no choice. Raises ValueError for unknown codes."""
    codes = sorted({language.partition("-")[0].lower() for language in languages})
    known = {code.name.lower(): code for code in (language.iso_code_639_1 for language in Language.all())}
    unknown = [code for code in codes if code not in known]
    if unknown:
        raise ValueError(f"languages: {', '.join(unknown)} cannot be recognised; use two-letter codes such as en or de")
    if len(codes) < 2:  # noqa: PLR2004 - a choice needs two
        return None
    chosen: list[IsoCode639_1] = [known[code] for code in codes]
    return LanguageDetectorBuilder.from_iso_codes_639_1(*chosen).build()


def votes(texts: Iterable[str], found: LanguageDetector) -> Mapping[str, float]:
    """Each language's share of the votes; a text counts by its letters. Empty when no text has any."""
    sums: dict[str, float] = defaultdict(float)
    for text in texts:
        plain = _NOISE.sub(" ", MARK.sub(" ", text))[:LONGEST_VOTE]
        letters = sum(letter.isalpha() for letter in plain)
        if letters < LEAST_LETTERS:
            continue
        for value in found.compute_language_confidence_values(plain):
            sums[value.language.iso_code_639_1.name.lower()] += value.value * letters
    total = sum(sums.values())
    return {language: value / total for language, value in sorted(sums.items())} if total else {}


def with_languages(rows: Sequence[Row], languages: Sequence[str]) -> tuple[list[Row], int]:
    """The rows with their conversation's language, and in how many it differs from the recorded one.

    What was recorded stays unless the customer's messages clearly speak another configured language.
    """
    found = detector(languages)
    if found is None:
        only = languages[0].partition("-")[0].lower() if languages else ""
        return [row if row.language else changed(row, language=only) for row in rows], 0
    said: dict[str, dict[str, None]] = defaultdict(dict)
    for row in rows:
        said[row.conversation] |= {message.content: None for message in row.messages if message.role == "user"}
    winners = {conversation: _winner(votes(texts, found)) for conversation, texts in said.items()}
    spoken = [changed(row, language=_choice(row.language, *winners[row.conversation])) for row in rows]
    return spoken, sum(bool(old.language) and _base(old) != _base(new) for old, new in zip(rows, spoken, strict=True))


def _winner(shares: Mapping[str, float]) -> tuple[str, float]:
    if not shares:
        return "", 0.0
    return max(shares.items(), key=lambda one: (one[1], one[0]))


def _choice(recorded: str, winner: str, share: float) -> str:
    if not winner or winner == recorded.partition("-")[0].lower():
        return recorded
    return winner if share >= SURE or not recorded else recorded


def _base(row: Row) -> str:
    return row.language.partition("-")[0].lower()
