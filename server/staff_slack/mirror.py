"""Follows the events: a conversation that needs people gets a thread, and whatever happens in it pokes that thread."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Final

from server import lanes, shifts
from server.conversation import Status
from server.staff_slack.contract import POSTS, Desks
from server.store.contract import Row, Store, Tx

CURSOR: Final = "staff_slack"
BATCH: Final = 500
CONTEXT: Final = 8  # messages before the wait that the thread begins with
NEEDS: Final = frozenset({Status.WAITING.value, Status.CLAIMED.value})


class Mirror:
    """One follower per worker; two of them poke twice, which shows nothing twice."""

    def __init__(self, store: Store, tenant: str, desks: Desks) -> None:
        self._store = store
        self._tenant = tenant
        self._desks = desks
        self._stale = asyncio.Event()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Follow until the block ends."""
        stop = self._store.listen("conversation", lambda _topic, _payload: self._stale.set())
        idle = partial(shifts.rested, self._stale)
        task = asyncio.create_task(shifts.repeat("staff mirror", self.step, idle), name="staff mirror")
        try:
            yield
        finally:
            stop()
            await shifts.end([task])

    async def step(self) -> None:
        """Everything there is to follow."""
        while await self._store.write(self._batch, order="~") == BATCH:
            pass

    async def _batch(self, tx: Tx) -> int:
        at = await tx.row("loop.cursor", tenant=self._tenant, name=CURSOR)
        if at is None:  # what was said before is not told again; who waits now is
            tail = await tx.row("staff_slack.tail", tenant=self._tenant)
            assert tail is not None
            found = await tx.rows("staff_slack.waiting", tenant=self._tenant)
            await self._move(tx, tail["number"])
        else:
            found = await tx.rows("staff_slack.changed", tenant=self._tenant, after=at["number"], count=BATCH)
            if found:
                await self._move(tx, found[-1]["number"])
        for row in {row["conversation_id"]: row for row in found}.values():
            await self._poke(tx, row)
        return len(found)

    async def _move(self, tx: Tx, number: int) -> None:
        await tx.run("loop.move_cursor", tenant=self._tenant, name=CURSOR, number=number)

    async def _poke(self, tx: Tx, row: Row) -> None:
        account = row["threaded"] or self._desks.account(row["channel"], row["account"])
        if not account or (row["threaded"] is None and row["status"] not in NEEDS):
            return
        key = row["conversation_id"]
        if row["threaded"] is None:
            before = await tx.row("staff_slack.before", conversation_id=key, count=CONTEXT)
            await tx.run(
                "staff_slack.begin", conversation_id=key, tenant=self._tenant, account=account,
                room=self._desks.rooms[account], seq=before["seq"] if before else 0, now=tx.now_s,
            )  # fmt: skip
        await lanes.put(tx, self._tenant, POSTS, key, {"account": account})
