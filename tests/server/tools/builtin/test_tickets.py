"""Tickets are opened once per call."""

from __future__ import annotations

from typing import Any, cast

import pytest

from server.tools.contract import Asking, ToolRefused
from server.tools.customer_words import marked
from server.tools.plans import Force
from tests.server.tools.shopfront import Front

MATTER = {
    "category": "damage",
    "priority": "high",
    "summary": "A bowl came broken.",
    "suggested_action": "replace",
}


async def test_a_ticket_is_opened_once(front: Front) -> None:
    talk = front.talk()
    first = await talk.run("create_ticket", MATTER, key="k")
    assert await talk.run("create_ticket", MATTER | {"summary": "Something else."}, key="k") == first
    await talk.run("create_ticket", MATTER, key="k2")
    rows = await front.store.rows("tools.tickets", tenant="default", state="open", limit=10)
    assert len(rows) == 2
    assert first.data["ticket"] in {row["id"] for row in rows}


async def test_categories_and_priorities_are_fixed(front: Front) -> None:
    with pytest.raises(ToolRefused):
        await front.talk().run("create_ticket", MATTER | {"priority": "extreme"})
    with pytest.raises(ToolRefused):
        await front.talk().run("create_ticket", MATTER | {"suggested_action": "Send another."})


def test_the_question_for_a_yes_quotes_the_summary(front: Front) -> None:
    tool = front.kit.tools["create_ticket"]
    assert isinstance(tool, Asking)
    asked = tool.question(MATTER | {"summary": "It came\nbroken."}, "en")
    assert asked == "I will put this on record for our staff: “It came broken.”. Shall I?"
    assert len(tool.question(MATTER | {"summary": "x" * 1_000}, "de")) < 350


async def test_the_model_only_chooses_for_a_ticket_that_code_found_due(front: Front) -> None:
    plan = await front.talk().say("I want to complain about the lamp, please open a ticket")
    assert isinstance(plan, Force)
    spec = front.kit.tools["create_ticket"].spec
    assert plan.missing == ("category", "priority", "suggested_action")
    assert all("enum" in cast("dict[str, Any]", spec.parameters["properties"])[name] for name in plan.missing)
    assert marked(spec.parameters) == ("summary",)
