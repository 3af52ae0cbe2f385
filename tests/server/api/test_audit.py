from server.audit import audit
from server.routes import Role
from server.store.contract import Tx
from tests.server.desk import CLI, Desk


async def test_pages_join_without_gap_or_repeat(both_desk: Desk):
    admin = await both_desk.signed_in(Role.ADMIN)

    async def many(tx: Tx) -> None:
        for number in range(7):  # all at one instant: the id decides the order
            await audit(tx, CLI, "x.do", str(number), {"number": number})

    await both_desk.store.write(many)
    seen, cursor = [], ""
    for _ in range(10):
        page = await (await admin.call("GET", f"/api/audit?limit=3&cursor={cursor}")).json()
        assert len(page["rows"]) <= 3
        seen += page["rows"]
        cursor = page["next"]
        if cursor is None:
            break
    assert len(seen) == len({row["id"] for row in seen}) == 8
    assert sorted(row["target"] for row in seen if row["action"] == "x.do") == [str(number) for number in range(7)]
    opened = next(row for row in seen if row["action"] == "session.open")
    assert (opened["actor_name"], opened["detail"]) == ("Admin", {})


async def test_made_up_cursors_and_sizes_are_refused(desk: Desk):
    admin = await desk.signed_in(Role.ADMIN)
    for query in ("cursor=x", "cursor=bnVsbA", "cursor=W251bGwsIDFd", "cursor=W0luZmluaXR5LCAiYSJd", "limit=0", "y=1"):
        assert (await admin.call("GET", f"/api/audit?{query}")).status == 422, query
