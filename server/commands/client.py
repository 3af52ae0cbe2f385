"""A customer of the web channel over HTTP: what the widget does, for the terminal and the demo."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp

from server.commands.failure import Failure

REQUEST_TIMEOUT_S = 15.0
SILENCE_S = 45.0  # the server pings every 15 s; three missed pings mean a dead connection
RECONNECT_S = 1.0
TOO_MANY = 429
UNAVAILABLE = 503


@dataclass(frozen=True, slots=True)
class Frame:
    """One server-sent event; ``id`` is empty for ephemeral ones."""

    event: str
    data: dict[str, Any]
    id: str = ""


class Customer:
    """One visitor's conversation; open with ``async with Customer.visiting(url, account) as customer``."""

    def __init__(self, http: aiohttp.ClientSession, base_url: str) -> None:
        self._http = http
        self._base = base_url
        self._headers: dict[str, str] = {}
        self._last_id = ""
        self.conversation_id = ""
        self.name = ""
        self.disclosure = ""

    @classmethod
    @asynccontextmanager
    async def visiting(cls, base_url: str, account: str = "default") -> AsyncIterator[Customer]:
        """Start a session as a new anonymous visitor; raises Failure when no server answers."""
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=REQUEST_TIMEOUT_S, sock_read=SILENCE_S)
        async with aiohttp.ClientSession(timeout=timeout) as http:
            customer = cls(http, base_url.rstrip("/"))
            answer = await customer._call("POST", "/web/session", {"account": account})
            customer._headers["Authorization"] = f"Bearer {answer['token']}"
            customer.conversation_id = answer["conversation_id"]
            customer.name = answer.get("name", "")
            customer.disclosure = answer.get("disclosure", "")
            yield customer

    async def model_state(self) -> str:
        """``ready``, ``loading`` or ``down``, as the snapshot tells customers."""
        return str((await self._call("GET", self._path()))["model"])

    async def say(self, text: str) -> int:
        """Send a message once, however often the request is repeated; returns its sequence number."""
        body = {"client_message_id": str(uuid.uuid4()), "text": text}
        return int((await self._call("POST", self._path("/messages"), body))["seq"])

    async def stop(self) -> None:
        """Stop the answer being written."""
        await self._call("POST", self._path("/stop"), {})

    async def frames(self) -> AsyncIterator[Frame]:
        """Every event from the start of the conversation on; reconnects and resumes until cancelled."""
        while True:
            try:
                async for frame in self._connection():
                    yield frame
            except (aiohttp.ClientError, TimeoutError):
                pass  # resumed below by the last event id
            await asyncio.sleep(RECONNECT_S)

    async def _connection(self) -> AsyncIterator[Frame]:
        headers = {**self._headers, **({"Last-Event-ID": self._last_id} if self._last_id else {})}
        async with self._http.get(self._base + self._path("/events"), headers=headers) as response:
            if response.status in {401, 404}:
                raise Failure("the session ended", "start the command again")
            response.raise_for_status()
            async for frame in parse(response.content):
                self._last_id = frame.id or self._last_id
                if frame.event == "reset":
                    self._last_id = str(frame.data.get("last_event_id", ""))
                yield frame

    def _path(self, tail: str = "") -> str:
        return f"/web/conversations/{self.conversation_id}{tail}"

    async def _call(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        timeout = aiohttp.ClientTimeout(total=REQUEST_TIMEOUT_S)
        request = self._http.request(method, self._base + path, json=body, headers=self._headers, timeout=timeout)
        try:
            async with request as response:
                text = await response.text()
        except (aiohttp.ClientError, TimeoutError) as error:
            raise Failure(
                f"no server answers at {self._base} ({type(error).__name__})", "start one with: frontdesk serve"
            ) from None
        answer = _json(text)
        if response.status in {TOO_MANY, UNAVAILABLE}:
            wait_s = response.headers.get("Retry-After", "a few")
            raise Failure(f"the server asks to wait {wait_s} s: {_detail(answer)}", "repeat it then")
        if response.status >= 400:  # noqa: PLR2004 - HTTP's class of client and server errors
            raise Failure(f"{method} {path} answered {response.status}: {_detail(answer)}", "frontdesk doctor")
        return answer


async def parse(stream: aiohttp.StreamReader) -> AsyncIterator[Frame]:
    """Split an event stream into frames; comments are skipped, JSON that is none becomes an empty mapping."""
    event, identifier, data = "message", "", ""
    async for raw in stream:
        line = raw.decode("utf-8", "replace").rstrip("\r\n")
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if not line:
            if data:
                yield Frame(event, _json(data), identifier)
            event, identifier, data = "message", "", ""
        elif field == "event":
            event = value
        elif field == "id":
            identifier = value
        elif field == "data":
            data += value


def _json(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text) if text else {}
    except json.JSONDecodeError:
        return {}
    return value if isinstance(value, dict) else {}


def _detail(answer: dict[str, Any]) -> str:
    return str(answer.get("detail") or answer.get("title") or "no reason given")
