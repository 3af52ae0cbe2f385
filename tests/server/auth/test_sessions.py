"""Cookies, rotation, idleness and age, over a running desk."""

from pathlib import Path

import pytest

from config.settings import Access, Http
from server.auth.sessions import LOOPBACK_COOKIE, SECURE_COOKIE
from server.auth.tokens import fingerprint
from server.routes import Role
from tests.server.desk import PASSWORD, TENANT, Desk, open_desk


async def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites(desk: Desk):
    browser = desk.browser()
    answer = await browser.sign_in(await desk.person(Role.STAFF))
    cookie = answer.headers["Set-Cookie"]
    assert cookie.startswith(f"{LOOPBACK_COOKIE}=")
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    assert "Path=/" in cookie
    assert "Domain" not in cookie


async def test_behind_https_the_cookie_is_host_bound_and_secure(tmp_path: Path):
    http = Http(public_url="https://desk.example.com")
    async with open_desk(f"sqlite:///{tmp_path / 'desk.db'}", http=http) as desk:
        answer = await desk.browser().sign_in(await desk.person(Role.STAFF))
        cookie = answer.headers["Set-Cookie"]
        assert cookie.startswith(f"{SECURE_COOKIE}=")
        assert "Secure" in cookie


async def test_a_planted_cookie_is_never_adopted_and_the_old_session_ends(desk: Desk):
    email = await desk.person(Role.STAFF)
    browser = desk.browser()
    browser.session.cookie_jar.update_cookies({LOOPBACK_COOKIE: "planted"}, desk.server.make_url("/"))
    await browser.sign_in(email)
    first = browser.cookies()[LOOPBACK_COOKIE]
    assert first != "planted"
    await browser.sign_in(email)
    second = browser.cookies()[LOOPBACK_COOKIE]
    assert second != first
    other = desk.browser()
    other.session.cookie_jar.update_cookies({LOOPBACK_COOKIE: first}, desk.server.make_url("/"))
    assert (await other.call("GET", "/api/session")).status == 401


async def test_a_stolen_row_is_not_a_cookie(desk: Desk):
    browser = await desk.signed_in(Role.ADMIN)
    rows = await desk.store.rows(
        "access.sessions", person_id="person-admin@example.com", now=desk.clock(), idle_since=0.0
    )
    assert rows[0]["token_hash"] == fingerprint(browser.cookies()[LOOPBACK_COOKIE])
    session = await desk.store.row(
        "access.session", token_hash=rows[0]["token_hash"], tenant=TENANT, now=desk.clock(), idle_since=0.0
    )
    assert session is not None
    thief = desk.browser()
    for value in (session["token_hash"], session["csrf_hash"]):
        thief.session.cookie_jar.update_cookies({LOOPBACK_COOKIE: value}, desk.server.make_url("/"))
        assert (await thief.call("GET", "/api/session")).status == 401
    assert session["csrf_hash"] != browser.csrf


@pytest.mark.parametrize(("hours", "status"), [(11.0, 200), (12.5, 401)])
async def test_idle_sessions_end(desk: Desk, hours: float, status: int):
    browser = await desk.signed_in(Role.STAFF)
    desk.clock.now_s += hours * 3_600
    assert (await browser.call("GET", "/api/session")).status == status


async def test_use_keeps_a_session_alive_but_not_beyond_its_age(tmp_path: Path):
    access = Access(session_idle_h=1, session_max_h=5)
    async with open_desk(f"sqlite:///{tmp_path / 'desk.db'}", access=access) as desk:
        browser = await desk.signed_in(Role.STAFF)
        statuses = []
        for _ in range(7):
            desk.clock.now_s += 0.8 * 3_600
            statuses.append((await browser.call("GET", "/api/session")).status)
        assert statuses == [200] * 6 + [401]


async def test_another_tenants_session_is_nobody_here(both_desk: Desk):
    browser = await both_desk.signed_in(Role.STAFF)
    token_hash = fingerprint(browser.cookies()[LOOPBACK_COOKIE])
    row = await both_desk.store.row(
        "access.session", token_hash=token_hash, tenant="other", now=both_desk.clock(), idle_since=0.0
    )
    assert row is None


async def test_strange_browser_names_do_no_harm(both_desk: Desk):
    email = await both_desk.person(Role.STAFF)
    browser = both_desk.browser()
    answer = await browser.call(
        "POST", "/api/session", {"email": email, "password": PASSWORD}, User_Agent="Böse\tKatze" + "x" * 500
    )
    assert answer.status == 200
    listed = (await (await browser.call("GET", "/api/sessions")).json())["sessions"]
    assert listed[0]["device"].startswith("BöseKatze")
    assert len(listed[0]["device"]) == 200
