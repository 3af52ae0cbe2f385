"""What the Cloud API's error codes mean for an answer: later, by template, never again to this customer, or not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from channels.base import Limited, Refused, SendError, Unauthorized, Unavailable, Unreachable, WindowClosed
from channels.whatsapp.common import WINDOW_CLOSED, masked, wait_s

WINDOW_CODE = 131047
PAIR_WAIT_S = 6.0  # one message per six seconds to one customer once the burst is used up
LIMITED_CODES = frozenset({4, 80007, 130429, 131048, 131056, 133016})
UNAUTHORIZED_CODES = frozenset({0, 3, 10, 190, 368, 131005, 131031, 131042, 131045, *range(200, 300)})
UNREACHABLE_CODES = frozenset({131026, 131030})
TRANSIENT_CODES = frozenset({1, 2, 131000, 131016, 131057})  # documented: nothing was done, try again
MEANINGS: Mapping[int, str] = {
    0: "Meta does not accept the access token; make a new one",
    4: "the app made too many calls",
    10: "the access token lacks the permission whatsapp_business_messaging",
    33: "the phone number id does not exist; check channels.whatsapp.phone_number_id",
    100: "Meta did not understand the request",
    190: "the access token has expired or was revoked; make a new one of a system user",
    368: "the business account is restricted for violating a policy",
    80007: "the business account's rate limit is reached",
    130429: "too many messages from this number at once",
    130472: "Meta holds this message back as part of an experiment",
    131005: "the access token lacks a permission",
    131009: "a value of the message is not valid",
    131026: "the customer cannot be reached on WhatsApp",
    131030: "the customer's number is not on the test number's list of recipients",
    131031: "the business account is locked; see Meta's business manager",
    131042: "there is a problem with the payment method of the business account",
    131045: "the number is not registered with the Cloud API",
    WINDOW_CODE: "more than 24 hours since the customer's last message: only a template is accepted now",
    131048: "this number is limited because messages of it were reported",
    131051: "this kind of message is not supported",
    131052: "the customer's file could not be loaded",
    131053: "the file could not be uploaded",
    131056: "too many messages to this customer at once",
    132000: "the template's parameters do not fit the template",
    132001: "the template does not exist in this language",
    132015: "the template is paused",
    132016: "the template is disabled",
}


def meaning(code: int, words: str = "") -> str:
    """One sentence for staff: ours where we know the code, the platform's (masked) where not."""
    return MEANINGS.get(code) or masked(words) or "see Meta's list of Cloud API error codes"


def status_code(code: int) -> str:
    """The code a failed Status carries."""
    return WINDOW_CLOSED if code == WINDOW_CODE else str(code or "failed")


def words_of(error: Mapping[str, Any]) -> str:
    """The most specific sentence of an error object."""
    data = error.get("error_data")
    details = data.get("details") if isinstance(data, Mapping) else None
    return str(details or error.get("message") or error.get("title") or "")


def failure(status: int, payload: object, headers: Mapping[str, str], now_s: float) -> SendError:
    """The error of an answer that is no success; any 5xx means that nothing was done (documented)."""
    found = payload.get("error") if isinstance(payload, Mapping) else None
    error: Mapping[str, Any] = found if isinstance(found, Mapping) else {}
    code = error.get("code")
    if not isinstance(code, int):
        return _by_status(status, headers, now_s)
    words = words_of(error)
    if code in LIMITED_CODES or status == 429:  # noqa: PLR2004 - too many requests
        scope: Literal["chat", "account"] = "chat" if code == 131056 else "account"  # noqa: PLR2004 - the pair's limit
        least_s = PAIR_WAIT_S if scope == "chat" and "Retry-After" not in headers else 0.0
        return Limited(str(code), max(least_s, wait_s(headers.get("Retry-After", ""), now_s)), scope)
    if status >= 500 or code in TRANSIENT_CODES or error.get("is_transient") is True:  # noqa: PLR2004
        return Unavailable(str(code), meaning(code, words))
    return _refusal(code, words, unknown=status == 401)  # noqa: PLR2004


def _refusal(code: int, words: str, *, unknown: bool) -> SendError:
    """A no for good; ``unknown`` tells that the answer was about us, not about the message."""
    if code == WINDOW_CODE:
        return WindowClosed(WINDOW_CLOSED, meaning(code))
    if code in UNAUTHORIZED_CODES or unknown:
        return Unauthorized(str(code), meaning(code, words))
    kind = Unreachable if code in UNREACHABLE_CODES else Refused
    return kind(str(code), meaning(code, words))


def _by_status(status: int, headers: Mapping[str, str], now_s: float) -> SendError:
    if status == 429:  # noqa: PLR2004
        return Limited("http_429", wait_s(headers.get("Retry-After", ""), now_s), "account")
    if status >= 500:  # noqa: PLR2004
        return Unavailable(f"http_{status}", "the Cloud API had an error")
    if status == 401:  # noqa: PLR2004
        return Unauthorized("http_401", MEANINGS[0])
    return Refused(f"http_{status}", "the Cloud API refused without saying why")
