"""What our buttons carry below a message: short signed payloads, so that a press can be believed.

A payload is ``f1`` + kind + reference + ``.`` + signature, at most 64 bytes (the smallest platform limit): kind ``u``
thumbs up or ``d`` thumbs down of a message, ``w o c r x`` why it got a thumb down, ``p`` a wish for a person in a
conversation, ``s`` a score of a survey. The signature is 96 bits of HMAC-SHA256 by a key of this installation, over
tenant, channel account and payload: a button of one account means nothing on another. Whatever is not signed by us is
no button of ours.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

Reason = Literal["wrong", "outdated", "unclear", "rude", "other"]
Kind = Literal["up", "down", "person", "score"] | Reason

PREFIX: Final = "f1"
REPLY: Final = "say:"  # an offered reply: whoever presses it says these words, so it needs no signature
PAYLOAD_BYTES: Final = 64
MAC_BYTES: Final = 12  # 96 bits: nobody guesses that through a platform
REASONS: Final[tuple[Reason, ...]] = ("wrong", "outdated", "unclear", "rude", "other")
KINDS: Final[dict[Kind, str]] = {
    "up": "u", "down": "d", "person": "p", "wrong": "w", "outdated": "o", "unclear": "c", "rude": "r", "other": "x",
    "score": "s",
}  # fmt: skip
LETTERS: Final[dict[str, Kind]] = {letter: kind for kind, letter in KINDS.items()}


@dataclass(frozen=True, slots=True)
class Press:
    """What a payload of ours says.

    ``ref`` is a conversation id for person, ``<score>:<survey id>`` for score, a message id for all others.
    """

    kind: Kind
    ref: str


def reply_payload(text: str) -> str:
    """The payload of an offered reply; the prefix alone where the words do not fit (the label says them then)."""
    whole = f"{REPLY}{text}"
    return whole if len(whole.encode()) <= PAYLOAD_BYTES else REPLY


def reply_text(payload: str) -> str:
    """The words of a pressed reply, empty for any other payload."""
    return payload[len(REPLY) :] if payload.startswith(REPLY) else ""


class Buttons:
    """Signs and reads payloads of one tenant; ``key`` is asked at each use, it is loaded when the service starts."""

    def __init__(self, tenant: str, key: Callable[[], bytes]) -> None:
        self._tenant = tenant
        self._key = key

    def payload(self, channel: str, account: str, kind: Kind, ref: str) -> str:
        """The payload of one button; raises ValueError when ``ref`` does not fit into 64 bytes."""
        body = f"{PREFIX}{KINDS[kind]}{_short(ref)}"
        payload = f"{body}.{self._mac(channel, account, body)}"
        if len(payload.encode()) > PAYLOAD_BYTES:
            raise ValueError(f"a button's reference must be an id of ours, not {len(ref)} characters")
        return payload

    def thumbs(self, channel: str, account: str, message_id: str) -> tuple[str, str]:
        """The payloads of thumbs up and thumbs down below a message."""
        return (
            self.payload(channel, account, "up", message_id),
            self.payload(channel, account, "down", message_id),
        )

    def reasons(self, channel: str, account: str, message_id: str) -> dict[Reason, str]:
        """The payloads of the reasons for a thumb down."""
        return {reason: self.payload(channel, account, reason, message_id) for reason in REASONS}

    def read(self, channel: str, account: str, payload: str) -> Press | None:
        """What a pressed payload means, None when this installation did not make it for this account."""
        body, _, mac = payload.rpartition(".")
        if not body.startswith(PREFIX) or not payload.isascii() or len(payload) > PAYLOAD_BYTES:
            return None
        if not hmac.compare_digest(self._mac(channel, account, body), mac):
            return None
        letter, ref = body[len(PREFIX) : len(PREFIX) + 1], body[len(PREFIX) + 1 :]
        return Press(LETTERS[letter], _long(ref)) if letter in LETTERS else None

    def _mac(self, channel: str, account: str, body: str) -> str:
        message = f"button\n{self._tenant}\n{channel}\n{account}\n{body}".encode()
        return _encode(hmac.new(self._key(), message, hashlib.sha256).digest()[:MAC_BYTES])


def _short(ref: str) -> str:
    """An id of ours (a UUID) in 23 characters, any other text behind a dash as it is."""
    try:
        found = uuid.UUID(ref)
    except ValueError:
        return f"-{ref}"
    return f"u{_encode(found.bytes)}" if str(found) == ref else f"-{ref}"


def _long(short: str) -> str:
    return str(uuid.UUID(bytes=base64.urlsafe_b64decode(short[1:] + "=="))) if short.startswith("u") else short[1:]


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
