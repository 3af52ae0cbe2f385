"""Tools through the whole service: what the model calls, what needs a yes, and whose yes it is."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from server.store.statements import load, parse
from tests.doubles.crm import CrmDouble
from tests.scenario import Service, Visitor, desk

QUERIES = """
-- name: steps
-- Every call of a conversation.
select * from step where conversation_id = :conversation_id order by first_seq, number;
-- name: requests
-- What waits for a yes, or did.
select * from tool_request order by created_at;
-- name: leads
-- Who wants to be contacted.
select contact, idempotency_key from lead;
"""
for dialect in ("sqlite", "postgresql"):
    load(dialect).update(parse("acted", QUERIES, dialect))

REFUND = {"order_id": "1042", "amount": 12.5}


@asynccontextmanager
async def equipped(
    url: str, folder: Path, limits: dict[str, Any] | None = None, **entry: Any
) -> AsyncIterator[tuple[Service, CrmDouble]]:
    """A service whose tools are the operations of a shop's own system."""
    async with CrmDouble(late_s=5.0).running() as crm:
        origin = {"openapi": f"{crm.url}/openapi.json", "allow_hosts": [crm.host], **entry}
        file = folder / "tools.yaml"
        file.write_text(json.dumps({"crm": origin}), encoding="utf-8")
        async with desk(
            url, folder, tools={"file": str(file)} | (limits or {}), knowledge={"enabled": False}
        ) as service:
            yield service, crm


async def ask(visitor: Visitor, text: str) -> dict[str, Any]:
    """The message that answers a text."""
    before = len(visitor.said("assistant"))
    await visitor.say(text)
    await visitor.answered(before + 1)
    return [message for message in visitor.of("message") if message["role"] == "assistant"][-1]


async def test_the_model_looks_something_up_and_tells_it(store_url: str, tmp_path: Path) -> None:
    async with equipped(store_url, tmp_path) as (service, crm):
        visitor = await service.visitor()
        service.double.call_next("get_order", {"id": "1042"})
        service.double.say_next("It has been shipped.")
        assert (await ask(visitor, "what about 1042?"))["text"] == "It has been shipped."
        (step,) = await service.store.rows("acted.steps", conversation_id=visitor.conversation)
        assert (step["tool"], step["state"], step["key"]) == ("get_order", "done", f"{visitor.conversation}:1:1")
        assert json.loads(step["result"])["data"]["status"] == "shipped"
        assert crm.requests[-1]["headers"]["Idempotency-Key"] == step["key"]
        await service.check_laws(visitor.conversation)


async def test_nothing_is_refunded_before_the_customer_says_yes(store_url: str, tmp_path: Path) -> None:
    async with equipped(store_url, tmp_path) as (service, crm):
        visitor = await service.visitor()
        service.double.call_next("create_refund", REFUND)
        question = await ask(visitor, "I want my money back")
        assert "12.5" in question["text"]
        assert question["replies"] == ["Yes", "No"]
        assert crm.effects == []
        service.double.say_next("Refunded.")
        assert (await ask(visitor, "yes"))["text"] == "Refunded."
        (effect,) = crm.effects
        assert {"order_id": effect["order_id"], "amount": effect["amount"]} == REFUND
        assert effect["key"] == f"{visitor.conversation}:1:1"
        service.double.say_next("Nothing else is open.")
        await ask(visitor, "yes")
        assert len(crm.effects) == 1
        assert [row["state"] for row in await service.store.rows("acted.requests")] == ["done"]
        await service.check_laws(visitor.conversation)


async def test_a_no_and_another_customers_yes_do_nothing(store_url: str, tmp_path: Path) -> None:
    async with equipped(store_url, tmp_path) as (service, crm):
        ana, eve = await service.visitor(), await service.visitor()
        service.double.call_next("create_refund", REFUND)
        await ask(ana, "I want my money back")
        await ask(eve, "yes")
        assert crm.effects == []
        answer = await ask(ana, "no")
        assert "not done" in answer["text"]
        await ask(ana, "yes")
        assert crm.effects == []
        assert [row["state"] for row in await service.store.rows("acted.requests")] == ["refused"]


async def test_a_yes_that_comes_too_late_does_nothing(store_url: str, tmp_path: Path) -> None:
    async with equipped(store_url, tmp_path, {"confirm_s": 0.05}) as (service, crm):
        visitor = await service.visitor()
        service.double.call_next("create_refund", REFUND)
        await ask(visitor, "I want my money back")
        (request,) = await service.store.rows("acted.requests")
        while time.time() <= request["expires_at"]:
            await asyncio.sleep(0.02)
        await ask(visitor, "yes")
        assert crm.effects == []


async def test_what_staff_must_approve_is_passed_on(store_url: str, tmp_path: Path) -> None:
    async with equipped(store_url, tmp_path, approve=True) as (service, crm):
        visitor = await service.visitor()
        service.double.call_next("create_refund", REFUND)
        assert "approve" in (await ask(visitor, "I want my money back"))["text"]
        (request,) = await service.store.rows("acted.requests")
        assert (request["kind"], request["state"]) == ("approve", "waiting")
        assert crm.effects == []


async def test_an_answer_that_gets_lost_is_asked_for_again_and_done_once(store_url: str, tmp_path: Path) -> None:
    async with equipped(store_url, tmp_path, confirm=False, timeout_s=0.3) as (service, crm):
        visitor = await service.visitor()
        crm.faults = ["late"]
        service.double.call_next("create_refund", REFUND)
        service.double.say_next("Refunded.")
        assert (await ask(visitor, "I want my money back"))["text"] == "Refunded."
        assert len(crm.effects) == 1
        keys = [request["headers"].get("Idempotency-Key") for request in crm.requests]
        assert keys == [f"{visitor.conversation}:1:1"] * 2


async def test_a_wish_for_a_person_needs_no_model(store_url: str, tmp_path: Path) -> None:
    async with equipped(store_url, tmp_path) as (service, _):
        visitor = await service.visitor()
        await ask(visitor, "I want to talk to a human please")
        await visitor.until(lambda me: me.of("state"))
        assert (visitor.of("state")[-1]["status"], service.double.stats.requests) == ("waiting", 0)
        (turn,) = await service.turns(visitor.conversation)
        assert turn["outcome"] == "handed_over"


async def test_a_call_is_filled_in_over_several_messages(store_url: str, tmp_path: Path) -> None:
    async with equipped(store_url, tmp_path) as (service, _):
        visitor = await service.visitor()
        await ask(visitor, "please call me back")
        question = await ask(visitor, "Ana Ruiz, ana@mail.example")
        if question.get("replies"):
            await ask(visitor, "yes")
        (lead,) = await service.store.rows("acted.leads")
        assert lead["contact"] == "ana@mail.example"
        assert service.double.stats.requests == 0
