"""What each of the Cloud API's errors means."""

from __future__ import annotations

from typing import Any

import pytest

from channels.base import Limited, Refused, SendError, Unauthorized, Unavailable, Unreachable, WindowClosed
from channels.whatsapp.meta_errors import failure, meaning, status_code, words_of


def error(status: int, code: int | None = None, headers: dict[str, str] | None = None, **more: Any) -> SendError:
    payload = {"error": {"code": code, "message": "(#1) words for 4915112345678", **more}} if code is not None else None
    return failure(status, payload, headers or {}, 0.0)


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (429, 130429, Limited),
        (400, 80007, Limited),
        (400, 131056, Limited),
        (400, 4, Limited),
        (429, 999, Limited),
        (429, None, Limited),
        (400, 131047, WindowClosed),
        (400, 131026, Unreachable),
        (401, 190, Unauthorized),
        (401, 0, Unauthorized),
        (403, 200, Unauthorized),
        (403, 10, Unauthorized),
        (400, 131031, Unauthorized),
        (401, 5, Unauthorized),
        (401, None, Unauthorized),
        (500, 131000, Unavailable),
        (400, 131016, Unavailable),
        (503, 131057, Unavailable),
        (502, None, Unavailable),
        (400, 131009, Refused),
        (400, 100, Refused),
        (404, None, Refused),
        (302, None, Refused),
    ],
)
def test_every_code_has_its_meaning(status: int, code: int | None, kind: type[SendError]) -> None:
    found = error(status, code)
    assert type(found) is kind
    assert "4915112345678" not in str(found)


def test_transient_by_its_own_words() -> None:
    assert type(error(400, 7777, is_transient=True)) is Unavailable


def test_how_long_and_for_whom() -> None:
    pair, told, account = error(400, 131056), error(400, 131056, {"Retry-After": "2"}), error(429, 130429)
    assert isinstance(pair, Limited)
    assert isinstance(told, Limited)
    assert isinstance(account, Limited)
    assert (pair.scope, pair.retry_after_s) == ("chat", 6.0)
    assert (told.scope, told.retry_after_s) == ("chat", 2.0)
    assert (account.scope, account.retry_after_s) == ("account", 1.0)


@pytest.mark.parametrize("payload", [None, [], "x", {}, {"error": "x"}, {"error": {"code": "x"}}])
def test_answers_that_say_nothing(payload: object) -> None:
    assert failure(400, payload, {}, 0.0).code == "http_400"


def test_the_most_specific_words() -> None:
    assert words_of({"error_data": {"details": "d"}, "message": "m", "title": "t"}) == "d"
    assert words_of({"error_data": 1, "message": "m"}) == "m"
    assert words_of({"title": "t"}) == "t"
    assert words_of({}) == ""
    assert meaning(7777, "") == "see Meta's list of Cloud API error codes"
    assert (status_code(131047), status_code(0), status_code(7)) == ("window_closed", "failed", "7")
