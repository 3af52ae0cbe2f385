"""Races of a staff claim against an answer being generated and sent, judged by the database itself.

Triggers write down, inside the transactions, when a conversation was claimed, when a part of a bot's message was marked
sending, when its outcome was recorded, and when a message of the bot was stored. The order of these notes is the order
of the commits: marks and claims of one conversation hold the same row.
"""

from __future__ import annotations

import asyncio
import random
import sqlite3
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncpg
from aiohttp import ClientSession, CookieJar, web

from server.auth.passwords import Passwords
from server.routes import Role
from server.store.contract import Tx
from server.store.statements import load, parse
from tests.doubles.platform import Courier
from tests.model_double import ModelDouble, Pace
from tests.scenario import Service, Visitor, desk
from tests.scenarios.lines import LINES
from tests.scenarios.platforms import Rig

PLACES = ("web", "slack", "telegram", "twilio", "meta")
WORD = "zebra"
QUESTION = f"{WORD} " * 14
PACE = Pace(tokens_per_s=60.0, first_token_s=0.03)
SPAN_S = 0.75  # an answer is generated and sent within about this; the claim comes anywhere in it
SENDING = 0.15  # share of it in which a stored answer is on its way to the platform
LATE_S = (0.0, 0.06)  # how long the platform takes to answer a call
TOGETHER = 6
SILENT_S = 0.2
PATIENT = 5.0  # the platforms' pauses between tries are divided by this: a busy machine may need a second one
PASSWORD = "correct horse battery"
ACCESS = {"argon2_memory_kib": 8_192, "attempts_per_minute": 1_000}

for dialect in ("sqlite", "postgresql"):
    load(dialect).update(parse("race", """
-- name: log
-- What happened to a conversation, in the order of the commits.
select n, what, part, state from race_log where conversation = :conversation order by n;
""", dialect))  # fmt: skip

SQLITE = """
create table race_log (n integer primary key autoincrement, what text, conversation text, part text, state text);
create trigger race_claim after update of owner_epoch on conversation when new.owner_epoch > old.owner_epoch begin
    insert into race_log (what, conversation) values ('claim', new.id); end;
create trigger race_part after update of state, attempts on part
when (select author || kind from outbox where id = new.outbox_id) = 'botmessage' begin
    insert into race_log (what, conversation, part, state) select 'part', o.conversation_id, new.id,
        case when new.attempts > old.attempts then 'marked' else new.state end
    from outbox o where o.id = new.outbox_id; end;
create trigger race_said after insert on message when new.role = 'assistant' begin
    insert into race_log (what, conversation) values ('said', new.conversation_id); end;
"""
POSTGRESQL = """
create table race_log (n bigserial primary key, what text, conversation text, part text, state text);
create function race_claim() returns trigger language plpgsql as $$ begin
    if new.owner_epoch > old.owner_epoch then
        insert into race_log (what, conversation) values ('claim', new.id); end if; return null; end $$;
create trigger race_claim after update on conversation for each row execute function race_claim();
create function race_part() returns trigger language plpgsql as $$ begin
    insert into race_log (what, conversation, part, state) select 'part', o.conversation_id, new.id,
        case when new.attempts > old.attempts then 'marked' else new.state end
    from outbox o where o.id = new.outbox_id and o.author = 'bot' and o.kind = 'message'; return null; end $$;
create trigger race_part after update on part for each row execute function race_part();
create function race_said() returns trigger language plpgsql as $$ begin
    insert into race_log (what, conversation) values ('said', new.conversation_id); return null; end $$;
create trigger race_said after insert on message for each row when (new.role = 'assistant')
    execute function race_said();
"""


async def watch(url: str) -> None:
    """Install the triggers in a running service's database."""
    if url.startswith("sqlite"):
        with closing(sqlite3.connect(url.removeprefix("sqlite:///"), timeout=20)) as base, base:
            base.executescript(SQLITE)
        return
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(POSTGRESQL)
    finally:
        await connection.close()


