"""Keeps customer text and secrets out of log events, whoever wrote them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import BaseModel, SecretStr
from structlog.typing import EventDict

from config.settings import Settings

MASK = "***"
PRIVATE_KEYS = frozenset(
    {
        "api_key",
        "authorization",
        "body",
        "comment",
        "content",
        "cookie",
        "email",
        "headers",
        "link",
        "password",
        "payload",
        "prompt",
        "question",
        "secret",
        "text",
        "token",
    }
)
PRIVATE_ENDINGS = ("_token", "_secret", "_password", "_text", "_api_key", "_link")
PATTERNS = (  # shapes of secrets that library messages repeat
    (re.compile(r"(?i)\b(bearer|basic)\s+[\w.~+/=-]{8,}"), rf"\1 {MASK}"),
    (re.compile(r"/bot\d+:[\w-]+"), f"/bot{MASK}"),
    (re.compile(r"(\w+://[^/\s:@]+):[^@\s/]+@"), rf"\1:{MASK}@"),
    (re.compile(r"([?&](?:token|key|secret|password|link)=)[^&\s'\"]+"), rf"\1{MASK}"),
)
SHORTEST_SECRET = 6  # characters; shorter values would blank out ordinary words


class Redactor:
    """A structlog processor that drops private keys and masks known secrets in whatever text is left."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        known = sorted({text for text in secrets if len(text) >= SHORTEST_SECRET}, key=len, reverse=True)
        self._known = re.compile("|".join(map(re.escape, known))) if known else None

    def __call__(self, _logger: Any, _method: str, event: EventDict) -> EventDict:
        """Return the event without private keys; values are masked in place of being shown."""
        return {key: self._clean(value) for key, value in event.items() if not is_private(key)}

    def _clean(self, value: Any) -> Any:
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, bool | int | float) or value is None:
            return value
        if isinstance(value, Mapping):
            return {key: self._clean(each) for key, each in value.items() if not is_private(str(key))}
        if isinstance(value, list | tuple | set | frozenset):
            return [self._clean(each) for each in value]
        return self.text(repr(value))

    def text(self, value: str) -> str:
        """Mask known secrets and secret-shaped parts of a text."""
        if self._known:
            value = self._known.sub(MASK, value)
        for pattern, replacement in PATTERNS:
            value = pattern.sub(replacement, value)
        return value


def is_private(key: str) -> bool:
    """Whether a log key may hold customer text or a secret."""
    lower = key.lower()
    return lower in PRIVATE_KEYS or lower.endswith(PRIVATE_ENDINGS)


def secrets_of(settings: Settings) -> set[str]:
    """Every secret text in the settings, the database password included."""
    return set(_secrets(settings))


def _secrets(node: Any) -> Iterable[str]:
    if isinstance(node, SecretStr):
        yield node.get_secret_value()
    elif isinstance(node, BaseModel):
        for name in type(node).model_fields:
            yield from _secrets(getattr(node, name))
    elif isinstance(node, Mapping):
        for value in node.values():
            yield from _secrets(value)
    elif isinstance(node, str) and "://" in node:
        match = re.match(r"\w+://[^/\s:@]+:([^@\s/]+)@", node)
        if match:
            yield match[1]
