"""Staff write outside the window of WhatsApp: the template they chose arrives by either transport, on both stores."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from server.auth.tokens import new_key
from server.store.statements import load, parse
from tests.doubles.twilio import Template
from tests.scenarios.platforms import Customer, rig

DAY_S = 86_400.0
SID = "HX" + "c" * 32
READY = "Hello {{1}}, your order {{2}} is ready."
QUERIES = """
-- name: silent
-- The customers wrote long ago.
update conversation set said_at = said_at - 90000;
"""
for dialect in ("sqlite", "postgresql"):
    load(dialect).update(parse("templates_bench", QUERIES, dialect))

# transport -> the double, the account's key for the template, and what the customer sees
WAYS: dict[str, tuple[dict[str, Any], str, str]] = {
    "twilio": ({"window": True, "callbacks": "ordered"}, SID, "Hello Ana, your order #1042 is ready."),
    "meta": ({"window": "answer", "statuses": "ordered"}, "order_ready", "template order_ready/en"),
}


@pytest.mark.parametrize("way", WAYS)
async def test_a_template_that_staff_chose_is_the_one_message_that_arrives(
    store_url: str, tmp_path: Path, way: str
) -> None:
    double, key, seen = WAYS[way]
    async with rig(way, store_url, tmp_path, double=double, account={"templates": [f"{key} en: {READY}"]}) as desk:
        if way == "twilio":
            desk.double.templates[SID] = Template(READY)
        ana = desk.customer()
        await ana.says("hello")
        (answered,) = await desk.answered(ana)
        conversation = await ana.conversation()
        token = new_key()
        row = {"tenant": desk.settings.tenant, "name": "ana", "role": "staff", "created_by": None, "now": 1.0}
        await desk.service.store.write(lambda tx: tx.run("access.add_key", id=token.id, key_hash=token.key_hash, **row))
        headers = {"Authorization": f"Bearer {token.text}"}
        url = f"{desk.service.base}/api/conversations/{conversation['id']}"

        async def post(path: str, body: dict[str, Any], status: int) -> None:
            async with desk.service.http.post(f"{url}/{path}", json=body, headers=headers) as answer:
                assert answer.status == status, await answer.text()

        await post("claim", {}, 200)
        await desk.service.store.write(lambda tx: tx.run("templates_bench.silent"))
        desk.double.clock = lambda: time.time() + 1.1 * DAY_S
        await post("send", {"text": "free text", "undo": False}, 409)
        chosen = {"key": key, "language": "en", "values": ["Ana", "#1042"]}
        await post("send", {"template": chosen, "undo": False}, 202)
        await desk.until(lambda: _arrived(ana), why="the template did not arrive")
        await desk.quiet()
        assert ana.visible() == [answered, seen]
        (_bot, mine) = await ana.rows("outbox")
        assert (mine["kind"], mine["author"], mine["reason"]) == ("message", "staff", None)
        assert mine["state"] in {"sent", "delivered", "read"}


async def _arrived(customer: Customer) -> bool:
    return [row["state"] for row in await customer.rows("outbox")][-1:] != ["queued"] and len(customer.visible()) > 1
