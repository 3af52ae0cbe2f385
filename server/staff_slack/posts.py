"""Brings a conversation's thread up to date: root first, then what was said, then the root's state.

What is posted is fixed in the database before the first try and carries an id, so a crash neither loses nor doubles it:
whoever comes next looks the id up before posting again. Many events become one post, many changes of state one edit.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import Any, Final

import structlog

from channels.base import Limited, Outgoing, Refused, SendError, Unavailable
from server import lanes
from server.conversation import DEVICE
from server.ids import new_id
from server.lanes import Lease
from server.outbox import pace
from server.outbox.pace import Bucket
from server.staff_slack import words
from server.staff_slack.contract import CHANNEL, PACE, Rooms
from server.staff_slack.work import LEASE_S
from server.store.contract import Row, Store, Tx

log = structlog.get_logger()

EVENTS: Final = 60  # looked at for one post
AWAY_S: Final = 5.0  # while the account is not open
REFUSED_S: Final = 60.0  # before a channel that refused us is tried again
RETRY_S: Final = 1.0
RETRY_MAX_S: Final = 60.0
REPAIR: Final = "invite the app into the staff channel, and check staff_channel and the token"
GONE: Final = frozenset({"message_not_found", "thread_not_found"})
UNPOSTABLE: Final = frozenset(
    {"invalid_blocks", "msg_too_long", "msg_blocks_too_long", "no_text", "cant_update_message", "edit_window_closed"}
)


@dataclass(frozen=True, slots=True)
class Task:
    """What to do next for a thread: post ``payload`` (``id``, ``upto``), or edit the root (no id)."""

    thread: Row
    payload: dict[str, Any]
    id: str = ""
    upto: int = 0
    again: bool = False


class Posts:
    """Works on ``staff_out`` lanes; ``url`` is the console's address of a conversation, with ``{}`` for its id."""

    def __init__(self, store: Store, tenant: str, rooms: Rooms, url: str = "") -> None:
        self._store = store
        self._tenant = tenant
        self._rooms = rooms
        self._url = url

    async def work(self, lease: Lease) -> None:
        """Everything there is to show of one conversation; the lane is acknowledged or given back in here."""
        while True:
            task = await self._store.write(lambda tx: self._next(tx, lease), order=lease.key)
            if task is None:
                return
            try:
                await self._do(task, lease)
            except SendError as error:
                if not await self._failed(lease, task, error):
                    return

    async def _next(self, tx: Tx, lease: Lease) -> Task | None:
        """What to do next, marked as begun; None when the lane was dealt with. Raises Fenced."""
        await lanes.beat(tx, lease, LEASE_S)
        thread = await tx.row("staff_slack.thread", conversation_id=lease.key)
        if thread is None:
            await lanes.ack(tx, lease, lease.tail)
            return None
        if self._rooms(thread["account"]) is None:
            await lanes.nack(tx, lease, AWAY_S, error=False)
            return None
        task = await self._task(tx, thread)
        if task is None:
            await lanes.ack(tx, lease, lease.tail)
            return None
        bucket = Bucket(self._tenant, CHANNEL, thread["account"], thread["room"])
        granted, wait_s = await pace.debit(tx, bucket, PACE)
        if not granted:
            await lanes.nack(tx, lease, wait_s, error=False)
            return None
        if task.id and not task.again:
            post = json.dumps({"id": task.id, "payload": task.payload, "upto": task.upto}, ensure_ascii=False)
            await tx.run("staff_slack.freeze", conversation_id=lease.key, post=post, now=tx.now_s)
        return task

    async def _task(self, tx: Tx, thread: Row) -> Task | None:
        names = {row["id"]: str(row["name"]) for row in await tx.rows("staff_slack.names", tenant=self._tenant)}
        called = _Names(names)
        key = thread["conversation_id"]
        if thread["post"]:
            post = json.loads(thread["post"])
            return Task(thread, post["payload"], post["id"], post["upto"], again=True)
        root = words.root(thread, called, self._url.format(key) if self._url else "")
        if not thread["root"]:
            return Task(thread, root, new_id(), thread["seq"])
        seq = int(thread["seq"])
        while events := await tx.rows("staff_slack.events", conversation_id=key, seq=seq, count=EVENTS):
            rows = await tx.rows("staff_slack.own_notes", conversation_id=key)
            payload, upto = words.gather(events, called, frozenset(str(row["outcome"]) for row in rows))
            if payload is not None:
                return Task(thread, payload, new_id(), upto)
            await tx.run("staff_slack.skip", conversation_id=key, seq=upto)
            seq = upto
        return Task(thread, root) if words.digest(root) != thread["shown"] else None

    async def _do(self, task: Task, lease: Lease) -> None:
        thread, room = task.thread, self._rooms(task.thread["account"])
        if room is None:
            raise Unavailable("closed", "the account was closed meanwhile")
        if not task.id:
            await room.edit(thread["room"], thread["root"], task.payload)
            await self._record(lease, thread, thread["root"], words.digest(task.payload), int(thread["seq"]))
            return
        route = {"channel": thread["room"]} | ({"thread_ts": thread["root"]} if thread["root"] else {})
        out = Outgoing(task.id, route, task.payload, tried_at=thread["tried_at"] or time.time())
        ts = (await room.find(out) if task.again else "") or await room.post(out)
        shown = thread["shown"] if thread["root"] else words.digest(task.payload)
        await self._record(lease, thread, thread["root"] or ts, shown, task.upto)

    async def _record(self, lease: Lease, thread: Row, root: str, shown: str, seq: int) -> None:
        async def unit(tx: Tx) -> None:
            await lanes.beat(tx, lease, LEASE_S)
            key = thread["conversation_id"]
            await tx.run("staff_slack.posted", conversation_id=key, root=root, shown=shown, seq=seq)

        await self._store.write(unit, order=lease.key)

    async def _failed(self, lease: Lease, task: Task, error: SendError) -> bool:
        """What an error means; True when there is something else to do at once. Raises Fenced."""
        thread = task.thread
        if isinstance(error, Refused) and error.code in GONE:  # somebody deleted the root: a new one is posted
            await self._record(lease, thread, "", "", int(thread["seq"]))
            return True
        if isinstance(error, Refused) and error.code in UNPOSTABLE:
            log.warning("staff_post_skipped", conversation=lease.key, code=error.code)
            shown = thread["shown"] if task.id else words.digest(task.payload)
            await self._record(lease, thread, thread["root"], shown, task.upto or int(thread["seq"]))
            return bool(thread["root"])
        delay_s = min(RETRY_MAX_S, RETRY_S * 2 ** min(lease.head.errors, 6))
        if isinstance(error, Limited):
            delay_s = error.retry_after_s
        elif isinstance(error, Refused):
            delay_s = REFUSED_S
            log.error("staff_channel_refused", account=thread["account"], code=error.code, repair=REPAIR)
        bucket = Bucket(self._tenant, CHANNEL, thread["account"], thread["room"])

        async def unit(tx: Tx) -> None:
            if isinstance(error, Limited):
                await pace.block(tx, bucket, error.retry_after_s)
            await tx.run("staff_slack.fault", conversation_id=lease.key, fault=error.code)
            await lanes.nack(tx, lease, delay_s, error=not isinstance(error, Limited))

        await self._store.write(unit, order=lease.key)
        return False


class _Names:
    """How people are called; what is no person of the desk keeps its kind."""

    def __init__(self, names: dict[str, str]) -> None:
        self._names = names

    def __call__(self, person_id: str | None) -> str:
        if person_id == DEVICE:
            return "staff on another device"
        return self._names.get(person_id or "", "a program" if person_id and ":" in person_id else "somebody")
