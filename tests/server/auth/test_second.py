"""The second step of a sign-in, over HTTP and on both stores."""

import asyncio
from typing import Any

from config.settings import Access
from server.auth.second import TRIES
from server.auth.sessions import STEP_S
from server.auth.totp import STEP_S as CODE_S
from server.auth.totp import code_at
from server.routes import Role
from tests.server.desk import CLI, PASSWORD, Browser, Desk, open_desk

STRICT = Access(argon2_memory_kib=8_192, second_factor_roles=("admin",))


def code(desk: Desk, secret: str, later: int = 0) -> str:
    return code_at(secret, int(desk.clock() // CODE_S) + later)


async def call(browser: Browser, method: str, path: str, body: Any = None, status: int = 200) -> Any:
    answer = await browser.call(method, path, body)
    assert answer.status == status, await answer.text()
    return await answer.json() if status not in {204, 401, 403, 404} else None


async def enrolled(desk: Desk, browser: Browser) -> tuple[str, list[str]]:
    """Turns the app on for whoever is signed in; returns secret and recovery codes."""
    begun = await call(browser, "POST", "/api/profile/second-factor", {"current": PASSWORD})
    on = await call(browser, "POST", "/api/profile/second-factor/confirm", {"code": code(desk, begun["secret"])})
    browser.csrf = on["csrf"]
    desk.clock.now_s += CODE_S
    return begun["secret"], on["recovery_codes"]


async def first_step(browser: Browser, email: str = "staff@example.com") -> str:
    step = await call(browser, "POST", "/api/session", {"email": email, "password": PASSWORD}, 202)
    assert step["step"] == "code"
    return str(step["ticket"])


async def test_a_password_alone_no_longer_signs_in(both_desk: Desk):
    here = await both_desk.signed_in(Role.STAFF)
    other = both_desk.browser()
    await other.sign_in("staff@example.com")
    before = here.cookies()
    secret, codes = await enrolled(both_desk, here)
    assert here.cookies() != before, "a new session after the second factor"
    assert (await other.call("GET", "/api/session")).status == 401, "older sessions had one factor only"
    assert (await here.call("GET", "/api/session")).status == 200
    browser = both_desk.browser()
    ticket = await first_step(browser)
    assert browser.cookies() == {}
    me = await call(browser, "POST", "/api/session/code", {"ticket": ticket, "code": code(both_desk, secret)})
    assert (me["email"], me["recovery_codes"]) == ("staff@example.com", [])
    assert ticket not in browser.cookies().values()
    assert (await browser.call("GET", "/api/session")).status == 200
    opened = await both_desk.audit_rows("session.open")
    assert '"second": "app"' in opened[0]["detail"]
    assert len(set(codes)) == 10


async def test_a_code_counts_once_also_for_ten_at_the_same_time(both_desk: Desk):
    here = await both_desk.signed_in(Role.STAFF)
    secret, _ = await enrolled(both_desk, here)
    used = code(both_desk, secret, -1)  # the one that confirmed the app
    browsers = [both_desk.browser() for _ in range(4)]
    tickets = [await first_step(browser) for browser in browsers]
    await call(browsers[0], "POST", "/api/session/code", {"ticket": tickets[0], "code": used}, 401)
    fresh = code(both_desk, secret)
    answers = await asyncio.gather(
        *(
            browser.call("POST", "/api/session/code", {"ticket": ticket, "code": fresh})
            for browser, ticket in zip(browsers, tickets, strict=True)
        )
    )
    assert sorted(answer.status for answer in answers) == [200, 401, 401, 401]


async def test_a_recovery_code_works_once(both_desk: Desk):
    secret, codes = await enrolled(both_desk, await both_desk.signed_in(Role.STAFF))
    browser = both_desk.browser()
    for typed, status in ((codes[0].lower(), 200), (codes[0], 401), (codes[1].replace("-", " "), 200)):
        ticket = await first_step(browser)
        await call(browser, "POST", "/api/session/code", {"ticket": ticket, "code": typed}, status)
    browser.csrf = (await (await browser.call("GET", "/api/session")).json())["csrf"]
    profile = await call(browser, "GET", "/api/profile")
    assert (profile["recovery_codes_left"], profile["second_factor_required"]) == (8, False)
    again = await call(browser, "POST", "/api/profile/recovery-codes", {"code": code(both_desk, secret)})
    assert not set(again["recovery_codes"]) & set(codes)
    rows = await both_desk.store.rows("second.left", tenant="shop", person_id="person-staff@example.com")
    assert rows[0]["number"] == 10


async def test_tries_are_few_per_ticket_and_count_with_passwords(desk: Desk):
    secret, _ = await enrolled(desk, await desk.signed_in(Role.STAFF))
    browser = desk.browser()
    ticket = await first_step(browser)
    for _ in range(TRIES):
        await call(browser, "POST", "/api/session/code", {"ticket": ticket, "code": "000000"}, 401)
    await call(browser, "POST", "/api/session/code", {"ticket": ticket, "code": code(desk, secret)}, 401)
    statuses = [(await browser.sign_in("staff@example.com")).status for _ in range(10)]
    assert statuses[-1] == 429, "right passwords do not forgive wrong codes"
    assert 202 in statuses


async def test_a_ticket_ends_by_itself_and_is_no_session(desk: Desk):
    secret, _ = await enrolled(desk, await desk.signed_in(Role.STAFF))
    browser = desk.browser()
    ticket = await first_step(browser)
    browser.session.cookie_jar.update_cookies({"frontdesk_session": ticket}, desk.server.make_url("/"))
    assert (await browser.call("GET", "/api/session")).status == 401
    browser.session.cookie_jar.clear()
    desk.clock.now_s += STEP_S + 1
    await call(browser, "POST", "/api/session/code", {"ticket": ticket, "code": code(desk, secret)}, 401)
    assert browser.cookies() == {}


async def test_a_session_brought_along_never_becomes_the_new_one(desk: Desk):
    secret, _ = await enrolled(desk, await desk.signed_in(Role.STAFF))
    browser = desk.browser()
    planted = "planted-by-somebody-else-0123456789abcdefghi"
    browser.session.cookie_jar.update_cookies({"frontdesk_session": planted}, desk.server.make_url("/"))
    ticket = await first_step(browser)
    await call(browser, "POST", "/api/session/code", {"ticket": ticket, "code": code(desk, secret)})
    assert planted not in browser.cookies().values()


async def test_a_role_that_needs_an_app_sets_it_up_before_the_first_session(store_url: str):
    async with open_desk(store_url, access=STRICT) as desk:
        browser = desk.browser()
        answer = await browser.sign_in(await desk.person(Role.ADMIN))
        step = await answer.json()
        assert (answer.status, step["step"]) == (202, "enrol")
        begun = await call(browser, "POST", "/api/session/enrol", {"ticket": step["ticket"]})
        assert begun["uri"].startswith("otpauth://totp/frontdesk%3Aadmin%40example.com?secret=")
        assert begun["path"].startswith("M4 4h1v1h-1z")
        body = {"ticket": step["ticket"], "code": code(desk, begun["secret"])}
        me = await call(browser, "POST", "/api/session/code", body)
        browser.csrf = me["csrf"]
        assert len(me["recovery_codes"]) == 10
        desk.clock.now_s += CODE_S
        await call(browser, "POST", "/api/profile/second-factor/off", {"code": code(desk, begun["secret"])}, 409)
        await call(browser, "POST", "/api/profile/second-factor", {"current": PASSWORD}, 409)


async def test_a_link_does_not_lead_around_the_app(store_url: str):
    async with open_desk(store_url, access=STRICT) as desk:
        token = (await desk.links.setup(CLI)).url.partition("#")[2]
        browser = desk.browser()
        body = {"token": token, "name": "Ana", "email": "ana@example.com", "password": PASSWORD}
        step = await call(browser, "POST", "/api/links/redeem", body, 202)
        assert (step["step"], browser.cookies()) == ("enrol", {})
        begun = await call(browser, "POST", "/api/session/enrol", {"ticket": step["ticket"]})
        await call(
            browser, "POST", "/api/session/code", {"ticket": step["ticket"], "code": code(desk, begun["secret"])}
        )
        reset = (await desk.links.reset(CLI, "ana@example.com")).url.partition("#")[2]
        body = {"token": reset, "password": PASSWORD[::-1]}
        step = await call(desk.browser(), "POST", "/api/links/redeem", body, 202)
        assert step["step"] == "code"


async def test_sessions_from_before_the_role_needed_an_app_end(tmp_path: Any):
    url = f"sqlite:///{tmp_path / 'desk.db'}"
    async with open_desk(url) as desk:
        admin, staff = await desk.signed_in(Role.ADMIN), await desk.signed_in(Role.STAFF)
        kept = [(browser.cookies(), browser) for browser in (admin, staff)]
    async with open_desk(url, access=STRICT) as desk:
        statuses = []
        for cookies, _ in kept:
            browser = desk.browser()
            browser.session.cookie_jar.update_cookies(cookies, desk.server.make_url("/"))
            statuses.append((await browser.call("GET", "/api/session")).status)
    assert statuses == [401, 200]
