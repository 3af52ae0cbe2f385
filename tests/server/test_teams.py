"""What teams see: lists, routes of one conversation, search, the live stream; over HTTP and on both stores."""

from __future__ import annotations

import asyncio
from typing import Any

from server.store.statements import load, parse
from server.teams import Team, Teams
from server.timeline import lock
from tests.server.staff import TENANT, Staff, principal

WEB = [{"channel": "web"}]
MOVE = """
-- name: move
-- Another account of the same channel.
update conversation set account = :account where id = :id;
-- name: ticket
-- A ticket of a conversation.
insert into ticket (id, tenant, conversation_id, category, priority, summary, suggested_action, state, idempotency_key,
    created_at, updated_at)
values (:id, :tenant, :conversation, 'other', 'normal', 'x', '', 'open', :id, cast(:now as double precision),
    cast(:now as double precision));
"""
for dialect in ("sqlite", "postgresql"):
    load(dialect).update(parse("test_teams", MOVE, dialect))


async def team(staff: Staff, name: str, members: list[str], places: list[Any], status: int = 201) -> str:
    body = {"name": name, "members": members, "places": places}
    return (await staff.json("adam", "POST", "/api/teams", body, status)).get("id", "")


async def ids(staff: Staff, who: str, path: str = "/api/inbox") -> set[str]:
    return {row["id"].removeprefix("conversation-") for row in (await staff.json(who, "GET", path))["conversations"]}


async def test_lists_and_counts_show_what_the_teams_see(both_staff: Staff):
    await both_staff.talk("tom")
    await both_staff.talk("mia", "telegram")
    await both_staff.desk.search.catch_up()
    await team(both_staff, "Web", ["ana", "vera", "adam"], WEB)
    assert await ids(both_staff, "ana") == await ids(both_staff, "vera") == {"tom"}
    assert await ids(both_staff, "ben") == await ids(both_staff, "adam") == {"tom", "mia"}
    views = await both_staff.json("ana", "GET", "/api/views")
    assert (views["views"]["all"], [row["channel"] for row in views["channels"]]) == (1, ["web"])
    found = await both_staff.json("ana", "GET", "/api/search?q=order")
    assert {row["conversation_id"] for row in found["messages"]} == {"conversation-tom"}
    assert len((await both_staff.json("ben", "GET", "/api/search?q=order"))["messages"]) == 2


async def test_other_conversations_do_not_exist_for_them(both_staff: Staff):
    await both_staff.talk("tom")
    mia = await both_staff.talk("mia", "telegram")
    note = await both_staff.json("ben", "POST", f"/api/conversations/{mia}/notes", {"text": "Hm", "mentions": []}, 201)
    await team(both_staff, "Web", ["ana"], WEB)
    ticket = "ticket-mia"
    await both_staff.store.write(
        lambda tx: tx.run("test_teams.ticket", id=ticket, tenant=TENANT, conversation=mia, now=tx.now_s)
    )
    one = f"/api/conversations/{mia}"
    for method, path, body in (
        ("GET", f"{one}/desk", None),
        ("POST", f"{one}/notes", {"text": "x", "mentions": []}),
        ("PUT", f"{one}/priority", {"priority": "high"}),
        ("POST", f"{one}/block", {}),
        ("POST", f"{one}/viewing", {"state": "viewing"}),
        ("DELETE", f"/api/notes/{note['id']}", None),
        ("GET", f"/api/tickets/{ticket}", None),
    ):
        assert (await both_staff.call("ana", method, path, body)).status == 404, path
        if method == "GET":
            assert (await both_staff.call("ben", method, path, body)).status == 200, path
    assert (await both_staff.call("ana", "GET", "/api/conversations/conversation-tom/desk")).status == 200


