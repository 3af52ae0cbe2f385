"""Days and times of day as customers write them in English, German and Spanish. Pure: today is handed in.

Every reader takes folded text (:func:`fold`), and gives back what it found and the text without it, so that a figure
is never read twice. Days come before times: "4.11. um 15 Uhr" is a day and a time, "at 10.30" a time.
"""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

WEEK_DAYS = 7
LAST_HOUR = 23
FIRST_USUAL_HOUR = 8  # "at four" without more means the afternoon: nobody books for the night
NOON = 12
FUZZY_LETTERS = 6  # shorter words are too like each other to be mended

_WEEKDAY_NAMES = (
    "monday mon montag lunes", "tuesday tue tues dienstag martes", "wednesday wed weds mittwoch miercoles",
    "thursday thu thur thurs donnerstag jueves", "friday fri freitag viernes",
    "saturday sat samstag sonnabend sabado", "sunday sun sonntag domingo",
)  # fmt: skip
_MONTH_NAMES = (
    "january jan januar janner enero", "february feb februar febrero", "march mar marz marzo",
    "april apr abril", "may mai mayo", "june jun juni junio", "july jul juli julio", "august aug agosto",
    "september sep sept septiembre", "october oct oktober okt octubre", "november nov noviembre",
    "december dec dezember dez diciembre",
)  # fmt: skip
_NUMBER_NAMES = (
    ("one", "eins", "ein", "una", "uno"), ("two", "zwei", "dos"), ("three", "drei", "tres"),
    ("four", "vier", "cuatro"), ("five", "funf", "cinco"), ("six", "sechs", "seis"), ("seven", "sieben", "siete"),
    ("eight", "acht", "ocho"), ("nine", "neun", "nueve"), ("ten", "zehn", "diez"), ("eleven", "elf", "once"),
    ("twelve", "zwolf", "doce"),
)  # fmt: skip
WEEKDAYS = {name: number for number, names in enumerate(_WEEKDAY_NAMES) for name in names.split()}
MONTHS = {name: number for number, names in enumerate(_MONTH_NAMES, 1) for name in names.split()}
NUMBERS = {name: number for number, names in enumerate(_NUMBER_NAMES, 1) for name in names}
ORDINALS = {
    "first": 1, "second": 2, "third": 3, "fourth": 4, "fifth": 5, "sixth": 6, "seventh": 7, "eighth": 8, "ninth": 9,
    "tenth": 10, "eleventh": 11, "twelfth": 12, "thirteenth": 13, "fourteenth": 14, "fifteenth": 15, "sixteenth": 16,
    "seventeenth": 17, "eighteenth": 18, "nineteenth": 19, "twentieth": 20, "thirtieth": 30,
}  # fmt: skip
_MENDABLE = [name for name in (*WEEKDAYS, *MONTHS, "tomorrow", "ubermorgen") if len(name) >= FUZZY_LETTERS]
_FINE = frozenset({"mittwochs", "montags", "dienstags", "freitags", "samstags", "sonntags", "donnerstags"}) | {
    f"{name}s" for name in WEEKDAYS
}  # "on Fridays" is every Friday, no day of its own

_WEEKDAY = "|".join(sorted(WEEKDAYS, key=len, reverse=True))
_MONTH = "|".join(sorted(MONTHS, key=len, reverse=True))
_HOUR = rf"(?P<hour>\d{{1,2}}|{'|'.join(sorted(NUMBERS, key=len, reverse=True))})"
_HOUR_WORD = rf"(?P<hour>{'|'.join(sorted(NUMBERS, key=len, reverse=True))})"
_HALF = (
    r"(?P<half>\s*(?:a\.?\s?m\b\.?|p\.?\s?m\b\.?|"
    r"(?:in the |de la |por la |am |in der )?(?:morning|manana|vormittag)|"
    r"(?:in the |at |de la |por la |am )?(?:afternoon|evening|tarde|nachmittag|abend)))"
)


def fold(text: str) -> str:
    """Lower case without accents, dashes and quotes made plain: what every pattern of the planner reads."""
    plain = unicodedata.normalize("NFKD", text.casefold().translate(_PLAIN))
    return " ".join("".join(letter for letter in plain if not unicodedata.combining(letter)).split())


