"""The web channel's rules without any io: visitor tokens, origins, the site owner's identity proofs, normalization.

A visitor is known by a signed token that carries only random ids; it travels in the Authorization header, never in a
URL. Tokens are bound to the channel account (the site), so one site's token means nothing to another.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import importlib
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any
from urllib.parse import urlsplit

from channels.base import Limits, Rejected
from channels.message import Inbound
from config.accounts import WebAccount

TEXT_BYTES = 8_192
CLIENT_ID_CHARACTERS = 64
IDENTITY_MAX_S = 3_600  # a host site's proof may live an hour at most (V13)
CLOCK_SKEW_S = 60
SUBJECT_CHARACTERS = 200


@dataclass(frozen=True, slots=True)
class Visitor:
    """Who a token speaks for; ``address`` is the visitor, or ``user:<id>`` once the site proved who it is."""

    account: str
    visitor_id: str
    conversation_id: str
    address: str
    verified: bool
    issued_at: float  # epoch seconds
    expires_at: int


class WebChannel:
    """One site that embeds the widget."""

    name = "web"
    limits = Limits(text_units=TEXT_BYTES, unit="bytes", edit_interval_s=0.0, pull=True)

    def __init__(self, account: str, settings: WebAccount, key: Callable[[], bytes], own_origin: str) -> None:
        self.account = account
        self.settings = settings
        self._key = key
        self._own_origin = own_origin
        self._sites = frozenset(map(origin_of, settings.allowed_origins))

    def origin_allowed(self, origin: str | None, own_origin: str = "") -> bool:
        """Whether a browser request may come from ``origin``; requests without one do not come from a page."""
        if origin is None:
            return True
        return origin in self.sites or origin in {self._own_origin, own_origin} - {""}

    @property
    def sites(self) -> frozenset[str]:
        """The listed sites, written as browsers write an Origin."""
        return self._sites

    @property
    def frame_ancestors(self) -> str:
        """The CSP source list of pages that may embed the chat frame: our own pages and the configured sites."""
        return " ".join(("'self'", *sorted(self._sites)))

    def issue(self, visitor: Visitor) -> str:
        """Sign a token for a visitor."""
        body = _encode(json.dumps(asdict(visitor), separators=(",", ":")).encode())
        return f"{body}.{self._sign(body)}"

    def read(self, token: str, now_s: float) -> Visitor:
        """The visitor of a token; raises Rejected(401) for a forged, foreign or expired one."""
        body, _, signature = token.partition(".")
        if not token.isascii() or not hmac.compare_digest(self._sign(body), signature):
            raise Rejected(401, "the session token is not valid; start a new session")
        try:
            visitor = Visitor(**json.loads(_decode(body)))
        except (TypeError, ValueError):  # signed by another release with other fields
            raise Rejected(401, "the session token is of another version; start a new session") from None
        if visitor.account != self.account or visitor.expires_at < now_s:
            raise Rejected(401, "the session has ended; start a new session")
        return visitor

    def identify(self, proof: str, now_s: float) -> str | None:
        """The customer id inside a site owner's HS256 proof, or None for anything that is not valid right now.

        Claims: ``sub`` (the site's own id of the customer) and ``exp`` at most an hour ahead. A bad proof makes the
        visitor anonymous instead of failing, so that guessing learns nothing.
        """
        secret = self.settings.identity_secret.get_secret_value()
        if not secret or not proof:
            return None
        claims = _claims(proof, secret)
        subject, expires = claims.get("sub"), claims.get("exp")
        if not isinstance(subject, str) or not 0 < len(subject) <= SUBJECT_CHARACTERS:
            return None
        if not isinstance(expires, int | float):
            return None
        return subject if now_s < expires <= now_s + IDENTITY_MAX_S + CLOCK_SKEW_S else None

    def normalize(self, payload: Mapping[str, Any], *, now_s: float) -> list[Inbound]:
        """One message from ``{visitor, client_message_id, text, locale}``; raises Rejected 413 or 422."""
        visitor: Visitor = payload["visitor"]
        text = str(payload["text"])
        if len(text.encode("utf-8", "replace")) > TEXT_BYTES:
            raise Rejected(413, f"the message is longer than {TEXT_BYTES} bytes; shorten it")
        if not text.strip():
            raise Rejected(422, "the message is empty; write something")
        client_id = str(payload["client_message_id"])
        if not 0 < len(client_id) <= CLIENT_ID_CHARACTERS:
            raise Rejected(422, f"client_message_id must have 1 to {CLIENT_ID_CHARACTERS} characters")
        return [
            Inbound(
                channel=self.name,
                account=self.account,
                address=visitor.address,
                # the customer's own id space: another visitor's equal id is another message
                external_id=f"{visitor.conversation_id}:{client_id}",
                text=text,
                sent_at=now_s,
                verified=visitor.verified,
                conversation_id=visitor.conversation_id,
                profile={"locale": str(payload.get("locale") or "en")[:35]},
                session_at=visitor.issued_at,
                echo={"client_message_id": client_id},
            )
        ]

    def _sign(self, body: str) -> str:
        message = f"visitor\n{self.account}\n{body}".encode()
        return _encode(hmac.new(self._key(), message, hashlib.sha256).digest())


def _claims(proof: str, secret: str) -> Mapping[str, Any]:
    """The claims of a proof that HS256 with this secret signed; empty for any other."""
    # loaded on first use: the JOSE library costs a third of the whole server's start, and few sites prove identities
    jwt, jwk, errors = (importlib.import_module(f"joserfc.{name}") for name in ("jwt", "jwk", "errors"))
    try:
        claims = jwt.decode(proof, jwk.OctKey.import_key(secret), algorithms=["HS256"]).claims
    except (errors.JoseError, ValueError, TypeError, KeyError, AttributeError):
        return {}  # the library trips over some headers of the wrong type; none of them is a proof
    return claims if isinstance(claims, Mapping) else {}


def origin_of(url: str) -> str:
    """Scheme, host and port of an absolute URL, as browsers write an Origin."""
    parts = urlsplit(url)
    default = {"http": ":80", "https": ":443"}.get(parts.scheme, "")
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2].lower().removesuffix(default)}"


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _decode(text: str) -> bytes:
    try:
        return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except binascii.Error:
        raise Rejected(401, "the session token is not valid; start a new session") from None
