"""The route table: every address with its role, and the guard that stands in front of each handler."""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Final, Protocol, TypeVar

from aiohttp import hdrs, web
from pydantic import BaseModel

from config.settings import Http
from server.headers import set_headers
from server.problems import Handler, Problem, problems
from server.sight import Sight

BODY_S: Final = 15.0  # for a whole body to arrive: a slow sender must not hold a connection for ever
FORWARDED: Final = ("X-Forwarded-Proto", "X-Forwarded-Host")
NO_HOST: Final = frozenset(" /?#@\\")
SAFE_METHODS: Final = frozenset({hdrs.METH_GET, hdrs.METH_HEAD, hdrs.METH_OPTIONS})

Body = TypeVar("Body", bound=BaseModel)
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class Role(StrEnum):
    """Who may call a route; the last three are ranks of people and API keys, each containing the one before."""

    PUBLIC = "public"
    VISITOR = "visitor"
    VIEWER = "viewer"
    STAFF = "staff"
    ADMIN = "admin"

    @property
    def rank(self) -> int:
        """0 for addresses that check their caller themselves (or nobody), 1 to 3 for viewer, staff, admin."""
        return {"viewer": 1, "staff": 2, "admin": 3}.get(self.value, 0)

    def covers(self, needed: Role) -> bool:
        """Whether somebody of this role may call a route that needs ``needed``."""
        return self.rank >= needed.rank


@dataclass(frozen=True, slots=True)
class Principal:
    """Who is calling: a signed-in person, an API key, or the command line."""

    tenant: str
    kind: str  # person | api_key | cli | system
    id: str
    role: Role
    name: str = ""
    email: str = ""
    session: str = ""  # sha256 of the session cookie; empty without one
    csrf_hash: str = ""
    scope: str = ""  # the channel accounts whose conversations they see, as server.teams writes it; empty = all

    @property
    def owner(self) -> str:
        """The id that a claimed conversation stores; keys are marked, so they are never taken for a person."""
        return self.id if self.kind == "person" else f"{self.kind}:{self.id}"

    @property
    def sight(self) -> Sight:
        """What lists need to leave out what the caller's teams do not see."""
        return Sight(self.owner, self.scope)


@dataclass(frozen=True, slots=True)
class Route:
    """One address. Unsafe methods with a role of VIEWER or higher must name the action for the audit."""

    method: str
    path: str
    handler: Handler
    role: Role
    summary: str
    audit: str = ""
    body: type[BaseModel] | None = None
    answer: type[BaseModel] | None = None

    def __post_init__(self) -> None:
        if self.unsafe and self.role.rank and not self.audit:
            raise ValueError(f"{self.method} {self.path} changes something, so it needs an audit action")

    @property
    def unsafe(self) -> bool:
        """Whether the method may change something."""
        return self.method not in SAFE_METHODS


PRINCIPAL: Final = web.RequestKey("principal", Principal)
ROUTE: Final = web.RequestKey("route", Route)
AUDITED: Final = web.RequestKey("audited", bool)  # set by whoever wrote the audit row inside the action's transaction
ROUTES: Final = web.AppKey("routes", tuple[Route, ...])


class Gate(Protocol):
    """What the guard needs to know about callers; implemented by :class:`server.auth.gate.Auth`."""

    async def who(self, request: web.Request) -> Principal | None:
        """The caller, or None for a stranger."""

    def check_forgery(self, request: web.Request, principal: Principal) -> None:
        """Raise a 403 problem for an unsafe request that another site may have sent with the caller's cookie."""

    async def check_scope(self, request: web.Request, principal: Principal) -> None:
        """Raise a 404 problem for something of a conversation that the caller's teams do not see."""

    async def record(self, request: web.Request, principal: Principal, action: str) -> None:
        """Write the audit row of an action that did not write one itself."""


def _guarded(route: Route, gate: Gate) -> Handler:
    """Wrap a handler in the checks of its route; nothing of the handler runs before they pass."""

    async def handle(request: web.Request) -> web.StreamResponse:
        request[ROUTE] = route
        if not route.role.rank:
            return await route.handler(request)
        principal = await gate.who(request)
        if principal is None:
            detail = "Sign in, or send an API key as `Authorization: Bearer fd_...`."
            raise Problem(401, "Not signed in", detail, headers={"WWW-Authenticate": "Bearer"})
        if not principal.role.covers(route.role):
            detail = f"This needs the role {route.role}; yours is {principal.role}. Ask an admin."
            raise Problem(403, "Not allowed", detail)
        if route.unsafe:
            gate.check_forgery(request, principal)
        if principal.scope:
            await gate.check_scope(request, principal)
        request[PRINCIPAL] = principal
        response = await route.handler(request)
        if route.unsafe and response.status < web.HTTPBadRequest.status_code and not request.get(AUDITED):
            await gate.record(request, principal, route.audit)
        return response

    return handle


