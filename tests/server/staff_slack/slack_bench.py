"""A store with conversations, people of the desk, and a staff channel that only remembers what was done to it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from channels.base import Outgoing, SendError
from channels.message import StaffActed
from server import lanes
from server.conversation import Reason
from server.corrections import Corrections
from server.decisions import Decisions
from server.desk.notes import Notes
from server.handoff import Handoff
from server.lanes import Lease
from server.staff_slack.acts import Acts, Tools
from server.staff_slack.contract import ACTS, POSTS, Desks
from server.staff_slack.intake import take
from server.staff_slack.mirror import Mirror
from server.staff_slack.posts import Posts
from server.store.contract import Row, Store
from server.store.statements import load, parse
from tests.server.staff import TENANT, Staff, open_staff

ROOM = "C0STAFF"
QUERIES = """
-- name: threads
-- Threads.
select * from staff_thread order by created_at;
-- name: acts
-- What was done in Slack.
select * from staff_act order by created_at, external_id;
-- name: notes
-- Notes in order.
select * from note order by created_at, id;
-- name: free
-- No lane waits for its time any more.
update lane set ready_at = 0 where kind in ('staff_in', 'staff_out') and holder is null;
-- name: refill
-- Every bucket is full again.
delete from pace where chat = 'C0STAFF';
"""
for dialect in ("sqlite", "postgresql"):
    load(dialect).update(parse("slackbench", QUERIES, dialect))


class ScriptedRoom:
    """A staff channel; ``errors`` are raised by the next calls, ``lost`` posts happen although they raise."""

    def __init__(self) -> None:
        self.posts: dict[str, tuple[str, Mapping[str, Any], Mapping[str, str]]] = {}  # ts -> id, payload, route
        self.edits: list[tuple[str, Mapping[str, Any]]] = []
        self.whispers: list[tuple[str, str]] = []
        self.people: dict[str, Mapping[str, str]] = {}
        self.asked: list[str] = []
        self.errors: list[SendError] = []
        self.lost = False

    def _fail(self) -> None:
        if self.errors:
            raise self.errors.pop(0)

    async def post(self, out: Outgoing) -> str:
        if not self.lost:
            self._fail()
        ts = f"{len(self.posts) + 1}.0"
        self.posts[ts] = (out.id, out.payload, out.route)
        self._fail()
        return ts

    async def find(self, out: Outgoing) -> str:
        return next((ts for ts, (key, _, _) in self.posts.items() if key == out.id), "")

    async def edit(self, channel: str, ts: str, payload: Mapping[str, Any]) -> None:
        assert channel == ROOM
        self._fail()
        self.edits.append((ts, payload))

    async def whisper(self, channel: str, thread: str, user: str, text: str) -> None:
        assert (channel, bool(thread)) == (ROOM, True)
        self.whispers.append((user, text))

    async def person(self, user: str) -> Mapping[str, str]:
        self.asked.append(user)
        self._fail()
        return self.people.get(user, {})

    @property
    def texts(self) -> list[str]:
        return [str(payload["text"]) for _, payload, _ in self.posts.values()]


@dataclass
class Bench:
    """The parts of staff in Slack, worked by hand."""

    staff: Staff
    room: ScriptedRoom

    def __post_init__(self) -> None:
        store = self.store
        self.open = True
        self.handoff = Handoff(store)
        self.mirror = Mirror(store, TENANT, Desks({"default": ROOM}))
        self.posts = Posts(store, TENANT, self._room, "https://desk.example/console/inbox/{}")
        tools = Tools(
            self.handoff, Notes(store, TENANT), self.staff.desk.sends, Corrections(store, TENANT),
            Decisions(store, TENANT, 10_000), self.staff.desk.teams,
        )  # fmt: skip
        self.acts = Acts(store, TENANT, self._room, tools)

    @property
    def store(self) -> Store:
        return self.staff.store

    def _room(self, _account: str) -> ScriptedRoom | None:
        return self.room if self.open else None

    async def rows(self, name: str) -> list[Row]:
        return list(await self.store.rows(f"slackbench.{name}"))

    async def waiting(self, name: str = "marta") -> str:
        """A conversation that waits for a person, with its thread up to date."""
        await self.mirror.step()
        key = await self.staff.talk(name)
        await self.handoff.ask(key, Reason.CUSTOMER_ASKED)
        await self.shown()
        return key

    async def shown(self) -> None:
        """Follow the events and work on every thread until nothing is left."""
        await self.mirror.step()
        while await self.once():
            await self.change("refill")

    async def once(self, kind: str = POSTS) -> bool:
        """Work on one lane; whatever waits for its time is ready now."""
        await self.change("free")
        lease = await self.lease(kind)
        if lease is not None:
            await (self.posts if kind == POSTS else self.acts).work(lease)
        return lease is not None

    async def lease(self, kind: str) -> Lease | None:
        worker = self.store.worker_id
        found = await self.store.write(lambda tx: lanes.take(tx, kind, 1, 30.0, worker, tenant=TENANT))
        return found[0] if found else None

    async def change(self, name: str) -> None:
        await self.store.write(lambda tx: tx.run(f"slackbench.{name}"))

    async def act(self, text: str = "", action: str = "", user: str = "UANA", **more: Any) -> bool:
        """Somebody does something in the only thread; it is worked on at once."""
        fact = self.fact(text, action, user, **more)
        taken = await self.store.write(lambda tx: take(tx, TENANT, fact))
        await self.once(ACTS)
        return taken

    def fact(self, text: str = "", action: str = "", user: str = "UANA", **more: Any) -> StaffActed:
        given = {"external_id": f"{ROOM}:{text}{action}{user}", "room": ROOM, "thread": "1.0", "at": 1.0} | more
        return StaffActed("slack", "default", user=user, text=text, action=action, **given)


@asynccontextmanager
async def slack_bench(url: str) -> AsyncIterator[Bench]:
    async with open_staff(url) as staff:
        room = ScriptedRoom()
        room.people = {f"U{name.upper()}": {"email": f"{name}@example.com"} for name in ("ana", "ben", "vera")}
        yield Bench(staff, room)
