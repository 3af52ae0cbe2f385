"""What visitors' pages send, and how a stored message looks to them."""

from __future__ import annotations

import json
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from channels.message import Inbound
from channels.web import Visitor
from server.feedback import COMMENT_CHARACTERS, Said
from server.store.contract import Row


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class SessionBody(_Body):
    """A page asks who it may speak for; an old token keeps visitor and conversation."""

    account: str = Field(default="default", max_length=64)
    token: str | None = Field(default=None, max_length=2_000)
    identity: str | None = Field(default=None, max_length=4_000)


class MessageBody(_Body):
    """What the customer wrote; sending the same ``client_message_id`` again stores nothing."""

    client_message_id: str = Field(min_length=1, max_length=64)
    text: str
    locale: str = Field(default="en", max_length=35)


class FeedbackBody(_Body):
    """A rating of one answer; ``value`` null withdraws it."""

    message_id: str = Field(max_length=64)
    value: Literal["up", "down"] | None
    reason: Said | None = None
    comment: str | None = Field(default=None, max_length=COMMENT_CHARACTERS)


class HandoffBody(_Body):
    """A wish for a person."""

    locale: str = Field(default="en", max_length=35)


def greeting(visitor: Visitor, locale: str) -> Inbound:
    """A contact without words: enough to open the conversation."""
    return Inbound("web", visitor.account, visitor.address, "", "", 0.0, verified=visitor.verified,
                   conversation_id=visitor.conversation_id, profile={"locale": locale})  # fmt: skip


def message_of(row: Row) -> dict[str, Any]:
    """A message's row as the web channel shows it."""
    message = {
        "id": row["id"],
        "seq": row["seq"],
        "role": row["role"],
        "text": row["text"],
        "at": row["created_at"],
        "feedback": row["rating"],
        **json.loads(row["body"]),
    }
    if row["turn_id"] is not None:
        message["turn"] = row["turn_id"]
    return message
