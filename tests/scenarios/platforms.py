"""The rig of the conformance scenarios: the whole service, one platform's double, and customers who write and look.

In a scenario::

    async with rig("slack", store_url, tmp_path) as desk:
        ana = desk.customer("ana")
        await ana.says("where is my parcel?")
        assert await desk.answered(ana) == ["answer to: where is my parcel?"]
        await desk.laws(ana)
"""

from __future__ import annotations

import asyncio
import json
import socket
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from server.store.contract import Row
from server.store.statements import load, parse
from tests.doubles.platform import Courier, Delivered, Fault, Patience
from tests.model_double import ModelDouble, Pace
from tests.scenario import Service, model_is, settings_for
from tests.scenarios.lines import LINES, Line

PLATFORMS = ("twilio", "meta", "slack", "telegram")
HURRY = 50.0  # a platform's pauses between tries are divided by this
SEND_TIMEOUT_S = 1.5  # a first call loads a library, on machines that do other things too
QUIET_S = 15.0
ENDED = frozenset({"sent", "delivered", "read", "failed", "parked", "cancelled", "expired"})
"""States of an outbox row after which nothing more is sent of it; ``uncertain`` with a reason is one too."""
OUTBOX = {
    "send_timeout_s": SEND_TIMEOUT_S, "lease_s": 4.0, "retry_base_s": 0.05, "retry_max_s": 0.5,
    "breaker_pause_s": 0.2, "draft_after_s": 30.0,
}  # fmt: skip

QUERIES = """
-- name: conversation
-- A customer's conversation.
select * from conversation where channel = :channel and address = :address order by created_at desc limit 1;
-- name: conversations
-- Everybody who wrote.
select * from conversation order by created_at, id;
-- name: messages
-- What stands in a conversation.
select * from message where conversation_id = :conversation_id order by created_at, id;
-- name: outbox
-- What was to be sent.
select * from outbox where conversation_id = :conversation_id order by created_at, id;
-- name: parts
-- Platform messages of a conversation.
select p.* from part p join outbox o on o.id = p.outbox_id where o.conversation_id = :conversation_id
order by o.created_at, o.id, p.number;
-- name: pending
-- Lanes with work.
select kind, key, done, tail, ready_at, holder from lane where done < tail and kind in ('in', 'out');
-- name: parked
-- Items set aside.
select l.kind, l.key, i.seq, i.dead from item i join lane l on l.id = i.lane_id where i.dead is not null;
"""
for dialect in ("sqlite", "postgresql"):
    load(dialect).update(parse("rig", QUERIES, dialect))


@dataclass
class Customer:
    """One customer; ``place`` is the platform's name for where they write."""

    rig: Rig
    name: str
    number: int
    place: str

    def message(self, text: str, **more: Any) -> Any:
        """A message that no webhook was sent for yet; ``rig.line.deliver`` takes it any number of times."""
        return self.rig.line.message(self.place, text, **more)

    async def says(self, text: str, **more: Any) -> Delivered:
        """Write, and wait until the platform has delivered it or given up."""
        return await self.rig.line.deliver(self.message(text, **more))

    def visible(self) -> list[str]:
        """What this customer sees of us, in order, without drafts."""
        return self.rig.line.screen(self.place)

    def drafts(self) -> list[str]:
        """What this customer sees being written."""
        return self.rig.line.drafts(self.place)

    @property
    def address(self) -> str:
        """How the service names this customer (in threads of Slack: set by the test)."""
        return self.rig.line.address(self.place)

    async def conversation(self) -> Row:
        """Their conversation as it is stored."""
        found = await self.rig.service.store.row(
            "rig.conversation", channel=self.rig.line.channel, address=self.address
        )
        assert found is not None, f"{self.name} has no conversation"
        return found

    async def rows(self, name: str) -> list[Row]:
        """``messages``, ``outbox`` or ``parts`` of their conversation."""
        conversation = await self.conversation()
        return list(await self.rig.service.store.rows(f"rig.{name}", conversation_id=conversation["id"]))


