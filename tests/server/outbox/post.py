"""A store with a conversation on a platform's double and a sender that is driven step by step on a hand-moved clock."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from channels.message import Status
from server import lanes
from server.lanes import Lease
from server.outbox.delivery import Delivery
from server.outbox.sender import Sender
from server.outbox.statuses import apply_status
from server.store.contract import Row, Tx
from server.store.statements import load, parse
from server.timeline import Timeline, lock
from tests.channel_double import ChannelDouble
from tests.places import FakeClock, Place
from tests.server.engine.bench import TENANT, Bench, settings_for

QUERIES = """
-- name: rows
-- Every outbox row of a conversation.
select * from outbox where conversation_id = :id order by created_at, id;
-- name: parts
-- Every part of a conversation's rows.
select p.*, o.kind from part p join outbox o on o.id = p.outbox_id
where o.conversation_id = :id order by o.created_at, o.id, p.number;
-- name: drafts
-- Every draft with what is shown of it.
select * from draft where conversation_id = :id order by first_seq, attempt;
-- name: show
-- What PRES would have stored.
update draft set shown = :shown, provider_id = :provider_id, holder = :holder, route = '{}',
    tried_at = cast(:tried_at as double precision)
where conversation_id = :id and first_seq = :first_seq and attempt = :attempt;
-- name: states
-- Channel accounts.
select * from channel_state;
-- name: buckets
-- Token buckets.
select * from pace order by channel, account, chat;
"""

for dialect in ("sqlite", "postgresql"):
    load(dialect).update(parse("post", QUERIES, dialect))


@dataclass
class Post(Bench):
    """One process that sends; ``double`` is the platform, ``clock`` both clocks of its store."""

    clock: FakeClock = field(default_factory=FakeClock)
    double: ChannelDouble = field(default_factory=ChannelDouble)
    there: bool = True  # whether the account is running
    silent: bool = False  # whether the bot is switched off
    chance: float = 0.5

    def __post_init__(self) -> None:
        super().__post_init__()
        self.sender, self.delivery = self.another()

    def another(self) -> tuple[Sender, Delivery]:
        """A sender as a second process would have it, on the same store object."""
        delivery = Delivery(
            self.store,
            lambda *place: self.double if self.there and place == ("telegram", "default") else None,
            self.metrics,
            self.settings,
            feedback=lambda *what: (f"up:{what[2]}", f"down:{what[2]}"),
            person=lambda *whose: f"person:{whose[2]}",
            silent=lambda *_place: self.silent,
            chance=lambda: self.chance,
            clock=self.clock.lease_s,
            wall=self.clock.wall_s,
        )
        return Sender(self.store, delivery, self.settings), delivery

    async def meet(self, conversation: str = "c1") -> None:
        """A customer writes for the first time."""
        await self.say(conversation, channel="telegram")

        async def unit(tx: Tx) -> None:
            timeline = await lock(tx, conversation)
            timeline.route = {"chat": f"chat-{conversation}"}
            await timeline.save()

        await self.write(unit)

    async def bot(self, text: str, conversation: str = "c1", *, role: str = "assistant", **more: Any) -> str:
        """The bot says something; returns the message id."""
        self.clock.pass_s(0.001)  # rows are shown in the order of their creation

        async def unit(tx: Tx) -> str:
            timeline = await lock(tx, conversation)
            message_id = await timeline.say(role, text, **more)
            await timeline.save()
            return message_id

        return str(await self.write(unit))

    async def staff(self, text: str, conversation: str = "c1") -> str:
        """Staff say something; returns the message id."""
        return await self.bot(text, conversation, role="staff", author="ana")

    async def change(self, conversation: str = "c1", **fields: Any) -> None:
        """Set columns of the conversation as a unit of somebody else would."""

        async def unit(tx: Tx) -> None:
            timeline = await lock(tx, conversation)
            for name, value in fields.items():
                setattr(timeline, name, value)
            await timeline.save()

        await self.write(unit)

    async def step(self, sender: Sender | None = None) -> int:
        """Take what is ready now and work on it to the end; returns how many lanes that were."""
        sender = sender or self.sender
        await sender.take()
        tasks = [task for _, task in sender._running.values()]
        if tasks:
            await asyncio.wait(tasks)
        return len(tasks)

    async def run(self, seconds: float = 120.0, step_s: float = 0.25) -> None:
        """Work while time passes."""
        left = seconds
        while left > 0:
            while await self.step():
                pass
            self.clock.pass_s(step_s)
            left -= step_s

    async def lease(self) -> Lease:
        """The out lane as a sender takes it."""
        (lease,) = await self.store.write(
            lambda tx: lanes.take(tx, "out", 1, self.settings.outbox.lease_s, self.store.worker_id)
        )
        return lease

    async def status(self, state: Any, part: Row | str, code: str = "", **more: Any) -> bool:
        part_id = part if isinstance(part, str) else str(part["id"])
        fields: dict[str, Any] = {"part_id": part_id, "code": code} | more
        told = Status("telegram", "default", state, self.clock.wall, **fields)
        return await apply_status(self.store, TENANT, told)

    async def rows_of(self, conversation: str = "c1") -> Sequence[Row]:
        return await self.store.rows("post.rows", id=conversation)

    async def states(self, conversation: str = "c1") -> list[tuple[str, str | None]]:
        """State and reason of every row, in order."""
        return [(row["state"], row["reason"]) for row in await self.rows_of(conversation)]

    async def parts(self, conversation: str = "c1") -> Sequence[Row]:
        return await self.store.rows("post.parts", id=conversation)

    async def deliveries(self, conversation: str = "c1") -> list[tuple[str, str | None]]:
        """What staff were told, in order."""
        events = await self.events("delivery", conversation)
        return [(event["state"], event.get("reason")) for event in events]

    async def queued(self, conversation: str = "c1") -> int:
        """Open items of the out lane."""
        lane = await self.store.row("bench.lane", kind="out", key=conversation)
        return int(lane["tail"] - lane["done"]) if lane else 0

    async def open_draft(self, attempt: int = 1, shown: str | None = None, **more: Any) -> None:
        """An attempt of turn 1 with what its presenter stored."""

        async def unit(tx: Tx) -> None:
            timeline = await lock(tx, "c1")
            await timeline.end_drafts("replaced")
            await tx.run(
                "conversations.open_draft", conversation_id="c1", first_seq=1, attempt=attempt, tenant=TENANT,
                now=tx.now_s,
            )  # fmt: skip
            await timeline.inherit_draft(1, attempt)
            await timeline.save()

        await self.write(unit)
        if shown is not None:
            await self.show(attempt, shown, **more)

    async def show(self, attempt: int, shown: str, **more: Any) -> None:
        values = {"provider_id": None, "holder": self.store.worker_id, "tried_at": self.clock.wall} | more
        await self.store.write(
            lambda tx: tx.run("post.show", id="c1", first_seq=1, attempt=attempt, shown=shown, **values)
        )

    async def finish_draft(self, text: str, attempt: int = 1) -> str:
        """The turn ends as its record does it: the answer, then the draft's end."""

        async def unit(tx: Tx) -> str:
            timeline = await lock(tx, "c1")
            message_id = await timeline.say("assistant", text, draft_seq=1)
            await timeline.end_draft(1, attempt, "final", message_id)
            await timeline.save()
            return message_id

        return str(await self.write(unit))

    async def end_drafts(self, how: str = "withdrawn") -> None:
        async def unit(tx: Tx) -> None:
            timeline: Timeline = await lock(tx, "c1")
            await timeline.end_drafts(how)
            await timeline.save()

        await self.write(unit)

    async def shown_drafts(self) -> list[tuple[str, str | None]]:
        return [(row["state"], row["shown"]) for row in await self.store.rows("post.drafts", id="c1")]

    async def talk(self) -> list[dict[str, Any]]:
        """Every event body with its kind."""
        return [{"kind": row["kind"]} | json.loads(row["body"]) for row in await self.rows("events", id="c1")]


@asynccontextmanager
async def post(place: Place, folder: Path, double: ChannelDouble | None = None, **sections: Any) -> AsyncIterator[Post]:
    """A sender on a place, with a customer who has written once."""
    async with place.open() as store:
        one = Post(store, settings_for(folder, **sections), clock=place.clock, double=double or ChannelDouble())
        await one.meet()
        yield one
