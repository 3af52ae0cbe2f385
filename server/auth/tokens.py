"""Random values that prove something, and the hashes of them that the store keeps."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass

TOKEN_BYTES = 32  # 256 bits: nothing to guess, so a plain sha256 is enough to keep
KEY_PREFIX = "fd"
KEY = re.compile(rf"{KEY_PREFIX}_(?P<id>[0-9a-f]{{16}})_[A-Za-z0-9_-]{{43}}")


def new_token() -> str:
    """A URL-safe random value of 256 bits."""
    return secrets.token_urlsafe(TOKEN_BYTES)


def fingerprint(token: str) -> str:
    """The sha256 of a token in hex; what the store keeps instead of the token."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def same(left: str, right: str) -> bool:
    """Compare two secrets in a time that says nothing about them."""
    return hmac.compare_digest(left.encode("utf-8", "surrogatepass"), right.encode("utf-8", "surrogatepass"))


def csrf_token(cookie: str) -> str:
    """The header token of a session, derived from its cookie: readable again after a reload, never stored."""
    return hmac.new(cookie.encode("utf-8", "surrogatepass"), b"frontdesk csrf", hashlib.sha256).hexdigest()


@dataclass(frozen=True, slots=True)
class NewKey:
    """A fresh API key; ``text`` is shown once, ``key_hash`` is kept."""

    id: str
    text: str
    key_hash: str


def new_key() -> NewKey:
    """Make an API key ``fd_<id>_<secret>``."""
    key_id = secrets.token_hex(8)
    text = f"{KEY_PREFIX}_{key_id}_{new_token()}"
    return NewKey(key_id, text, fingerprint(text))


def key_id(text: str) -> str:
    """The id inside an API key, or an empty string when it is not one."""
    found = KEY.fullmatch(text)
    return found["id"] if found else ""
