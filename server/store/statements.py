"""Named SQL: every ``queries/*.sql`` beside this file, called as ``file.query``, one text for both dialects.

A query starts with ``-- name: take``, then comment lines that say its purpose, then the statement with ``:name``
parameters. ``-- name: take (postgresql)`` or ``(sqlite)`` overrides the common text for one dialect. Markers:

    {for_update}    row lock on PostgreSQL, nothing on SQLite (one writer)
    {skip_locked}   row lock that passes over locked rows on PostgreSQL, nothing on SQLite
    {lease_now}     the lease clock, seconds; bound by the store, never by the caller
    {nth}           before the result columns of a PostgreSQL text that starts with ``with``: lets equal statements of
                    several units travel in one round trip (other texts need no help)
    {within c}      only conversations ``c`` that the caller's teams see: the one place that says which these are; takes
                    ``:person`` and ``:scope`` (:class:`server.sight.Sight`), an empty scope costs one comparison
    {of x.column}   the same for rows that only name their conversation; one that names none is everybody's

An SQLite text may hold several statements separated by ``;``: they run in order with the same values and the last
one gives the result (PostgreSQL uses one statement with CTEs instead: a round trip costs more than a plan).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

from server.store.contract import StoreError
from server.store.text import clean

LEASE_NOW = "lease_now"  # reserved parameter behind the {lease_now} marker
NTH = "nth_"  # column of a batched result: which of the batch's executions the row belongs to
CHANGED = "changed_"  # column of a batched statement that returns no rows: how many it changed

_MARKERS = {
    "sqlite": {"{for_update}": "", "{skip_locked}": "", "{lease_now}": ":lease_now"},
    "postgresql": {
        "{for_update}": "for update",
        "{skip_locked}": "for update skip locked",
        "{lease_now}": "coalesce(cast(:lease_now as double precision), "
        "cast(extract(epoch from clock_timestamp()) as double precision))",
    },
}
_WITHIN = r"""(cast(:scope as text) = '' or \1.owner = cast(:person as text)
    or replace(cast(:scope as text), ',' || \1.channel || '/' || \1.account || ',', '') <> cast(:scope as text)
    or replace(cast(:scope as text), ',' || \1.channel || '/*,', '') <> cast(:scope as text)
    or exists (select 1 from conversation_team ct_ join team_member tm_ on tm_.team_id = ct_.team_id
        where ct_.conversation_id = \1.id and tm_.person_id = cast(:person as text)))"""
_OF = r"""(cast(:scope as text) = '' or \1 is null
    or exists (select 1 from conversation c_ where c_.id = \1 and {within c_}))"""
_SIGHT = ((re.compile(r"\{of ([\w.]+)\}"), _OF), (re.compile(r"\{within (\w+)\}"), _WITHIN))
_HEAD = re.compile(r"^-- name:\s*(?P<name>\w+)\s*(?:\((?P<dialect>sqlite|postgresql)\))?\s*$", re.MULTILINE)
_RETURNING = re.compile(r"\breturning\b", re.IGNORECASE)
_COMMENT = re.compile(r"--[^\n]*")
_TOKEN = re.compile(r"'(?:[^']|'')*'|::\s*\w+|:(?P<name>[A-Za-z_]\w*)|(?P<end>;)")


@dataclass(frozen=True, slots=True)
class Statement:
    """One named query made ready for a dialect; ``names`` are its parameters in ``$n`` order.

    ``batch`` is the text whose rows tell which execution they belong to (its last parameter); None: run it singly.
    """

    name: str
    parts: tuple[str, ...]
    names: tuple[str, ...]
    keys: frozenset[str]
    leased: bool
    batch: str | None

    @property
    def sql(self) -> str:
        """The statement that gives the result."""
        return self.parts[-1]

    def bind(self, values: dict[str, Any], lease_s: float | None) -> dict[str, Any]:
        """Clean the texts in place and add the lease clock; raises StoreError when names are missing or unknown."""
        for key, value in values.items():
            kind = type(value)
            if kind is str:  # by far the most, and most of them need nothing
                if not value.isascii() or "\0" in value:
                    values[key] = clean(value)
            elif kind is bool:
                values[key] = int(value)
            elif isinstance(value, str):
                values[key] = clean(value)
        if self.leased:
            values[LEASE_NOW] = lease_s
        if values.keys() != self.keys:
            raise StoreError(self._mismatch(values))
        return values

    def _mismatch(self, values: Mapping[str, Any]) -> str:
        missing = sorted(self.keys - values.keys())
        unknown = sorted(values.keys() - self.keys)
        return f"query {self.name}: pass {missing or 'nothing more'}, do not pass {unknown or 'anything else'}"


@cache
def load(dialect: str) -> dict[str, Statement]:
    """Every query of the folder for ``sqlite`` or ``postgresql``, read once; raises StoreError on a double name."""
    found: dict[str, Statement] = {}
    for entry in sorted(resources.files("server.store").joinpath("queries").iterdir(), key=lambda file: file.name):
        if entry.name.endswith(".sql"):
            found.update(parse(entry.name.removesuffix(".sql"), entry.read_text(encoding="utf-8"), dialect))
    return found


def parse(noun: str, text: str, dialect: str) -> dict[str, Statement]:
    """The queries of one file; ``noun`` is the file's name without its ending."""
    heads = list(_HEAD.finditer(text))
    chosen: dict[str, tuple[bool, str]] = {}
    seen: set[tuple[str, str | None]] = set()
    for head, following in zip(heads, [*heads[1:], None], strict=True):
        name, only = f"{noun}.{head['name']}", head["dialect"]
        if (name, only) in seen:
            raise StoreError(f"queries/{noun}.sql has {name} twice; rename one")
        seen.add((name, only))
        if only in {None, dialect} and not (only is None and name in chosen):
            chosen[name] = (only is not None, text[head.end() : following.start() if following else len(text)])
    return {name: _compile(name, body, dialect) for name, (_, body) in chosen.items()}


