from server.routes import Role
from tests.server.desk import PASSWORD, Desk


async def test_signing_in_and_out(both_desk: Desk):
    browser = await both_desk.signed_in(Role.STAFF)
    me = await (await browser.call("GET", "/api/session")).json()
    assert (me["email"], me["role"], me["csrf"]) == ("staff@example.com", "staff", browser.csrf)
    answer = await browser.call("DELETE", "/api/session")
    assert answer.status == 204
    assert not browser.cookies()
    assert (await browser.call("GET", "/api/session")).status == 401
    assert [row["action"] for row in await both_desk.audit_rows()] == ["session.close", "session.open"]


async def test_one_can_sign_out_the_browser_one_left_open_elsewhere(both_desk: Desk):
    here = await both_desk.signed_in(Role.STAFF)
    there = both_desk.browser()
    await there.sign_in("staff@example.com")
    sessions = (await (await here.call("GET", "/api/sessions")).json())["sessions"]
    assert sorted(session["current"] for session in sessions) == [False, True]
    other = next(session["id"] for session in sessions if not session["current"])
    assert (await here.call("DELETE", f"/api/sessions/{other}")).status == 204
    assert (await there.call("GET", "/api/session")).status == 401
    assert (await here.call("GET", "/api/session")).status == 200
    assert (await here.call("DELETE", f"/api/sessions/{other}")).status == 404
    assert [row["target"] for row in await both_desk.audit_rows("session.end")] == [other]


async def test_nobody_ends_somebody_elses_session(desk: Desk):
    ana = await desk.signed_in(Role.STAFF, "ana@example.com")
    eve = await desk.signed_in(Role.ADMIN, "eve@example.com")
    session = (await (await ana.call("GET", "/api/sessions")).json())["sessions"][0]["id"]
    assert (await eve.call("DELETE", f"/api/sessions/{session}")).status == 404
    assert (await ana.call("GET", "/api/session")).status == 200


async def test_api_keys_have_no_sessions(desk: Desk):
    admin = await desk.signed_in(Role.ADMIN)
    key = await (await admin.call("POST", "/api/keys", {"name": "x", "role": "admin"})).json()
    program = desk.browser()
    bearer = {"Authorization": f"Bearer {key['key']}"}
    assert (await (await program.call("GET", "/api/sessions", **bearer)).json()) == {"sessions": []}
    assert (await program.call("DELETE", "/api/session", **bearer)).status == 403


async def test_credentials_are_checked_before_any_hashing(desk: Desk):
    browser = desk.browser()
    for body in ({}, {"email": "x", "password": PASSWORD}, {"email": "a@b", "password": ""}, {"email": "a@b\n@c"}):
        assert (await browser.call("POST", "/api/session", body)).status == 422
    for extra in ({"email": "a@b.c", "password": PASSWORD, "admin": True},):
        assert (await browser.call("POST", "/api/session", extra)).status == 422
    assert desk.passwords.verified == []
