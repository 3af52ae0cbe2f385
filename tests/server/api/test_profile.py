from server.routes import Role
from tests.server.auth.test_second import call, code, enrolled
from tests.server.desk import PASSWORD, Desk

MARKUP = "Ana <img src=x onerror=alert(1)>"


async def test_a_name_is_changed_and_shown_as_it_is(both_desk: Desk):
    browser = await both_desk.signed_in(Role.VIEWER)
    await call(browser, "PATCH", "/api/profile", {"name": MARKUP}, 204)
    profile = await call(browser, "GET", "/api/profile")
    assert (profile["name"], profile["teams"], profile["second_factor_since"]) == (MARKUP, [], None)
    for name in ("", "x" * 101, "a\nb"):
        await call(browser, "PATCH", "/api/profile", {"name": name}, 422)
    assert [row["action"] for row in await both_desk.audit_rows("profile.change")] == ["profile.change"]


async def test_a_new_password_needs_the_old_one_and_ends_other_sessions(both_desk: Desk):
    here, there = await both_desk.signed_in(Role.STAFF), both_desk.browser()
    await there.sign_in("staff@example.com")
    before, fresh = here.cookies(), PASSWORD[::-1]
    for current, password in (("wrong", fresh), (PASSWORD, "short"), (PASSWORD, "staff@example.com")):
        await call(here, "POST", "/api/profile/password", {"current": current, "password": password}, 422)
    made = await call(here, "POST", "/api/profile/password", {"current": PASSWORD, "password": fresh})
    here.csrf = made["csrf"]
    assert here.cookies() != before
    assert (await there.call("GET", "/api/session")).status == 401
    await call(here, "PATCH", "/api/profile", {"name": "Ana"}, 204)
    assert (await there.sign_in("staff@example.com")).status == 401
    assert (await there.sign_in("staff@example.com", fresh)).status == 200


async def test_an_app_is_set_up_confirmed_and_turned_off(both_desk: Desk):
    browser = await both_desk.signed_in(Role.STAFF)
    await call(browser, "POST", "/api/profile/second-factor", {"current": "wrong"}, 422)
    begun = await call(browser, "POST", "/api/profile/second-factor", {"current": PASSWORD})
    assert begun["uri"].endswith(f"secret={begun['secret']}&issuer=frontdesk&algorithm=SHA1&digits=6&period=30")
    await call(browser, "POST", "/api/profile/second-factor/confirm", {"code": "000000"}, 422)
    assert (await call(browser, "GET", "/api/profile"))["second_factor_since"] is None
    secret, codes = await enrolled(both_desk, browser)
    assert secret != begun["secret"], "beginning anew makes a new secret"
    profile = await call(browser, "GET", "/api/profile")
    assert (profile["second_factor_since"] > 0, profile["recovery_codes_left"]) == (True, 10)
    await call(browser, "POST", "/api/profile/second-factor/off", {"code": "000000"}, 422)
    await call(browser, "POST", "/api/profile/second-factor/off", {"code": codes[0]}, 204)
    assert (await both_desk.browser().sign_in("staff@example.com")).status == 200
    actions = [row["action"] for row in await both_desk.audit_rows() if row["action"].startswith("second")]
    assert actions == ["second_factor.off", "second_factor.on", "second_factor.begin", "second_factor.begin"]


async def test_no_answer_and_no_row_of_the_audit_holds_the_secret_later(both_desk: Desk):
    browser = await both_desk.signed_in(Role.STAFF)
    secret, codes = await enrolled(both_desk, browser)
    seen = str([dict(row) for row in await both_desk.audit_rows()])
    for path in ("/api/profile", "/api/session", "/api/sessions"):
        seen += await (await browser.call("GET", path)).text()
    rows = await both_desk.store.rows("second.factor", tenant="shop", person_id="person-staff@example.com")
    seen += str([dict(row) for row in rows])
    assert rows[0]["secret"].startswith("sealed:")
    assert not [text for text in (secret, code(both_desk, secret), *codes) if text in seen]


async def test_an_api_key_has_no_profile(desk: Desk):
    admin = await desk.signed_in(Role.ADMIN)
    key = await (await admin.call("POST", "/api/keys", {"name": "x", "role": "admin"})).json()
    bearer = {"Authorization": f"Bearer {key['key']}"}
    assert (await desk.browser().call("GET", "/api/profile", **bearer)).status == 403
