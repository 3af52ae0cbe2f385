"""A simulated month at the desk, written through the real store, and its figures checked against an independent count.

    python -m benchmarks.month sqlite:////tmp/month.db [--conversations 5000] [--seed 6]

Customers write through the gateway, turns begin and end as the engine's do, people ask, claim, answer, give back and
close through the conversation's own transitions, ratings and surveys through theirs; only the clock is ours. Then the
events are folded (twice: as they came, and from zero), and every metric is compared with ``benchmarks.month_count``,
which reads nothing but the events and shares no code with the server.
"""

from __future__ import annotations

import argparse
import asyncio
import heapq
import itertools
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from benchmarks.month_check import BEGIN_S, RELEASES, TENANT, compare, facts_of
from channels.base import Limits
from channels.message import Inbound
from config.insight import Surveys
from config.settings import Settings
from models.chat import Usage
from server import lanes
from server.analytics.folding import Folding
from server.conversation import Claimed, Closed, Outcome, Reason, Refused, Returned, Status
from server.engine import record
from server.feedback import rate
from server.gateway import Gateway
from server.lanes import Lease
from server.store.contract import Event, Store, Tx, Value
from server.store.open import open_store
from server.surveys.asking import Asking
from server.surveys.scoring import score
from server.telemetry import Metrics
from server.timeline import lock

DAYS = 31
DAY_S = 86_400.0
LEASE_S = 1e7  # nobody else works here
CHANNELS = {"web": 50, "whatsapp": 25, "telegram": 15, "slack": 10}
LANGUAGES = {"en": 60, "de": 25, "es": 15}
WINDOW_S = 86_400.0
PLATFORM = Limits(4_096, "utf16", None, window_s=WINDOW_S)
PEOPLE = ("ana", "ben", "cleo")
HOURS = [1, 1, 1, 1, 1, 2, 3, 5, 8, 11, 12, 11, 10, 10, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2]  # weights of a day

Steps = AsyncIterator[float]


class MonthClock:
    """A clock that the simulation moves; leases run on it too."""

    def __init__(self) -> None:
        self.now_s = BEGIN_S

    def wall_s(self) -> float:
        """Epoch seconds in the simulated month."""
        return self.now_s

    def lease_s(self) -> float:
        """The same."""
        return self.now_s


@dataclass(frozen=True)
class Open:
    """An account of a platform, as far as surveys ask."""

    limits: Limits = PLATFORM


@dataclass
class Talk:
    """One customer's thread."""

    channel: str
    language: str
    address: str
    id: str = ""
    answers: list[str] = field(default_factory=list)


