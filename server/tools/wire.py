"""What tools need of HTTP, the guarded client that does it, and what an answer means for a call."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Protocol

from server.egress import Egress, EgressError, EgressFailed
from server.egress.client import Resolve, system_resolve
from server.tools.contract import ToolError, ToolRefused, ToolTimeout, ToolUnavailable

MAX_BYTES = 1_000_000  # of one answer
DETAIL_CHARACTERS = 200  # of the other side's words that are passed on
_AGAIN = {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.UNAUTHORIZED}


@dataclass(frozen=True, slots=True)
class Answer:
    """A complete answer; names of headers are lower case."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


class Http(Protocol):
    """One guarded request: the address is checked, no redirect is followed, the answer is bounded."""

    async def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        body: bytes | None,
        timeout_s: float,
        max_bytes: int,
        allow_hosts: Sequence[str],
    ) -> Answer:
        """Send and read to the end.

        Raises ToolUnavailable where nothing was answered or the address is not allowed, ToolTimeout after
        ``timeout_s``; a private address needs its ``host`` or ``host:port`` in ``allow_hosts``.
        """
        ...

    async def check(self, url: str, allow_hosts: Sequence[str]) -> None:
        """Judge an address for a client that connects by itself; raises ToolUnavailable."""
        ...


class GuardedHttp:
    """:class:`Http` over :class:`server.egress.Egress`: one client per list of allowed hosts, made on first use."""

    def __init__(self, resolve: Resolve = system_resolve) -> None:
        self._resolve = resolve
        self._clients: dict[tuple[str, ...], Egress] = {}
        self._stack: AsyncExitStack | None = None

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Keep connections while this is open; no call works outside."""
        async with AsyncExitStack() as stack:
            self._stack = stack
            try:
                yield
            finally:
                self._stack = None
                self._clients.clear()

    async def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        body: bytes | None,
        timeout_s: float,
        max_bytes: int,
        allow_hosts: Sequence[str],
    ) -> Answer:
        """One request as :class:`Http` says."""
        client = await self._client(tuple(sorted(allow_hosts)))
        try:
            async with asyncio.timeout(timeout_s):
                answer = await client.request(
                    method, url, headers, body=body, redirects=0, max_bytes=max_bytes, timeout_s=timeout_s + 1
                )
        except TimeoutError:
            raise ToolTimeout(f"the other side did not answer within {timeout_s:g} s") from None
        except EgressFailed as error:
            if method in {"GET", "HEAD"} or not error.sent:
                raise ToolUnavailable(error.reason) from None
            raise ToolTimeout(f"{error.reason}; it may have been done") from None
        except EgressError as error:
            raise ToolUnavailable(error.reason) from None
        return Answer(answer.status, answer.body, answer.headers)

    async def check(self, url: str, allow_hosts: Sequence[str]) -> None:
        """Judge an address as :class:`Http` says."""
        client = await self._client(tuple(sorted(allow_hosts)))
        try:
            await client.addresses(url)
        except EgressError as error:
            raise ToolUnavailable(error.reason) from None

    async def _client(self, allow_hosts: tuple[str, ...]) -> Egress:
        if self._stack is None:
            raise RuntimeError("tools are called outside running()")
        client = self._clients.get(allow_hosts)
        if client is None:
            client = self._clients[allow_hosts] = Egress(allow_hosts, max_bytes=MAX_BYTES, resolve=self._resolve)
            await self._stack.enter_async_context(client.running())
        return client


def content(answer: Answer) -> dict[str, Any]:
    """What an answer of the 2xx class says, as a JSON object; raises what :func:`failure` makes of any other."""
    if not HTTPStatus.OK <= answer.status < HTTPStatus.MULTIPLE_CHOICES:
        raise failure(answer)
    text = answer.body.decode("utf-8", "replace")
    if not text.strip():
        return {}
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return {"text": text}
    return value if isinstance(value, dict) else {"result": value}


def failure(answer: Answer) -> ToolError:
    """A refusal with the other side's own words for the 4xx class, unavailable for what may work later."""
    status = answer.status
    if status in _AGAIN or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return ToolUnavailable(f"the other side answered {status}; try again later")
    if status < HTTPStatus.BAD_REQUEST:
        return ToolUnavailable(f"the other side redirects ({status}); name its real address in the tools file")
    detail = _detail(answer)
    return ToolRefused(detail or f"the other side refused it ({status})")


def _detail(answer: Answer) -> str:
    """The words of a problem (RFC 9457) or of the common homemade forms."""
    try:
        problem = json.loads(answer.body.decode("utf-8", "replace"))
    except (ValueError, RecursionError):
        return ""
    if isinstance(problem, dict) and isinstance(problem.get("error"), dict):
        problem = problem["error"]
    if not isinstance(problem, dict):
        return ""
    words = next((problem[key] for key in ("detail", "message", "title", "error") if problem.get(key)), "")
    return " ".join(words.split())[:DETAIL_CHARACTERS] if isinstance(words, str) else ""
