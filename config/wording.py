"""Turns a failed validation into the one sentence an operator needs: key, origin, what is wrong, the repair."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import SecretStr, ValidationError
from pydantic_core import ErrorDetails, PydanticUndefined

from config.keys import LEAVES, MAPS, concrete, env_name, leaf_of


class ConfigError(Exception):
    """The settings cannot be used; the text is one sentence for the operator and holds no secret."""


def sentence(error: ValidationError, origins: Mapping[str, str]) -> str:
    """Word the first problem; ``origins`` maps dotted keys to where they were written."""
    details = error.errors(include_url=False)[0]
    location = tuple(str(part) for part in details["loc"])
    path = _leaf_path(location)
    if path is None:  # a rule over several keys names them itself, but not the account whose they are
        account = location if location[:-1] in MAPS else ()
        return f"{'.'.join(account)}: {_own_words(details)}." if account else f"{_own_words(details)}."
    key = ".".join(path)
    origin = origins.get(key, env_name(path))
    return f"{key} (from {origin}) {_problem(details)}{_given(path, details)}; {_repair(path)}."


def _leaf_path(location: tuple[str, ...]) -> tuple[str, ...] | None:
    """Cut list positions off the end until a setting's path is left."""
    for end in range(len(location), 0, -1):
        path = concrete(location[:end])
        if path is not None and path == location[:end]:
            return path
    return None


def _own_words(details: ErrorDetails) -> str:
    return str(details.get("ctx", {}).get("error", details["msg"])).rstrip(".")


PROBLEMS = {  # by pydantic's error type; filled from its context
    "int_parsing": "must be a whole number",
    "int_type": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_parsing": "must be a number",
    "float_type": "must be a number",
    "bool_parsing": "must be true or false",
    "bool_type": "must be true or false",
    "literal_error": "must be one of {expected}",
    "greater_than_equal": "must be at least {ge}",
    "greater_than": "must be more than {gt}",
    "less_than_equal": "must be at most {le}",
    "less_than": "must be less than {lt}",
    "tuple_type": "must be a list",
    "string_type": "must be text (put quotes around it)",
    "string_pattern_mismatch": "must be lower-case letters, digits and dashes, at most 63 of them",
    "value_error": "{error}",
}


def _problem(details: ErrorDetails) -> str:
    template = PROBLEMS.get(details["type"])
    return template.format(**details.get("ctx", {})).rstrip(".") if template else details["msg"]


def _given(path: tuple[str, ...], details: ErrorDetails) -> str:
    value: Any = details["input"]
    if leaf_of(path).secret or details["type"] == "value_error" or not isinstance(value, str | int | float):
        return ""
    return f", not {value!r}"


def _repair(path: tuple[str, ...]) -> str:
    leaf = leaf_of(path)
    default = leaf.field.default
    if default is PydanticUndefined or default is None or isinstance(default, SecretStr) or default in {"", ()}:
        return f"correct it or remove it (see {LEAVES[leaf.path].key} in config/default.yaml)"
    return f"correct it or remove it to get the default, {default}"