class Month:
    """Simulates talks on a store whose clock it moves."""

    def __init__(self, store: Store, clock: MonthClock, seed: int) -> None:
        self._store = store
        self._clock = clock
        self._random = random.Random(seed)
        settings = Settings(tenant=TENANT)
        self._gateway = Gateway(store, settings, Metrics())
        self._asking = Asking(
            store,
            TENANT,
            Surveys(csat=True, nps_days=20),
            lambda _c, _a: Open(),
            lambda _c, _a: False,
            lambda _c, _a, ref: ref,
        )
        self._ids = itertools.count(1)

    async def run(self, conversations: int) -> None:
        """Let so many customers come; some come back, so there are more cases than that."""
        order = itertools.count()
        waiting: list[tuple[float, int, Steps]] = []
        for _ in range(conversations):
            talk = Talk(self._one_of(CHANNELS), self._one_of(LANGUAGES), f"customer-{next(self._ids)}")
            heapq.heappush(waiting, (self._arrival(), next(order), self._life(talk)))
        while waiting:
            at, _, steps = heapq.heappop(waiting)
            self._clock.now_s = max(self._clock.now_s, at)
            pause = await anext(steps, None)
            if pause is not None:
                heapq.heappush(waiting, (self._clock.now_s + pause, next(order), steps))

    def _one_of(self, weights: dict[str, int]) -> str:
        return self._random.choices(list(weights), list(weights.values()))[0]

    def _arrival(self) -> float:
        hour = self._random.choices(range(24), HOURS)[0]
        return BEGIN_S + self._random.randrange(DAYS) * DAY_S + (hour + self._random.random()) * 3_600

    def _chance(self, part: float) -> bool:
        return self._random.random() < part

    async def _life(self, talk: Talk) -> Steps:
        """One customer: a case, and sometimes another one hours or days later."""
        async for pause in self._case(talk):
            yield pause
        while self._chance(0.18):
            yield self._random.expovariate(1 / (5 * DAY_S)) + 3_600
            async for pause in self._case(talk):
                yield pause

    async def _case(self, talk: Talk) -> Steps:
        for number in range(self._random.choice((1, 1, 1, 2, 2, 3, 5))):
            if number:
                yield self._random.expovariate(1 / 90)
            async for pause in self._turn(talk):
                yield pause
            if await self._status(talk) is not Status.BOT:
                break
        if talk.answers and self._chance(0.3):
            yield self._random.expovariate(1 / 20)
            await self._rates(talk)
        if await self._status(talk) in {Status.WAITING, Status.CLAIMED}:
            async for pause in self._people(talk):
                yield pause

    async def _turn(self, talk: Talk) -> Steps:
        """The customer writes, and what becomes of it: the engine is silent while staff hold the talk."""
        await self._says(talk)
        (lease,) = await self._write(lambda tx: lanes.take(tx, "in", 1, LEASE_S, "month", tenant=TENANT), talk)
        if await self._status(talk) is Status.CLAIMED:
            silent = record.Ending(Outcome.HANDED_OVER, lease.tail, reason="claimed")
            await self._write(lambda tx: record.end(tx, lease, silent), talk)
            return
        release = RELEASES[self._clock.now_s > BEGIN_S + 15 * DAY_S and self._chance(0.8)]
        begun = await self._write(lambda tx: record.begin(tx, lease, LEASE_S, release), talk)
        if self._chance(0.25):
            await self._calls(talk, lease)
        yield 0.4 + self._random.expovariate(1 / 3)
        await self._ends(talk, lease, begun, release)

    async def _ends(self, talk: Talk, lease: Lease, begun: record.Begun, release: str) -> None:
        luck = self._random.random()
        usage = Usage(self._random.randrange(200, 2_000), self._random.randrange(10, 250))
        more: dict[str, Any] = {"attempt": begun.attempt, "owner_epoch": begun.owner_epoch, "release_id": release}
        if luck < 0.8:
            ending = record.Ending(Outcome.ANSWERED, lease.tail, text="That takes two days.", usage=usage, **more)
        elif luck < 0.86:
            more |= {"role": "notice", "ask": Reason.MODEL_DOWN, "reason": "model"}
            ending = record.Ending(Outcome.GRACEFUL, lease.tail, text="Please wait.", **more)
        else:
            ask = self._random.choice((Reason.CUSTOMER_ASKED, Reason.LOW_CONFIDENCE, Reason.TOOL))
            text = self._random.choice(("", "A person will look."))
            more |= {"ask": ask, "reason": ask.value, "usage": usage}
            ending = record.Ending(Outcome.HANDED_OVER, lease.tail, text=text, **more)
        said = await self._write(lambda tx: record.end(tx, lease, ending), talk)
        if said is not None and ending.role == "assistant":
            talk.answers.append(said)

    async def _calls(self, talk: Talk, lease: Lease) -> None:
        state = "failed" if self._chance(0.1) else "done"

        async def unit(tx: Tx) -> None:
            place: dict[str, Value] = {"conversation_id": talk.id, "first_seq": lease.first_seq, "number": 0}
            await tx.run(
                "tools.add_step", **place, tenant=TENANT, tool="order_status", arguments="{}",
                key=f"k{next(self._ids)}", call_id="c", round=0, now=tx.now_s,
            )  # fmt: skip
            await tx.run("tools.end_step", **place, state=state, result="{}", now=tx.now_s)

        await self._write(unit, talk)

    async def _people(self, talk: Talk) -> Steps:
        """Somebody takes it, answers, and closes it or gives it back; some wait in vain."""
        if self._chance(0.05):
            return
        yield self._random.expovariate(1 / 400)
        person = self._random.choice(PEOPLE)
        if not await self._move(talk, Claimed(person)):
            return
        for _ in range(self._random.choice((0, 1, 1, 2, 3))):
            yield self._random.expovariate(1 / 120)
            await self._staff(talk, person)
            if self._chance(0.5):
                yield self._random.expovariate(1 / 60)
                async for pause in self._turn(talk):
                    yield pause
        yield self._random.expovariate(1 / 60)
        if self._chance(0.25):
            await self._move(talk, Returned(person))
            return
        case_id = await self._closes(talk, person)
        if case_id:
            yield 0.5
            await self._surveys(talk, case_id, person)

    async def _says(self, talk: Talk) -> None:
        inbound = Inbound(
            talk.channel, "default", talk.address, f"m{next(self._ids)}", "Where is my order?", self._clock.now_s,
            profile={"locale": talk.language},
        )  # fmt: skip
        talk.id = (await self._gateway.accept(inbound)).conversation_id

    async def _status(self, talk: Talk) -> Status:
        row = await self._store.row("conversations.read", id=talk.id)
        return Status(row["status"]) if row else Status.CLOSED

    async def _move(self, talk: Talk, fact: Claimed | Returned) -> bool:
        async def unit(tx: Tx) -> None:
            timeline = await lock(tx, talk.id)
            await timeline.change(fact)
            await timeline.save()

        try:
            await self._write(unit, talk)
        except Refused:
            return False
        return True

    async def _staff(self, talk: Talk, person: str) -> None:
        async def unit(tx: Tx) -> None:
            timeline = await lock(tx, talk.id)
            if timeline.state.owner == person:
                await timeline.say("staff", "I will see to it.", author=person)
                await timeline.save()

        await self._write(unit, talk)

    async def _closes(self, talk: Talk, person: str) -> str:
        outcome = "missed" if self._chance(0.2) else "met"

        async def unit(tx: Tx) -> str:
            timeline = await lock(tx, talk.id)
            if timeline.state.owner != person:
                return ""
            case_id = timeline.case_id or ""
            await timeline.change(Closed(person))
            await timeline.close_case(person)
            await timeline.save()
            told = {"kind": "first", "case_id": case_id, "outcome": outcome}
            tx.emit(Event(TENANT, "sla", told, talk.id))
            return case_id

        return str(await self._write(unit, talk))

    async def _rates(self, talk: Talk) -> None:
        async def unit(tx: Tx) -> None:
            timeline = await lock(tx, talk.id)
            message = self._random.choice(talk.answers)
            value = self._random.choice(("up", "up", "down", None))
            await rate(tx, timeline, message, ("customer", talk.address), value)
            await timeline.save()

        await self._write(unit, talk)

    async def _surveys(self, talk: Talk, case_id: str, person: str) -> None:
        async def asked(tx: Tx) -> None:
            await self._asking.ask(tx, await lock(tx, talk.id), case_id, person)

        async def scored(tx: Tx) -> None:
            timeline = await lock(tx, talk.id)
            row = await tx.row("surveys.last", conversation_id=talk.id)
            if row is not None and row["case_id"] == case_id:
                most = 5 if row["kind"] == "csat" else 10
                await score(tx, timeline, row["id"], self._random.choice((most, most - 1, 1)), talk.address)
                await timeline.save()

        await self._write(asked, talk)
        if self._chance(0.6):
            await self._write(scored, talk)

    async def _write(self, unit: Callable[[Tx], Awaitable[Any]], talk: Talk) -> Any:
        return await self._store.write(unit, order=talk.id)


async def main() -> None:
    """Simulate, fold, fold again, compare, and say how long each took."""
    parser = argparse.ArgumentParser(description="A simulated month and its figures")
    parser.add_argument("url")
    parser.add_argument("--conversations", type=int, default=5_000)
    parser.add_argument("--seed", type=int, default=6)
    chosen = parser.parse_args()
    clock = MonthClock()
    store = open_store(chosen.url, Settings().store, clock=clock)
    async with store.running():
        took = partial(_timed, time.perf_counter())
        await Month(store, clock, chosen.seed).run(chosen.conversations)
        took("simulated")
        folding = Folding(store, TENANT)
        await folding.run({})
        first = await facts_of(store)
        took("folded", cases=len(first))
        await folding.run({"rebuild": True})
        took("folded from zero", equal=await facts_of(store) == first)
        wrong = await compare(store, clock.now_s + 1)
        took("compared", wrong=len(wrong))
        with suppress(BrokenPipeError):
            print(*wrong[:20], sep="\n")


def _timed(began: float, what: str, **more: Any) -> None:
    said = " ".join(f"{name}={value}" for name, value in more.items())
    print(f"{time.perf_counter() - began:8.1f} s  {what} {said}")


if __name__ == "__main__":
    asyncio.run(main())
