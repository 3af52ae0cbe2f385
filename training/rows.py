"""Rows: one approved example each, the one format between export, prepare, train and evaluate.

Errors::

    BadRows     a file with lines that are no rows; ``faults`` names every line by its number
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from training.errors import TrainingError

Origin = Literal[
    "correction", "staff_reply", "confirmed", "tool_call", "refusal", "handoff", "import", "replay"
]  # fmt: skip
Behaviour = Literal["grounded", "refusal", "handoff", "tool_call", "tool_ask", "chat", "style", "general"]
Role = Literal["system", "user", "assistant", "tool"]
Name = Annotated[str, Field(min_length=1)]

LONGEST_LINE = 4 * 1024 * 1024  # bytes; a longer line is no chat
MOST_FAULTS = 50  # named in one error; the rest is counted
HEAVIEST = 100.0  # weight of one row against an ordinary one

_LINE_ENDS = {code: f"\\u{code:04x}" for code in (0x85, 0x2028, 0x2029)}


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class Call(_Part):
    """One tool call; ``id`` links it to its result in the prompt and is empty in targets."""

    name: Name
    arguments: dict[str, Any]
    id: str = ""


class Message(_Part):
    """One entry of the prompt; ``tool_calls`` only from the assistant, ``tool_call_id`` only from tools."""

    role: Role
    content: str = ""
    tool_calls: tuple[Call, ...] = ()
    tool_call_id: str | None = None

    @model_validator(mode="after")
    def _belongs(self) -> Message:
        if self.tool_calls and self.role != "assistant":
            raise ValueError("only the assistant makes tool calls")
        if self.tool_call_id is not None and self.role != "tool":
            raise ValueError("only a tool's message answers a tool call")
        return self


class Target(_Part):
    """What the assistant says or calls next."""

    content: str = ""
    tool_calls: tuple[Call, ...] = ()

    @model_validator(mode="after")
    def _says_something(self) -> Target:
        if not self.content.strip() and not self.tool_calls:
            raise ValueError("it neither says nor calls anything")
        return self


class Tool(_Part):
    """A tool that was offered with the prompt; ``parameters`` is its JSON schema."""

    name: Name
    description: str = ""
    parameters: dict[str, Any] = {}


class Source(_Part):
    """A passage as it was quoted in the prompt."""

    id: str
    title: str = ""
    text: str


class Known(_Part):
    """The customer's contact data, for masking only: no dataset holds it."""

    names: tuple[str, ...] = ()
    emails: tuple[str, ...] = ()
    phones: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()


