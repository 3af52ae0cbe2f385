"""What customers hear when people are brought in: that they wait, that the desk is shut, who has come. Once each.

Web pages show the holder and the place in the queue by themselves; there only what they cannot show is said.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from channels.base import pulls
from config.handoff import HandoffSettings
from server.conversation import DEVICE, Reason, Status
from server.duty.words import Saying, moment_text, say
from server.store.contract import Row, Store, Tx
from server.timeline import Timeline, lock, position

FRESH_S: Final = 900.0  # a change of hands that came to light later than this is not worth a message any more
TALKING_S: Final = 3_600.0  # since the customer last wrote: later, a platform may refuse free text or charge for it


@dataclass(frozen=True, slots=True)
class _Told:
    wait_at: float | None = None
    shut_at: float | None = None
    claim_at: float | None = None
    email_at: float | None = None


class Telling:
    """Says what is due; every saying is one commit with the mark that it was said."""

    def __init__(self, store: Store, tenant: str, settings: HandoffSettings) -> None:
        self._store = store
        self._tenant = tenant
        self._on = settings.tell_customers
        self._hours = settings.calendar

    async def step(self) -> None:
        """Look at every change of hands that was not looked at."""
        for row in await self._store.rows("duty.untold", tenant=self._tenant):
            key = row["conversation_id"]
            await self._store.write(partial(self._tell, row=row), order=key)

    async def _tell(self, tx: Tx, *, row: Row) -> None:
        timeline = await lock(tx, row["conversation_id"])
        found = await tx.row("duty.told", id=timeline.id)
        told = _Told(**found) if found is not None else _Told()
        status, since, marks = row["status"], row["since_at"], {}
        texts: list[tuple[str, str]] = []
        if status == "waiting" and told.wait_at != since:
            shut = not self._hours.is_open(tx.now_s)
            marks = {"wait_at": since, "shut_at": tx.now_s if shut else None}
            if timeline.state.status is Status.WAITING:
                texts += await self._waiting(tx, timeline, since, shut=shut)
        elif status == "claimed" and told.claim_at != since:
            marks = {"claim_at": since}
            if timeline.state.status is Status.CLAIMED:
                texts += await self._claimed(tx, timeline, since)
        if row["email_at"] is not None and told.email_at != row["email_at"]:
            marks["email_at"] = row["email_at"]
            if (marks.get("shut_at") or told.shut_at) and timeline.state.status is Status.WAITING:
                texts.append(("email", say(Saying.EMAIL_KEPT, timeline.language)))
        await tx.run("duty.tell", id=timeline.id, tenant=self._tenant, **_marks(told, marks))
        if self._on and tx.now_s - since < FRESH_S and _reached(timeline, tx.now_s):
            by_staff = status == "claimed" or timeline.state.reason == Reason.BOT_OFF
            for about, text in texts:
                await timeline.say("notice", text, extra={"about": about}, by_staff=by_staff)
            if texts:
                await timeline.save(touch=False)

    async def _waiting(self, tx: Tx, timeline: Timeline, since: float, *, shut: bool) -> list[tuple[str, str]]:
        language = timeline.language
        if shut:
            opens = self._hours.opens_at(tx.now_s)
            when = moment_text(opens, tx.now_s, self._hours.zone, language) if opens is not None else ""
            text = say(Saying.SHUT_UNTIL if when else Saying.SHUT, language, when=when)
            ask = say(Saying.LEAVE_EMAIL, language) if pulls(timeline.channel) else ""
            return [("shut", f"{text} {ask}".strip())]
        if pulls(timeline.channel) or await tx.row("duty.spoken_since", id=timeline.id, since=since) is not None:
            return []  # the page shows it, or whoever handed over has said it
        place = await position(tx, self._tenant, timeline.state.waiting_since or since)
        saying = Saying.NEXT if place == 1 else Saying.QUEUED
        return [("waiting", say(saying, language, place=str(place)))]

    async def _claimed(self, tx: Tx, timeline: Timeline, since: float) -> list[tuple[str, str]]:
        """Who has come; not where the page shows it, nor where they have spoken already."""
        if pulls(timeline.channel) or timeline.state.owner in {None, DEVICE}:
            return []
        spoken = await tx.row("duty.spoken_since", id=timeline.id, since=since)
        if spoken is not None and spoken["role"] == "staff":
            return []
        person = await tx.row("duty.owner_name", tenant=self._tenant, person=timeline.state.owner)
        name = str(person["name"]).split(maxsplit=1)[0] if person and person["name"] else ""
        saying = Saying.CLAIMED if name else Saying.CLAIMED_SOMEBODY
        return [("claimed", say(saying, timeline.language, name=name))]


def _reached(timeline: Timeline, now_s: float) -> bool:
    """Whether a customer will see what is said: a page always shows it, a platform while they are talking."""
    if pulls(timeline.channel):
        return True
    return now_s - timeline.said_at < TALKING_S and timeline.state.reason != Reason.UNDELIVERED


def _marks(told: _Told, changed: dict[str, Any]) -> dict[str, Any]:
    """All marks, with the changed ones in place."""
    return {name: getattr(told, name) for name in _Told.__slots__} | changed
