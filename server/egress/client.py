"""The one HTTP client for addresses that somebody other than the installer chose.

A name is resolved once per connection, every address of the answer is judged, and the connection is made to exactly
those addresses, so a name that answers differently the next time wins nothing. A second check stands where the socket
is made. Redirects are followed by hand, each as a new address. No proxy of the environment, no cookies, no repeats.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from typing import Any, TypeAlias

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from server.egress.addresses import Address, address_of, why_not_public
from server.egress.contract import EgressFailed, EgressRefused, Response, TooLarge
from server.egress.decoding import ACCEPT_ENCODING, Body
from server.egress.target import Allowed, Target, read

Resolve: TypeAlias = Callable[[str, int], Awaitable[list[str]]]

CONNECTIONS = 20
KEEP_S = 15.0  # an idle connection
CONNECT_S = 10.0
READ_BYTES = 16 * 1024  # unpacked between two looks at the loop: at most 200 times that
HEADER_BYTES = 8_190  # of one line or field
MOST_REDIRECTS = 5
REDIRECTS = frozenset({301, 302, 303, 307, 308})
_ABROAD = frozenset({"accept", "accept-language", "user-agent"})  # headers that follow a redirect to another origin


async def system_resolve(host: str, port: int) -> list[str]:
    """Every address the system's name service has for a host; raises OSError."""
    answers = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(answer[4][0]) for answer in answers))


