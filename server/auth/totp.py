"""Codes of authenticator apps (RFC 6238 over RFC 4226), the address that enrols one, and recovery codes."""

from __future__ import annotations

import base64
import hmac
import secrets
from typing import Final
from urllib.parse import quote, urlencode

import segno

STEP_S: Final = 30  # seconds one code is shown
DIGITS: Final = 6
SECRET_BYTES: Final = 20  # what RFC 4226 asks for, the length of its hash
SLACK: Final = 1  # steps a telephone's clock may be off, in both directions
RECOVERY_CODES: Final = 10
RECOVERY_BYTES: Final = 10  # 80 bits: nothing to guess, so a plain sha256 is enough to keep
GROUP: Final = 4  # letters of a recovery code between two dashes
QUIET: Final = 4  # modules of white around a QR code


def new_secret() -> str:
    """A random secret in base32, as apps take it when the picture cannot be scanned."""
    return base64.b32encode(secrets.token_bytes(SECRET_BYTES)).decode()


def code_at(secret: str, step: int) -> str:
    """The code of one time step (epoch seconds // STEP_S)."""
    mac = hmac.digest(base64.b32decode(secret), step.to_bytes(8, "big"), "sha1")
    offset = mac[-1] & 15
    number = int.from_bytes(mac[offset : offset + 4], "big") & 0x7FFF_FFFF
    return str(number % 10**DIGITS).zfill(DIGITS)


def matching_step(secret: str, code: str, now_s: float, used_step: int = 0) -> int:
    """The step after ``used_step`` that a code is of, 0 for a wrong, old or used one; takes the same time for each."""
    now, typed, found = int(now_s // STEP_S), plain(code).encode(), 0
    for step in range(now - SLACK, now + SLACK + 1):
        if hmac.compare_digest(code_at(secret, step).encode(), typed) and step > used_step:
            found = step
    return found


def enrolment(secret: str, issuer: str, account: str) -> str:
    """The ``otpauth:`` address that an app reads from the picture; both names are shown in its list."""
    label = quote(f"{issuer}:{account}", safe="")
    query = {"secret": secret, "issuer": issuer, "algorithm": "SHA1", "digits": DIGITS, "period": STEP_S}
    return f"otpauth://totp/{label}?{urlencode(query, quote_via=quote)}"


def picture(text: str) -> tuple[int, str]:
    """A QR code as the side of its square and the SVG path of its dark modules, white border included."""
    rows = segno.make(text, error="m", micro=False).matrix
    path = "".join(
        f"M{x + QUIET} {y + QUIET}h1v1h-1z" for y, row in enumerate(rows) for x, dark in enumerate(row) if dark
    )
    return len(rows) + 2 * QUIET, path


def recovery_codes() -> list[str]:
    """Fresh codes for a lost telephone, in groups that can be read out."""
    return [_grouped(base64.b32encode(secrets.token_bytes(RECOVERY_BYTES)).decode()) for _ in range(RECOVERY_CODES)]


def plain(code: str) -> str:
    """What somebody typed without spaces and dashes, in the case that is kept."""
    return "".join(letter for letter in code if letter.isalnum()).upper()


def _grouped(text: str) -> str:
    return "-".join(text[at : at + GROUP] for at in range(0, len(text), GROUP))
