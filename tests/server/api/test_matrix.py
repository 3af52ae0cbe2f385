"""Every route of the table against every kind of caller, so that none is open by accident."""

import re
from pathlib import Path

import pytest

from config.settings import Settings
from server.api.webhooks import PATHS
from server.app import Parts
from server.routes import Role
from tests.server.desk import Desk, open_desk

OPEN = {  # addresses that check their caller themselves, or need none; everything else must refuse strangers
    ("POST", "/api/session"),
    ("POST", "/api/links/look"),
    ("POST", "/api/links/redeem"),
    ("GET", "/openapi.json"),
}
EXPECTED = {
    ("GET", "/api/session"): Role.VIEWER,
    ("DELETE", "/api/session"): Role.VIEWER,
    ("GET", "/api/sessions"): Role.VIEWER,
    ("DELETE", "/api/sessions/{id}"): Role.VIEWER,
    ("GET", "/api/people"): Role.ADMIN,
    ("POST", "/api/people"): Role.ADMIN,
    ("PATCH", "/api/people/{id}"): Role.ADMIN,
    ("POST", "/api/people/{id}/reset"): Role.ADMIN,
    ("GET", "/api/keys"): Role.ADMIN,
    ("POST", "/api/keys"): Role.ADMIN,
    ("DELETE", "/api/keys/{id}"): Role.ADMIN,
    ("GET", "/api/switch"): Role.VIEWER,
    ("PUT", "/api/switch"): Role.STAFF,
    ("GET", "/api/audit"): Role.ADMIN,
    ("GET", "/api/conversations"): Role.VIEWER,
    ("GET", "/api/conversations/{id}"): Role.VIEWER,
    ("POST", "/api/conversations/{id}/claim"): Role.STAFF,
    ("POST", "/api/conversations/{id}/return"): Role.STAFF,
    ("POST", "/api/conversations/{id}/close"): Role.STAFF,
    ("POST", "/api/conversations/{id}/messages"): Role.STAFF,
}


def plain(path: str) -> str:
    return re.sub(r"\{(\w+):.*?\}(?=/|$)", r"{\1}", path)


async def test_the_table_is_the_one_written_here(desk: Desk):
    table = {(route.method, plain(route.path)): route.role for route in desk.routes}
    console = {key for key in table if key[1].startswith("/console")}
    assert {table[key] for key in console} == {Role.PUBLIC}
    assert table == EXPECTED | dict.fromkeys(OPEN | console, Role.PUBLIC)


@pytest.mark.parametrize("caller", ["nobody", Role.VIEWER, Role.STAFF, Role.ADMIN])
@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE"])
async def test_every_route_answers_each_caller_as_its_role_says(tmp_path: Path, caller: str, method: str):
    async with open_desk(f"sqlite:///{tmp_path / 'desk.db'}") as desk:
        for (verb, path), needed in EXPECTED.items():
            if verb != method:
                continue
            browser = desk.browser()
            if isinstance(caller, Role):
                email = f"{verb}{path.replace('/', '-').strip('{}')}@example.com".lower()
                browser = await desk.signed_in(caller, email)
            answer = await browser.call(verb, path.replace("{id}", "unknown"), {} if verb != "GET" else None)
            reached = isinstance(caller, Role) and caller.covers(needed)
            if reached:
                assert answer.status in {200, 204, 404, 422}, (verb, path, await answer.text())
            else:
                assert answer.status == (403 if isinstance(caller, Role) else 401), (verb, path)
                assert answer.content_type == "application/problem+json"


async def test_every_unsafe_route_refuses_another_sites_page_and_a_missing_token(desk: Desk):
    browser = await desk.signed_in(Role.ADMIN)
    before = len(await desk.audit_rows())
    for verb, path in EXPECTED:
        if verb == "GET":
            continue
        url = path.replace("{id}", "unknown")
        browser.cross_site = True
        assert (await browser.call(verb, url, {})).status == 403, url
        browser.cross_site = False
        token, browser.csrf = browser.csrf, ""
        assert (await browser.call(verb, url, {})).status == 403, url
        browser.csrf = token
    assert len(await desk.audit_rows()) == before
    for _, path in sorted(OPEN - {("GET", "/openapi.json")}):
        browser.cross_site = True
        assert (await browser.call("POST", path, {})).status == 403, path


async def test_unsafe_routes_that_did_nothing_leave_no_audit_row(desk: Desk):
    browser = await desk.signed_in(Role.ADMIN)
    before = len(await desk.audit_rows())
    for verb, path in EXPECTED:
        if "{id}" in path and verb != "GET":
            answer = await browser.call(verb, path.replace("{id}", "unknown"), {} if "messages" not in path else None)
            assert answer.status in {404, 415}, path
    assert len(await desk.audit_rows()) == before


def test_the_table_of_the_whole_server_opens_nothing_else(tmp_path: Path):
    table = Parts(Settings(data_dir=tmp_path), "gateway").routes()
    ranked = {(route.method, plain(route.path)): route.role for route in table if route.role.rank}
    platforms = {("GET", "/api/channels"): Role.VIEWER, ("GET", "/api/media/{id}"): Role.VIEWER}
    assert ranked == EXPECTED | platforms
    strangers = {(route.method, plain(route.path)) for route in table if route.unsafe and route.role is Role.PUBLIC}
    hooks = {("POST", f"{path}{account}") for path in PATHS for account in ("", "/{account}")}  # signed by the platform
    assert strangers == {key for key in OPEN if key[0] != "GET"} | {("POST", "/web/session")} | hooks
    assert all(route.path.startswith("/web/") for route in table if route.role is Role.VISITOR)
    assert {route.audit for route in table if route.unsafe and route.role.rank} == {
        "session.close", "session.end", "person.invite", "person.change", "person.reset", "key.make", "key.revoke",
        "switch.set", "conversation.claim", "conversation.return", "conversation.close", "conversation.say",
    }  # fmt: skip