@dataclass
class Verdict:
    """What so many races came to; ``silent_s`` is how long after a claim's answer the bot was last heard."""

    races: int = 0
    marked_after: int = 0
    stored_after: int = 0
    wrong_lists: int = 0
    in_flight: int = 0
    phases: dict[str, int] = field(default_factory=dict)
    silent_s: list[float] = field(default_factory=list)
    claim_s: list[float] = field(default_factory=list)

    def judge(self, log: list[dict[str, Any]], listed: int) -> None:
        """Count one race: its notes in order, and how many sends the claim's answer listed."""
        self.races += 1
        at = next(number for number, note in enumerate(log) if note["what"] == "claim")
        before, after = log[:at], log[at + 1 :]
        self.marked_after += sum(note["state"] == "marked" for note in after)
        self.stored_after += sum(note["what"] == "said" for note in after)
        open_parts = {note["part"]: note["state"] for note in before if note["what"] == "part"}
        flying = sum(state in {"marked", "sending", "uncertain"} for state in open_parts.values())
        self.wrong_lists += flying != listed
        self.in_flight += flying
        said = any(note["what"] == "said" for note in before)
        phase = "while sending" if flying else "after the send" if open_parts else "stored" if said else "generating"
        self.phases[phase] = self.phases.get(phase, 0) + 1

    @property
    def clean(self) -> bool:
        """Whether the promise held in every race."""
        return not (self.marked_after or self.stored_after or self.wrong_lists)


class Crew:
    """Staff who are signed in over HTTP."""

    def __init__(self, service: Service, sessions: list[tuple[ClientSession, str]]) -> None:
        self._service = service
        self._sessions = sessions

    async def claim(self, conversation: str, number: int = 0) -> tuple[int, dict[str, Any]]:
        """Claim as staff member ``number``; returns status and answer."""
        session, csrf = self._sessions[number]
        headers = {"X-CSRF-Token": csrf, "Sec-Fetch-Site": "same-origin"}
        url = f"{self._service.base}/api/conversations/{conversation}/claim"
        async with session.post(url, headers=headers) as answer:
            return answer.status, await answer.json()

    async def all_claim(self, conversation: str) -> list[int]:
        """Everybody claims at once; returns the statuses."""
        tries = [self.claim(conversation, number) for number in range(len(self._sessions))]
        return [status for status, _ in await asyncio.gather(*tries)]


@asynccontextmanager
async def crew(service: Service, count: int) -> AsyncIterator[Crew]:
    """So many members of staff, each with a session of their own."""
    password_hash = await Passwords(8_192).hash(PASSWORD)

    async def hire(tx: Tx) -> None:
        for number in range(count):
            await tx.run(
                "people.add", id=f"p{number}", tenant=service.settings.tenant, email=f"p{number}@example.com",
                name=f"Person {number}", role=Role.STAFF.value, password_hash=password_hash, now=tx.now_s,
            )  # fmt: skip

    await service.store.write(hire)
    async with AsyncExitStack() as stack:
        sessions = []
        for number in range(count):
            session = await stack.enter_async_context(ClientSession(cookie_jar=CookieJar(unsafe=True)))
            body = {"email": f"p{number}@example.com", "password": PASSWORD}
            headers = {"Sec-Fetch-Site": "same-origin"}
            async with session.post(f"{service.base}/api/session", json=body, headers=headers) as answer:
                assert answer.status == 200, await answer.text()
                sessions.append((session, str((await answer.json())["csrf"])))
        yield Crew(service, sessions)


class Ear:
    """Hears every call to a platform that carries the bot's words, by customer."""

    def __init__(self, seed: int) -> None:
        self.heard: list[tuple[float, str]] = []
        self._random = random.Random(seed)

    def listen_to(self, app: web.Application) -> None:
        """Hear what a double is told, before it answers; each call takes it a little while."""

        @web.middleware
        async def hear(
            request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
        ) -> web.StreamResponse:
            body = (await request.read()).decode("utf-8", "replace") if request.method == "POST" else ""
            if WORD in body:
                self.heard.append((time.monotonic(), body))
            answer = await handler(request)
            await asyncio.sleep(self._random.uniform(*LATE_S))
            return answer

        app.middlewares.append(hear)

    def last(self, place: str, begun: float) -> float:
        """When the bot's words last left for a customer; ``begun`` where none did."""
        digits = place.lstrip("+")
        return max([at for at, body in self.heard if digits in body], default=begun)


async def races(place: str, url: str, folder: Path, count: int, seed: int) -> Verdict:
    """Run so many races on one channel and judge them."""
    chance = random.Random(seed)
    delays = [chance.uniform(0.0, SPAN_S) for _ in range(count)]
    verdict = Verdict()
    gate = asyncio.Semaphore(TOGETHER)
    if place == "web":
        async with desk(url, folder, pace=PACE, access=ACCESS) as service, crew(service, 1) as staff:
            await watch(url)
            await asyncio.gather(*(_on_web(service, staff, delay, verdict, gate) for delay in delays))
        return verdict
    ear = Ear(seed)
    async with _there(place, url, folder, ear) as there, crew(there.service, 1) as staff:
        await watch(url)
        await asyncio.gather(
            *(_on_platform(there, staff, ear, number, delay, verdict, gate) for number, delay in enumerate(delays))
        )
    return verdict


