"""Everything platforms tell us, taken in durably: one conversation's facts in order, different ones side by side."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

import structlog

from channels.message import (
    Blocked,
    Consent,
    Echoed,
    Edited,
    Fact,
    Inbound,
    Moved,
    Pressed,
    Reacted,
    Revoked,
    StaffActed,
    Status,
    Stopped,
)
from config.insight import Surveys
from server import reasons, standing
from server.buttons import REASONS, Buttons, Press, reply_text
from server.conversation import NotFound, Reason, Refused
from server.feedback import rate
from server.gateway import Gateway
from server.handoff import Handoff, wait_for_person
from server.outbox import rows
from server.outbox.access import revoke
from server.outbox.statuses import apply_status
from server.staff_slack.intake import take
from server.store.contract import Conflict, Store, Tx
from server.surveys import scoring
from server.timeline import Timeline, lock

log = structlog.get_logger()
T = TypeVar("T")

TOGETHER = 50  # messages of one conversation in one commit
TRIES = 3  # of a unit that met another one writing the same row for the first time
STAFF_LOOKS, STAFF_LOOK_S = 15, 0.1  # for a thread's own message to be recorded, before the platform is told to repeat
ACCOUNTS = "~"  # order of units that lock an account's own row: behind all conversations
Place = tuple[str, ...]


@dataclass(slots=True)
class _Turnstile:
    """A place's queue: whoever asked first goes first."""

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    users: int = 0


