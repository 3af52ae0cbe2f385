import csv
import io

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


async def test_filters_leave_what_fits_all_of_them(both_desk: Desk):
    admin = await both_desk.signed_in(Role.ADMIN)

    async def some(tx: Tx) -> None:
        for action, target in (("team.add", "t1"), ("team.change", "t1"), ("team_x", "t2"), ("key.make", "t%")):
            await audit(tx, CLI, action, target)

    await both_desk.store.write(some)

    async def found(query: str) -> list[str]:
        page = await (await admin.call("GET", f"/api/audit?{query}")).json()
        return sorted(row["action"] for row in page["rows"])

    assert await found("action=team.") == ["team.add", "team.change"]
    assert await found("action=team&target=t2") == ["team_x"]
    assert await found("target=t%25") == ["key.make"]
    assert await found("actor=person-admin@example.com") == ["session.open"]
    assert len(await found("actor=root&since=0&until=9e11&limit=2")) == 2
    assert await found("until=1") == await found("since=9e11") == []
    for query in ("since=x", "since=-1", "actor=" + "x" * 300):
        assert (await admin.call("GET", f"/api/audit?{query}")).status == 422, query


async def test_the_file_holds_what_the_filters_leave_and_computes_nothing(both_desk: Desk):
    admin = await both_desk.signed_in(Role.ADMIN)

    async def some(tx: Tx) -> None:
        await audit(tx, CLI, "x.do", '=HYPERLINK("https://evil.example")', {"name": 'a,\n"b"'})
        await audit(tx, CLI, "y.do", "other")

    await both_desk.store.write(some)
    answer = await admin.call("GET", "/api/audit/csv?action=x.")
    assert (answer.content_type, answer.headers["Content-Disposition"]) == (
        "text/csv",
        'attachment; filename="audit.csv"',
    )
    head, row = list(csv.reader(io.StringIO(await answer.text())))
    assert head == ["at", "actor_kind", "actor_id", "actor_name", "action", "target", "detail", "ip"]
    assert row[4:6] == ["x.do", '\'=HYPERLINK("https://evil.example")']
    exported = await both_desk.audit_rows("audit.export")
    assert [(one["target"], one["detail"]) for one in exported] == [("csv", '{"action": "x."}')]