@web.middleware
async def plain_bodies(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Refuse compressed request bodies: a few kilobytes could otherwise unpack into gigabytes."""
    if request.headers.get(hdrs.CONTENT_ENCODING, "identity").lower() != "identity":
        raise Problem(415, "Compressed body", "Send the body without Content-Encoding.")
    return await handler(request)


def install(app: web.Application, routes: Sequence[Route], gate: Gate) -> None:
    """Register the table with its guards and the middlewares; the only way an address may come into the app.

    Starting the app fails when an address was added besides the table, because it would have no role.
    """
    app.middlewares.extend([problems, plain_bodies])
    app.on_response_prepare.append(set_headers)
    app[ROUTES] = tuple(routes)
    guarded = set()
    for route in routes:
        handler = _guarded(route, gate)
        guarded.add(handler)
        app.router.add_route(route.method, route.path, handler)
        if route.method == hdrs.METH_GET and route.role is Role.PUBLIC:
            app.router.add_route(hdrs.METH_HEAD, route.path, handler)  # load balancers probe with HEAD

    async def all_declared(_: web.Application) -> None:
        strays = [str(known) for known in app.router.routes() if known.handler not in guarded]
        if strays:
            raise RuntimeError(f"addresses without a declared role: {strays}; add them to the route table")

    app.on_startup.append(all_declared)


async def read_body(request: web.Request, model: type[Body]) -> Body:
    """The request's JSON body as ``model``; raises 400, 413, 415 or 422 problems that name the fields."""
    if request.content_type != "application/json":
        raise Problem(415, "Not JSON", "Send the body as application/json.")
    return model.model_validate_json(await read_raw(request))


async def read_raw(request: web.Request, limit_bytes: int = 0) -> bytes:
    """The request's whole body as it came, within the size and time limits; raises 408 and 413 problems.

    ``limit_bytes`` is for addresses that need more than ``http.max_body_bytes``, which holds for all others.
    """
    reading = _read_up_to(request, limit_bytes) if limit_bytes else request.read()
    if request.content.is_eof():  # it came with the head: there is nothing to wait for
        return await reading
    try:
        async with asyncio.timeout(BODY_S):
            return await reading
    except TimeoutError:
        raise Problem(408, "Too slow", f"The body did not arrive within {BODY_S:g} s; send it again.") from None


async def _read_up_to(request: web.Request, limit_bytes: int) -> bytes:
    """A body of at most so many bytes, where the application's own limit does not count."""
    if (request.content_length or 0) > limit_bytes:
        raise web.HTTPRequestEntityTooLarge(limit_bytes, request.content_length or 0)
    body = bytearray()
    async for chunk in request.content.iter_any():
        body += chunk
        if len(body) > limit_bytes:
            raise web.HTTPRequestEntityTooLarge(limit_bytes, len(body))
    return bytes(body)


def read_query(request: web.Request, model: type[Body]) -> Body:
    """The query string as ``model``; a parameter given twice is refused, raises 422 problems."""
    query = request.query
    if len(query) != len(set(query)):
        raise Problem(422, "Invalid input", "Each query parameter may be given once.")
    return model.model_validate(dict(query))


@lru_cache(maxsize=16)
def _networks(trusted: tuple[str, ...]) -> tuple[Network, ...]:
    return tuple(ipaddress.ip_network(network, strict=False) for network in trusted)


def _address(text: str) -> Address | None:
    """One hop of X-Forwarded-For, with an optional port and brackets; v4-mapped addresses become v4."""
    text = text.strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def client_ip(request: web.Request, http: Http) -> str:
    """The caller's address; X-Forwarded-For counts only as far as it was written by ``http.trusted_proxies``.

    Read from the right: each trusted hop vouches for the one to its left. A malformed hop ends the walk. Empty for
    callers without an address (Unix sockets).
    """
    address = _address(request.remote or "")
    if address is None:
        return ""
    trusted = _networks(http.trusted_proxies)
    hops = [hop for line in request.headers.getall("X-Forwarded-For", []) for hop in line.split(",")]
    while hops and any(address in network for network in trusted):
        before = _address(hops.pop())
        if before is None:
            break
        address = before
    return str(address)


def called_url(request: web.Request, http: Http) -> str:
    """The address the caller used: by ``http.public_url``, else as the request or a trusted proxy says.

    ``X-Forwarded-Proto`` and ``X-Forwarded-Host`` count only from a peer in ``http.trusted_proxies``; of several
    values the last one was written by that peer. Raises a 400 problem for a Host that is none.
    """
    path = request.raw_path if request.raw_path.startswith("/") else request.path_qs
    if http.public_url:
        return f"{http.public_url}{path}"
    scheme, host = request.scheme, request.host
    if any(name in request.headers for name in FORWARDED) and _trusted(request.remote or "", http):
        scheme = _last(request, "X-Forwarded-Proto") or scheme
        host = _last(request, "X-Forwarded-Host") or host
    if scheme not in {"http", "https"} or not host or not NO_HOST.isdisjoint(host):
        raise Problem(400, "Bad host", "The Host header is not a valid host and port.")
    return f"{scheme}://{host}{path}"


def _trusted(remote: str, http: Http) -> bool:
    address = _address(remote)
    return address is not None and any(address in network for network in _networks(http.trusted_proxies))


def _last(request: web.Request, header: str) -> str:
    return ",".join(request.headers.getall(header, [])).rpartition(",")[2].strip()
