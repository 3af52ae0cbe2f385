"""Messages out of the history, dressed as the events they would have come as, so that they become the same facts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from channels.message import Fact
from channels.slack.route import seconds

Normalize = Callable[[Mapping[str, Any]], Sequence[Fact]]


def missed_facts(
    conversation: Mapping[str, Any],
    messages: Sequence[Mapping[str, Any]],
    me: Mapping[str, Any],
    since_s: float,
    normalize: Normalize,
) -> Sequence[Fact]:
    """The facts of one conversation's messages since then, in their order; of an edited one its change too."""
    found: list[Fact] = []
    for message in messages:
        event = {**message, "type": "message", "channel": conversation.get("id"), "channel_type": _kind(conversation)}
        if seconds(message.get("ts")) >= since_s:
            found += normalize(_envelope(event, conversation, me))
        if edited_since(message, since_s):
            change = {**event, "subtype": "message_changed", "message": message, "previous_message": {}}
            found += normalize(_envelope(change, conversation, me))
    return found


def _envelope(event: Mapping[str, Any], conversation: Mapping[str, Any], me: Mapping[str, Any]) -> Mapping[str, Any]:
    return {
        "type": "event_callback",
        "team_id": me.get("team_id"),
        "authorizations": [{"team_id": me.get("team_id"), "user_id": me.get("user_id"), "is_bot": True}],
        "is_ext_shared_channel": bool(conversation.get("is_ext_shared")),
        "event": event,
    }


def _kind(conversation: Mapping[str, Any]) -> str:
    if conversation.get("is_im"):
        return "im"
    if conversation.get("is_mpim"):
        return "mpim"
    return "group" if conversation.get("is_private") else "channel"


def edited_since(message: Mapping[str, Any], since_s: float) -> bool:
    """Whether its writer changed a message since then."""
    edited = message.get("edited")
    return isinstance(edited, Mapping) and seconds(edited.get("ts")) >= max(since_s, 1.0)
