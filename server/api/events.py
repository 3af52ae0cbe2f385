"""Everything committed as server-sent events for staff, and who looks at which conversation."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Annotated, Final, Literal

import structlog
from aiohttp import web
from pydantic import Field

from server.api.shapes import ID, Body
from server.api.stream import HEADERS, HEARTBEAT_S, STALLED_S, bound
from server.desk.live import Gap, Live, Sees, frame
from server.problems import Problem, too_many
from server.routes import AUDITED, PRINCIPAL, Principal, Role, Route, read_body, read_query
from server.shifts import end
from server.store.contract import Store, StoreError
from server.teams import Teams
from server.telemetry import Metrics

log = structlog.get_logger()

STREAMS: Final = 20  # of one caller at once: some tabs and windows
STREAMS_RETRY_S: Final = 5.0
LIFE_S: Final = 300.0  # then the reader comes back, and who it is is checked again
BACKLOG: Final = 5_000  # events; loading everything anew is quicker than reading more


class EventsQuery(Body):
    """Where to go on, for readers that cannot send a header."""

    after: Annotated[int, Field(ge=0, le=2**62)] | None = None


class ViewingBody(Body):
    """What one does with a conversation now; told again every few seconds while it lasts."""

    state: Literal["viewing", "typing", "left"]


class EventsApi:
    """Addresses ``/api/events`` and ``/api/conversations/{id}/viewing``."""

    def __init__(
        self,
        store: Store,
        tenant: str,
        live: Live,
        metrics: Metrics,
        teams: Teams,
        *,
        heartbeat_s: float = HEARTBEAT_S,
        stalled_s: float = STALLED_S,
        life_s: float = LIFE_S,
        heard: Callable[[str], Awaitable[None]] | None = None,
    ) -> None:
        self._store = store
        self._tenant = tenant
        self._live = live
        self._teams = teams
        self._metrics = metrics
        self._heartbeat_s = heartbeat_s
        self._stalled_s = stalled_s
        self._life_s = life_s
        self._heard = heard
        self._closing = False
        self._streams: Counter[str] = Counter()

    def routes(self) -> list[Route]:
        """The table of this resource."""
        return [
            Route("GET", "/api/events", self.events, Role.VIEWER, "Everything that happens, as server-sent events"),
            Route(
                "POST", f"/api/conversations/{ID}/viewing", self.viewing, Role.VIEWER,
                "Tell the others that one looks at a conversation or types there", "conversation.view",
                body=ViewingBody,
            ),
        ]  # fmt: skip

    def close_streams(self) -> None:
        """Let every reader come back later; for the server's shutdown."""
        self._closing = True
        self._live.wake()

    async def viewing(self, request: web.Request) -> web.Response:
        """Whisper it to the others; nothing is kept, so there is nothing to audit."""
        request[AUDITED] = True
        body = await read_body(request, ViewingBody)
        conversation_id, who = request.match_info["id"], request[PRINCIPAL]
        if await self._store.row("inbox.one", tenant=self._tenant, id=conversation_id) is None:
            raise Problem(404, "No such conversation", "There is no conversation with this id; reload the list.")
        await self._live.view(conversation_id, who.owner, who.name or who.owner, body.state)
        return web.Response(status=204)

    async def events(self, request: web.Request) -> web.StreamResponse:
        """The stream; ``Last-Event-ID`` (or ``after``) resumes it."""
        after, who = _resumes(request), request[PRINCIPAL].owner
        if self._streams[who] >= STREAMS:
            raise too_many(STREAMS_RETRY_S, f"More than {STREAMS} event streams are open; close some pages.")
        self._streams[who] += 1
        try:
            with self._metrics.sse_connections.labels("staff").track_inprogress(), self._live.reading():
                async with self._at_work(request[PRINCIPAL]):
                    return await self._serve(request, after)
        finally:
            self._streams[who] -= 1
            if not self._streams[who]:
                del self._streams[who]

    @asynccontextmanager
    async def _at_work(self, who: Principal) -> AsyncIterator[None]:
        """Say again and again that somebody of the staff has a console open, as long as they follow the stream."""
        heard = self._heard
        if heard is None or who.kind != "person" or not who.role.covers(Role.STAFF):
            yield
            return

        async def beat() -> None:
            while True:
                try:
                    await heard(who.id)
                except StoreError as error:
                    log.warning("presence_not_kept", error=type(error).__name__)
                await asyncio.sleep(self._heartbeat_s)

        beating = asyncio.create_task(beat(), name="presence")
        try:
            yield
        finally:
            await end([beating])

    async def _serve(self, request: web.Request, after: int | None) -> web.StreamResponse:
        tail = await self._live.start()
        response = web.StreamResponse(headers=HEADERS)
        await response.prepare(request)
        bound(request)
        try:
            await self._follow(response, request[PRINCIPAL], after, tail)
        except TimeoutError:
            log.info("staff_reader_stalled")
            if request.transport is not None:
                request.transport.abort()
        except ConnectionResetError:
            log.debug("staff_reader_left")
        except StoreError as error:
            log.warning("staff_reader_dropped", error=type(error).__name__)
        return response

    async def _follow(self, response: web.StreamResponse, who: Principal, after: int | None, tail: int) -> None:
        at = tail if after is None else after
        if at > tail:  # read from the store, or from another process, before this feed came so far
            tail = await self._live.newest()
        hello = frame("hello", {"number": tail, "at": time.time()}, at)
        state, heard = await self._live.opening(await self._sees(who))
        if at > tail or at < tail - BACKLOG:
            at, hello = tail, hello + frame("reset", {"number": tail}, tail)
        await self._write(response, hello + state)
        ends_at = time.monotonic() + self._life_s
        beat_at = time.monotonic() + self._heartbeat_s
        while not (self._closing or time.monotonic() > ends_at):
            news = self._live.next()  # before the read: what comes during it wakes at once
            committed, at = await self._committed(who, at)
            whispered, heard = await self._live.whispers(heard, await self._sees(who))
            if committed or whispered:
                await self._write(response, committed + whispered)
                beat_at = time.monotonic() + self._heartbeat_s
            elif not await _set(news, max(0.0, min(beat_at, ends_at + 0.01) - time.monotonic())):
                await self._write(response, b": ping\n\n")
                beat_at = time.monotonic() + self._heartbeat_s
        await self._write(response, frame("resume", {}))

    async def _committed(self, who: Principal, at: int) -> tuple[bytes, int]:
        """What comes next for somebody; a batch without anything for them is passed over."""
        sees = await self._sees(who)
        try:
            text, reached = await self._live.after(at, sees)
            while reached > at and not text:
                at = reached
                text, reached = await self._live.after(at, sees)
        except Gap:
            tail = self._live.tail
            return frame("reset", {"number": tail}, tail), tail
        return text, reached

    async def _sees(self, who: Principal) -> Sees | None:
        """Which conversations somebody hears of now; None: of all."""
        return partial(self._teams.visible, who) if await self._teams.scope(who) else None

    async def _write(self, response: web.StreamResponse, data: bytes) -> None:
        async with asyncio.timeout(self._stalled_s):
            await response.write(data)


async def _set(event: asyncio.Event, timeout_s: float) -> bool:
    try:
        async with asyncio.timeout(timeout_s):
            await event.wait()
    except TimeoutError:
        return False
    return True


def _resumes(request: web.Request) -> int | None:
    last = request.headers.get("Last-Event-ID", "").strip()
    if not last:
        return read_query(request, EventsQuery).after
    return EventsQuery.model_validate({"after": last}).after
