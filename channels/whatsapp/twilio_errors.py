"""What Twilio's error codes mean for an answer: later, by template, never again to this customer, or not at all."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from channels.base import Limited, Refused, SendError, Unauthorized, Unavailable, Unknown, Unreachable, WindowClosed
from channels.whatsapp.common import WINDOW_CLOSED, masked, wait_s

WINDOW_CODE = 63016
LIMITED_CODES = {20429: "account", 14107: "account", 63018: "account", 63017: "chat"}
UNAUTHORIZED_CODES = frozenset({20003, 20005, 20008, 63001, 63007, 63020, 63051})
UNREACHABLE_CODES = frozenset({21211, 21610, 21614, 63003, 63024, 63033, 63036})
MEANINGS: Mapping[int, str] = {
    20003: "Twilio does not accept the account SID and auth token; copy both from its console again",
    20005: "the Twilio account is not active; see its console",
    20429: "too many requests to Twilio at once",
    21211: "the customer's number is not valid",
    21408: "the Twilio account may not send to this region; allow it under messaging geo permissions",
    21606: "the configured sender cannot send; check channels.whatsapp.from",
    21610: "the customer opted out at Twilio (STOP)",
    21614: "the customer's number cannot receive messages",
    21617: "the text is longer than 1600 characters",
    21620: "Twilio cannot read the address of the file; check http.public_url",
    21656: "the template's variables do not fit the template",
    63001: "WhatsApp does not accept this sender; reconnect it in Twilio's console",
    63003: "WhatsApp does not know the customer's number",
    63005: "WhatsApp did not take the content",
    63007: "Twilio has no WhatsApp sender with this number; check channels.whatsapp.from",
    63012: "WhatsApp had an internal error",
    63013: "the message violates a policy of WhatsApp",
    63015: "the customer has not joined the Twilio sandbox",
    WINDOW_CODE: "more than 24 hours since the customer's last message: only a template is accepted now",
    63017: "too many messages to this customer at once",
    63018: "too many messages from this sender at once",
    63019: "WhatsApp could not load the file; check http.public_url",
    63020: "the WhatsApp sender is disabled; see Twilio's console",
    63021: "the content is not valid for WhatsApp, or too long",
    63024: "the customer's number cannot receive WhatsApp messages",
    63027: "the template does not exist in this language",
    63032: "WhatsApp does not deliver this message to this customer now",
    63033: "the customer blocked this number",
    63036: "the customer cannot be reached on WhatsApp",
    63038: "the account's daily number of messages is used up",
    63051: "the WhatsApp account is locked; see Meta's business manager",
}


def meaning(code: int, words: str = "") -> str:
    """One sentence for staff: ours where we know the code, the platform's (masked) where not."""
    return MEANINGS.get(code) or masked(words) or "see https://www.twilio.com/docs/api/errors for the code"


def status_code(code: int) -> str:
    """The code a failed Status carries."""
    return WINDOW_CLOSED if code == WINDOW_CODE else str(code or "failed")


def failed_message(code: int, words: str) -> Refused:
    """The error of a message that Twilio took and then could not deliver."""
    return _by_code(code, words) or Refused(status_code(code), meaning(code, words))


def failure(status: int, body: str, headers: Mapping[str, str], *, effect: bool, now_s: float) -> SendError:
    """The error of an HTTP answer that is no success; ``effect`` tells sends from reads."""
    code, words = _read(body, status)
    retry_after_s = wait_s(headers.get("Retry-After", ""), now_s)
    if status == 429 or code in LIMITED_CODES:  # noqa: PLR2004 - too many requests
        scope = LIMITED_CODES.get(code, "account")
        return Limited(str(code), retry_after_s, "chat" if scope == "chat" else "account")
    if status >= 500:  # noqa: PLR2004 - the effect may have come before the error
        return Unknown(f"http_{status}", "Twilio had an error") if effect else Unavailable(f"http_{status}")
    return _by_code(code, words) or (
        Unauthorized(str(code), meaning(20003)) if status == 401 else Refused(str(code), meaning(code, words))  # noqa: PLR2004
    )


def _by_code(code: int, words: str) -> Refused | None:
    if code == WINDOW_CODE:
        return WindowClosed(WINDOW_CLOSED, meaning(code))
    if code in UNAUTHORIZED_CODES:
        return Unauthorized(str(code), meaning(code, words))
    if code in UNREACHABLE_CODES:
        return Unreachable(str(code), meaning(code, words))
    return None


def _read(body: str, status: int) -> tuple[int, str]:
    """Code and words of Twilio's error object, old or RFC 9457; the HTTP status where there is none."""
    try:
        error: Any = json.loads(body)
    except ValueError:
        return status, ""
    if not isinstance(error, dict):
        return status, ""
    code = error.get("code")
    words = error.get("message") or error.get("detail") or error.get("title")
    return code if isinstance(code, int) else status, str(words or "")
