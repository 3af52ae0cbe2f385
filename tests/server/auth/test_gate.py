from typing import Any

from server.routes import Role
from server.store.contract import Tx
from tests.server.auth.test_second import call
from tests.server.desk import TENANT, Desk


async def talk(desk: Desk, name: str, channel: str) -> str:
    """A conversation of a customer of this name; returns its id."""
    place: dict[str, Any] = {"tenant": TENANT, "channel": channel, "account": "default", "address": name}

    async def unit(tx: Tx) -> None:
        await tx.run("conversations.create_customer", id=f"c{name}", tenant=TENANT, name=name, now=tx.now_s)
        key = {"id": f"i{name}", "customer_id": f"c{name}", "now": tx.now_s}
        await tx.run("conversations.create_identity", **place, **key, verified=0, profile="{}")
        more = {"id": f"t{name}", "identity_id": f"i{name}", "language": "en"}
        await tx.run("conversations.create", **place, customer_id=f"c{name}", now=tx.now_s, **more)

    await desk.store.write(unit)
    return f"/api/conversations/t{name}"


async def test_the_gate_knows_what_a_persons_teams_see(both_desk: Desk):
    web, slack = await talk(both_desk, "tom", "web"), await talk(both_desk, "mia", "slack")
    admin, staff = await both_desk.signed_in(Role.ADMIN), await both_desk.signed_in(Role.STAFF)
    for path in (web, slack):
        await call(staff, "GET", path)
    body = {"name": "Web", "members": ["person-staff@example.com"], "places": [{"channel": "web"}]}
    await call(admin, "POST", "/api/teams", body, 201)
    await call(staff, "GET", web)
    await call(staff, "GET", slack, status=404)
    await call(staff, "POST", f"{slack}/claim", {}, 404)
    assert both_desk.handoff.calls == []
    listed = await call(staff, "GET", "/api/conversations")
    assert [row["id"] for row in listed["conversations"]] == ["ttom"]
    assert [row["name"] for row in (await call(staff, "GET", "/api/profile"))["teams"]] == ["Web"]
    await call(admin, "GET", slack)
    key = await call(admin, "POST", "/api/keys", {"name": "x", "role": "viewer"}, 201)
    program = await both_desk.browser().call("GET", slack, Authorization=f"Bearer {key['key']}")
    assert program.status == 200
