from pathlib import Path

import structlog

from config.settings import Access, Http
from server.auth.passwords import Passwords
from server.routes import Role
from server.store.contract import Tx
from tests.server.desk import PASSWORD, TENANT, Desk, open_desk


async def test_known_unknown_and_disabled_people_cost_one_hashing_and_hear_the_same(desk: Desk):
    known = await desk.person(Role.STAFF)
    gone = await desk.person(Role.STAFF, "gone@example.com")

    async def disable(tx: Tx) -> None:
        await tx.run("people.set_access", tenant=TENANT, id=f"person-{gone}", role="staff", disabled_at=desk.clock())

    await desk.store.write(disable)
    heard = set()
    for email, password in ((known, "wrong password 1"), ("nobody@example.com", PASSWORD), (gone, PASSWORD)):
        answer = await desk.browser().sign_in(email, password)
        heard.add((answer.status, await answer.text()))
    assert len(heard) == 1
    assert heard.pop()[0] == 401
    assert [password_hash is None for password_hash in desk.passwords.verified] == [False, True, True]


async def test_too_many_tries_for_one_person_are_answered_429(desk: Desk):
    email = await desk.person(Role.STAFF)
    per_minute = Access().attempts_per_minute
    statuses = [(await desk.browser().sign_in(email, f"wrong password {n}")).status for n in range(per_minute + 2)]
    assert statuses == [401] * per_minute + [429] * 2
    hashed = len(desk.passwords.verified)
    answer = await desk.browser().sign_in(email, PASSWORD)
    assert answer.status == 429
    assert 1 <= int(answer.headers["Retry-After"]) <= 60
    assert len(desk.passwords.verified) == hashed  # refused before any work
    desk.attempt_clock.now_s += 61
    assert (await desk.browser().sign_in(email)).status == 200


async def test_sign_in_is_audited_and_upgrades_an_old_hash(both_desk: Desk):
    email = await both_desk.person(Role.STAFF)
    old_hash = await Passwords(9_216).hash(PASSWORD)

    async def age(tx: Tx) -> None:
        await tx.run("people.set_password", tenant=TENANT, id=f"person-{email}", password_hash=old_hash)

    await both_desk.store.write(age)
    assert (await both_desk.browser().sign_in(email.upper())).status == 200
    row = await both_desk.store.row("people.by_email", tenant=TENANT, email=email)
    assert row is not None
    assert "m=8192," in row["password_hash"]
    rows = await both_desk.audit_rows("session.open")
    assert [(row["actor_id"], row["ip"]) for row in rows] == [(f"person-{email}", "127.0.0.1")]


async def test_another_sites_page_cannot_sign_a_browser_in(desk: Desk):
    email = await desk.person(Role.STAFF)
    assert (await desk.browser(cross_site=True).sign_in(email)).status == 403


async def test_behind_a_trusted_proxy_the_customers_own_address_is_counted_and_audited(tmp_path: Path):
    http = Http(trusted_proxies=("127.0.0.1",))
    async with open_desk(f"sqlite:///{tmp_path / 'desk.db'}", http=http) as desk:
        email = await desk.person(Role.STAFF)
        credentials = {"email": email, "password": PASSWORD}
        for number in range(Access().attempts_per_minute + 2):  # one noisy address, another email each time
            body = {"email": f"n{number}@example.com", "password": PASSWORD}
            noisy = await desk.browser().call("POST", "/api/session", body, X_Forwarded_For="203.0.113.9")
        assert noisy.status == 429
        answer = await desk.browser().call("POST", "/api/session", credentials, X_Forwarded_For="9.9.9.9, 203.0.113.10")
        assert answer.status == 200
        assert [row["ip"] for row in await desk.audit_rows("session.open")] == ["203.0.113.10"]


async def test_no_email_password_or_cookie_reaches_the_log(desk: Desk):
    email = await desk.person(Role.STAFF)
    with structlog.testing.capture_logs() as logs:
        await desk.browser().sign_in(email, "wrong password 1")
        browser = desk.browser()
        await browser.sign_in(email)
    assert [entry["event"] for entry in logs] == ["login_refused"]
    for secret in (email, "wrong password 1", PASSWORD, browser.csrf, *browser.cookies().values()):
        assert secret not in str(logs)