def _compile(name: str, text: str, dialect: str) -> Statement:
    text = _COMMENT.sub("", text)
    for pattern, clause in _SIGHT:
        text = pattern.sub(clause, text)
    for marker, replacement in _MARKERS[dialect].items():
        text = text.replace(marker, replacement)
    names: list[str] = []
    parts = _number(text.replace("{nth}", ""), names, dialect)
    if not parts or (dialect == "postgresql" and len(parts) > 1):
        raise StoreError(f"query {name} ({dialect}): write exactly one statement")
    batch = None
    if dialect == "postgresql":
        nth = f"cast(${len(names) + 1} as integer) as {NTH}, "
        [numbered] = _number(text.replace("{nth}", nth), list(names), dialect)
        batch = numbered if "{nth}" in text else _wrap(numbered, nth)
    return Statement(name, parts, tuple(names), frozenset(names), LEASE_NOW in names, batch)


def _number(text: str, names: list[str], dialect: str) -> tuple[str, ...]:
    """Split at semicolons and, for PostgreSQL, turn names into numbers; ``names`` grows by those found."""
    parts: list[str] = [""]
    position = 0
    for token in _TOKEN.finditer(text):
        parts[-1] += text[position : token.start()]
        position = token.end()
        if token["end"]:
            parts.append("")
        elif token["name"]:
            if token["name"] not in names:
                names.append(token["name"])
            parts[-1] += f"${names.index(token['name']) + 1}" if dialect == "postgresql" else token.group()
        else:
            parts[-1] += token.group()
    parts[-1] += text[position:]
    return tuple(" ".join(part.split("\n")).strip() for part in parts if part.strip())


def _wrap(sql: str, nth: str) -> str | None:
    """A statement without CTEs as one whose rows carry their number."""
    first = sql.partition(" ")[0].lower()
    if first == "select" or (first != "with" and _RETURNING.search(sql)):
        return f"with one_ as ({sql}) select {nth}one_.* from one_"  # noqa: S608 - text of our own files
    if first in {"insert", "update", "delete"}:
        return f"with one_ as ({sql} returning 1) select {nth}count(*) as {CHANGED} from one_"  # noqa: S608 - the same
    return None
