"""Links to pay an order: the amount is the order's own, never what arguments say; above a limit staff decide."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Protocol
from urllib.parse import urlencode, urlsplit

from models.chat import ToolSpec
from server.tools.builtin.orders import UNKNOWN, Orders
from server.tools.contract import Caller, Policy, Result, ToolError, ToolUnavailable
from server.tools.replies import money, say
from server.tools.wire import Http, failure

CURRENCY = "eur"
PAYABLE = "waiting for payment"
STRIPE = "https://api.stripe.com"
TIMEOUT_S = 8.0
MAX_BYTES = 200_000


@dataclass(frozen=True, slots=True)
class Charge:
    """What shall be paid: cents of euro, for which order, and where the receipt goes."""

    order: str
    cents: int
    email: str = ""


class Provider(Protocol):
    """Somebody who takes payments."""

    async def link(self, charge: Charge, key: str) -> str:
        """Where the charge can be paid; the same key gives the same link. Raises ToolError."""
        ...


class LocalProvider:
    """A provider that only names an address, for demos and tests; ``made`` are the charges by key."""

    def __init__(self, base_url: str) -> None:
        self._base_url = base_url.rstrip("/")
        self.made: dict[str, Charge] = {}

    async def link(self, charge: Charge, key: str) -> str:
        """An address that depends on the key alone."""
        self.made.setdefault(key, charge)
        return f"{self._base_url}/{hashlib.sha256(key.encode()).hexdigest()[:20]}"


class StripeProvider:
    """Checkout sessions in the shape of Stripe's HTTP interface; ``api_base`` points elsewhere for doubles."""

    def __init__(self, http: Http, secret: str, done_url: str, api_base: str = STRIPE) -> None:
        self._http = http
        self._secret = secret
        self._done_url = done_url
        self._api_base = api_base.rstrip("/")

    async def link(self, charge: Charge, key: str) -> str:
        """Make a session under an idempotency key of the step; raises ToolError."""
        form = {
            "mode": "payment",
            "success_url": self._done_url,
            "client_reference_id": charge.order,
            "line_items[0][quantity]": "1",
            "line_items[0][price_data][currency]": CURRENCY,
            "line_items[0][price_data][unit_amount]": str(charge.cents),
            "line_items[0][price_data][product_data][name]": charge.order,
            **({"customer_email": charge.email} if charge.email else {}),
        }
        answer = await self._http.request(
            "POST",
            f"{self._api_base}/v1/checkout/sessions",
            headers={
                "authorization": f"Bearer {self._secret}",
                "content-type": "application/x-www-form-urlencoded",
                "idempotency-key": hashlib.sha256(f"payment\n{key}".encode()).hexdigest(),
            },
            body=urlencode(form).encode(),
            timeout_s=TIMEOUT_S,
            max_bytes=MAX_BYTES,
            allow_hosts=(urlsplit(self._api_base).netloc,),
        )
        if answer.status != HTTPStatus.OK:
            raise failure(answer)
        return _address(answer.body)


def _address(body: bytes) -> str:
    try:
        session = json.loads(body)
    except ValueError:
        raise ToolUnavailable("the payment provider answered no JSON; try again later") from None
    url = session.get("url") if isinstance(session, dict) else None
    if not isinstance(url, str) or not url.startswith(("https://", "http://127.0.0.1")):
        raise ToolError("the payment provider gave no address to pay at")
    return url


class PaymentLink:
    """The tool ``payment_link``; ``limit_cents`` is the amount above which staff must agree."""

    def __init__(self, orders: Orders, provider: Provider, limit_cents: int) -> None:
        self._orders = orders
        self._provider = provider
        self._limit_cents = limit_cents
        self.policy = Policy(effect="write", confirm=True, per_hour=5)
        self.spec = ToolSpec(
            "payment_link",
            "Make a link with which the customer pays an order of their own that waits for payment.",
            {
                "type": "object",
                "properties": {
                    "order_number": {
                        "type": "string",
                        "maxLength": 40,
                        "description": f"Such as {orders.vocabulary.example}.",
                    }
                },
                "required": ["order_number"],
                "additionalProperties": False,
            },
        )

    async def preview(self, arguments: Mapping[str, Any], caller: Caller) -> Result | None:
        """What stands against a link before anybody is asked to confirm; None when nothing does."""
        found = await self._payable(arguments, caller)
        return found if isinstance(found, Result) else None

    async def run(self, arguments: Mapping[str, Any], caller: Caller, key: str) -> Result:
        """Make the link for the amount in the database, or say why there is none."""
        found = await self._payable(arguments, caller)
        if isinstance(found, Result):
            return found
        url = await self._provider.link(found, key)
        amount = money(found.cents, caller.language)
        text = say("payment_link", caller.language, order=found.order, amount=amount, url=url)
        return Result({"outcome": "link", "order": found.order, "amount_cents": found.cents, "url": url}, text)

    async def _payable(self, arguments: Mapping[str, Any], caller: Caller) -> Charge | Result:
        language, number = caller.language, self._orders.number(arguments["order_number"])
        if not caller.verified:
            return Result({"outcome": "verify first"}, say("verify_first", language), ok=False)
        order = await self._orders.own(number, caller.subject)
        if order is None:
            text = say(UNKNOWN, language, example=self._orders.vocabulary.example)
            return Result({"outcome": UNKNOWN, "ask": "order_number"}, text, ok=False)
        if order["status"] != PAYABLE:
            text = say("payment_not_due", language, order=number, status=order["status"])
            return Result({"outcome": "not due", "status": order["status"]}, text, ok=False)
        cents = int(order["total_cents"])
        if cents > self._limit_cents:
            text = say("payment_wait", language, order=number, amount=money(cents, language))
            data = {"outcome": "staff", "order": number, "amount_cents": cents}
            return Result(data, text, ok=False, handoff=f"payment link for {number} above the limit")
        return Charge(number, cents, caller.contact if "@" in caller.contact else "")
