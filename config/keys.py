"""The settings tree as a flat list of dotted keys, read off the models so that no second list exists.

A key names a leaf: ``http.port``. Channel accounts are maps, written with a star: ``channels.web.*.allowed_origins``.
"""

from __future__ import annotations

import types
import typing
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pydantic import SecretStr
from pydantic.fields import FieldInfo

from config.section import Section
from config.settings import Settings

ANY_ACCOUNT = "*"
DEFAULT_ACCOUNT = "default"
ENV_PREFIX = "FRONTDESK_"


@dataclass(frozen=True, slots=True)
class Leaf:
    """One setting; ``path`` holds its key parts, with ``*`` in place of an account name."""

    path: tuple[str, ...]
    field: FieldInfo

    @property
    def key(self) -> str:
        """The dotted name used in messages and in ``config show``."""
        return ".".join(self.path)

    @property
    def env(self) -> str:
        """The environment variable of this key; that of the default account where accounts exist."""
        return env_name(self.path)

    @property
    def secret(self) -> bool:
        """Whether the value must never be shown; a database URL may hold a password, so it counts."""
        return self.field.annotation is SecretStr or self.path in {("store", "url"), ("tools", "shop")}

    @property
    def is_list(self) -> bool:
        """Whether text is split at commas."""
        return typing.get_origin(self.field.annotation) is tuple

    @property
    def kind(self) -> str:
        """The type in the words of the reference page."""
        return kind_of(self.field.annotation)


KIND_NAMES: dict[object, str] = {
    bool: "true or false",
    int: "whole number",
    float: "number",
    str: "text",
    SecretStr: "secret text",
}


def kind_of(annotation: Any) -> str:
    """Describe an annotation for people, for example ``one of auto, json, console``."""
    origin = typing.get_origin(annotation)
    arguments = typing.get_args(annotation)
    if origin is typing.Literal:
        return "one of " + ", ".join(str(value) for value in arguments)
    if origin is tuple:
        return "list of text"
    if origin in {typing.Union, types.UnionType}:
        return kind_of(next(each for each in arguments if each is not type(None))) + " or empty"
    return KIND_NAMES.get(annotation, "path")


def env_name(path: tuple[str, ...]) -> str:
    """The variable that sets ``path``; the default account's name is left out."""
    return ENV_PREFIX + "__".join(part.upper() for part in path if part not in {ANY_ACCOUNT, DEFAULT_ACCOUNT})


def section_of(annotation: Any) -> type[Section] | None:
    """The section class behind an annotation, or None for a leaf or a map."""
    return annotation if isinstance(annotation, type) and issubclass(annotation, Section) else None


def account_of(annotation: Any) -> type[Section] | None:
    """The section class of each entry where the annotation is a map of accounts, else None."""
    if typing.get_origin(annotation) is dict:
        return section_of(typing.get_args(annotation)[1])
    return None


def walk(model: type[Section] = Settings, above: tuple[str, ...] = ()) -> Iterator[Leaf]:
    """Yield every leaf below ``model`` in the order it is declared."""
    for name, field in model.model_fields.items():
        path = (*above, field.alias or name)
        section, account = section_of(field.annotation), account_of(field.annotation)
        if section is not None:
            yield from walk(section, path)
        elif account is not None:
            yield from walk(account, (*path, ANY_ACCOUNT))
        else:
            yield Leaf(path, field)


LEAVES: dict[tuple[str, ...], Leaf] = {leaf.path: leaf for leaf in walk()}
MAPS: frozenset[tuple[str, ...]] = frozenset(path[: path.index(ANY_ACCOUNT)] for path in LEAVES if ANY_ACCOUNT in path)


def concrete(path: tuple[str, ...]) -> tuple[str, ...] | None:
    """Add the default account to a path that leaves it out; None if the path is no setting.

    ``("channels", "web", "name")`` becomes ``("channels", "web", "default", "name")``.
    """
    if path in LEAVES and ANY_ACCOUNT not in path:
        return path
    for above in MAPS:
        if path[: len(above)] != above:
            continue
        below = path[len(above) :]
        if (*above, ANY_ACCOUNT, *below) in LEAVES:
            return (*above, DEFAULT_ACCOUNT, *below)
        if below and (*above, ANY_ACCOUNT, *below[1:]) in LEAVES:
            return path
    return None


def leaf_of(path: tuple[str, ...]) -> Leaf:
    """The leaf of a concrete path; raises KeyError if there is none."""
    if path in LEAVES:
        return LEAVES[path]
    above = next(each for each in MAPS if path[: len(each)] == each)
    return LEAVES[*above, ANY_ACCOUNT, *path[len(above) + 1 :]]
