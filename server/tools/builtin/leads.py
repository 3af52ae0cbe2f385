"""Somebody wants to hear from the shop: kept in the desk's own store for staff."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from models.chat import ToolSpec
from server.ids import new_id
from server.store.contract import Store, Tx
from server.tools.contract import Caller, Policy, Result
from server.tools.customer_words import MARK
from server.tools.replies import say

CHARACTERS = 500
_EMAIL = re.compile(r"[^@\s]{1,64}@[^@\s]+\.[^@\s]+")
_PHONE = re.compile(r"\+?[\d ()/.-]{7,24}")


class CaptureLead:
    """The tool ``capture_lead``; ``clock`` is epoch seconds."""

    def __init__(self, store: Store, clock: Callable[[], float]) -> None:
        self._store = store
        self._clock = clock
        self.policy = Policy(effect="write", confirm=True, per_hour=5)
        self.spec = ToolSpec(
            "capture_lead",
            "Note that the customer wants to be contacted, with a name, an address or phone number, and what about.",
            {
                "type": "object",
                "properties": {
                    "name": {"type": "string", "maxLength": 120},
                    "contact": {"type": "string", "minLength": 3, "maxLength": 254},
                    "interest": {"type": "string", "maxLength": CHARACTERS, MARK: True},
                },
                "required": ["contact", "interest"],
                "additionalProperties": False,
            },
        )

    def question(self, arguments: Mapping[str, Any], language: str) -> str:
        """Where the customer will be contacted, and whether that is right."""
        return say("confirm_lead", language, contact=arguments["contact"])

    async def run(self, arguments: Mapping[str, Any], caller: Caller, key: str) -> Result:
        """Keep it once per key; an address nobody could be reached at is asked for again."""
        contact = str(arguments["contact"]).strip()
        if not (_EMAIL.fullmatch(contact) or _PHONE.fullmatch(contact)):
            text = say("ask_reach", caller.language)
            return Result({"outcome": "contact missing", "ask": "contact"}, text, ok=False)
        now = self._clock()

        async def unit(tx: Tx) -> str:
            await tx.run(
                "tools.add_lead",
                id=new_id(),
                tenant=caller.tenant,
                conversation_id=caller.conversation_id,
                name=str(arguments.get("name") or caller.name)[:120],
                contact=contact,
                interest=str(arguments["interest"])[:CHARACTERS],
                key=key,
                now=now,
            )
            row = await tx.row("tools.lead_by_key", key=key)
            assert row is not None
            return str(row["contact"])

        kept = await self._store.write(unit, order=caller.conversation_id)
        return Result({"outcome": "kept", "contact": kept}, say("lead_taken", caller.language, contact=kept))
