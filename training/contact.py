"""The customer's own contact data, found in a text exactly, whatever its case, accents or spacing."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import phonenumbers

from training import detect
from training.detect import Found
from training.rows import Known

SHORT_PART = 3  # characters; a shorter part of a name is masked only where it is written with a capital
FEWEST_DIGITS = 5  # a shorter "phone number" would mask prices
LEAST_ADDRESS = 5  # characters; a shorter line of an address is a house number or a country
_ORDINARY = """
angel april art august baker bank berg bill bishop black brown carol chance chase chef christian cliff cook daisy dale
dean dollar drew faith farmer frank gene german grace grant green gross hall harmony hill home hope hunter ivy jack
jasmine joy june king klein lamb lane lang lee lily long love luz major mark may mercedes miles nick noble
olive page paris park pat paul penny pearl price prince ray reed rich rob robin rosa rose ruby sandy serena sky smith
sol sommer star stern stone sue summer taylor violet viola wall wade ward west white will wolf wood wool young
"""
ORDINARY = frozenset(_ORDINARY.split())  # names that are words too: alone they are masked only with a capital letter
_UNBOUNDED = re.compile(r"[\u0590-\u08ff\u0e00-\u0eff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")  # written without gaps
_GERMAN = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss"})
SEPARATORS = r"[ ()./\-]{0,3}"


@dataclass(frozen=True, slots=True)
class _Looked:
    kind: str
    value: str
    pattern: re.Pattern[str]
    folded: bool  # searched in the folded text; otherwise with capitals as they stand


@dataclass(frozen=True, slots=True)
class Contact:
    """What to look for, the longest first."""

    looked: tuple[_Looked, ...]

    @classmethod
    def of(cls, known: Known, regions: Sequence[str] = ()) -> Contact:
        """Patterns for a customer's names, addresses and numbers; ``regions`` as in the scrubber."""
        return _of(known.names, known.emails, known.phones, known.addresses, tuple(regions))

    def find(self, shadow: str) -> Iterator[Found]:
        """Everything of the customer in a text's shadow."""
        if not self.looked:
            return
        folded = fold(shadow)
        for one in self.looked:
            for match in one.pattern.finditer(folded if one.folded else shadow):
                yield Found(match.start(), match.end(), one.kind, one.value)


@lru_cache(maxsize=4096)
def _of(names: tuple[str, ...], emails: tuple[str, ...], phones: tuple[str, ...], addresses: tuple[str, ...],
        regions: tuple[str, ...]) -> Contact:  # fmt: skip
    looked = [_exact("email", email) for email in emails if email.strip()]
    for lines in addresses:
        parts = [lines, *re.split(r"[,;\n]", lines)]
        looked += [_exact("address", part, lines) for part in parts if len(part.strip()) >= LEAST_ADDRESS]
    for phone in phones:
        looked += _phone(phone, regions)
    for name in names:
        looked += _name(name)
    looked.sort(key=lambda one: -len(one.pattern.pattern))
    return Contact(tuple(looked))


@lru_cache(maxsize=8192)
def _fold(letter: str) -> str:
    base = unicodedata.normalize("NFD", letter)[0].casefold()
    return base if len(base) == 1 else letter


def fold(text: str) -> str:
    """The text of the same length without case and accents."""
    return "".join(_fold(letter) for letter in text)


def _exact(kind: str, value: str, whole: str | None = None) -> _Looked:
    plain = detect.shadow(detect.visible(value)).strip()
    return _Looked(kind, fold(whole or value), _bounded(_spaced(plain)), folded=True)


def _spaced(text: str) -> str:
    """A pattern for a text folded, with any blanks, commas and hyphens between its words; also in German spelling."""
    words = [re.escape(fold(word)) for word in re.split(r"[\s,]+", text) if word]
    german = [re.escape(fold(word.lower().translate(_GERMAN))) for word in re.split(r"[\s,]+", text) if word]
    gap = r"[\s,\-]{1,3}"
    return gap.join(words) if words == german else f"(?:{gap.join(words)}|{gap.join(german)})"


def _bounded(pattern: str) -> re.Pattern[str]:
    edge = "" if _UNBOUNDED.search(pattern) else r"(?<!\w)", "" if _UNBOUNDED.search(pattern) else r"(?!\w)"
    return re.compile(f"{edge[0]}{pattern}{edge[1]}")


def _name(name: str) -> list[_Looked]:
    """The whole name in both orders, its parts that follow each other, and each part."""
    plain = detect.shadow(detect.visible(name)).strip()
    parts = [part for part in re.split(r"[\s,.]+", plain) if part]
    if not parts:
        return []
    value = fold(" ".join(parts))
    runs = [parts[::-1]] if len(parts) > 1 else []
    runs += [parts[i:j] for i in range(len(parts)) for j in range(i + 2, len(parts) + 1)]
    looked = [_Looked("name", value, _bounded(_spaced(" ".join(run))), folded=True) for run in runs]
    for part in parts:
        if _UNBOUNDED.search(part) or (len(part) >= SHORT_PART and fold(part) not in ORDINARY):
            looked.append(_Looked("name", value, _bounded(_spaced(part)), folded=True))
        elif len(part) > 1:
            capital = "|".join(re.escape(spelling) for spelling in dict.fromkeys((part, part.title(), part.upper())))
            looked.append(_Looked("name", value, re.compile(rf"(?<!\w)(?:{capital})(?!\w)"), folded=False))
    return looked


def _phone(phone: str, regions: Sequence[str]) -> list[_Looked]:
    """A number in its national and international forms, with any separators."""
    digits = detect.digits_of(detect.shadow(phone))
    if len(digits) < FEWEST_DIGITS:
        return []
    value, national, country = f"+{digits}", digits, ""
    for region in (None, *regions):
        try:
            parsed = phonenumbers.parse(phone, region)
        except phonenumbers.NumberParseException:
            continue
        if phonenumbers.is_possible_number(parsed):
            country, national = str(parsed.country_code), phonenumbers.national_significant_number(parsed)
            value = f"+{country}{national}"
            break
    spread = SEPARATORS.join(national)
    prefix = rf"(?:(?:\+|00)?{SEPARATORS}{SEPARATORS.join(country)}{SEPARATORS})?" if country else ""
    pattern = rf"(?<!\d)(?:\+|00)?{prefix}(?:\(?0\)?{SEPARATORS})?\(?{spread}(?!\d)"
    return [_Looked("phone", value, re.compile(pattern), folded=False)]
