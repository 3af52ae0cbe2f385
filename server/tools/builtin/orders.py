"""How an order stands, for its own customer only; whoever is not known yet gets a code to prove it with.

An order of somebody else, an order that does not exist and an address that does not belong to it look exactly alike.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from models.chat import ToolSpec
from server.tools.builtin.shop import Row, Shop
from server.tools.contract import Caller, Policy, Result
from server.tools.replies import order_text, say
from server.tools.slots import CODE_DIGITS, Vocabulary
from server.tools.verification import CODE_S, MINUTE_S, Started, Verification

UNKNOWN = "unknown order"
_COLUMNS = (
    "number, status, method, carrier, tracking, placed_on, shipped_on, expected_on, delivered_on, total_cents, note"
)
_OWN = f"select {_COLUMNS} from orders where number = ? and customer_id = ?"  # noqa: S608 - a constant of ours
_HOLDER = "select customer_id, email from orders where number = ?"
_CUSTOMER = "select name, email from customers where id = ?"


class Orders:
    """Reads orders of the shop on behalf of customers; ``vocabulary`` says what order numbers look like."""

    def __init__(self, shop: Shop, vocabulary: Vocabulary) -> None:
        self._shop = shop
        self.vocabulary = vocabulary

    def number(self, written: object) -> str:
        """An order number as the shop writes it, from any spelling; what is none stays as it is."""
        digits = re.sub(r"\D", "", str(written))
        return f"{self.vocabulary.prefix}-{digits}" if digits else str(written)[:40]

    async def own(self, number: str, subject: str) -> Row | None:
        """The order, where it belongs to this customer of the shop."""
        found = await self._shop.rows(_OWN, number, subject) if subject else []
        return found[0] if found else None

    async def holder(self, number: str, email: str) -> tuple[str, str]:
        """(customer, address on file) of an order; both empty where there is none or ``email`` is another address."""
        found = await self._shop.rows(_HOLDER, number)
        if not found or (email and email.strip().casefold() != str(found[0]["email"]).casefold()):
            return "", ""
        return str(found[0]["customer_id"]), str(found[0]["email"])

    async def contact(self, subject: str) -> tuple[str, str]:
        """(name, address on file) of a customer; empty where the shop does not know them."""
        found = await self._shop.rows(_CUSTOMER, subject)
        return (str(found[0]["name"]), str(found[0]["email"])) if found else ("", "")

    async def told(self, number: str, caller: Caller, lead: str = "") -> Result:
        """How the caller's own order stands, or that there is none of this number."""
        order = await self.own(number, caller.subject)
        if order is None:
            text = say(UNKNOWN, caller.language, example=self.vocabulary.example)
            return Result({"outcome": UNKNOWN, "ask": "order_number"}, f"{lead}{text}", ok=False)
        data = {name: value for name, value in order.items() if value is not None}
        return Result({"outcome": order["status"], **data}, f"{lead}{order_text(order, caller.language)}")


class OrderStatus:
    """The tool ``order_status``: starts a verification by itself, so it may be called for anybody."""

    def __init__(self, orders: Orders, verification: Verification) -> None:
        self._orders = orders
        self._verification = verification
        example = orders.vocabulary.example
        self.policy = Policy(effect="read", per_hour=30)
        self.spec = ToolSpec(
            "order_status",
            "How the customer's own order stands: shipped, expected, tracking number.",
            {
                "type": "object",
                "properties": {
                    "order_number": {"type": "string", "maxLength": 40, "description": f"Such as {example}."},
                    "email": {"type": "string", "maxLength": 254, "description": "Address the customer gave, if any."},
                },
                "required": ["order_number"],
                "additionalProperties": False,
            },
        )

    async def run(self, arguments: Mapping[str, Any], caller: Caller, key: str) -> Result:
        """Tell the caller about their order, or send a code to whoever the order belongs to."""
        del key  # a repeated read is the same read; a repeated wish for a code finds the one on its way
        number = self._orders.number(arguments["order_number"])
        if caller.verified:
            return await self._orders.told(number, caller)
        subject, contact = await self._orders.holder(number, str(arguments.get("email") or ""))
        started = await self._verification.start(caller, subject, contact)
        data: dict[str, Any] = {"outcome": started.value}
        if started is not Started.LIMIT:
            data["ask"] = "code"
        return Result(data, say(started.value, caller.language, minutes=int(CODE_S / MINUTE_S)), ok=False)


class ConfirmIdentity:
    """The tool ``confirm_identity``: takes the code, and answers the question it was asked for."""

    def __init__(self, orders: Orders, verification: Verification) -> None:
        self._orders = orders
        self._verification = verification
        self.policy = Policy(effect="write", per_hour=20)
        self.spec = ToolSpec(
            "confirm_identity",
            f"Check the code of {CODE_DIGITS} digits that the customer received by e-mail.",
            {
                "type": "object",
                "properties": {
                    "code": {"type": "string", "pattern": rf"^\d{{{CODE_DIGITS}}}$"},
                    "order_number": {"type": "string", "maxLength": 40},
                },
                "required": ["code"],
                "additionalProperties": False,
            },
        )

    async def run(self, arguments: Mapping[str, Any], caller: Caller, key: str) -> Result:
        """Compare the code; a right one makes the conversation verified and shows the order that was asked about."""
        del key  # checking a code again after it was right says right again
        checked = await self._verification.check(caller.conversation_id, str(arguments["code"]))
        language = caller.language
        if not checked.right and checked.left:
            return Result(
                {"outcome": "wrong code", "ask": "code"}, say("code_wrong", language, left=checked.left), ok=False
            )
        if not checked.right:
            return Result({"outcome": "code over"}, say("code_over", language), ok=False)
        thanks = say("code_right", language)
        if not arguments.get("order_number"):
            return Result({"outcome": "verified"}, thanks)
        proven = Caller(
            caller.tenant, caller.conversation_id, caller.channel, caller.account, caller.customer_id, language,
            subject=checked.subject,
        )  # fmt: skip
        return await self._orders.told(self._orders.number(arguments["order_number"]), proven, f"{thanks} ")
