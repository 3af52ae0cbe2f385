"""Giving conversations away: to a colleague, to a team's queue, and by the clock when the claimer stays silent."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final

import structlog

from config.handoff import HandoffSettings
from server.conversation import DEVICE, NotFound, Reason, Returned, Status, Transferred
from server.desk.notes import lock_own
from server.handoff import shown, transfer
from server.store.contract import Row, Store, Tx

log = structlog.get_logger()

JOB: Final = "return-silent"
CRON: Final = "* * * * *"
MINUTE_S: Final = 60.0

Answer = dict[str, Any]


class Moves:
    """Transfers within one tenant; every one is a unit of the caller's."""

    def __init__(self, tenant: str) -> None:
        self._tenant = tenant

    async def give(self, tx: Tx, key: str, by: str, to: str, *, force: bool) -> Answer:
        """Give a conversation to a colleague, claimed or not. Raises NotFound, Refused."""
        timeline = await lock_own(tx, self._tenant, key)
        if await tx.row("duty.colleague", tenant=self._tenant, person=to) is None:
            raise NotFound("there is nobody of the staff with this id; reload the people")
        return await transfer(tx, timeline, Transferred(by, to, tx.now_s, force=force))

    async def queue(self, tx: Tx, key: str, by: str, team: str | None, *, force: bool) -> Answer:
        """Give a conversation to a team, or to everybody (None): it waits there. Raises NotFound, Refused."""
        timeline = await lock_own(tx, self._tenant, key)
        await self._team(tx, key, by, team)
        return await transfer(tx, timeline, Transferred(by, None, tx.now_s, force=force))

    async def assign(self, tx: Tx, key: str, by: str, team: str | None) -> None:
        """Say whose team a conversation is for, and leave it where it is. Raises NotFound."""
        timeline = await lock_own(tx, self._tenant, key)
        await self._team(tx, key, by, team)
        timeline.emit("transfer", {"team": team, "by": by}, audience="staff")
        await timeline.save(touch=False)

    async def _team(self, tx: Tx, key: str, by: str, team: str | None) -> None:
        if team is None:
            await tx.run("duty.clear_team", tenant=self._tenant, id=key)
            return
        if await tx.row("duty.team", tenant=self._tenant, team=team) is None:
            raise NotFound("there is no team with this id; reload the teams")
        await tx.run("duty.set_team", tenant=self._tenant, id=key, team=team, person=by, now=tx.now_s)


class Returning:
    """The job that takes conversations from claimers who leave their customer without a word.

    The time counts in open hours, so nobody loses a conversation over the week-end.
    """

    def __init__(
        self, store: Store, tenant: str, settings: HandoffSettings, wall: Callable[[], float] = time.time
    ) -> None:
        self._store = store
        self._tenant = tenant
        self._after_s = settings.return_after_m * MINUTE_S
        self._to_bot = settings.return_to == "bot"
        self._hours = settings.calendar
        self._wall = wall

    async def run(self, _body: Mapping[str, Any]) -> None:
        """Take back all there are now."""
        if not self._after_s:
            return
        now = self._wall()
        for row in await self._store.rows("duty.silent", tenant=self._tenant, before=now - self._after_s):
            quiet_since = max(row["customer_at"], row["since_at"])
            if self._hours.between(quiet_since, now) >= self._after_s:
                await self._store.write(partial(self._take, row=row), order=row["conversation_id"])

    async def _take(self, tx: Tx, *, row: Row) -> Answer | None:
        timeline = await lock_own(tx, self._tenant, row["conversation_id"])
        state = timeline.state
        if (state.status, state.owner, state.owner_epoch) != (Status.CLAIMED, row["owner"], row["owner_epoch"]):
            return None  # it changed hands meanwhile
        spoken = await tx.row("duty.spoken_since", id=timeline.id, since=row["customer_at"])
        if spoken is not None and spoken["role"] == "staff":
            return None  # the follower has not come to it yet
        log.info("claimer_silent", conversation=timeline.id, to="bot" if self._to_bot else "queue")
        if not self._to_bot:
            wish = Transferred(None, None, tx.now_s, Reason.CLAIMER_SILENT)
            return await transfer(tx, timeline, wish)
        await timeline.change(Returned(state.owner or DEVICE))
        reason = Reason.CLAIMER_SILENT.value
        timeline.emit("transfer", {"from": state.owner, "to": None, "by": None, "reason": reason}, audience="staff")
        await timeline.save()
        return shown(timeline.state)