_PLAIN = str.maketrans(
    dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2212", "-")
    | dict.fromkeys("\u2019\u2018`\u00b4", "'")
    | dict.fromkeys("\u201c\u201d\u201e\u00ab\u00bb", '"')
)


def mend(folded: str) -> str:
    """The text with misspelt names of days and months put right ("wendesday", "novmber")."""
    return re.sub(r"[a-z]{6,}", lambda word: _mended(word.group()), folded)


def _mended(word: str) -> str:
    if word in _FINE or word in WEEKDAYS or word in MONTHS:
        return word
    close = difflib.get_close_matches(word, _MENDABLE, n=1, cutoff=0.85)
    return close[0] if close else word


@dataclass(frozen=True, slots=True)
class Day:
    """A day that was named; ``clash`` says that its weekday and its date do not belong together."""

    day: date
    clash: bool = False


@dataclass(frozen=True, slots=True)
class TimeOfDay:
    """A time of day: the readings that the words allow ("at four" is 04:00 or 16:00), most usual first.

    ``half`` is ``am`` or ``pm`` where only a part of the day was named, and then there is no reading.
    """

    readings: tuple[str, ...] = ()
    half: str = ""

    def pick(self, starts: Sequence[str]) -> str:
        """The reading that is offered, else the most usual one; empty when a part of the day fits none or several."""
        if self.readings:
            return next((reading for reading in self.readings if reading in starts), self.readings[0])
        fitting = self.fitting(starts)
        return fitting[0] if len(fitting) == 1 else ""

    def fitting(self, starts: Sequence[str]) -> list[str]:
        """The offered starts in the named part of the day."""
        return [start for start in starts if self.half and (int(start[:2]) >= NOON) == (self.half == "pm")]


_ReadDay = Callable[[re.Match[str], date], Day | None]


def read_day(text: str, today: date) -> tuple[Day | None, str]:
    """The first day the folded text names, and the text without it; days without a year are never in the past."""
    for pattern, reader in _DAYS:
        for match in pattern.finditer(text):
            if (found := reader(match, today)) is not None:
                return found, f"{text[: match.start()]} ; {text[match.end() :]}"
    return None, text


def _relative(match: re.Match[str], today: date) -> Day | None:
    return Day(today + timedelta(days=_RELATIVE[" ".join(match["word"].split())]))


def _after(match: re.Match[str], today: date) -> Day | None:
    count = _number(match["count"])
    return Day(today + timedelta(days=count * (WEEK_DAYS if match["unit"].startswith(("w", "s")) else 1)))


def _named_month(match: re.Match[str], today: date) -> Day | None:
    number, month = _day_number(match["day"]), MONTHS[match["month"]]
    return _checked(match, _dated(number, month, match["year"], today))


def _numeric(match: re.Match[str], today: date) -> Day | None:
    return _checked(match, _dated(int(match["day"]), int(match["month"]), match["year"], today))


def _iso(match: re.Match[str], _today: date) -> Day | None:
    return _checked(match, _valid(int(match["year"]), int(match["month"]), int(match["day"])))


