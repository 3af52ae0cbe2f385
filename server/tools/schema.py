"""Arguments of tools: read, repaired where that is harmless, and checked.

The words of a refusal name the argument and the rule, never the value: they go into prompts and to staff.
"""

from __future__ import annotations

import hashlib
import importlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any

from server.store.text import dump
from server.tools.contract import ToolRefused

MAX_CHARACTERS = 16_000  # of one call's arguments; longer ones are never read
UNUSABLE = "the schema of this tool cannot be used; whoever offers the tool must correct it"
MAX_DEPTH = 12  # of nested values that are repaired or searched
_WHOLE = re.compile(r"[+-]?\d{1,15}")
_FIGURE = re.compile(r"[+-]?\d{1,15}(\.\d{1,15})?")


class Schema:
    """The JSON schema (draft 2020-12) of a tool's arguments; unknown arguments are refused unless it allows them."""

    def __init__(self, parameters: Mapping[str, Any]) -> None:
        self.parameters = closed(parameters)

    @cached_property
    def _validator(self) -> Any:
        jsonschema = importlib.import_module("jsonschema")
        nothing = importlib.import_module("referencing").Registry()  # a schema never makes us fetch an address
        kind = jsonschema.Draft202012Validator
        try:
            kind.check_schema(self.parameters, format_checker=kind.FORMAT_CHECKER)
        except jsonschema.SchemaError:
            raise ToolRefused(UNUSABLE) from None
        return kind(self.parameters, registry=nothing, format_checker=kind.FORMAT_CHECKER)

    def problem(self, arguments: Mapping[str, Any]) -> str:
        """The first thing wrong with arguments as they are; empty when they fit."""
        unresolvable = importlib.import_module("referencing.exceptions").Unresolvable
        try:
            errors = sorted(self._validator.iter_errors(arguments), key=lambda error: len(error.absolute_path))
        except (unresolvable, re.error, RecursionError):
            return UNUSABLE
        return _wording(errors[0]) if errors else ""

    def fits(self, text: str) -> bool:
        """Whether a model's text is a JSON object that fits without any repair: the figure of measurements."""
        try:
            return not self.problem(read(text))
        except ToolRefused:
            return False

    def check(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """The arguments, repaired where that is harmless; raises ToolRefused with the argument and the rule."""
        repaired = _object(arguments, self.parameters, self.parameters, 0)
        if wrong := self.problem(repaired):
            raise ToolRefused(wrong)
        return repaired


def load_library() -> None:
    """Import what checks schemas: a tenth of a second that a thread can spend before the first call."""
    importlib.import_module("jsonschema")


def read(text: str) -> dict[str, Any]:
    """The JSON object a model wrote; raises ToolRefused. An empty text stands for no arguments."""
    if len(text) > MAX_CHARACTERS:
        raise ToolRefused(f"the arguments have more than {MAX_CHARACTERS} characters; shorten them")
    try:
        value = json.loads(text or "{}", parse_constant=_no_constant)
    except (ValueError, RecursionError):
        raise ToolRefused("the arguments are not valid JSON; write one JSON object") from None
    if not isinstance(value, dict):
        raise ToolRefused("the arguments must be one JSON object")
    return dict(json.loads(dump(value)))  # as every store gives it back, so that digests stay equal


def canonical(arguments: Mapping[str, Any]) -> str:
    """One text for equal arguments, however they were ordered or spaced."""
    return json.dumps(arguments, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False)


def digest(tool: str, arguments: Mapping[str, Any], conversation_id: str) -> str:
    """SHA-256 over what a confirmation is bound to."""
    bound = json.dumps([tool, canonical(arguments), conversation_id], ensure_ascii=False)
    return hashlib.sha256(bound.encode("utf-8", "surrogatepass")).hexdigest()


def closed(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """A schema of type object that refuses unknown keys, unless it says what they may be."""
    shut = {"type": "object", "properties": {}, **parameters}
    if "patternProperties" not in shut:
        shut.setdefault("additionalProperties", False)
    return shut


def brief(parameters: Mapping[str, Any], characters: int) -> dict[str, Any]:
    """A schema whose free texts hold at most ``characters`` together, so that a call ends before its tokens do.

    A small model that may write 1,000 characters goes on until it is cut, and what was cut is no JSON any more.
    """
    properties = parameters.get("properties", {})
    free = {name: entry for name, entry in properties.items() if _free(entry)}
    share = max(1, characters // max(1, len(free)))
    shorter = {
        name: {**entry, "maxLength": max(min(share, entry.get("maxLength", share)), entry.get("minLength", 0))}
        for name, entry in free.items()
    }
    return {**parameters, "properties": {**properties, **shorter}}


def _free(entry: Any) -> bool:
    """Whether a property is text whose length nothing but ``maxLength`` bounds."""
    return (
        isinstance(entry, Mapping)
        and entry.get("type") == "string"
        and not entry.keys() & {"enum", "const", "pattern", "format"}
    )


def _object(value: Mapping[str, Any], schema: Mapping[str, Any], root: Mapping[str, Any], depth: int) -> dict[str, Any]:
    properties, required = schema.get("properties", {}), set(schema.get("required", ()))
    repaired: dict[str, Any] = {}
    for key, entry in value.items():
        inner = _resolved(properties.get(key), root)
        if entry is None and key not in required and inner is not None and "null" not in _types(inner, root):
            continue  # "nothing" for an argument that may be left out
        repaired[key] = _repair(entry, inner, root, depth + 1) if inner is not None else entry
    return repaired


def _repair(value: Any, schema: Mapping[str, Any], root: Mapping[str, Any], depth: int) -> Any:
    if depth > MAX_DEPTH:
        return value
    kinds = _types(schema, root)
    if isinstance(value, Mapping) and "properties" in schema:
        return _object(value, schema, root, depth)
    if isinstance(value, list):
        inner = _resolved(schema.get("items"), root)
        return value if inner is None else [_repair(entry, inner, root, depth + 1) for entry in value]
    return _single(value, kinds, schema.get("enum", ()))


def _single(value: Any, kinds: frozenset[str], allowed: Sequence[Any]) -> Any:
    if isinstance(value, str):
        return _from_text(value, kinds, allowed)
    if "string" in kinds and type(value) in {int, float} and not kinds & {"integer", "number"}:
        return str(value)
    if type(value) is float and "integer" in kinds and "number" not in kinds and value.is_integer():
        return int(value)
    return value


def _from_text(text: str, kinds: frozenset[str], allowed: Sequence[Any]) -> Any:
    """A text as the figure or choice that it spells."""
    plain = text.strip()
    if allowed and text not in allowed:
        same = [choice for choice in allowed if isinstance(choice, str) and choice.casefold() == plain.casefold()]
        if len(same) == 1:
            return same[0]
    if "string" in kinds or not kinds:
        return text
    if "integer" in kinds and _WHOLE.fullmatch(plain):
        return int(plain)
    if "number" in kinds and _FIGURE.fullmatch(plain):
        return float(plain)
    return {"true": True, "false": False}.get(plain.lower(), text) if "boolean" in kinds else text


def _types(schema: Mapping[str, Any], root: Mapping[str, Any]) -> frozenset[str]:
    """The JSON types a schema names, also in its alternatives; none = any."""
    named = schema.get("type", ())
    kinds = {named} if isinstance(named, str) else set(named)
    for choice in [*schema.get("anyOf", ()), *schema.get("oneOf", ())]:
        inner = _resolved(choice, root)
        if inner is not None:
            named = inner.get("type", ())
            kinds |= {named} if isinstance(named, str) else set(named)
    return frozenset(kinds)


def _resolved(schema: Any, root: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """A schema, or the one of the same document it points to; None where there is nothing to repair by."""
    for _ in range(MAX_DEPTH):
        if not isinstance(schema, Mapping):
            return None
        pointer = schema.get("$ref")
        if not isinstance(pointer, str):
            return schema
        schema = _pointed(root, pointer)
    return None


def _pointed(root: Any, pointer: str) -> Any:
    if not pointer.startswith("#/"):
        return None
    for part in pointer[2:].split("/"):
        root = root.get(part.replace("~1", "/").replace("~0", "~")) if isinstance(root, Mapping) else None
    return root


def _wording(error: Any) -> str:
    """A violation in words, without the value."""
    where = ".".join(str(part) for part in error.absolute_path)
    rule, limit = error.validator, error.validator_value
    if rule == "required":
        missing = [key for key in limit if key not in error.instance]
        return f"{_at(where, missing[0])} is missing"
    if rule in {"additionalProperties", "unevaluatedProperties"}:
        known = error.schema.get("properties", {})
        unknown = sorted(key for key in error.instance if key not in known)
        return f"{_at(where, _short(unknown[0]) if unknown else '')} is not an argument of this tool"
    return f"{where or 'the arguments'} {_rule(rule, limit)}"


_RULES = {
    "minimum": "must be at least {}",
    "exclusiveMinimum": "must be more than {}",
    "maximum": "must be at most {}",
    "exclusiveMaximum": "must be less than {}",
    "minLength": "must have at least {} characters",
    "maxLength": "must have at most {} characters",
    "minItems": "must have at least {} entries",
    "maxItems": "must have at most {} entries",
    "format": "must be a valid {}",
    "pattern": "must match {}",
    "multipleOf": "must be a multiple of {}",
}


def _rule(rule: str, limit: Any) -> str:
    if rule == "type":
        return f"must be {limit if isinstance(limit, str) else ' or '.join(limit)}"
    if rule in {"enum", "const"}:
        choices: Iterable[Any] = limit if rule == "enum" else [limit]
        return f"must be one of {_short(', '.join(str(choice) for choice in choices))}"
    template = _RULES.get(rule)
    return template.format(_short(str(limit))) if template else "does not have the form this tool needs"


def _at(where: str, name: str) -> str:
    return f"{where}.{name}" if where else name


def _short(text: str) -> str:
    return text if len(text) <= 120 else f"{text[:117]}..."  # noqa: PLR2004 - a line of a log


def _no_constant(name: str) -> Any:
    raise ValueError(name)
