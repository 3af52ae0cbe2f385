"""Brings a person of the staff into the conversation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from models.chat import ToolSpec
from server.tools.contract import Caller, Policy, Result
from server.tools.replies import say

REASON_CHARACTERS = 200


class HandoffToStaff:
    """The tool ``handoff_to_staff``: its result tells the engine to hand over in the same commit as the answer."""

    policy = Policy(effect="write", per_hour=5)
    spec = ToolSpec(
        "handoff_to_staff",
        "Get a person of the staff when the customer asks for one or when only a person can help.",
        {
            "type": "object",
            "properties": {"reason": {"type": "string", "maxLength": REASON_CHARACTERS}},
            "required": ["reason"],
            "additionalProperties": False,
        },
    )

    async def run(self, arguments: Mapping[str, Any], caller: Caller, key: str) -> Result:
        """Say that somebody comes; handing over twice is handing over once."""
        del key
        reason = str(arguments["reason"])[:REASON_CHARACTERS] or "tool"
        return Result({"outcome": "handed over", "reason": reason}, say("handoff", caller.language), handoff=reason)
