from server.routes import Role
from tests.server.desk import CLI, PASSWORD, Desk


async def test_an_invitation_from_the_admin_to_the_first_request(both_desk: Desk):
    admin = await both_desk.signed_in(Role.ADMIN)
    answer = await admin.call("POST", "/api/people", {"email": "Ben@Example.com", "role": "staff"})
    assert answer.status == 201
    link = await answer.json()
    token = link["url"].partition("#")[2]
    ben = both_desk.browser()
    look = await (await ben.call("POST", "/api/links/look", {"token": token})).json()
    assert (look["purpose"], look["email"], look["role"]) == ("invite", "ben@example.com", "staff")
    answer = await ben.call("POST", "/api/links/redeem", {"token": token, "name": "Ben", "password": PASSWORD})
    assert answer.status == 201
    assert (await answer.json())["role"] == "staff"
    assert (await ben.call("GET", "/api/session")).status == 200
    assert (await both_desk.browser().call("POST", "/api/links/look", {"token": token})).status == 410
    people = (await (await admin.call("GET", "/api/people")).json())["people"]
    assert {person["email"] for person in people} == {"admin@example.com", "ben@example.com"}
    assert [row["actor_id"] for row in await both_desk.audit_rows("person.invite")] == ["person-admin@example.com"]
    assert len(await both_desk.audit_rows("link.invite.used")) == 1


async def test_changes_over_http(both_desk: Desk):
    admin = await both_desk.signed_in(Role.ADMIN)
    link = await both_desk.links.invite(CLI, "ben@example.com", Role.STAFF)
    token = link.url.partition("#")[2]
    answer = await both_desk.browser().call(
        "POST", "/api/links/redeem", {"token": token, "name": "Ben", "password": PASSWORD}
    )
    ben_id = (await answer.json())["id"]
    changed = await admin.call("PATCH", f"/api/people/{ben_id}", {"role": "viewer"})
    assert (await changed.json())["role"] == "viewer"
    disabled = await admin.call("PATCH", f"/api/people/{ben_id}", {"disabled": True})
    assert (await disabled.json())["disabled"] is True
    assert (await admin.call("POST", f"/api/people/{ben_id}/reset")).status == 409
    await admin.call("PATCH", f"/api/people/{ben_id}", {"disabled": False})
    reset = await admin.call("POST", f"/api/people/{ben_id}/reset")
    assert (reset.status, (await reset.json())["purpose"]) == (201, "reset")
    assert len(await both_desk.audit_rows("person.change")) == 3
    assert len(await both_desk.audit_rows("person.reset")) == 1
    assert (await admin.call("PATCH", f"/api/people/{ben_id}", {"role": "public"})).status == 422


async def test_an_invitation_for_somebody_known_is_refused(desk: Desk):
    admin = await desk.signed_in(Role.ADMIN)
    answer = await admin.call("POST", "/api/people", {"email": "admin@example.com", "role": "staff"})
    assert answer.status == 409
    assert "reset" in (await answer.json())["detail"]


async def test_what_is_wrong_is_named_by_field_and_passwords_are_not_echoed(desk: Desk):
    link = await desk.links.setup(CLI)
    body = {"token": link.url.partition("#")[2], "name": "Ana", "email": "ana@example.com", "password": "too short"}
    answer = await desk.browser().call("POST", "/api/links/redeem", body)
    assert answer.status == 422
    text = await answer.text()
    assert "too short" not in text
    assert (await answer.json())["errors"][0]["field"] == "password"


async def test_guessing_links_is_slowed_down(desk: Desk):
    statuses = [(await desk.browser().call("POST", "/api/links/look", {"token": "x" * 43})).status for _ in range(12)]
    assert statuses == [410] * 10 + [429] * 2
