"""Socket Mode: events over our own connection, acknowledged only after they are stored.

The library's client runs a task per envelope, so two messages of one person could overtake each other, and its
listeners' faults are swallowed. Here envelopes that wait are stored together, in order, in one commit, and then
acknowledged; what was not acknowledged comes again. A fault of the store ends the connection and the call.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Any

import structlog
from aiohttp import ClientError, ClientWebSocketResponse, WSMsgType

from channels.base import Accept, Limited, SendError, Services, Unauthorized, Unavailable
from channels.message import Fact
from channels.slack.api import Api
from channels.slack.route import seconds

log = structlog.get_logger()

PING_S = 10.0  # a dead connection is noticed within one and a half of these
TOGETHER_MAX = 100  # envelopes of one commit
PAUSE_MAX_S = 30.0
HOPELESS_PAUSE_S = 60.0  # a wrong token, or Socket Mode switched off: somebody has to act first
GAP_S = 2.0  # shorter interruptions are covered by Slack's own repeats
OVERLAP_S = 60.0
GAP = "socket_gap"  # name of the cursor

Normalize = Callable[[Mapping[str, Any]], Sequence[Fact]]
CatchUp = Callable[[float], AsyncIterator[Sequence[Fact]]]


class Socket:
    """The event connection of one app; ``api`` must be open, ``app_api`` holds the app-level token."""

    def __init__(self, app_api: Api, normalize: Normalize, catch_up: CatchUp | None, services: Services) -> None:
        self._api = app_api
        self._normalize = normalize
        self._catch_up = catch_up
        self._services = services
        self._seen_s: float | None = None  # until when the last connection was surely up
        self._missing_since_s: float | None = None  # from when on messages may be missing

    async def listen(self, accept: Accept) -> None:
        """Connect again and again until cancelled; raises only what ``accept`` and the services raise."""
        pause_s = 0.0
        if self._missing_since_s is None:
            self._missing_since_s = seconds(await self._services.load(GAP)) or None
        while True:
            try:
                await self._connection(accept)
                pause_s = 0.0
            except Unauthorized as error:
                log.warning("slack_socket_refused", code=error.code, repair="check app_token and its connections:write")
                pause_s = HOPELESS_PAUSE_S
            except Limited as error:
                pause_s = error.retry_after_s
            except SendError as error:
                pause_s = min(max(2 * pause_s, 0.5), PAUSE_MAX_S)
                log.warning("slack_socket_down", code=error.code, detail=error.detail, again_in_s=pause_s)
            await self._lost()
            await asyncio.sleep(pause_s)

    async def _connection(self, accept: Accept) -> None:
        """One connection from its opening until it ends; raises SendError when it could not be opened."""
        url = str((await self._api.read("apps_connections_open", app_token=self._api.token)).get("url") or "")
        session = self._api.session
        if session is None or not url.startswith(("wss://", "ws://")):
            raise Unavailable("no_socket", "Slack named no address to connect to")
        try:
            async with asyncio.timeout(self._api.timeout_s):
                socket = await session.ws_connect(url, heartbeat=PING_S, max_msg_size=0)
        except (TimeoutError, ClientError, OSError) as error:
            raise Unavailable("no_connection", type(error).__name__) from None
        try:
            await self._serve(socket, accept)
        finally:
            await socket.close()

    async def _serve(self, socket: ClientWebSocketResponse, accept: Accept) -> None:
        await self._lost()
        waiting: asyncio.Queue[Mapping[str, Any] | None] = asyncio.Queue()
        missed = asyncio.create_task(self._missed(accept))
        both = [
            asyncio.create_task(self._read(socket, waiting)),
            asyncio.create_task(self._work(socket, waiting, accept)),
        ]
        try:
            await asyncio.gather(*both)
        finally:
            for task in (missed, *both):
                task.cancel()
            await asyncio.gather(missed, *both, return_exceptions=True)

    async def _read(self, socket: ClientWebSocketResponse, waiting: asyncio.Queue[Mapping[str, Any] | None]) -> None:
        """Put frames into the queue until the connection ends or Slack asks for a new one; None is the end."""
        unseen_s = 1.5 * PING_S  # a connection that breaks was last answered at most this long ago
        try:
            async for frame in socket:
                message = _object(frame.data) if frame.type is WSMsgType.TEXT else {}
                if message.get("type") == "disconnect":
                    log.info("slack_socket_renewed", reason=str(message.get("reason")))
                    unseen_s = 0.0
                    break
                if message.get("envelope_id"):
                    waiting.put_nowait(message)
        finally:
            self._seen_s = time.time() - unseen_s
        waiting.put_nowait(None)

    async def _work(
        self, socket: ClientWebSocketResponse, waiting: asyncio.Queue[Mapping[str, Any] | None], accept: Accept
    ) -> None:
        """Store what waits, then acknowledge it."""
        ended = False
        while not ended:
            taken = [await waiting.get()]
            while not waiting.empty() and len(taken) < TOGETHER_MAX:
                taken.append(waiting.get_nowait())
            ended = None in taken
            envelopes = [each for each in taken if each is not None]
            if facts := [fact for envelope in envelopes for fact in self._facts(envelope)]:
                await accept(facts)
            for envelope in envelopes:
                await self._acknowledge(socket, envelope)

    def _facts(self, envelope: Mapping[str, Any]) -> Sequence[Fact]:
        payload = envelope.get("payload")
        return self._normalize(payload) if isinstance(payload, Mapping) else ()

    async def _acknowledge(self, socket: ClientWebSocketResponse, envelope: Mapping[str, Any]) -> None:
        try:
            await socket.send_str(json.dumps({"envelope_id": envelope["envelope_id"]}))
        except (ClientError, OSError) as error:
            # the connection is gone: it comes again over another one, and is known by then
            log.info("slack_envelope_unacknowledged", error=type(error).__name__)

    async def _lost(self) -> None:
        """Note durably from when on messages may be missing, so that a restart in an outage forgets nothing."""
        if self._missing_since_s is None and self._seen_s is not None and time.time() - self._seen_s > GAP_S:
            self._missing_since_s = self._seen_s
            await self._services.save(GAP, f"{self._seen_s:.6f}")

    async def _missed(self, accept: Accept) -> None:
        """What came while there was no connection, read back until that succeeded once."""
        while self._catch_up is not None and (since_s := self._missing_since_s) is not None:
            try:
                async for facts in self._catch_up(since_s - OVERLAP_S):
                    await accept(facts)
            except SendError as error:
                log.warning("slack_catch_up_failed", code=error.code, detail=error.detail)
                await asyncio.sleep(PAUSE_MAX_S)
            else:
                self._missing_since_s = None
                await self._services.save(GAP, "")


def _object(text: str) -> Mapping[str, Any]:
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return found if isinstance(found, Mapping) else {}
