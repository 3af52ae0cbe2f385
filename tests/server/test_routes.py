from types import SimpleNamespace
from typing import Any

import pytest
from aiohttp import ClientSession, web
from aiohttp.test_utils import TestServer, make_mocked_request
from multidict import CIMultiDict

from config.settings import Http
from server.problems import Problem
from server.routes import AUDITED, PRINCIPAL, Principal, Role, Route, client_ip, install

STAFF = Principal("shop", "person", "p1", Role.STAFF, session="s")


class OneCaller:
    """A gate whose only caller is given, and that writes down what it is asked."""

    def __init__(self, principal: Principal | None = STAFF, *, forged: bool = False) -> None:
        self.principal = principal
        self.forged = forged
        self.recorded: list[str] = []

    async def who(self, _request: web.Request) -> Principal | None:
        return self.principal

    def check_forgery(self, _request: web.Request, _principal: Principal) -> None:
        if self.forged:
            raise Problem(403, "Forged")

    async def record(self, _request: web.Request, _principal: Principal, action: str) -> None:
        self.recorded.append(action)


async def fine(request: web.Request) -> web.Response:
    return web.json_response({"id": request[PRINCIPAL].id if PRINCIPAL in request else None})


async def audited(request: web.Request) -> web.Response:
    request[AUDITED] = True
    return web.Response()


async def refused(_request: web.Request) -> web.Response:
    raise Problem(409, "No")


async def status_of(gate: OneCaller, route: Route) -> int:
    app = web.Application()
    install(app, [route], gate)
    async with TestServer(app, host="127.0.0.1") as server, ClientSession() as client:
        return (await client.request(route.method, server.make_url(route.path))).status


def request_from(peer: str | None, *forwarded: str) -> web.Request:
    headers: CIMultiDict[str] = CIMultiDict()
    for line in forwarded:
        headers.add("X-Forwarded-For", line)
    transport: Any = SimpleNamespace(get_extra_info=lambda _name, _default=None: (peer, 1) if peer else "")
    return make_mocked_request("GET", "/", headers=headers, transport=transport)


@pytest.mark.parametrize(
    ("peer", "forwarded", "expected"),
    [
        ("198.51.100.7", [], "198.51.100.7"),
        ("198.51.100.7", ["203.0.113.9"], "198.51.100.7"),  # not from a trusted proxy: forged
        ("10.0.0.2", ["203.0.113.9"], "203.0.113.9"),
        ("10.0.0.2", ["1.1.1.1, 203.0.113.9"], "203.0.113.9"),  # only the last hop is the proxy's own word
        ("10.0.0.2", ["203.0.113.9, 10.0.0.3"], "203.0.113.9"),
        ("10.0.0.2", ["203.0.113.9", "10.0.0.3"], "203.0.113.9"),
        ("10.0.0.2", ["203.0.113.9:4711"], "203.0.113.9"),
        ("10.0.0.2", ["[2001:db8::1]:4711"], "2001:db8::1"),
        ("10.0.0.2", ["2001:db8::1"], "2001:db8::1"),
        ("10.0.0.2", ["unknown"], "10.0.0.2"),
        ("10.0.0.2", ["203.0.113.9, <script>"], "10.0.0.2"),
        ("::ffff:10.0.0.2", ["203.0.113.9"], "203.0.113.9"),
        ("10.0.0.2", [], "10.0.0.2"),
        (None, ["203.0.113.9"], ""),
    ],
)
def test_client_address_believes_only_trusted_proxies(peer: str | None, forwarded: list[str], expected: str):
    assert client_ip(request_from(peer, *forwarded), Http(trusted_proxies=("10.0.0.0/8",))) == expected


def test_without_trusted_proxies_the_header_is_ignored():
    assert client_ip(request_from("10.0.0.2", "203.0.113.9"), Http()) == "10.0.0.2"


def test_an_unsafe_route_with_a_rank_needs_an_audit_action():
    with pytest.raises(ValueError, match="audit"):
        Route("POST", "/x", fine, Role.VIEWER, "x")
    Route("POST", "/x", fine, Role.PUBLIC, "x")


def test_ranks_contain_the_ones_below():
    ranks = [Role.VIEWER, Role.STAFF, Role.ADMIN]
    for have, role in enumerate(ranks):
        assert [role.covers(needed) for needed in ranks] == [have >= need for need in range(3)]


@pytest.mark.parametrize(
    ("gate", "role", "status"),
    [
        (OneCaller(None), Role.PUBLIC, 200),
        (OneCaller(None), Role.VISITOR, 200),
        (OneCaller(None), Role.VIEWER, 401),
        (OneCaller(), Role.VIEWER, 200),
        (OneCaller(), Role.STAFF, 200),
        (OneCaller(), Role.ADMIN, 403),
        (OneCaller(forged=True), Role.STAFF, 403),
    ],
)
async def test_the_guard_stands_before_the_handler(gate: OneCaller, role: Role, status: int):
    assert await status_of(gate, Route("POST", "/x", fine, role, "x", "x.do")) == status
    assert gate.recorded == (["x.do"] if status == 200 and role.rank else [])


async def test_the_guard_does_not_repeat_an_audit_row_nor_record_refusals():
    for handler in (audited, refused):
        gate = OneCaller()
        await status_of(gate, Route("POST", "/x", handler, Role.STAFF, "x", "x.do"))
        assert gate.recorded == []


async def test_safe_methods_are_neither_checked_for_forgery_nor_recorded():
    gate = OneCaller(forged=True)
    assert await status_of(gate, Route("GET", "/x", fine, Role.STAFF, "x")) == 200
    assert gate.recorded == []


async def test_an_address_besides_the_table_stops_the_start():
    app = web.Application()
    install(app, [Route("GET", "/x", fine, Role.PUBLIC, "x")], OneCaller())
    app.router.add_get("/backdoor", fine)
    with pytest.raises(RuntimeError, match="without a declared role"):
        async with TestServer(app, host="127.0.0.1"):
            pass


def test_a_claim_by_a_key_is_not_taken_for_a_person():
    assert STAFF.owner == "p1"
    assert Principal("shop", "api_key", "k1", Role.STAFF).owner == "api_key:k1"