class Row(_Part):
    """A prompt as it was sent with the answer that should follow; ``rejected`` makes it a preference pair as well.

    ``created_at`` is in seconds since 1970, ``weight`` relative to 1. ``expect`` and ``checks`` are a
    scorer's and are carried along.
    """

    id: Name
    origin: Origin
    behaviour: Behaviour
    messages: Annotated[tuple[Message, ...], Field(min_length=1)]
    target: Target
    rejected: Target | None = None
    tools: tuple[Tool, ...] = ()
    sources: tuple[Source, ...] = ()
    conversation: Name
    customer: str = ""
    person: str = ""
    language: str = ""
    channel: str = ""
    weight: Annotated[float, Field(gt=0, le=HEAVIEST)] = 1.0
    created_at: Annotated[float, Field(ge=0)] = 0.0
    message: str = ""
    release: str = ""
    known: Known = Known()
    expect: dict[str, Any] | None = None
    checks: dict[str, Any] | None = None

    @model_validator(mode="after")
    def _asks(self) -> Row:
        if all(message.role != "user" for message in self.messages):
            raise ValueError("messages: nobody asks anything")
        if self.messages[-1].role not in {"user", "tool"}:
            raise ValueError("messages: the last one must be the question or a tool's result")
        return self

    @property
    def question(self) -> str:
        """What the customer said last."""
        return next(message.content for message in reversed(self.messages) if message.role == "user")


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with one line of a file; ``line`` counts from 1. The text quotes nothing of the line."""

    line: int
    text: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.text}"


class BadRows(TrainingError):
    """A file holds lines that are no rows; nothing of it is used until they are mended."""

    def __init__(self, name: str, faults: Sequence[Fault]) -> None:
        self.name = name
        self.faults = tuple(faults)
        shown = "\n".join(f"  {fault}" for fault in self.faults[:MOST_FAULTS])
        more = len(self.faults) - MOST_FAULTS
        rest = f"\n  and {more} more" if more > 0 else ""
        super().__init__(f"{name}: {len(self.faults)} lines cannot be used; mend or remove them:\n{shown}{rest}")


def faults_of(error: ValidationError) -> str:
    """Where a value is wrong and why, without the value."""
    found = error.errors(include_url=False, include_input=False, include_context=False)
    return "; ".join(
        f"{'.'.join(str(part) for part in one['loc']) or 'row'}: {one['msg'].removeprefix('Value error, ')}"
        for one in found
    )


def lines_of(path: Path) -> Iterator[tuple[int, bytes]]:
    """The lines with their numbers from 1; empty ones are left out. Only a line feed ends a line."""
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            if line.strip():
                yield number, line


def parse(line: bytes) -> Row:
    """One line as a row. Raises ValueError saying where it is wrong."""
    if len(line) > LONGEST_LINE:
        raise ValueError(f"longer than {LONGEST_LINE} bytes")
    try:
        line.decode("utf-8")
        return Row.model_validate_json(line)
    except UnicodeDecodeError as error:
        raise ValueError(f"not UTF-8 at byte {error.start}") from error
    except ValidationError as error:
        raise ValueError(faults_of(error)) from error


def read(path: Path) -> list[Row]:
    """Every row of a file. Raises BadRows with all bad lines and ids that stand twice; OSError."""
    rows: list[Row] = []
    faults: list[Fault] = []
    lines: dict[str, int] = {}
    for number, line in lines_of(path):
        try:
            row = parse(line)
        except ValueError as error:
            faults.append(Fault(number, str(error)))
            continue
        if row.id in lines:
            faults.append(Fault(number, f"id: the same as in line {lines[row.id]}"))
            continue
        lines[row.id] = number
        rows.append(row)
    if faults:
        raise BadRows(path.name, faults)
    return rows


def dump(row: Row) -> str:
    """The row as one line of JSON without its contact data; equal rows give equal text.

    Characters that some readers take for the end of a line are escaped.
    """
    empty = {name for name in ("expect", "checks") if getattr(row, name) is None}
    return row.model_dump_json(exclude={"known", *empty}).translate(_LINE_ENDS)


def write(path: Path, rows: Iterable[Row]) -> None:
    """Write rows as JSON lines, aside and renamed."""
    write_text(path, "".join(f"{dump(row)}\n" for row in rows))


def write_text(path: Path, text: str) -> None:
    """Write a file whole or not at all: aside, flushed to the disk, renamed."""
    write_bytes(path, text.encode("utf-8"))


def write_bytes(path: Path, data: bytes) -> None:
    """Write a file whole or not at all: aside, flushed to the disk, renamed."""
    aside = path.with_name(f"{path.name}.partial")
    with aside.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    aside.replace(path)


def sha256(data: bytes) -> str:
    """The sha256 in hex."""
    return hashlib.sha256(data).hexdigest()


def share(text: str) -> float:
    """A number in [0, 1) that depends on the text alone."""
    return int.from_bytes(hashlib.sha256(text.encode("utf-8")).digest()[:8], "big") / 2**64


def changed(row: Row, **values: object) -> Row:
    """The row with some fields replaced; the values are not checked again."""
    return row.model_copy(update=values)


def tally(values: Iterable[str]) -> Mapping[str, int]:
    """How often each value occurs, by name."""
    found: dict[str, int] = {}
    for value in values:
        found[value] = found.get(value, 0) + 1
    return dict(sorted(found.items()))
