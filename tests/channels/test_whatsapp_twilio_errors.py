"""What each of Twilio's errors means."""

from __future__ import annotations

import json

import pytest

from channels.base import Limited, Refused, SendError, Unauthorized, Unavailable, Unknown, Unreachable, WindowClosed
from channels.whatsapp.twilio_errors import MEANINGS, failed_message, failure, meaning, status_code


def error(status: int, code: int | None = None, *, effect: bool = True, **headers: str) -> SendError:
    body = json.dumps({"code": code, "message": "to +4915112345678", "status": status}) if code else "<html>"
    return failure(status, body, headers, effect=effect, now_s=0.0)


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (429, 20429, Limited),
        (429, None, Limited),
        (400, 63018, Limited),
        (400, 63017, Limited),
        (400, 14107, Limited),
        (400, 63016, WindowClosed),
        (400, 63024, Unreachable),
        (400, 21211, Unreachable),
        (400, 21610, Unreachable),
        (400, 63032, Refused),
        (400, 63038, Refused),
        (400, 21617, Refused),
        (400, 63999, Refused),
        (400, None, Refused),
        (307, None, Refused),
        (401, 20003, Unauthorized),
        (401, None, Unauthorized),
        (403, 20005, Unauthorized),
        (403, 21408, Refused),
        (404, 20404, Refused),
        (500, 20500, Unknown),
        (503, None, Unknown),
    ],
)
def test_every_code_has_its_meaning(status: int, code: int | None, kind: type[SendError]) -> None:
    found = error(status, code)
    assert type(found) is kind
    assert "4915112345678" not in str(found)


def test_a_read_that_fails_sent_nothing() -> None:
    assert type(error(500, effect=False)) is Unavailable


def test_how_long_and_for_whom() -> None:
    account, chat = error(429, 20429, **{"Retry-After": "3"}), error(400, 63017)
    assert isinstance(account, Limited)
    assert isinstance(chat, Limited)
    assert (account.retry_after_s, account.scope) == (3.0, "account")
    assert (chat.retry_after_s, chat.scope) == (1.0, "chat")


@pytest.mark.parametrize("body", ["[]", "null", '{"code": "x"}', "{}", '{"message": 3}'])
def test_bodies_that_are_no_errors(body: str) -> None:
    assert failure(400, body, {}, effect=True, now_s=0.0).code == "400"


def test_the_newer_shape_of_errors() -> None:
    body = json.dumps({"type": "https://x", "title": "Bad", "status": 400, "code": 63999, "detail": "words"})
    found = failure(400, body, {}, effect=True, now_s=0.0)
    assert (found.code, found.detail) == ("63999", "words")


def test_failures_after_the_fact() -> None:
    assert type(failed_message(63016, "")) is WindowClosed
    assert type(failed_message(63033, "")) is Unreachable
    found = failed_message(63999, "words")
    assert (type(found), found.code, found.detail) == (Refused, "63999", "words")
    assert status_code(63016) == "window_closed"
    assert status_code(0) == "failed"
    assert meaning(0).startswith("see ")
    assert meaning(63016) == MEANINGS[63016]
