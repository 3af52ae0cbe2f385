"""Messages of the history dressed as events."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from channels.message import Fact
from channels.slack.missed import edited_since, missed_facts

ME = {"team_id": "T1", "user_id": "UDESK"}


def dressed(
    conversation: Mapping[str, Any], message: Mapping[str, Any], since_s: float = 0.0
) -> list[Mapping[str, Any]]:
    seen: list[Mapping[str, Any]] = []

    def normalize(payload: Mapping[str, Any]) -> Sequence[Fact]:
        seen.append(payload)
        return ()

    assert missed_facts(conversation, [message], ME, since_s, normalize) == []
    return seen


@pytest.mark.parametrize(
    ("conversation", "kind"),
    [
        ({"id": "D1", "is_im": True}, "im"),
        ({"id": "G1", "is_mpim": True, "is_private": True}, "mpim"),
        ({"id": "G2", "is_private": True}, "group"),
        ({"id": "C1"}, "channel"),
    ],
)
def test_the_kind_of_conversation_is_told(conversation: dict[str, Any], kind: str) -> None:
    (payload,) = dressed(conversation, {"ts": "5.0", "text": "hi", "user": "UANNA"})
    assert payload["event"] | {"channel": conversation["id"], "channel_type": kind} == payload["event"]
    assert payload["team_id"] == "T1"
    assert payload["authorizations"][0]["user_id"] == "UDESK"
    assert payload["is_ext_shared_channel"] is False


def test_an_edited_message_gives_itself_and_its_change() -> None:
    message = {"ts": "5.0", "text": "hi", "user": "UANNA", "edited": {"ts": "9.5"}}
    assert [payload["event"].get("subtype") for payload in dressed({"id": "C1"}, message, 4.0)] == [
        None,
        "message_changed",
    ]
    assert [payload["event"].get("subtype") for payload in dressed({"id": "C1"}, message, 6.0)] == ["message_changed"]
    assert dressed({"id": "C1"}, message, 10.0) == []


def test_edit_times() -> None:
    assert edited_since({"edited": {"ts": "9.5"}}, 9.5)
    assert not edited_since({"edited": {"ts": "9.5"}}, 9.6)
    assert not edited_since({}, 0.0)
    assert not edited_since({"edited": "yes"}, 0.0)
