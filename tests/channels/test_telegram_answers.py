from __future__ import annotations

from typing import Any

import pytest

from channels.base import Limited, Refused, SendError, Unauthorized, Unavailable, Unknown, Unreachable, WindowClosed
from channels.telegram.answers import PAUSE_S, QUIET_S, Answer, Floods, Migrated, error_of, lost


def said(status: int, description: str = "", **parameters: Any) -> SendError:
    return error_of(Answer(status, {"ok": False, "description": description, "parameters": parameters}))


@pytest.mark.parametrize(
    ("status", "words", "kind"),
    [
        (400, "Bad Request: message is too long", Refused),
        (400, "Bad Request: chat not found", Unreachable),
        (400, "Bad Request: not enough rights to send text messages to the chat", Refused),
        (400, "Bad Request: BUSINESS_PEER_USAGE_MISSING", WindowClosed),
        (401, "Unauthorized", Unauthorized),
        (403, "Forbidden: bot was blocked by the user", Unreachable),
        (403, "Forbidden: user is deactivated", Unreachable),
        (403, "Forbidden: bot was kicked from the supergroup chat", Unreachable),
        (403, "Forbidden: not enough rights to send text messages", Refused),
        (404, "Not Found", Refused),
        (429, "", Limited),
        (500, "Internal Server Error", Unavailable),
        (502, "", Unavailable),
        (200, "", Unknown),
        (302, "", Refused),
    ],
)
def test_each_answer_has_one_meaning(status: int, words: str, kind: type[SendError]):
    assert type(said(status, words)) is kind


def test_a_limit_says_how_long():
    found = said(429, "Too Many Requests: retry after 12", retry_after=12)
    assert isinstance(found, Limited)
    assert found.retry_after_s == 12.0
    bare = said(429, "Too Many Requests")
    assert isinstance(bare, Limited)
    assert bare.retry_after_s == PAUSE_S


def test_a_moved_group_names_its_new_id():
    found = said(400, "Bad Request: group chat was upgraded to a supergroup chat", migrate_to_chat_id=-1001)
    assert isinstance(found, Migrated)
    assert found.chat == "-1001"


@pytest.mark.parametrize("content", [{}, {"parameters": None}, {"parameters": [1]}, {"description": None}])
def test_answers_of_any_form_are_read(content: dict[str, Any]):
    assert isinstance(error_of(Answer(400, content)), Refused)


class ConnectError(Exception):
    pass


class ReadError(Exception):
    pass


def caused(by: Exception) -> Exception:
    error = RuntimeError("https://api.example/bot1:secret/sendMessage")
    error.__cause__ = by
    return error


def test_only_errors_before_the_request_left_are_safe_to_repeat():
    assert isinstance(lost(caused(ConnectError())), Unavailable)
    assert isinstance(lost(caused(ReadError())), Unknown)
    assert "secret" not in str(lost(caused(ReadError())))


def test_a_chat_that_was_written_to_is_limited_alone():
    now = [0.0]
    floods = Floods(lambda: now[0])
    floods.sent("1")
    floods.sent("2")
    assert [floods.scope(chat, 5.0) for chat in ("1", "2")] == ["chat", "chat"]


def test_two_quiet_chats_limited_at_a_time_are_the_bots_limit():
    now = [0.0]
    floods = Floods(lambda: now[0])
    assert [floods.scope(chat, 5.0) for chat in ("1", "1", "2")] == ["chat", "chat", "account"]
    now[0] = 6.0
    assert floods.scope("3", 5.0) == "chat"
    floods.sent("3")
    now[0] += QUIET_S + 1
    assert floods.scope("3", 5.0) == "chat"


def test_memory_of_chats_is_bounded():
    floods = Floods()
    for chat in range(10_000):
        floods.sent(str(chat))
    assert len(floods._sent) <= 4_096
