"""Test messages: an admin sends one line over an account to a destination they type, and sees what became of it.

It goes through a conversation of its own (address ``~test:…``) and the outbox like any staff message, with the pace
of the account and the platform's own words for a failure. A reply to it opens an ordinary conversation.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from channels.message import Inbound
from server.gateway import Gateway
from server.ids import new_id
from server.routes import Principal
from server.store.contract import Row, Store, Tx

PREFIX: Final = "~test:"
NAME: Final = "Test message"


@dataclass(frozen=True, slots=True)
class Tested:
    """What became of a test message: the outbox's state, and the platform's words where it refused."""

    id: str
    channel: str
    account: str
    state: str
    reason: str
    code: str
    detail: str
    at: float


class ChannelTests:
    """Sends test messages of one tenant."""

    def __init__(self, store: Store, gateway: Gateway, tenant: str) -> None:
        self._store = store
        self._gateway = gateway
        self._tenant = tenant

    async def send(self, tx: Tx, place: tuple[str, str], route: Mapping[str, str], text: str, by: Principal) -> str:
        """Queue a line for a destination, inside the caller's unit; returns the message's id."""
        channel, account = place
        where = ":".join(route.values())
        inbound = Inbound(channel, account, f"{PREFIX}{where}", new_id(), "", time.time(), name=NAME, route=route)
        timeline = await self._gateway.open(tx, inbound)
        timeline.route = dict(route)
        timeline.said_at = tx.now_s  # whether a free text may go is for the platform to say
        message_id = await timeline.say("staff", text, author=by.owner)
        await timeline.save()
        return message_id

    async def read(self, message_id: str) -> Tested | None:
        """What became of a test message, None when there is no such one."""
        row = await self._store.row("doors.test", tenant=self._tenant, id=message_id)
        return _tested(row) if row is not None else None


def _tested(row: Row) -> Tested:
    return Tested(
        row["id"], row["channel"], row["account"], row["state"], row["reason"] or "", row["code"] or "",
        row["detail"] or "", row["updated_at"],
    )  # fmt: skip