class Rig:
    """The service in front of one platform; ``url`` is the account's webhook."""

    def __init__(self, line: Line, model: ModelDouble, store_url: str, folder: Path, sections: dict[str, Any]) -> None:
        self.line = line
        self.model = model
        self.port = _free_port()
        self.base = f"http://127.0.0.1:{self.port}"
        self.url = line.url = f"{self.base}{line.path}"
        account = line.account() | sections.pop("account", {})
        self.settings = settings_for(
            store_url, folder, model,
            http={"public_url": self.base} | sections.pop("http", {}),
            outbox=OUTBOX | sections.pop("outbox", {}),
            channels={"web": {"default": {}}, line.channel: {"default": account}} | sections.pop("channels", {}),
            **sections,
        )  # fmt: skip
        self.service: Service
        self._customers: dict[str, Customer] = {}
        self._up: AsyncExitStack | None = None

    @property
    def double(self) -> Any:
        """The platform's double: ``faults.script(...)``, ``calls``, and what only that platform has."""
        return self.line.double

    @property
    def sends(self) -> int:
        """How often the service called the platform to send a message."""
        return int(self.double.calls[self.line.send])

    def fault(self, *faults: Fault | None) -> None:
        """The fates of the next sends."""
        self.double.faults.script(self.line.send, *faults)

    @property
    def courier(self) -> Courier:
        """Who delivers for the platform."""
        return self.line.courier

    def customer(self, name: str = "ana") -> Customer:
        """A customer by name, always the same one."""
        if name not in self._customers:
            number = len(self._customers) + 1
            self._customers[name] = Customer(self, name, number, self.line.place(number))
        return self._customers[name]

    async def up(self, *, ready: bool = True) -> None:
        """Start the service (again)."""
        self._up = AsyncExitStack()
        self.service = Service(self.settings, self.model, port=self.port)
        await self._up.enter_async_context(self.service.running())
        if ready:
            await model_is(self.service, "ready")

    async def down(self) -> None:
        """Stop the service; the platform and its customers stay."""
        if self._up is not None:
            up, self._up = self._up, None
            await up.aclose()

    async def until(self, condition: Callable[[], Any], timeout_s: float = QUIET_S, why: str = "") -> None:
        """Wait until a condition (a coroutine function too) holds."""
        end = time.monotonic() + timeout_s
        while True:
            found = condition()
            if asyncio.iscoroutine(found):
                found = await found
            if found:
                return
            assert time.monotonic() < end, why or f"not within {timeout_s} s"
            await asyncio.sleep(0.01)

    async def answered(self, customer: Customer, count: int = 1, timeout_s: float = QUIET_S) -> list[str]:
        """Wait until a customer sees so many messages of ours; returns what they see."""
        end = time.monotonic() + timeout_s
        while len(customer.visible()) < count:
            if time.monotonic() > end:
                state = await self.state()
                raise AssertionError(f"{customer.name} sees {customer.visible()}, not {count} messages; {state}")
            await asyncio.sleep(0.01)
        return customer.visible()

    async def quiet(self, timeout_s: float = QUIET_S) -> None:
        """Wait until nothing is pending: deliveries, turns, sends."""
        end = time.monotonic() + timeout_s
        while True:
            await self.line.settled()
            if not await self.service.store.rows("rig.pending"):
                await self.line.settled()
                return
            assert time.monotonic() < end, f"still at work: {await self.state()}"
            await asyncio.sleep(0.02)

    async def state(self) -> str:
        """What is open, for messages of failed assertions."""
        pending = [dict(row) for row in await self.service.store.rows("rig.pending")]
        return json.dumps({"pending": pending, "calls": dict(self.double.calls)}, default=str)

    async def laws(self, *customers: Customer, twice: int = 0) -> None:
        """Turns cover the lane, no draft is open, every outbox row has ended, no answer is seen twice.

        ``twice``: how many texts may stand there once more, where the platform cannot be asked what it has.
        """
        await self.quiet()
        for customer in customers:
            conversation = await customer.conversation()
            await self.service.check_laws(conversation["id"])
            for row in await customer.rows("outbox"):
                assert row["state"] in ENDED or (row["state"] == "uncertain" and row["reason"]), dict(row)
            assert customer.drafts() == []
            again = sum(Counter(customer.visible()).values()) - len(set(customer.visible()))
            assert again <= twice, customer.visible()


@asynccontextmanager
async def rig(
    platform: str,
    store_url: str,
    folder: Path,
    *,
    pace: Pace | None = None,
    hurry: float = HURRY,
    courier: Mapping[str, Any] | None = None,
    patience: Patience | None = None,
    double: Mapping[str, Any] | None = None,
    double_of_model: ModelDouble | None = None,
    **sections: Any,
) -> AsyncIterator[Rig]:
    """The service with one platform, running and ready.

    ``courier`` (duplicate, reorder, seed) and ``double`` are arguments of these objects; ``account`` adds settings of
    the platform's account, ``engine``, ``model``, ``outbox``, ``http``, ``media`` ... override single settings.
    """
    kind = LINES[platform]
    line = kind(Courier(patience or kind.patience, hurry=hurry, **(courier or {})), **(double or {}))
    async with AsyncExitStack() as stack:
        model = await stack.enter_async_context(double_of_model or ModelDouble(pace))
        await stack.enter_async_context(line.running())
        made = Rig(line, model, store_url, folder, dict(sections))
        stack.push_async_callback(made.down)
        await made.up()
        yield made


def _free_port() -> int:
    """A port for the service, known before it runs: its public address stands in its settings."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