class Inbox:
    """Takes in facts of every kind; whatever is told twice, or at the same time ten times, counts once."""

    def __init__(
        self,
        store: Store,
        gateway: Gateway,
        handoff: Handoff,
        buttons: Buttons,
        tenant: str,
        *,
        asks_reasons: Callable[[str, str], bool] = lambda _channel, _account: False,
        surveys: Surveys | None = None,
    ) -> None:
        self._store = store
        self._gateway = gateway
        self._handoff = handoff
        self._buttons = buttons
        self._tenant = tenant
        self._asks_reasons = asks_reasons
        self._surveys = surveys or Surveys()
        self._places: dict[Place, _Turnstile] = {}
        self._steps: dict[type, Callable[[Any], Awaitable[None]]] = {
            Status: self._status,
            Pressed: self._pressed,
            Reacted: self._reacted,
            Consent: self._consent,
            Edited: self._edited,
            Blocked: self._blocked,
            Moved: self._moved,
            Echoed: self._echoed,
            Stopped: self._stopped,
            Revoked: self._revoked,
            StaffActed: self._acted,
        }

    async def accept(self, facts: Sequence[Fact]) -> None:
        """Store facts; returns after the last commit. Raises a StoreError: then all of them must be told again."""
        chains: dict[Place, list[Fact]] = {}
        for fact in facts:
            chains.setdefault(_place(fact), []).append(fact)
        if len(chains) == 1:
            ((place, chain),) = chains.items()
            await self._chain(place, chain)
            return
        done = await asyncio.gather(*(self._chain(*chain) for chain in chains.items()), return_exceptions=True)
        for failure in done:
            if failure is not None:
                raise failure

    async def _chain(self, place: Place, facts: Sequence[Fact]) -> None:
        """One conversation's facts, one after the other; neighbouring messages share a commit."""
        async with self._queue(place):
            batch: list[Inbound] = []
            for fact in facts:
                if isinstance(fact, Inbound):
                    batch.append(fact)
                if len(batch) == TOGETHER or not isinstance(fact, Inbound):
                    await self._say(batch)
                    batch = []
                if not isinstance(fact, Inbound):
                    await self._steps[type(fact)](fact)
            await self._say(batch)

    @asynccontextmanager
    async def _queue(self, place: Place) -> AsyncIterator[None]:
        turnstile = self._places.setdefault(place, _Turnstile())
        turnstile.users += 1
        try:
            async with turnstile.lock:
                yield
        finally:
            turnstile.users -= 1
            if not turnstile.users:
                del self._places[place]

    async def _say(self, batch: Sequence[Inbound]) -> None:
        if batch:
            await _again(lambda: self._gateway.accept_all(batch))

    async def _status(self, fact: Status) -> None:
        await apply_status(self._store, self._tenant, fact)

    async def _edited(self, fact: Edited) -> None:
        await self._write(fact.address, lambda tx: standing.edited(tx, self._tenant, fact))

    async def _blocked(self, fact: Blocked) -> None:
        await self._write(fact.address, lambda tx: standing.blocked(tx, self._tenant, fact))

    async def _moved(self, fact: Moved) -> None:
        await self._write(fact.address, lambda tx: standing.moved(tx, self._tenant, fact))

    async def _echoed(self, fact: Echoed) -> None:
        await self._write(fact.address, lambda tx: standing.echoed(tx, self._gateway, self._tenant, fact))

    async def _write(self, order: str, unit: Callable[[Tx], Awaitable[T]]) -> T:
        return await _again(lambda: self._store.write(unit, order=order))

    async def _consent(self, fact: Consent) -> None:
        inbound = fact.inbound
        if inbound is None:
            await self._write(fact.address, lambda tx: standing.consent(tx, self._tenant, fact))
            return
        try:
            await _again(lambda: self._gateway.accept(inbound, allowed=fact.allowed))
        except NotFound:
            log.debug("consent_without_conversation", channel=fact.channel, account=fact.account)

    async def _pressed(self, fact: Pressed) -> None:
        """A button of ours acts once; any other is a message that says what the button says.

        The press is remembered by the id a message would have: a platform's list may show it as one later.
        """
        press = self._buttons.read(fact.channel, fact.account, fact.payload)
        if press is None:
            await self._say([_spoken(fact)])
            return

        async def unit(tx: Tx) -> None:
            conversation_id = await self._meant(tx, press)
            timeline = await lock(tx, conversation_id)
            place = (fact.channel, fact.account)
            if (timeline.tenant, timeline.channel, timeline.account) != (self._tenant, *place):
                raise NotFound("the button belongs to another account")
            if await self._gateway.seen(tx, *place, fact.external_id, timeline.id, press.ref) is not None:
                return
            if press.kind == "person":
                await wait_for_person(tx, timeline, Reason.CUSTOMER_ASKED)
                return
            if press.kind == "score":
                await scoring.pressed(tx, timeline, press.ref, fact.giver, self._surveys)
                return
            thumb = press.kind if press.kind in {"up", "down"} else "down"
            reason = press.kind if press.kind in REASONS else None
            await rate(tx, timeline, press.ref, ("customer", fact.giver), thumb, reason=reason)
            if press.kind == "down":
                await self._ask(tx, timeline, press.ref)
            await timeline.save()

        try:
            await self._write(fact.address, unit)
        except (NotFound, Refused) as error:
            log.info("press_without_effect", channel=fact.channel, kind=press.kind, reason=str(error))

    async def _meant(self, tx: Tx, press: Press) -> str:
        if press.kind == "person":
            return press.ref
        if press.kind == "score":
            return await scoring.meant(tx, self._tenant, press.ref)
        message = await tx.row("channels.message_by_id", tenant=self._tenant, id=press.ref)
        if message is None:
            raise NotFound("the rated message is not stored any more")
        return str(message["conversation_id"])

    async def _reacted(self, fact: Reacted) -> None:
        """A reaction is a rating of the message it was put on, where that is an answer of ours.

        One with an id of its own is remembered whatever it does: a platform's list may show it as a message later.
        """
        place = (fact.channel, fact.account)

        async def unit(tx: Tx) -> None:
            found = await rows.by_provider(tx, self._tenant, *place, fact.provider_id)
            if found is not None:
                timeline: Timeline | None = await lock(tx, found["conversation_id"])
            else:
                timeline = await standing.at(tx, self._tenant, *place, fact.address)
            key = fact.external_id
            if timeline is None or (key and await self._gateway.seen(tx, *place, key, timeline.id, "") is not None):
                return
            rated = str(found["message_id"] or "") if found is not None else ""
            try:
                await rate(tx, timeline, rated, ("customer", fact.giver), fact.value)
            except (NotFound, Refused) as error:
                log.debug("reaction_without_effect", channel=fact.channel, reason=str(error))
            else:
                if fact.value == "down":
                    await self._ask(tx, timeline, rated)
                await timeline.save()

        await self._write(fact.address, unit)

    async def _ask(self, tx: Tx, timeline: Timeline, message_id: str) -> None:
        """Let a thumb down be followed by the question why, where the account asks it."""
        if self._asks_reasons(timeline.channel, timeline.account):
            await reasons.ask(tx, timeline, message_id)

    async def _stopped(self, fact: Stopped) -> None:
        row = await self._store.row(
            "conversations.identity_by_address", tenant=self._tenant, channel=fact.channel, account=fact.account,
            address=fact.address,
        )  # fmt: skip
        if row is not None and row["conversation_id"] is not None:
            await self._handoff.stop(row["conversation_id"])

    async def _revoked(self, fact: Revoked) -> None:
        async def unit(tx: Tx) -> bool:
            return await revoke(tx, self._tenant, fact.channel, fact.account, fact.reason)

        if await self._write(ACCOUNTS, unit):
            log.error("account_revoked", channel=fact.channel, account=fact.account, reason=fact.reason)

    async def _acted(self, fact: StaffActed) -> None:
        """Take in what staff did in Slack, waiting a moment for a thread that is just being made."""
        for _ in range(STAFF_LOOKS):
            try:
                taken = await self._write(ACCOUNTS, lambda tx: take(tx, self._tenant, fact))
            except Conflict:
                await asyncio.sleep(STAFF_LOOK_S)
                continue
            if not taken:
                log.debug("staff_act_passed_over", account=fact.account)
            return
        raise Conflict("the thread is not known yet; tell it again")


async def _again(step: Callable[[], Awaitable[T]]) -> T:
    """Run a unit again when somebody else wrote the same row for the first time; raises Conflict in the end."""
    for _ in range(TRIES - 1):
        try:
            return await step()
        except Conflict:
            await asyncio.sleep(0)
    return await step()


def _place(fact: Fact) -> Place:
    """What keeps its order: a conversation, a message we sent, or an account."""
    match fact:
        case Status():
            return (fact.channel, fact.account, "", fact.part_id or fact.provider_id)
        case Revoked():
            return (fact.channel, fact.account)
        case StaffActed():
            return (fact.channel, fact.account, fact.room, fact.thread)
        case _:
            return (fact.channel, fact.account, fact.address)


def _spoken(fact: Pressed) -> Inbound:
    """What a customer says who presses an offered reply, or a button of the shop's own template."""
    route = fact.route
    text = reply_text(fact.payload) or fact.label or fact.payload
    return Inbound(fact.channel, fact.account, fact.address, fact.external_id, text, fact.at, route=route)
