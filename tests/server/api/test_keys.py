from server.routes import Role
from tests.server.desk import Desk


async def test_every_change_to_keys_is_audited(both_desk: Desk):
    admin = await both_desk.signed_in(Role.ADMIN)
    key = await (await admin.call("POST", "/api/keys", {"name": "Nightly export", "role": "viewer"})).json()
    await admin.call("DELETE", f"/api/keys/{key['id']}")
    rows = [row for row in await both_desk.audit_rows() if row["action"].startswith("key.")]
    assert [(row["action"], row["target"]) for row in rows] == [("key.revoke", key["id"]), ("key.make", key["id"])]
    assert key["key"] not in str([dict(row) for row in rows])
    keys = (await (await admin.call("GET", "/api/keys")).json())["keys"]
    assert [(row["name"], row["role"], row["revoked_at"] is None) for row in keys] == [
        ("Nightly export", "viewer", False)
    ]
