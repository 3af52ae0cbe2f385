"""The simulator over the whole service: real normalizers, engine, outbox and renderers, and nobody behind them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from server.auth.tokens import new_key
from server.routes import Role
from server.store.statements import load, parse
from tests.scenario import Service, desk

QUERIES = """
-- name: training
-- On what ground messages of the simulator may train.
select distinct trainable from message where account like '~%';
"""
for dialect in ("sqlite", "postgresql"):
    load(dialect).update(parse("simulator_test", QUERIES, dialect))

PATIENCE_S = 15.0


class Person:
    """Somebody with an API key of a role."""

    def __init__(self, service: Service, key: str) -> None:
        self._service = service
        self._headers = {"Authorization": f"Bearer {key}"}

    async def call(self, method: str, path: str, body: Any = None, status: int = 200) -> Any:
        url = f"{self._service.base}/api{path}"
        async with self._service.http.request(method, url, json=body, headers=self._headers) as answer:
            assert answer.status == status, await answer.text()
            return await answer.json()

    async def until(self, path: str, condition: Callable[[Any], object]) -> Any:
        """Ask until the answer fulfils the condition."""
        found: Any = None
        try:
            async with asyncio.timeout(PATIENCE_S):
                while True:
                    found = await self.call("GET", path)
                    if condition(found):
                        return found
                    await asyncio.sleep(0.05)
        except TimeoutError:
            raise AssertionError(f"{path} stays {json.dumps(found)[:2_000]}") from None


@asynccontextmanager
async def people(service: Service) -> AsyncIterator[Callable[[Role], Any]]:
    async def hire(role: Role) -> Person:
        key, tenant = new_key(), service.settings.tenant
        row = {"tenant": tenant, "name": role.value, "role": role.value, "created_by": None, "now": 1.0}
        await service.store.write(lambda tx: tx.run("access.add_key", id=key.id, key_hash=key.key_hash, **row))
        return Person(service, key.text)

    yield hire


def answered(view: Any) -> bool:
    """Whether the assistant has answered, and the answer is sent."""
    said = [message for message in view["messages"] if message["role"] == "assistant"]
    return bool(said) and bool(said[-1]["parts"]) and said[-1]["state"] in {"", "sent"}


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[Service]:
    async with desk(f"sqlite:///{tmp_path}/desk.db", tmp_path) as running:
        yield running


@pytest.mark.parametrize("channel", ["web", "telegram", "slack", "whatsapp"])
async def test_a_customer_of_any_platform_needs_no_account(service: Service, channel: str):
    async with people(service) as hire:
        staff = await hire(Role.STAFF)
        empty = await staff.call("GET", f"/simulator/{channel}?session=1")
        assert (empty["conversation_id"], empty["messages"]) == ("", [])
        assert empty["limits"]["text_units"] > 1_000
        body = {"session": "1", "text": "Do you ship to Cork?"}
        view = await staff.call("POST", f"/simulator/{channel}/messages", body, 202)
        assert [message["text"] for message in view["messages"][:1]] == ["Do you ship to Cork?"]
        view = await staff.until(f"/simulator/{channel}?session=1", answered)
        answer = next(message for message in view["messages"] if message["role"] == "assistant")
        part = answer["parts"][0]
        assert part["text"]
        assert 0 < part["units"] <= view["limits"]["text_units"]
        assert [button["label"] for button in part["buttons"]] == ["👍", "👎"]
        up = part["buttons"][0]
        press = {"session": "1", "payload": up["payload"], "label": up["label"]}
        await staff.call("POST", f"/simulator/{channel}/presses", press, 202)
        rated = await staff.call("GET", "/feedback")
        assert [(row["value"], row["message_id"]) for row in rated["feedback"]] == [("up", answer["id"])]
        other = await staff.call("GET", f"/simulator/{channel}?session=2")
        assert other["messages"] == []
        (row,) = await service.store.rows("simulator_test.training")
        assert row["trainable"] == "no"


async def test_who_may_simulate_and_how_fast(service: Service):
    async with people(service) as hire:
        viewer, staff = await hire(Role.VIEWER), await hire(Role.STAFF)
        await viewer.call("GET", "/simulator/telegram", status=403)
        await viewer.call("POST", "/simulator/telegram/messages", {"text": "Hi"}, 403)
        await staff.call("GET", "/simulator/fax", status=404)
        await staff.call("POST", "/simulator/telegram/messages", {"text": ""}, 422)
        await staff.call("POST", "/simulator/telegram/messages", {"text": "Hi", "session": "x"}, 422)
        assert (await staff.call("GET", "/channels"))["channels"][0]["channel"] == "web"