class Egress:
    """Calls strangers' addresses; ``allow_hosts`` are the installer's exceptions (``host`` or ``host:port``).

    ``max_bytes`` bounds an unpacked answer, ``timeout_s`` a whole call with its redirects.
    """

    def __init__(
        self,
        allow_hosts: Iterable[str] = (),
        *,
        max_bytes: int = 8_000_000,
        timeout_s: float = 15.0,
        user_agent: str = "frontdesk",
        resolve: Resolve = system_resolve,
    ) -> None:
        self._allowed = Allowed(allow_hosts)
        self._max_bytes = max_bytes
        self._timeout_s = timeout_s
        self._user_agent = user_agent
        self._guard = _Guard(self._allowed, resolve)
        self._session: aiohttp.ClientSession | None = None

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Keep connections while this is open; no call works outside."""
        connector = aiohttp.TCPConnector(
            resolver=self._guard,
            use_dns_cache=False,
            socket_factory=self._guard.socket,
            limit=CONNECTIONS,
            keepalive_timeout=KEEP_S,
        )
        session = aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={"User-Agent": self._user_agent, "Accept-Encoding": ACCEPT_ENCODING},
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_S),
            auto_decompress=False,
            trust_env=False,
            max_line_size=HEADER_BYTES,
            max_field_size=HEADER_BYTES,
        )
        async with session:
            self._session = session
            try:
                yield
            finally:
                self._session = None

    def check(self, url: str) -> str:
        """The address as it would be called; raises EgressRefused for all that can be seen without the name service."""
        return str(read(url, self._allowed).url)

    async def addresses(self, url: str) -> list[str]:
        """Where an address leads now, every one judged; for clients that connect by themselves. Raises EgressError."""
        target = read(url, self._allowed)
        if target.address is not None:
            return [str(target.address)]
        return [str(address) for address in await self._guard.judged(target.host, target.port)]

    async def get(
        self,
        url: str,
        headers: Mapping[str, str] | None = None,
        *,
        accept: Callable[[str], bool] | None = None,
        redirects: int = MOST_REDIRECTS,
        max_bytes: int | None = None,
    ) -> Response:
        """Fetch an address; ``accept`` may decline a type before its body is read. Raises EgressError."""
        return await self.request("GET", url, headers, accept=accept, redirects=redirects, max_bytes=max_bytes)

    async def post(self, url: str, body: bytes, headers: Mapping[str, str] | None = None) -> Response:
        """Send bytes; a redirect is given back as the answer it is, never followed. Raises EgressError."""
        return await self.request("POST", url, headers, body=body)

    async def request(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str] | None = None,
        *,
        body: bytes | None = None,
        accept: Callable[[str], bool] | None = None,
        redirects: int = MOST_REDIRECTS,
        max_bytes: int | None = None,
        timeout_s: float | None = None,
    ) -> Response:
        """Call an address once; only GET and HEAD follow redirects. Raises EgressRefused and EgressFailed."""
        follow = redirects if method in {"GET", "HEAD"} else 0
        most = self._max_bytes if max_bytes is None else max_bytes
        limit_s = self._timeout_s if timeout_s is None else timeout_s
        target = read(url, self._allowed)
        try:
            async with asyncio.timeout(limit_s):
                return await self._walk(method, target, dict(headers or {}), body, accept, follow, most)
        except TimeoutError:
            raise EgressFailed(f"{target.host} gave no complete answer within {limit_s:g} s") from None

    async def _walk(
        self,
        method: str,
        target: Target,
        headers: dict[str, str],
        body: bytes | None,
        accept: Callable[[str], bool] | None,
        follow: int,
        most: int,
    ) -> Response:
        for left in range(follow, -1, -1):
            answer = await self._once(method, target, headers, body, accept, most)
            place = answer.headers.get("location", "")
            if answer.status not in REDIRECTS or not place or not follow:
                return answer
            if not left:
                break
            following = read(_joined(target.url, place), self._allowed)
            if following.url.origin() != target.url.origin():
                headers = {name: value for name, value in headers.items() if name.lower() in _ABROAD}
            target = following
        raise EgressFailed(f"{target.host} redirects more than {follow} times")

    async def _once(
        self,
        method: str,
        target: Target,
        headers: Mapping[str, str],
        body: bytes | None,
        accept: Callable[[str], bool] | None,
        most: int,
    ) -> Response:
        if self._session is None:
            raise RuntimeError("Egress is used outside running()")
        try:
            async with self._session.request(
                method, target.url, headers=headers, data=body, allow_redirects=False
            ) as answer:
                return await _read(answer, accept, most)
        except (aiohttp.ClientError, OSError) as error:
            if isinstance(error, TimeoutError) and not isinstance(error, aiohttp.ClientError):
                raise
            kind = type(error).__name__
            if isinstance(error, aiohttp.ClientConnectorError | aiohttp.ConnectionTimeoutError):
                raise EgressFailed(f"{target.host} cannot be reached ({kind})", sent=False) from None
            raise EgressFailed(f"{target.host} broke off ({kind})") from None
        except ValueError:
            raise EgressRefused("a header of the call contains a line break or another control character") from None


class _Guard(AbstractResolver):
    """The name service as the connector sees it: judged addresses or EgressRefused."""

    def __init__(self, allowed: Allowed, resolve: Resolve) -> None:
        self._allowed = allowed
        self._resolve = resolve
        self._inside: set[tuple[Address, int]] = set()  # not public, but of an allowed host

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Every address of the host, none of which is off limits."""
        return [
            ResolveResult(
                hostname=host,
                host=str(address),
                port=port,
                family=socket.AF_INET if address.version == 4 else socket.AF_INET6,  # noqa: PLR2004
                proto=socket.IPPROTO_TCP,
                flags=socket.AI_NUMERICHOST,
            )
            for address in await self.judged(host.removesuffix("."), port)
            if family in {socket.AF_UNSPEC, socket.AF_INET if address.version == 4 else socket.AF_INET6}  # noqa: PLR2004
        ]

    async def judged(self, host: str, port: int) -> list[Address]:
        """Resolve and judge; one bad address among good ones refuses them all."""
        try:
            texts = await self._resolve(host, port)
        except (OSError, UnicodeError):
            raise EgressFailed(f"the name {host} cannot be resolved", sent=False) from None
        found: list[Address] = []
        for text in texts:
            address = address_of(text)
            if address is None:
                raise EgressRefused(f"the name service gave no proper address for {host}")
            self._allowed.judge(host, port, address)
            found.append(address)
        if not found:
            raise EgressFailed(f"the name {host} has no address", sent=False)
        if (host, port) in self._allowed:
            self._inside.update((address, port) for address in found if why_not_public(address))
        return found

    def socket(self, info: tuple[Any, ...]) -> socket.socket:
        """Make the socket of a connection, unless its address is one that nobody judged."""
        family, kind, protocol, _, place = info
        address = address_of(str(place[0]))
        if address is None:
            raise EgressRefused("a connection was about to be made to something that is no address")
        if why_not_public(address) and (address, place[1]) not in self._inside:
            self._allowed.judge(str(address), int(place[1]), address)
        return socket.socket(family=family, type=kind, proto=protocol)

    async def close(self) -> None:
        """Nothing is held."""


async def _read(answer: aiohttp.ClientResponse, accept: Callable[[str], bool] | None, most: int) -> Response:
    headers = {name.lower(): value for name, value in reversed(list(answer.headers.items()))}  # the first one counts
    plain = Response(answer.status, str(answer.url), headers)
    success = answer.status in range(200, 300)
    if answer.status in REDIRECTS or (success and accept is not None and not accept(plain.mime)):
        answer.close()
        return Response(plain.status, plain.url, headers, skipped=True)
    if (answer.content_length or 0) > most:
        answer.close()
        raise TooLarge(f"the answer is larger than {most} bytes")
    body = Body(headers.get("content-encoding", ""), most)
    async for piece in answer.content.iter_chunked(READ_BYTES):
        body.add(piece)
    return Response(plain.status, plain.url, headers, body.whole())


def _joined(base: URL, place: str) -> str:
    """A Location header as an address; what yarl cannot join is left for the check to refuse."""
    try:
        return place if URL(place).scheme else str(base.join(URL(place)))
    except ValueError:
        return place
