"""Matters for staff: category, priority, summary and what to do, kept in the desk's own store."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from typing import Any

from models.chat import ToolSpec
from server.ids import new_id
from server.store.contract import Store, Tx
from server.tools.contract import Caller, Policy, Result
from server.tools.customer_words import MARK, shortened
from server.tools.replies import say

CATEGORIES = ("delivery", "return", "damage", "warranty", "payment", "product", "appointment", "complaint", "other")
PRIORITIES = ("low", "normal", "high", "urgent")
ACTIONS = ("answer", "call_back", "check_delivery", "replace", "repair", "refund", "change_booking", "other")
CHARACTERS = 1_000
ASKED_CHARS = 240  # of the summary in the question for a yes


class CreateTicket:
    """The tool ``create_ticket``; ``clock`` is epoch seconds."""

    def __init__(self, store: Store, clock: Callable[[], float]) -> None:
        self._store = store
        self._clock = clock
        self.policy = Policy(effect="write", confirm=True, per_hour=5)
        self.spec = ToolSpec(
            "create_ticket",
            "Put a problem or complaint of the customer on record for staff.",
            {
                "type": "object",
                "properties": {
                    "category": {"type": "string", "enum": list(CATEGORIES)},
                    "priority": {"type": "string", "enum": list(PRIORITIES)},
                    "summary": {"type": "string", "minLength": 3, "maxLength": CHARACTERS, MARK: True},
                    "suggested_action": {"type": "string", "enum": list(ACTIONS)},
                },
                "required": ["category", "priority", "summary", "suggested_action"],
                "additionalProperties": False,
            },
        )

    def question(self, arguments: Mapping[str, Any], language: str) -> str:
        """What will be put on record, on one line, and whether it shall."""
        summary = " ".join(str(arguments["summary"]).split())
        return say("confirm_ticket", language, summary=shortened(summary, ASKED_CHARS))

    async def run(self, arguments: Mapping[str, Any], caller: Caller, key: str) -> Result:
        """Open it once per key; a repeat names the ticket that is there."""
        number, now = f"T-{hashlib.sha256(key.encode()).hexdigest()[:8].upper()}", self._clock()

        async def unit(tx: Tx) -> str:
            await tx.run(
                "tools.add_ticket",
                id=f"{number}-{new_id()[-4:]}" if await self._taken(tx, number, key) else number,
                tenant=caller.tenant,
                conversation_id=caller.conversation_id,
                category=str(arguments["category"]),
                priority=str(arguments["priority"]),
                summary=str(arguments["summary"])[:CHARACTERS],
                suggested_action=str(arguments["suggested_action"])[:CHARACTERS],
                key=key,
                now=now,
            )
            row = await tx.row("tools.ticket_by_key", key=key)
            assert row is not None
            return str(row["id"])

        ticket = await self._store.write(unit, order=caller.conversation_id)
        return Result({"outcome": "opened", "ticket": ticket}, say("ticket_opened", caller.language, ticket=ticket))

    @staticmethod
    async def _taken(tx: Tx, number: str, key: str) -> bool:
        """Whether another call has this short number already."""
        row = await tx.row("tools.ticket", id=number)
        return row is not None and row["idempotency_key"] != key
