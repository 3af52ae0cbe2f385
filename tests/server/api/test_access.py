from server.routes import Role
from tests.server.auth.test_second import call, code, enrolled, first_step
from tests.server.desk import PASSWORD, Desk


async def test_an_admin_sees_and_takes_back_invitations(both_desk: Desk):
    admin = await both_desk.signed_in(Role.ADMIN)
    made = await call(admin, "POST", "/api/people", {"email": "new@example.com", "role": "staff"}, 201)
    listed = (await call(admin, "GET", "/api/invitations"))["invitations"]
    assert [(row["email"], row["role"]) for row in listed] == [("new@example.com", "staff")]
    await call(admin, "DELETE", f"/api/invitations/{listed[0]['id']}", status=204)
    await call(admin, "DELETE", f"/api/invitations/{listed[0]['id']}", status=404)
    assert (await call(admin, "GET", "/api/invitations"))["invitations"] == []
    token = made["url"].partition("#")[2]
    assert (await both_desk.browser().call("POST", "/api/links/look", {"token": token})).status == 410
    assert [row["action"] for row in await both_desk.audit_rows("person.uninvite")] == ["person.uninvite"]


async def test_an_admin_sees_where_somebody_is_and_helps_with_a_lost_app(both_desk: Desk):
    admin = await both_desk.signed_in(Role.ADMIN)
    made = await call(admin, "POST", "/api/people", {"email": "new@example.com", "role": "staff"}, 201)
    browser = both_desk.browser()
    body = {"token": made["url"].partition("#")[2], "name": "Neo", "password": PASSWORD}
    me = await call(browser, "POST", "/api/links/redeem", body, 201)
    browser.csrf = me["csrf"]
    person = f"/api/people/{me['id']}"
    assert len((await call(admin, "GET", f"{person}/sessions"))["sessions"]) == 1
    await call(admin, "DELETE", f"{person}/second-factor", status=404)
    secret, _ = await enrolled(both_desk, browser)
    listed = (await call(admin, "GET", "/api/people"))["people"]
    assert {row["email"]: row["second_factor"] for row in listed} == {
        "admin@example.com": False,
        "new@example.com": True,
    }
    await call(admin, "DELETE", f"{person}/sessions", status=204)
    assert (await browser.call("GET", "/api/session")).status == 401
    assert (await call(admin, "GET", f"{person}/sessions"))["sessions"] == []
    ticket = await first_step(browser, "new@example.com")
    await call(browser, "POST", "/api/session/code", {"ticket": ticket, "code": code(both_desk, secret)})
    await call(admin, "DELETE", f"{person}/second-factor", status=204)
    assert (await browser.call("GET", "/api/session")).status == 401
    assert (await browser.sign_in("new@example.com")).status == 200
    await call(admin, "GET", "/api/people/nobody/sessions", status=404)
    actions = [row["action"] for row in await both_desk.audit_rows() if row["action"].startswith("person.")]
    assert actions == ["person.second_factor", "person.sign_out", "person.invite"]


async def test_an_admin_lets_somebody_try_again(desk: Desk):
    admin = await desk.signed_in(Role.ADMIN)
    made = await call(admin, "POST", "/api/people", {"email": "new@example.com", "role": "viewer"}, 201)
    body = {"token": made["url"].partition("#")[2], "name": "Neo", "password": PASSWORD}
    me = await call(desk.browser(), "POST", "/api/links/redeem", body, 201)
    browser = desk.browser()
    for _ in range(11):
        answer = await browser.sign_in("new@example.com", "wrong")
    assert answer.status == 429

    async def locked() -> list[bool]:
        return [row["locked_s"] > 0 for row in (await call(admin, "GET", "/api/people"))["people"]]

    desk.attempt_clock.now_s += 30
    assert await locked() == [False, False], "the address was locked first, so nobody can lock others out"
    await call(admin, "DELETE", f"/api/people/{me['id']}/lock", status=204)
    assert [row["target"] for row in await desk.audit_rows("person.unlock")] == [me["id"]]


async def test_signing_out_everywhere_else(both_desk: Desk):
    here = await both_desk.signed_in(Role.VIEWER)
    there = both_desk.browser()
    await there.sign_in("viewer@example.com")
    await call(here, "DELETE", "/api/sessions", status=204)
    assert (await there.call("GET", "/api/session")).status == 401
    assert len((await call(here, "GET", "/api/sessions"))["sessions"]) == 1
