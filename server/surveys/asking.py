"""Asks about cases that are over: right after staff closed one, or when a talk with the bot alone fell silent.

Cases are found behind the events that close them, so whoever closes one needs to know nothing of surveys. A case is
asked about once: its row in ``survey`` is the proof. Nobody is asked who said STOP, blocked us or signed out, nor
behind a closed window.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Final, Protocol

import structlog

from channels.base import Limits, pulls
from config.insight import Surveys
from server import shifts
from server.conversation import NotFound, Status
from server.ids import new_id
from server.store.contract import Row, Store, Tx
from server.surveys.words import Kind, choices, question
from server.timeline import Timeline, lock

log = structlog.get_logger()

CURSOR: Final = "surveys"
BATCH: Final = 50
LATE_S: Final = 3_600.0  # a case that was closed longer ago is not asked about any more
WINDOW_MARGIN_S: Final = 120.0  # for the message to leave before the window closes
DAY_S: Final = 86_400.0
MINUTE_S: Final = 60.0
BODY: Final = "survey"  # in the message that asks: {id, kind}
CHOICES: Final = "choices"  # beside it on platforms: pairs of label and signed payload
REPLIES: Final = "replies"  # beside it on the web: what pressing says


class Place(Protocol):
    """What asking needs of a channel account."""

    @property
    def limits(self) -> Limits:
        """What its platform can carry."""


Places = Callable[[str, str], Place | None]  # (channel, account)
Sign = Callable[[str, str, str], str]  # (channel, account, "<score>:<survey id>"): payload of a button
Silent = Callable[[str, str], bool]  # (channel, account): whether the bot must not write there


class Asking:
    """Asks customers of one bot."""

    def __init__(
        self, store: Store, tenant: str, settings: Surveys, places: Places, silent: Silent, sign: Sign
    ) -> None:
        self._store = store
        self._tenant = tenant
        self._settings = settings
        self._places = places
        self._silent = silent
        self._sign = sign
        self._wake = asyncio.Event()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Follow what is closed until the block ends; history from before the first start is left alone."""
        await self._store.write(lambda tx: tx.run("surveys.begin", tenant=self._tenant, name=CURSOR))
        stop = self._store.listen("conversation", lambda _topic, _payload: self._wake.set())
        task = asyncio.create_task(
            shifts.repeat("surveys", self.step, partial(shifts.rested, self._wake)), name="surveys"
        )
        try:
            yield
        finally:
            stop()
            await shifts.end([task])

    async def step(self) -> None:
        """Ask about every case that was closed since the last step, and about talks that fell silent."""
        while rows := await self._store.rows("surveys.closed", tenant=self._tenant, name=CURSOR, count=BATCH):
            for row in rows:
                await self._about(row)
        if self._settings.idle_minutes:
            until = time.time() - self._settings.idle_minutes * MINUTE_S
            silent = await self._store.rows(
                "surveys.silent", tenant=self._tenant, since=until - LATE_S, until=until, count=BATCH
            )
            for row in silent:
                await self._write(row["conversation_id"], row["case_id"], None)

    async def _about(self, event: Row) -> None:
        """One closing event: asked about where staff closed it just now, and passed either way."""
        body = json.loads(event["body"])
        by = str(body.get("by") or "")
        fresh = time.time() - event["created_at"] < LATE_S
        if fresh and by not in {"", "idle", "platform"} and event["conversation_id"]:
            await self._write(event["conversation_id"], str(body["case_id"]), by)
        number = event["number"]
        await self._store.write(lambda tx: tx.run("surveys.move", tenant=self._tenant, name=CURSOR, number=number))

    async def _write(self, conversation_id: str, case_id: str, person: str | None) -> None:
        async def unit(tx: Tx) -> bool:
            try:
                timeline = await lock(tx, conversation_id)
            except NotFound:  # erased since
                return False
            return await self.ask(tx, timeline, case_id, person)

        if await self._store.write(unit, order=conversation_id):
            log.info("survey_asked", conversation=conversation_id)

    async def ask(self, tx: Tx, timeline: Timeline, case_id: str, person: str | None) -> bool:
        """Ask about one case of a locked conversation and save it; False where nothing is to be asked."""
        case = await tx.row("surveys.case", id=case_id, conversation_id=timeline.id)
        if case is None or not case["heard"] or not case["answers"] or not self._may(timeline, tx.now_s, person):
            return False
        kind = await self._kind(tx, case["customer_id"])
        if kind is None:
            return False
        survey_id = new_id()
        mine = await tx.row(
            "surveys.add", id=survey_id, tenant=self._tenant, conversation_id=timeline.id, case_id=case_id,
            customer_id=case["customer_id"], channel=timeline.channel, account=timeline.account,
            release_id=case["release_id"], person_id=person, kind=kind, now=tx.now_s,
        )  # fmt: skip
        if mine is None:  # somebody asked already
            return False
        extra = {BODY: {"id": survey_id, "kind": kind}, **self._offered(timeline, kind, survey_id)}
        message_id = await timeline.say(
            "notice", question(kind, timeline.language), extra=extra, by_staff=person is not None
        )
        await tx.run("surveys.said", id=survey_id, message_id=message_id)
        told = {"survey": survey_id, "case_id": case_id, "kind": kind, "state": "asked"}
        timeline.emit("survey", told, audience="staff")
        await timeline.save(touch=False)
        return True

    def _offered(self, timeline: Timeline, kind: Kind, survey_id: str) -> dict[str, object]:
        """What can be pressed: signed buttons on platforms, words in the page of the customer, who is known there."""
        labels = choices(kind, timeline.channel)
        if pulls(timeline.channel):
            return {REPLIES: list(labels)}
        place = (timeline.channel, timeline.account)
        return {CHOICES: [[label, self._sign(*place, f"{value}:{survey_id}")] for label, value in labels.items()]}

    def _may(self, timeline: Timeline, now_s: float, person: str | None) -> bool:
        """Whether this customer may be written to, here and now."""
        gone = timeline.signed_out_at is not None and timeline.signed_out_at >= timeline.said_at
        unwanted = any((timeline.opted_out_at, timeline.blocked_at, timeline.banned_at))
        if gone or unwanted or timeline.account.startswith("~") or timeline.channel not in self._settings.channels:
            return False
        if person is None:
            over = timeline.state.status is Status.BOT
        else:  # they may have come back before they were asked
            over = timeline.state.status is Status.CLOSED and timeline.case_id is None
        return over and (pulls(timeline.channel) or self._reaches(timeline, now_s, by_bot=person is None))

    def _reaches(self, timeline: Timeline, now_s: float, *, by_bot: bool) -> bool:
        """Whether a message would arrive on a platform; what is said on behalf of staff goes out without the bot."""
        place = self._places(timeline.channel, timeline.account)
        if place is None or (by_bot and self._silent(timeline.channel, timeline.account)):
            return False
        window_s = place.limits.window_s
        return window_s is None or now_s - timeline.said_at < window_s - WINDOW_MARGIN_S

    async def _kind(self, tx: Tx, customer_id: str) -> Kind | None:
        """Which question is due: the recommendation once in so many days, else satisfaction."""
        days = self._settings.nps_days
        if days:
            asked = await tx.row(
                "surveys.asked_since", tenant=self._tenant, customer_id=customer_id, kind="nps",
                since=tx.now_s - days * DAY_S,
            )  # fmt: skip
            if asked is None:
                return "nps"
        return "csat" if self._settings.csat else None
