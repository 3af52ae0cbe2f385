"""Takes personal data out of rows: patterns, and the customer's own contact data wherever it stands.

The same value gets the same mark, such as ``<email-1>``, in every text of a row, so chosen and rejected answers,
arguments and prompt still agree. Scrubbing a scrubbed row changes nothing.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any

from training import detect
from training.contact import Contact
from training.detect import Found
from training.rows import Call, Known, Message, Row, Source, Target, Tool, changed, sha256

VERSION = "1"  # of what is found and how it is marked; part of every manifest
KINDS = ("email", "phone", "card", "iban", "ip", "name", "address")
MARK = re.compile(rf"<({'|'.join(KINDS)})-(\d{{1,6}})>")
PSEUDONYM_DIGITS = 6  # hex: short on purpose, so that many phone numbers share one
ROW_DIGITS = 12  # of a row's own id, which must stay unique


class Marks:
    """The marks of one row, numbered by kind in the order of their first place."""

    def __init__(self, taken: Iterator[tuple[str, int]]) -> None:
        self._last: Counter[str] = Counter()
        self._marks: dict[tuple[str, str], str] = {}
        for kind, number in taken:
            self._last[kind] = max(self._last[kind], number)
        self.counts: Counter[str] = Counter()

    def of(self, kind: str, value: str) -> str:
        """The mark of a value."""
        self.counts[kind] += 1
        if (kind, value) not in self._marks:
            self._last[kind] += 1
            self._marks[kind, value] = f"<{kind}-{self._last[kind]}>"
        return self._marks[kind, value]


class Scrubber:
    """Masks rows under one desk's settings.

    ``regions`` are the ISO codes whose national phone numbers are known, ``keep`` patterns of ids that stay, and
    ``public`` the shop's own addresses and numbers. Raises ValueError for a pattern that is no regular expression.
    """

    def __init__(self, regions: Sequence[str] = (), keep: Sequence[str] = (), public: Sequence[str] = ()) -> None:
        self._regions = tuple(regions)
        try:
            self._keep = [re.compile(rf"(?<![\w+])(?:{pattern})(?!\w)") for pattern in keep]
        except re.error as error:
            raise ValueError(f"a pattern of ids to keep is no regular expression: {error}") from error
        worded = tuple(value for value in public if any(letter.isalpha() for letter in value))
        numbers = tuple(value for value in public if value not in worded)
        self._public = Contact.of(Known(emails=worded, phones=numbers), self._regions)
        self._patterns = lru_cache(maxsize=65_536)(self._by_pattern)

    def row(self, row: Row) -> tuple[Row, Counter[str]]:
        """The row without personal data and without ``known``, and how often which kind was masked."""
        contact = Contact.of(row.known, self._regions)
        marks = Marks((m[1], int(m[2])) for text in texts(row) for m in MARK.finditer(text))
        work = _Work(self, contact, marks)
        clean = changed(
            row,
            messages=tuple(work.message(message) for message in row.messages),
            target=work.target(row.target),
            rejected=work.target(row.rejected) if row.rejected else None,
            tools=tuple(work.tool(tool) for tool in row.tools),
            sources=tuple(work.source(source) for source in row.sources),
            expect=work.deep(row.expect),
            checks=work.deep(row.checks),
            known=Known(),
            id=work.pseudonym(row.id, ROW_DIGITS),
            **{name: work.pseudonym(getattr(row, name)) for name in ("conversation", "customer", "person", "message")},
        )
        return clean, marks.counts

    def text(self, text: str, contact: Contact, marks: Marks) -> str:
        """One text with its personal data masked."""
        text = detect.visible(text)
        shadow = detect.shadow(text)
        found = [*contact.find(shadow), *self._patterns(shadow)]
        if not found:
            return text
        written, place = [], 0
        for one in _apart(found, [match.span() for match in MARK.finditer(text)]):
            written += [text[place : one.start], marks.of(one.kind, one.value)]
            place = one.end
        return "".join([*written, text[place:]])

    def _by_pattern(self, shadow: str) -> tuple[Found, ...]:
        """What the patterns find; each sees only what the ones before it left, so no two of them share a digit."""
        public = [(one.start, one.end) for one in self._public.find(shadow)]
        found: list[Found] = []
        left = _blanked(shadow, public)
        for look in (detect.emails, detect.ibans):
            found += look(left)
        left = _blanked(left, [(one.start, one.end) for one in found])
        left = _blanked(left, [match.span() for pattern in self._keep for match in pattern.finditer(left)])
        for look in (detect.cards, detect.addresses, self._phones):
            more = list(look(left))
            found += more
            left = _blanked(left, [(one.start, one.end) for one in more])
        return tuple(found)

    def _phones(self, text: str) -> Iterator[Found]:
        return detect.phones(text, self._regions)

    def names_somebody(self, name: str) -> bool:
        """Whether an id is itself an address or a phone number."""
        shadow = detect.shadow(name)
        numbers = (f"+{digits}" for digits in re.findall(r"(?<![\w-])\+?(\d{9,15})(?![\w-])", shadow))
        return any(detect.emails(shadow)) or any(True for number in numbers for _ in detect.phones(number, ()))


class _Work:
    """One row's texts on their way through a scrubber."""

    def __init__(self, scrubber: Scrubber, contact: Contact, marks: Marks) -> None:
        self._scrubber = scrubber
        self._contact = contact
        self._marks = marks

    def text(self, text: str) -> str:
        return self._scrubber.text(text, self._contact, self._marks)

    def deep(self, value: Any) -> Any:
        """Strings, and numbers that are phone or card numbers, at any depth of a JSON value."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, dict):
            return {self.text(name): self.deep(inner) for name, inner in value.items()}
        if isinstance(value, list | tuple):
            return [self.deep(inner) for inner in value]
        if isinstance(value, int | float) and not isinstance(value, bool):
            written = str(value)
            masked = self.text(written)
            return value if masked == written else masked
        return value

    def message(self, message: Message) -> Message:
        update = {"content": self.text(message.content), "tool_calls": self.calls(message.tool_calls)}
        return message.model_copy(update=update)

    def target(self, target: Target) -> Target:
        return target.model_copy(
            update={"content": self.text(target.content), "tool_calls": self.calls(target.tool_calls)}
        )

    def calls(self, calls: tuple[Call, ...]) -> tuple[Call, ...]:
        return tuple(call.model_copy(update={"arguments": self.deep(call.arguments)}) for call in calls)

    def tool(self, tool: Tool) -> Tool:
        return tool.model_copy(
            update={"description": self.text(tool.description), "parameters": self.deep(tool.parameters)}
        )

    def source(self, source: Source) -> Source:
        return source.model_copy(update={"title": self.text(source.title), "text": self.text(source.text)})

    def pseudonym(self, name: str, digits: int = PSEUDONYM_DIGITS) -> str:
        """An id as it is, or a short digest of one that names somebody."""
        if any(self._contact.find(detect.shadow(name))) or self._scrubber.names_somebody(name):
            return f"p-{sha256(name.encode())[:digits]}"
        return name


def _blanked(text: str, spans: Sequence[tuple[int, int]]) -> str:
    """The text of the same length with line ends in place of what is settled: no pattern reads across them."""
    for start, end in spans:
        text = text[:start] + "\n" * (end - start) + text[end:]
    return text


def _apart(found: Sequence[Found], taken: Sequence[tuple[int, int]]) -> list[Found]:
    """What is masked, left to right: of two that overlap the one found first wins; marks are never touched."""
    chosen: list[Found] = []
    for one in found:
        spans = [*taken, *((other.start, other.end) for other in chosen)]
        if all(one.end <= start or one.start >= end for start, end in spans):
            chosen.append(one)
    return sorted(chosen, key=lambda one: one.start)


def strings(value: Any) -> Iterator[str]:
    """Every text in a JSON value, names of fields included."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for name, inner in value.items():
            yield str(name)
            yield from strings(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from strings(inner)


def texts(row: Row) -> Iterator[str]:
    """Every text of a row that is masked."""
    for message in row.messages:
        yield message.content
        yield from strings([call.arguments for call in message.tool_calls])
    for target in (row.target, row.rejected):
        if target is not None:
            yield target.content
            yield from strings([call.arguments for call in target.tool_calls])
    for tool in row.tools:
        yield tool.description
        yield from strings(tool.parameters)
    for source in row.sources:
        yield from (source.title, source.text)
    yield from strings([row.expect, row.checks])
