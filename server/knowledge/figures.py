"""Numbers, amounts, times and addresses in a text, in a form that can be compared. PURE."""

from __future__ import annotations

import re
from collections.abc import Iterator

from server.knowledge.wording import words

NUMBER = re.compile(r"\d+(?:[.,:' \u00a0\u202f]\d+)*")
EMAIL = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
LIST_MARK = re.compile(r"(?m)^\s*\d{1,2}[.)]\s")
THOUSANDS = re.compile(r"\d{1,3}(?:[.,' \u00a0\u202f]\d{3})+(?:[.,]\d{1,2})?")
DECIMAL = re.compile(r"(\d+)[.,](\d{1,2})")
SMALLEST_WORD = 2  # "one" and "first" are said without counting
NAMES = (
    (
        "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
        "seventeen eighteen nineteen twenty"
    ),
    (
        "null eins zwei drei vier funf sechs sieben acht neun zehn elf zwolf dreizehn vierzehn funfzehn sechzehn "
        "siebzehn achtzehn neunzehn zwanzig"
    ),
    (
        "cero uno dos tres cuatro cinco seis siete ocho nueve diez once doce trece catorce quince dieciseis diecisiete "
        "dieciocho diecinueve veinte"
    ),
)
TENS = (
    "thirty forty fifty sixty seventy eighty ninety hundred",
    "dreissig vierzig funfzig sechzig siebzig achtzig neunzig hundert",
    "treinta cuarenta cincuenta sesenta setenta ochenta noventa cien",
)
NOT_NUMBERS = ("once", "elf")  # they mean something else in English
VALUES = {name: number for line in NAMES for number, name in enumerate(line.split())}
VALUES |= {name: 30 + 10 * place for line in TENS for place, name in enumerate(line.split())}
VALUES |= {"dozen": 12, "fortnight": 14, "thrice": 3, "twice": 2}
VALUES = {name: number for name, number in VALUES.items() if name not in NOT_NUMBERS}


def figures(text: str) -> list[frozenset[str]]:
    """Every figure in order, each as its possible readings (``1.200`` is 1200 or 1.2); marks of lists do not count."""
    rest = LIST_MARK.sub(" ", text)
    found = [frozenset({address.casefold()}) for address in EMAIL.findall(rest)]
    rest = EMAIL.sub(" ", rest)
    found += [frozenset(readings(number)) for run in NUMBER.findall(rest) for number in _runs(run)]
    found += [frozenset({str(VALUES[word])}) for word in words(rest) if VALUES.get(word, 0) >= SMALLEST_WORD]
    return found


def known(text: str) -> frozenset[str]:
    """Every reading of every figure in a text, and the parts of times, dates and telephone numbers."""
    readable = {reading for figure in figures(text) for reading in figure}
    return frozenset(readable | {part for number in NUMBER.findall(text) for part in _plain(number)})


def unknown(text: str, readings_known: frozenset[str]) -> bool:
    """Whether a text names a figure that is not among those."""
    return any(not figure & readings_known for figure in figures(text))


def readings(number: str) -> Iterator[str]:
    """What the digits may mean, without separators of thousands and without zeros that say nothing."""
    if THOUSANDS.fullmatch(number):
        whole, _, cents = _split_cents(number)
        yield _tidy(re.sub(r"\D", "", whole) + (f".{cents}" if cents else ""))
    decimal = DECIMAL.fullmatch(number)
    if decimal:
        yield _tidy(f"{decimal[1]}.{decimal[2]}")
    yield _tidy(re.sub(r"[' \u00a0\u202f]", "", number).replace(",", "."))


def _split_cents(number: str) -> tuple[str, str, str]:
    found = re.fullmatch(r"(.*)([.,])(\d{1,2})", number)
    return (found[1], found[2], found[3]) if found else (number, "", "")


def _runs(run: str) -> Iterator[str]:
    """Digits with spaces between: one number when they are groups of three (``1 200``), else several."""
    if THOUSANDS.fullmatch(run) or not re.search(r"[ \u00a0\u202f]", run):
        yield run.strip(".,:'")
        return
    yield from (part.strip(".,:'") for part in run.split())


def _plain(number: str) -> Iterator[str]:
    yield from (_tidy(part) for part in re.findall(r"\d+", number))


def _tidy(number: str) -> str:
    whole, point, rest = number.partition(".")
    if point and "." not in rest and ":" not in number:
        rest = rest.rstrip("0")
    bare = whole.lstrip("0") or "0"
    return f"{bare}.{rest}" if rest else bare
