"""Payment links: own orders only, the order's own amount, one charge per key, staff above the limit."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from urllib.parse import parse_qs

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from server.tools.builtin.orders import Orders
from server.tools.builtin.payments import Charge, LocalProvider, PaymentLink, StripeProvider
from server.tools.contract import ToolRefused, ToolUnavailable
from server.tools.wire import GuardedHttp
from tests.server.tools.shopfront import Front

DUE = {"order_number": "MP-20374"}  # 147.50 euro, customer C-005


class PayDouble:
    """Answers like the provider's sessions: one session for each idempotency key."""

    def __init__(self) -> None:
        self.sessions: dict[str, dict[str, str]] = {}
        self.status = 200

    async def create(self, request: web.Request) -> web.Response:
        if request.headers["Authorization"] != "Bearer sk_test" or self.status != 200:
            return web.json_response({"error": {"message": "No such key"}}, status=max(self.status, 401))
        form = {name: values[0] for name, values in parse_qs(await request.text()).items()}
        key = request.headers["Idempotency-Key"]
        number = list(self.sessions).index(key) if key in self.sessions else len(self.sessions)
        self.sessions.setdefault(key, form)
        return web.json_response({"id": f"cs_{number}", "url": f"https://checkout.example/c/{number}"})


@pytest.fixture
async def double() -> AsyncIterator[tuple[PayDouble, str]]:
    answers, app = PayDouble(), web.Application()
    app.router.add_post("/v1/checkout/sessions", answers.create)
    async with TestServer(app, host="127.0.0.1") as server:
        yield answers, str(server.make_url("")).rstrip("/")


async def test_a_link_for_the_orders_own_amount(front: Front) -> None:
    talk = front.talk(customer="C-005")
    first = await talk.run("payment_link", DUE, key="k")
    assert (first.data["outcome"], first.data["amount_cents"]) == ("link", 14_750)
    assert first.data["url"] in first.say
    assert await talk.run("payment_link", DUE, key="k") == first
    with pytest.raises(ToolRefused):
        await talk.run("payment_link", DUE | {"amount_cents": 1})


async def test_no_link_for_strangers_others_and_what_is_not_due(front: Front) -> None:
    assert (await front.talk().run("payment_link", DUE)).data["outcome"] == "verify first"
    assert (await front.talk(customer="C-001").run("payment_link", DUE)).data["outcome"] == "unknown order"
    settled = await front.talk(customer="C-001").run("payment_link", {"order_number": "MP-20349"})
    assert settled.data["outcome"] == "not due"


async def test_above_the_limit_staff_decide(front: Front) -> None:
    orders, provider = Orders(front.shop, front.kit.planner.vocabulary), LocalProvider("https://pay.example")
    talk = front.talk(customer="C-005")
    result = await PaymentLink(orders, provider, 10_000).run(DUE, talk.caller, "k")
    assert (result.ok, bool(result.handoff), provider.made) == (False, True, {})


async def test_a_conversation_gets_its_link_after_a_yes(front: Front) -> None:
    talk = front.talk(customer="C-005")
    await talk.say("send me a payment link for MP-20374")
    assert talk.said[-1] == "I can make a payment link for order MP-20374. Shall I?"
    await talk.say("yes please")
    assert talk.outcome == "link"


async def test_the_provider_gets_the_amount_and_one_key_per_step(
    double: tuple[PayDouble, str], http: GuardedHttp
) -> None:
    answers, base = double
    provider = StripeProvider(http, "sk_test", "https://shop.example/thanks", base)
    charge = Charge("MP-20374", 14_750, "harriet.cole@letters.example")
    links = [await provider.link(charge, key) for key in ("k", "k", "k2")]
    assert links == ["https://checkout.example/c/0", "https://checkout.example/c/0", "https://checkout.example/c/1"]
    form = next(iter(answers.sessions.values()))
    assert form["line_items[0][price_data][unit_amount]"] == "14750"
    assert form["client_reference_id"] == "MP-20374"
    assert "k" not in json.dumps(list(answers.sessions))[:3]


async def test_a_provider_that_refuses_or_is_away(double: tuple[PayDouble, str], http: GuardedHttp) -> None:
    answers, base = double
    with pytest.raises(ToolUnavailable):
        await StripeProvider(http, "wrong", "https://shop.example/thanks", base).link(Charge("MP-1", 100), "k")
    answers.status = 402
    with pytest.raises(ToolRefused):
        await StripeProvider(http, "sk_test", "https://shop.example/thanks", base).link(Charge("MP-1", 100), "k")
    with pytest.raises(ToolUnavailable):
        await StripeProvider(http, "sk_test", "https://s.example", "http://127.0.0.1:1").link(Charge("MP-1", 100), "k")
