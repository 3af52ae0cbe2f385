"""How Twilio and Meta sign their webhooks; pure, over the raw request, compared in constant time."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any
from urllib.parse import SplitResult, parse_qs, unquote_plus, urlsplit, urlunsplit

from channels.base import Rejected

HMAC_SHA1 = "HMAC_SHA1"
HASHES: Mapping[str, Callable[..., Any]] = {HMAC_SHA1: hashlib.sha1, "HMAC_SHA256": hashlib.sha256}
FORM_FIELDS = 1_000  # Twilio sends some thirty; more is somebody else
DEFAULT_PORTS = {"https": 443, "http": 80}


def read_form(body: bytes) -> list[tuple[str, str]]:
    """The fields of a form in their order, repeated names included; raises Rejected(413) for absurdly many."""
    pairs = body.decode("utf-8", "replace").split("&")
    if len(pairs) > FORM_FIELDS:
        raise Rejected(413, f"the form has more than {FORM_FIELDS} fields")
    return [(_plain(name), _plain(value)) for name, _, value in (pair.partition("=") for pair in pairs if pair)]


def _plain(text: str) -> str:
    return unquote_plus(text) if "%" in text or "+" in text else text


def twilio_algorithm(settings_header: str) -> str:
    """The algorithm that X-Twilio-Webhooks-Signature-Settings names; HMAC_SHA1 without the header."""
    for part in settings_header.split(","):
        name, _, value = part.partition("=")
        if name.strip() == "algorithm" and value.strip():
            return value.strip().upper()
    return HMAC_SHA1


def twilio_signature(secret: str, url: str, fields: Sequence[tuple[str, str]], algorithm: str = HMAC_SHA1) -> str:
    """Base64 of the HMAC over the URL and each distinct name and value, sorted; KeyError for another algorithm."""
    return _signature(secret, url, _tail(fields), algorithm)


def _tail(fields: Sequence[tuple[str, str]]) -> str:
    """What a signature covers besides the URL."""
    return "".join(name + value for name, value in sorted(set(fields)))


def _signature(secret: str, url: str, tail: str, algorithm: str) -> str:
    signed = (url + tail).encode("utf-8", "surrogatepass")
    return base64.b64encode(hmac.digest(secret.encode(), signed, HASHES[algorithm])).decode()


def twilio_signed(
    secret: str, url: str, fields: Sequence[tuple[str, str]], signature: str, algorithm: str = HMAC_SHA1
) -> bool:
    """Whether a form was signed with ``secret``; the platform writes the URL with or without its port."""
    given, tail = signature.encode("utf-8", "replace"), _tail(fields)
    bare, full = (  # both are computed, whatever the first says
        hmac.compare_digest(_signature(secret, form, tail, algorithm).encode(), given)
        for form in _with_and_without_port(url)
    )
    return bare or full


def twilio_body_matches(url: str, body: bytes) -> bool:
    """Whether the hash of the raw body is the one in the (signed) URL; a body without a hash is nobody's."""
    (claimed,) = parse_qs(urlsplit(url).query).get("bodySHA256", [""])[:1]
    return hmac.compare_digest(hashlib.sha256(body).hexdigest().encode(), claimed.lower().encode("utf-8", "replace"))


def meta_signed(secret: str, body: bytes, header: str) -> bool:
    """Whether X-Hub-Signature-256 fits the raw body (Meta escapes non-ASCII: re-serializing would break it)."""
    expected = "sha256=" + hmac.digest(secret.encode(), body, "sha256").hex()
    return hmac.compare_digest(expected.encode(), header.strip().encode("utf-8", "replace"))


@lru_cache(maxsize=64)  # one address has few forms; whoever calls another one only costs a little speed
def _with_and_without_port(url: str) -> tuple[str, str]:
    parts = urlsplit(url)._replace(fragment="")
    host = parts.netloc.rpartition("@")
    name = host[2] if parts.port is None else host[2].rpartition(":")[0]
    port = parts.port or DEFAULT_PORTS.get(parts.scheme, 443)
    return _at(parts, host[:2], name), _at(parts, host[:2], f"{name}:{port}")


def _at(parts: SplitResult, user: Sequence[str], host: str) -> str:
    return urlunsplit(parts._replace(netloc="".join((*user, host))))
