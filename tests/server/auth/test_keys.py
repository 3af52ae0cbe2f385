from server.routes import Role
from tests.server.desk import Browser, Desk


async def made(admin: Browser, role: str) -> dict[str, str]:
    answer = await admin.call("POST", "/api/keys", {"name": "export", "role": role})
    assert answer.status == 201
    found: dict[str, str] = await answer.json()
    return found


async def test_a_key_works_without_cookie_or_token_until_it_is_revoked(both_desk: Desk):
    admin = await both_desk.signed_in(Role.ADMIN)
    key = await made(admin, "staff")
    program = both_desk.browser(cross_site=True)
    bearer = {"Authorization": f"Bearer {key['key']}"}
    me = await (await program.call("GET", "/api/session", **bearer)).json()
    assert (me["kind"], me["role"], me["csrf"]) == ("api_key", "staff", "")
    assert (await program.call("PUT", "/api/switch", {"silent": True}, **bearer)).status == 200
    assert (await program.call("GET", "/api/people", **bearer)).status == 403
    assert (await admin.call("DELETE", f"/api/keys/{key['id']}")).status == 204
    assert (await program.call("GET", "/api/session", **bearer)).status == 401
    assert (await admin.call("DELETE", f"/api/keys/{key['id']}")).status == 404


async def test_a_key_is_shown_once_and_only_its_hash_is_stored(desk: Desk):
    admin = await desk.signed_in(Role.ADMIN)
    key = await made(admin, "viewer")
    listed = await (await admin.call("GET", "/api/keys")).text()
    secret = key["key"].rpartition("_")[2]
    assert secret not in listed
    row = await desk.store.row("access.key", tenant="shop", id=key["id"])
    assert row is not None
    assert secret not in str(dict(row))


async def test_a_wrong_key_is_not_rescued_by_a_cookie(desk: Desk):
    admin = await desk.signed_in(Role.ADMIN)
    key = await made(admin, "viewer")
    wrong = key["key"][:-1] + ("A" if key["key"][-1] != "A" else "B")
    for text in (wrong, f"fd_{key['id']}_", "fd_x"):
        assert (await admin.call("GET", "/api/session", Authorization=f"Bearer {text}")).status == 401


async def test_last_use_is_remembered(desk: Desk):
    admin = await desk.signed_in(Role.ADMIN)
    key = await made(admin, "viewer")
    await desk.browser().call("GET", "/api/session", Authorization=f"Bearer {key['key']}")
    keys = (await (await admin.call("GET", "/api/keys")).json())["keys"]
    assert keys[0]["seen_at"] == desk.clock()
    assert keys[0]["created_by"] == "person-admin@example.com"


async def test_key_roles_are_ranks_of_people(desk: Desk):
    admin = await desk.signed_in(Role.ADMIN)
    for body in ({"name": "x", "role": "public"}, {"name": "", "role": "staff"}, {"name": "x"}):
        assert (await admin.call("POST", "/api/keys", body)).status == 422