def _day_of_month(match: re.Match[str], today: date) -> Day | None:
    number = _day_number(match["day"])
    for months in range(3):
        month = today.month - 1 + months
        found = _valid(today.year + month // 12, month % 12 + 1, number)
        if found is not None and found >= today:
            return _checked(match, found)
    return None


def _weekday(match: re.Match[str], today: date) -> Day | None:
    ahead = (WEEKDAYS[match["weekday"]] - today.weekday()) % WEEK_DAYS or WEEK_DAYS
    which, later = match["which"] or "", match["later"] or ""
    next_week = which.startswith(("next", "nachst")) and ahead + today.weekday() < WEEK_DAYS
    if (
        next_week or later
    ):  # on a Monday "next Wednesday" is the one of next week, "Wednesday" and "this" are in two days
        ahead += WEEK_DAYS if ahead + today.weekday() < WEEK_DAYS else 0
    return Day(today + timedelta(days=ahead))


def _next_week(match: re.Match[str], today: date) -> Day | None:
    monday = today + timedelta(days=WEEK_DAYS - today.weekday())
    return Day(monday + timedelta(days=WEEKDAYS[match["weekday"]]))


def _weeks_ahead(match: re.Match[str], today: date) -> Day | None:
    monday = today + timedelta(days=_number(match["count"]) * WEEK_DAYS - today.weekday())
    return Day(monday + timedelta(days=WEEKDAYS[match["weekday"]]))


def _matching_day(match: re.Match[str], today: date) -> Day | None:
    """The number after a weekday where it is one of its dates; in "Thursday 4" it may be an hour."""
    found = _day_of_month(match, today)
    return None if found is None or found.clash else found


def _checked(match: re.Match[str], found: date | None) -> Day | None:
    if found is None:
        return None
    name = match["weekday"]
    return Day(found, clash=bool(name) and WEEKDAYS[name] != found.weekday())


def _dated(day: int, month: int, year: str | None, today: date) -> date | None:
    if year:
        return _valid(int(year) + (2_000 if len(year) == 2 else 0), month, day)  # noqa: PLR2004 - two figures
    found = _valid(today.year, month, day)
    return found if found is None or found >= today else _valid(today.year + 1, month, day)


def _valid(year: int, month: int, day: int) -> date | None:
    try:
        return date(year, month, day)
    except ValueError:
        return None


def _day_number(word: str) -> int:
    if word in ORDINALS:
        return ORDINALS[word]
    return int(re.sub(r"\D", "", word) or 0)


def _number(word: str) -> int:
    return int(word) if word.isdigit() else NUMBERS.get(word, 1)


_RELATIVE = {
    "the day after tomorrow": 2, "day after tomorrow": 2, "ubermorgen": 2, "pasado manana": 2,
    "today": 0, "tonight": 0, "this afternoon": 0, "this morning": 0, "heute": 0, "hoy": 0,
    "tomorrow": 1, "tmrw": 1, "tmr": 1, "2morrow": 1, "morgen": 1, "manana": 1,
}  # fmt: skip
_DAY_WORD = rf"(?:\d{{1,2}}(?:\s?(?:st|nd|rd|th)\b|\.)?|{'|'.join(ORDINALS)})"
_LEAD = rf"(?:\b(?P<weekday>{_WEEKDAY})\b\.?,?\s*(?:(?:the|den|dem|el|dia)\s+)*)?"
_YEAR = r"(?:,?\s*(?:de\s+|del\s+)?(?P<year>20\d\d)\b)?"
_DAYS: list[tuple[re.Pattern[str], _ReadDay]] = [
    (re.compile(rf"{_LEAD}\b(?P<year>20\d\d)-(?P<month>\d\d)-(?P<day>\d\d)\b"), _iso),
    (re.compile(rf"{_LEAD}\b(?P<day>{_DAY_WORD})\s*(?:of\s+|de\s+|-)?(?P<month>{_MONTH})\b\.?{_YEAR}"), _named_month),
    (re.compile(rf"{_LEAD}\b(?P<month>{_MONTH})\.?\s+(?:the\s+)?(?P<day>{_DAY_WORD})(?![:\d]|\s?uhr){_YEAR}"),
     _named_month),
    (re.compile(rf"{_LEAD}(?<![\d./])(?<!at )(?<!um )(?<!las )\b(?P<day>\d{{1,2}})\s?[./]\s?(?P<month>0?[1-9]|1[0-2])"
                r"(?:[./]\s?(?P<year>20\d\d|\d\d(?![:.]))?|(?!\d))(?!\s?(?:am|pm|uhr)\b)"), _numeric),
    (re.compile(rf"(?P<word>{'|'.join(sorted((w for w in _RELATIVE if ' ' in w), key=len, reverse=True))})\b"),
     _relative),
    (re.compile(rf"\b(?:in|en|dentro de)\s+(?P<count>\d|[a-z]{{2,6}})\s+(?:weeks?|wochen|semanas),?\s+(?:on |am |el )?"
                rf"(?P<weekday>{_WEEKDAY})\b"), _weeks_ahead),
    (re.compile(r"\b(?:in|en|dentro de)\s+(?P<count>a|an|\d{1,2}|[a-z]{2,6})\s+(?P<unit>days?|weeks?|tagen?|"
                r"wochen?|dias?|semanas?)"
                r"\b(?!\s+on\b)"), _after),
    (re.compile(rf"\b(?:next week|nachste woche|la (?:proxima semana|semana que viene))\b,?\s*(?:on |am |el )?"
                rf"(?P<weekday>{_WEEKDAY})\b"), _next_week),
    (re.compile(rf"\b(?P<weekday>{_WEEKDAY})\b\s+(?:of\s+)?(?:next week|nachster? woche|de la (?:proxima semana|"
                rf"semana que viene))"),
     _next_week),
    (re.compile(rf"\b(?P<weekday>{_WEEKDAY})\b,?\s+(?P<day>\d{{1,2}})\b(?![:.]\d|\s?(?:uhr|[ap]\.?m|h\b|o'?clock|"
                rf"people|"
                rf"persons?|of us|leute|personas))"), _matching_day),
    (re.compile(rf"\b(?P<weekday>{_WEEKDAY})\b,?\s+(?:the\s+|den\s+|dem\s+|el\s+)?(?P<day>\d{{1,2}}(?:st|nd|rd|th|"
                rf"\.(?!\d))|"
                rf"(?<=the )\d{{1,2}}|{'|'.join(ORDINALS)})(?!\s?(?:uhr|[ap]m|people|person))"), _day_of_month),
    (re.compile(rf"\b(?P<weekday>zz)?(?:on the|the|den|dem|el dia)\s+(?P<day>\d{{1,2}}(?:st|nd|rd|th|\.(?!\d))|"
                rf"{'|'.join(ORDINALS)}|"
                r"(?<=dia )\d{1,2})(?!\s?(?:one|time|option|lamp|slot|floor|uhr))\b"), _day_of_month),
    (re.compile(r"\b(?P<weekday>zz)?(?:am|el)\s+(?P<day>\d{1,2}(?=[.,;!?]?(?:\s|$)))(?:\.(?!\d))?(?!\s?(?:uhr|"
                r"horas|de la))"),
     _day_of_month),
    (re.compile(r"\b(?P<weekday>zz)?(?P<day>\d{1,2}(?:st|nd|rd|th))\b"), _day_of_month),
    (re.compile(rf"(?<!\ba )(?<!\bevery )(?<!\bjeden )(?<!\blos )\b(?:(?P<which>next|this|coming|nachste[nr]?|"
                rf"diese[nr]?|"
                rf"kommende[nr]?|proximo|este)\s+)?\b(?P<weekday>{_WEEKDAY})\b(?:\s+(?P<later>week\b|"
                rf"in einer woche|de la otra semana))?"),
     _weekday),
    (re.compile(r"(?<!am )(?<!la )(?<!guten )(?<!de )(?<!dia )\b(?P<word>today|tonight|tomorrow|tmrw|tmr|2morrow|"
                r"heute|morgen|ubermorgen"
                r"|hoy|manana)\b"), _relative),
]  # fmt: skip

_ReadTime = Callable[[re.Match[str]], TimeOfDay | None]


def read_time(text: str) -> tuple[TimeOfDay | None, str]:
    """The first time of day the folded text names, and the text without it; read the day first."""
    for pattern, reader in _TIMES:
        for match in pattern.finditer(text):
            if (found := reader(match)) is not None:
                return found, f"{text[: match.start()]} ; {text[match.end() :]}"
    return None, text


def _clock(match: re.Match[str]) -> TimeOfDay | None:
    groups = match.groupdict()
    return _readings(_number(match["hour"]), int(groups.get("minute") or 0), groups.get("half") or "", match["hour"])


def _past(minute: int, hours: int = 0) -> _ReadTime:
    def reader(match: re.Match[str]) -> TimeOfDay | None:
        hour = _number(match["hour"]) + hours
        return _readings(hour or NOON, minute, match.groupdict().get("half") or "", match["hour"])

    return reader


def _noon(_match: re.Match[str]) -> TimeOfDay:
    return TimeOfDay(("12:00",))


def _part(match: re.Match[str]) -> TimeOfDay:
    return TimeOfDay(half=_half(match.group()))


def _half(word: str) -> str:
    early = re.search(r"a\.?\s?m\b|morning|manana|vormittag|morgens|fruh|morgen", word)
    return "am" if early and not re.search(r"tarde|nachmittag", word) else "pm"


def _readings(hour: int, minute: int, half: str, written: str) -> TimeOfDay | None:
    if hour > LAST_HOUR or minute > 59:  # noqa: PLR2004 - minutes
        return None
    hours: tuple[int, ...]
    if half:
        hours = (hour % NOON + (NOON if _half(half) == "pm" else 0),) if hour <= NOON else (hour,)
    elif hour > NOON or written.startswith("0"):
        hours = (hour,)
    else:
        early, late = hour, hour % NOON + NOON
        hours = (late, early) if hour < FIRST_USUAL_HOUR or hour == NOON else (early, late)
    return TimeOfDay(tuple(f"{number:02d}:{minute:02d}" for number in hours))


_BEFORE = r"(?:at|um|gegen|ab|a las?|sobre las|around|about|for|by)"
_TIMES: list[tuple[re.Pattern[str], _ReadTime]] = [
    (re.compile(rf"\b(?<!-)(?P<hour>\d{{1,2}})\s?[:.h]\s?(?P<minute>[0-5]\d)(?!\d)(?!\s?(?:euro|eur|€|m\b|cm|kg|"
                rf"%)){_HALF}?"), _clock),
    (re.compile(rf"\b{_HOUR}\s?uhr(?:\s(?P<minute>[0-5]\d)\b)?{_HALF}?"), _clock),
    (re.compile(rf"\b{_HOUR}\s?(?P<minute>[0-5]\d)?\s?(?P<half>[ap]\.?\s?m\b\.?)"), _clock),
    (re.compile(rf"\bhalf(?: past|-past)? {_HOUR}\b{_HALF}?"), _past(30)),
    (re.compile(rf"\bhalb {_HOUR}\b{_HALF}?"), _past(30, -1)),
    (re.compile(rf"\b(?:quarter past|viertel nach) {_HOUR}\b{_HALF}?"), _past(15)),
    (re.compile(rf"\b(?:quarter to|viertel vor) {_HOUR}\b{_HALF}?"), _past(45, -1)),
    (re.compile(rf"\b{_HOUR} y media\b{_HALF}?"), _past(30)),
    (re.compile(rf"\b{_HOUR} y cuarto\b{_HALF}?"), _past(15)),
    (re.compile(rf"\b{_HOUR} menos cuarto\b{_HALF}?"), _past(45, -1)),
    (re.compile(rf"\b{_HOUR_WORD} (?P<minute>thirty|fifteen|forty-five)\b{_HALF}?"),
     lambda match: _past({"thirty": 30, "fifteen": 15}.get(match["minute"], 45))(match)),
    (re.compile(rf"\b{_HOUR}\s?o'?\s?clock\b{_HALF}?"), _clock),
    (re.compile(rf"\b{_BEFORE} {_HOUR}\b(?!\s?(?:people|person|of us|guests|adults|leute|gaste|euro|days|weeks|\d|"
                rf"[/-]\d)){_HALF}"), _clock),
    (re.compile(rf"\b(?:at|um|gegen|a las?|sobre las|around|las) {_HOUR}\b(?!\s?(?:people|person|leute|euro|"
                rf"[/-]\d))"), _clock),
    (re.compile(rf"\b{_HOUR}{_HALF}\b"), _clock),
    (re.compile(r"\bat (?P<hour>[01]\d|2[0-3])(?P<minute>[0-5]\d)\b"), _clock),
    (re.compile(r"\b(?:noon|midday|mittags?|mediodia)\b"), _noon),
    (re.compile(r"\b(?:in the |this |am |por la |de la )?(?:afternoon|evening|nachmittags?|abends?|tarde)\b"), _part),
    (re.compile(r"\b(?:in the |this )?morning\b|\b(?:por|de) la manana\b|\b(?:am )?(?:vormittags?|morgens)\b|"
                r"\bam morgen\b"
                r"|;\s+(?:morgen|fruh)\b"), _part),
]  # fmt: skip
