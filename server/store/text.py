"""Text as every store can hold it: no NUL, no lone surrogates."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

REPLACEMENT = "\ufffd"
_encoded = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def clean(text: str) -> str:
    """Replace NUL and lone surrogates by U+FFFD; halves of one pair are joined; other text comes back unchanged."""
    if "\0" in text:
        text = text.replace("\0", REPLACEMENT)
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text


def dump(body: Mapping[str, Any]) -> str:
    """Compact JSON of a body, cleaned inside its strings too, so that what is read back can be stored again."""
    text = _encoded(body)
    if "\\u0000" in text:
        text = _encoded(_clean_deep(body))
    return clean(text)


def _clean_deep(value: Any) -> Any:
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, Mapping):
        return {clean(str(key)): _clean_deep(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_clean_deep(item) for item in value]
    return value
