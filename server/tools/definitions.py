"""The tools file: YAML that names where tools come from; tokens stand in environment variables only.

Shape of an entry: :class:`config.tools.ToolSource`, under the name its tools are known by.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from config.tools import Tools, ToolSource
from config.wording import ConfigError
from server.tools.contract import Effect, Policy

NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")
NAME_CHARACTERS = 64
MAX_BYTES = 1_000_000
DEFAULTS = ToolSource.model_fields.keys()


@dataclass(frozen=True, slots=True)
class Definition:
    """One entry of the tools file; relative paths start from ``folder``, what it leaves out is in ``limits``."""

    name: str
    source: ToolSource
    folder: Path
    limits: Tools

    @property
    def kind(self) -> str:
        """builtin, python, openapi or mcp."""
        source = self.source
        kinds = {"builtin": source.builtin, "python": source.python, "openapi": source.openapi}
        return next((kind for kind, value in kinds.items() if value), "mcp")

    def policy(self, *, effect: Effect = "write", personal: bool = False) -> Policy:
        """The entry's policy; ``effect`` and ``personal`` are what its origin suggests where the entry says nothing."""
        source = self.source
        effect = source.effect or effect
        return Policy(
            effect=effect,
            personal=personal if source.personal is None else source.personal,
            confirm=effect == "write" if source.confirm is None else source.confirm,
            approve=bool(source.approve),
            timeout_s=source.timeout_s or self.limits.timeout_s,
            per_hour=source.per_hour,
            approve_above=dict(source.approve_above),
            cost=source.cost,
            audience=source.audience,
        )

    def changed(self, policy: Policy) -> Policy:
        """A built-in tool's own policy with what the entry says about it."""
        source = self.source
        return Policy(
            effect=source.effect or policy.effect,
            personal=policy.personal if source.personal is None else source.personal,
            confirm=policy.confirm if source.confirm is None else source.confirm,
            approve=policy.approve if source.approve is None else source.approve,
            timeout_s=source.timeout_s or policy.timeout_s,
            per_hour=source.per_hour or policy.per_hour,
            approve_above=dict(source.approve_above or policy.approve_above),
            cost=source.cost or policy.cost,
            audience=source.audience if source.audience != "customer" else policy.audience,
        )


def load(limits: Tools) -> dict[str, Definition]:
    """The entries of ``tools.file``, none without a file; raises ConfigError naming the entry and the repair."""
    path = limits.file
    if path is None:
        return {}
    entries = _entries(path)
    return {name: Definition(name, _source(path, name, entry), path.parent, limits) for name, entry in entries.items()}


def tool_name(*parts: str) -> str:
    """Names of others as one tool's name: lower case, digits and underscores, at most 64 characters."""
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|[^A-Za-z0-9]+", "_", "_".join(parts)).strip("_").lower()
    return (words if words[:1].isalpha() else f"tool_{words}")[:NAME_CHARACTERS]


def token(definition: Definition, environ: Mapping[str, str]) -> str:
    """The entry's bearer token, empty where it needs none; raises ConfigError when its variable is not set."""
    variable = definition.source.token_env
    if not variable:
        return ""
    if value := environ.get(variable, "").strip():
        return value
    raise ConfigError(f"tool {definition.name}: set the environment variable {variable}, or remove token_env.")


class _UniqueLoader(yaml.SafeLoader):
    """The safe loader, except that a key written twice is an error: the first entry would vanish silently."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:  # noqa: FBT001, FBT002
        """Refuse double keys."""
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        double = next((key for number, key in enumerate(keys) if key in keys[:number]), None)
        if double is not None:
            raise yaml.constructor.ConstructorError(None, None, f"{double!r} stands there twice", node.start_mark)
        return super().construct_mapping(node, deep)


def _entries(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > MAX_BYTES:
            raise ConfigError(f"tools.file: {path} has more than {MAX_BYTES} bytes; is it the tools file?")
        tree = yaml.load(path.read_text(encoding="utf-8"), _UniqueLoader)  # noqa: S506 - a safe loader
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise ConfigError(f"tools.file: {path} cannot be read ({reason}); correct the path or remove it.") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        place = getattr(error, "problem_mark", None)
        line = f", line {place.line + 1}" if place else ""
        problem = getattr(error, "problem", None) or "not UTF-8"
        raise ConfigError(f"tools.file: {path}{line} is not YAML ({problem}); correct it there.") from None
    if tree is None:
        return {}
    if not isinstance(tree, dict):
        raise ConfigError(f"tools.file: {path} must map names to entries, such as delivery_fee: {{python: shop:fee}}.")
    for name in tree:
        if not isinstance(name, str) or not NAME.fullmatch(name):
            raise ConfigError(
                f"tools.file: {name!r} is not a name; use lower-case letters, digits and underscores, at most 40."
            )
    return tree


def _source(path: Path, name: str, entry: Any) -> ToolSource:
    if not isinstance(entry, dict):
        raise ConfigError(f"tool {name} (in {path}): must be a mapping such as {{python: shop.tools:delivery_fee}}.")
    try:
        return ToolSource.model_validate(entry)
    except ValidationError as error:
        raise ConfigError(f"tool {name} (in {path}): {_problem(error.errors(include_url=False)[0])}.") from None


def _problem(details: ErrorDetails) -> str:
    key = ".".join(str(part) for part in details["loc"])
    if details["type"] == "extra_forbidden":
        return f"{key} is not a setting of a tool; known are {', '.join(DEFAULTS)}"
    words = str(details.get("ctx", {}).get("error", details["msg"])).rstrip(".")
    return f"{key}: {words}; correct it or remove it" if key else words