@asynccontextmanager
async def _there(place: str, url: str, folder: Path, ear: Ear) -> AsyncIterator[Rig]:
    """The service with one platform that is listened to."""
    line = LINES[place](Courier(LINES[place].patience, hurry=PATIENT))
    ear.listen_to(line.double.app)
    async with ModelDouble(PACE) as model, line.running():
        made = Rig(line, model, url, folder, {"outbox": {"draft_after_s": 0.1}, "access": ACCESS})
        await made.up()
        try:
            yield made
        finally:
            await made.down()


async def _on_web(service: Service, staff: Crew, delay_s: float, verdict: Verdict, gate: asyncio.Semaphore) -> None:
    async with gate:
        visitor = await service.visitor()
        await visitor.say(QUESTION)
        await asyncio.sleep(delay_s)
        heard: list[float] = []
        listening = asyncio.create_task(_frames(visitor, heard))
        listed = await _claimed(staff, visitor.conversation, verdict)
        claimed_at = time.monotonic()
        await _ended(service, visitor.conversation)
        listening.cancel()
        verdict.silent_s.append(max(0.0, max(heard, default=claimed_at) - claimed_at))
        await _judge(service, visitor.conversation, verdict, listed)
        await visitor.leave()


async def _frames(visitor: Visitor, heard: list[float]) -> None:
    """Note when words of the bot reach the page."""
    seen = sum(frame.kind == "draft" for frame in visitor.frames)
    while True:
        now = sum(frame.kind == "draft" for frame in visitor.frames)
        if now > seen:
            heard.append(time.monotonic())
            seen = now
        await asyncio.sleep(0.005)


async def _on_platform(
    there: Rig, staff: Crew, ear: Ear, number: int, delay_s: float, verdict: Verdict, gate: asyncio.Semaphore
) -> None:
    async with gate:
        customer = there.customer(f"c{number}")
        delivered = await customer.says(QUESTION)
        assert delivered.accepted, delivered
        conversation = (await customer.conversation())["id"]
        await _moment(there.service, conversation, delay_s, number)
        listed = await _claimed(staff, conversation, verdict)
        claimed_at = time.monotonic()
        await _ended(there.service, conversation)
        verdict.silent_s.append(max(0.0, ear.last(customer.place, claimed_at) - claimed_at))
        await _judge(there.service, conversation, verdict, listed)


async def _moment(service: Service, conversation: str, delay_s: float, number: int) -> None:
    """Wait for the moment of a claim: every other one comes right when the answer was stored, or a little later."""
    if number % 2:
        await asyncio.sleep(delay_s)
        return
    async with asyncio.timeout(20):
        while not any(
            note["what"] == "said" for note in await service.store.rows("race.log", conversation=conversation)
        ):
            await asyncio.sleep(0.002)
    await asyncio.sleep(delay_s * SENDING)


async def _claimed(staff: Crew, conversation: str, verdict: Verdict) -> int:
    started = time.monotonic()
    status, answer = await staff.claim(conversation)
    assert status == 200, answer
    verdict.claim_s.append(time.monotonic() - started)
    return len(answer["in_flight"])


async def _ended(service: Service, conversation: str) -> None:
    """Wait until neither a turn nor a send of the conversation is open."""
    async with asyncio.timeout(20):
        while any(row["key"] == conversation for row in await service.store.rows("rig.pending")):
            await asyncio.sleep(0.02)


async def _judge(service: Service, conversation: str, verdict: Verdict, listed: int) -> None:
    log = await service.store.rows("race.log", conversation=conversation)
    verdict.judge([dict(note) for note in log], listed)


async def contests(url: str, folder: Path, people: int, count: int) -> list[list[int]]:
    """So many people claim one conversation at the same moment, again and again; returns the statuses of each time."""
    async with desk(url, folder, pace=PACE, access=ACCESS) as service, crew(service, people) as staff:
        found = []
        for _ in range(count):
            visitor = await service.visitor()
            await visitor.say(QUESTION)
            found.append(await staff.all_claim(visitor.conversation))
            await visitor.leave()
        return found