async def test_what_one_holds_and_what_a_team_was_given_is_seen(both_staff: Staff):
    mia, zoe = await both_staff.talk("mia", "telegram"), await both_staff.talk("zoe", "slack")
    given = await team(both_staff, "Web", ["ana"], WEB)
    assert await ids(both_staff, "ana") == set()

    async def unit(tx: Any) -> None:
        await tx.run("duty.set_team", id=zoe, tenant=TENANT, team=given, person="ben", now=tx.now_s)
        timeline = await lock(tx, mia)
        timeline.state = type(timeline.state)(status=timeline.state.status, owner="ana", owner_epoch=1)
        await timeline.save()

    await both_staff.store.write(unit)
    assert await ids(both_staff, "ana") == {"mia", "zoe"}
    assert (await both_staff.call("ana", "GET", f"/api/conversations/{mia}/desk")).status == 200
    assert (await both_staff.call("ana", "GET", f"/api/conversations/{zoe}/desk")).status == 200


async def test_the_live_stream_tells_nothing_of_other_teams(both_staff: Staff):
    tom, mia = await both_staff.talk("tom"), await both_staff.talk("mia", "telegram")
    await team(both_staff, "Web", ["ana"], WEB)
    url = both_staff.server.make_url("/api/events?after=0")
    await both_staff.call("ben", "POST", f"/api/conversations/{mia}/viewing", {"state": "viewing"})
    async with both_staff.session.get(url, headers={"Authorization": "Bearer ana"}) as answer:
        await both_staff.call("ben", "POST", f"/api/conversations/{mia}/viewing", {"state": "typing"})
        await both_staff.call("ben", "POST", f"/api/conversations/{tom}/viewing", {"state": "viewing"})
        await both_staff.say(mia, "A secret of Mia")
        await both_staff.say(tom, "The last word")
        heard = b""
        async with asyncio.timeout(20):
            while b"The last word" not in heard or b"event: viewing" not in heard:
                heard += await answer.content.readany()
    assert b"A secret of Mia" not in heard
    assert mia.encode() not in heard


async def test_a_scope_is_exact(both_staff: Staff):
    teams = Teams(both_staff.store, TENANT, lambda: 0.0)

    async def unit(tx: Any) -> None:
        await teams.add(tx, Team("One", ("ana", "nobody"), (("web", "shop_1"), ("slack", "*"))))
        await teams.add(tx, Team("Two", ("ben",), ()))
        await teams.add(tx, Team("Three", ("ben",), (("web", "x"),)))

    await both_staff.store.write(unit)
    assert await teams.scope(principal("ana")) == ",slack/*,web/shop_1,"
    assert await teams.scope(principal("ben")) == "", "one team of theirs sees everything"
    assert [row["name"] for row in await teams.of("ben")] == ["Three", "Two"]
    for account, seen in (("shop_1", True), ("shopx1", False), ("shop", False)):
        talk = await both_staff.talk(account)

        async def move(tx: Any, talk: str = talk, account: str = account) -> None:
            await tx.run("test_teams.move", id=talk, account=account)

        await both_staff.store.write(move)
        assert bool(await teams.visible(principal("ana"), {talk})) is seen, account


async def test_teams_are_made_changed_and_removed(both_staff: Staff):
    made = await team(both_staff, "Web", ["ana", "ana"], [{"channel": "web", "account": "shop"}, {"channel": "web"}])
    await team(both_staff, "Web", [], [], 409)
    for places in ([{"channel": "fax"}], [{"channel": "web", "account": "A/b"}]):
        await team(both_staff, "Other", [], places, 422)
    listed = (await both_staff.json("vera", "GET", "/api/teams"))["teams"]
    assert [(row["name"], row["members"]) for row in listed] == [("Web", [{"id": "ana", "name": "Ana"}])]
    assert listed[0]["places"] == [{"channel": "web", "account": "*"}, {"channel": "web", "account": "shop"}]
    await both_staff.json("adam", "PUT", f"/api/teams/{made}", {"name": "All"}, 204)
    listed = (await both_staff.json("vera", "GET", "/api/teams"))["teams"]
    assert [(row["name"], row["members"], row["places"]) for row in listed] == [("All", [], [])]
    await both_staff.json("adam", "DELETE", f"/api/teams/{made}", None, 204)
    await both_staff.json("adam", "DELETE", f"/api/teams/{made}", None, 404)
    assert (await both_staff.call("ana", "POST", "/api/teams", {"name": "Mine"})).status == 403
