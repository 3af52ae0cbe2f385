"""When a desk is open: weekly hours, holidays and short days in one time zone, and arithmetic over open time. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
AHEAD_DAYS = 400  # a desk that stays shut longer than this never opens as far as anybody waits
HOUR = 60  # minutes
MIDNIGHT = 24 * HOUR
WEEK = len(DAYS)
_WEEKLY = re.compile(r"(?P<first>[a-z]{3})(?:-(?P<last>[a-z]{3}))?\s+(?P<spans>.+)")
_SPECIAL = re.compile(r"(?:(?P<year>\d{4})-)?(?P<month>\d{2})-(?P<day>\d{2})(?:\s+(?P<spans>.+))?")
_SPAN = re.compile(r"(\d{1,2}):(\d{2})-(\d{1,2}):(\d{2})")
LEAP_YEAR = 2000  # a day without a year may be the 29th of February

Span = tuple[int, int]  # minutes after midnight, local time; the second may be 24:00
Special = tuple[int | None, int, int]  # year (None: every one), month, day


def weekly_hours(lines: Sequence[str]) -> dict[int, tuple[Span, ...]]:
    """Open spans by weekday (0 = Monday) of lines such as ``mon-fri 09:00-12:30 13:30-18:00``; raises ValueError."""
    found: dict[int, tuple[Span, ...]] = {}
    for line in lines:
        match = _WEEKLY.fullmatch(line.strip().lower())
        if match is None or match["first"] not in DAYS or (match["last"] or match["first"]) not in DAYS:
            raise ValueError(f"{line!r} is not like 'mon-fri 09:00-17:30'")
        first, last = DAYS.index(match["first"]), DAYS.index(match["last"] or match["first"])
        for step in range((last - first) % WEEK + 1):
            day = (first + step) % WEEK
            found[day] = _joined([*found.get(day, ()), *_spans(match["spans"], line)])
    return found


def special_days(lines: Sequence[str]) -> dict[Special, tuple[Span, ...]]:
    """Days off the week: ``12-25`` (each year) or ``2026-04-03``, shut, or with spans behind it; raises ValueError."""
    found: dict[Special, tuple[Span, ...]] = {}
    for line in lines:
        match = _SPECIAL.fullmatch(line.strip().lower())
        if match is None:
            raise ValueError(f"{line!r} is not like '12-25', '2026-04-03' or '12-24 09:00-12:00'")
        year = int(match["year"]) if match["year"] else None
        try:
            date(year or LEAP_YEAR, int(match["month"]), int(match["day"]))
        except ValueError:
            raise ValueError(f"{line!r} names no day of the calendar") from None
        spans = _spans(match["spans"], line) if match["spans"] else []
        found[year, int(match["month"]), int(match["day"])] = _joined(spans)
    return found


def _spans(text: str, line: str) -> list[Span]:
    spans = []
    for word in text.replace(",", " ").split():
        match = _SPAN.fullmatch(word)
        hours = [int(part) for part in match.groups()] if match else [0, 0, 0, 0]
        start, end = hours[0] * 60 + hours[1], hours[2] * 60 + hours[3]
        if max(hours[1], hours[3]) >= HOUR or not 0 <= start < end <= MIDNIGHT:
            raise ValueError(f"{line!r}: {word!r} is no time from earlier to later, such as 09:00-17:30")
        spans.append((start, end))
    return spans


def _joined(spans: Sequence[Span]) -> tuple[Span, ...]:
    """Spans in order; ones that touch become one."""
    whole: list[Span] = []
    for start, end in sorted(spans):
        if whole and start <= whole[-1][1]:
            whole[-1] = (whole[-1][0], max(end, whole[-1][1]))
        else:
            whole.append((start, end))
    return tuple(whole)


@dataclass(frozen=True)
class Hours:
    """Open hours; without weekly ones a desk is always open but on special days. Moments are epoch seconds."""

    zone: ZoneInfo
    weekly: dict[int, tuple[Span, ...]]
    special: dict[Special, tuple[Span, ...]]

    @classmethod
    def of(cls, zone: str, weekly: Sequence[str], special: Sequence[str]) -> Hours:
        """Hours out of settings; raises ValueError with what is wrong."""
        return cls(ZoneInfo(zone), weekly_hours(weekly), special_days(special))

    @property
    def always(self) -> bool:
        """Whether nobody ever has to wait for the desk to open."""
        return not self.weekly and not self.special

    def is_open(self, at_s: float) -> bool:
        """Whether the desk is open at a moment."""
        return self.always or any(start <= at_s < end for start, end in self._day(self._date(at_s)))

    def opens_at(self, at_s: float) -> float | None:
        """When the desk is open next: ``at_s`` itself while it is, None when it stays shut."""
        if self.always:
            return at_s
        return next((max(start, at_s) for start, end in self._spans_from(at_s) if end > at_s), None)

    def add(self, at_s: float, open_s: float) -> float | None:
        """The moment after so many seconds of open time; None when it never comes."""
        if self.always:
            return at_s + open_s
        left = open_s
        for start, end in self._spans_from(at_s):
            begins = max(start, at_s)
            if end <= begins:
                continue
            if left <= end - begins:
                return begins + left
            left -= end - begins
        return None

    def between(self, from_s: float, to_s: float) -> float:
        """Seconds of open time between two moments; 0 when the second is not later."""
        if self.always:
            return max(0.0, to_s - from_s)
        total = 0.0
        for start, end in self._spans_from(from_s):
            if start >= to_s:
                break
            total += max(0.0, min(end, to_s) - max(start, from_s))
        return total

    def week_of(self, at_s: float) -> list[tuple[str, tuple[Span, ...]]]:
        """The next seven days from a moment on: the date and its open spans in minutes after midnight."""
        first = self._date(at_s)
        days = [first + timedelta(days=step) for step in range(WEEK)]
        return [(day.isoformat(), self._local(day)) for day in days]

    def _date(self, at_s: float) -> date:
        return datetime.fromtimestamp(at_s, self.zone).date()

    def _local(self, day: date) -> tuple[Span, ...]:
        for key in ((day.year, day.month, day.day), (None, day.month, day.day)):
            if key in self.special:
                return self.special[key]
        return self.weekly.get(day.weekday(), ()) if self.weekly else ((0, MIDNIGHT),)

    def _day(self, day: date) -> list[tuple[float, float]]:
        """Open spans of one local day as moments; a clock that is changed that day makes one longer or shorter."""
        return [(self._moment(day, start), self._moment(day, end)) for start, end in self._local(day)]

    def _moment(self, day: date, minutes: int) -> float:
        if minutes == MIDNIGHT:
            day, minutes = day + timedelta(days=1), 0
        local = datetime.combine(day, time(minutes // 60, minutes % 60), self.zone)
        return local.astimezone(UTC).timestamp()

    def _spans_from(self, at_s: float) -> Iterator[tuple[float, float]]:
        first = self._date(at_s)
        for step in range(AHEAD_DAYS):
            yield from self._day(first + timedelta(days=step))
