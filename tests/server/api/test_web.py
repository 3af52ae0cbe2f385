"""The web channel's addresses in a gateway process: sessions, snapshots, refusals that leave nothing behind."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientResponse

from channels.web import IDENTITY_MAX_S
from server.conversation import Outcome, Reason
from server.engine.record import Ending
from server.handoff import Handoff
from tests.channels.test_web import proof
from tests.model_double import ModelDouble
from tests.scenario import Service, Visitor, settings_for
from tests.server.engine.bench import Bench

SHOP = "https://shop.example"
SECRET = "s" * 40
ACCOUNTS = {
    "default": {"allowed_origins": [SHOP], "identity_secret": SECRET, "messages_per_minute": 60, "greeting": "Hello!"},
    "off": {"enabled": False},
    "second": {"name": "Second Shop", "messages_per_minute": 3, "sessions_per_minute": 3},
    "crowded": {"site_messages_per_minute": 2},
}


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[Service]:
    double = ModelDouble()  # never asked: a gateway does not answer
    settings = settings_for(f"sqlite:///{tmp_path}/desk.db", tmp_path, double, channels={"web": ACCOUNTS})
    async with Service(settings, double, "gateway").running() as running:
        yield running


async def post(service: Service, path: str, body: Any = None, **headers: str) -> ClientResponse:
    response = await service.http.post(f"{service.base}{path}", json=body or {}, headers=headers)
    await response.read()
    return response


async def answered(service: Service, visitor: Visitor) -> str:
    """An answer as a worker would have stored it."""
    bench = Bench(service.store, service.settings)
    await visitor.say("question")
    lease = await bench.take_one()
    begun = await bench.begin(lease)
    message_id = await bench.end(lease, Ending(Outcome.ANSWERED, lease.tail, text="yes", attempt=begun.attempt))
    assert message_id is not None
    return message_id


async def test_a_session_says_what_a_page_needs(service: Service):
    body = await (await post(service, "/web/session")).json()
    assert set(body) == {
        "token", "expires_at", "visitor_id", "conversation_id", "verified", "name", "greeting", "disclosure",
    }  # fmt: skip
    assert (body["name"], body["greeting"], body["disclosure"], body["verified"]) == (
        "frontdesk", "Hello!", "ai", False,
    )  # fmt: skip
    assert body["expires_at"] == pytest.approx(time.time() + 180 * 86_400, abs=60)
    named = await (await post(service, "/web/session", {"account": "second"})).json()
    assert named["name"] == "Second Shop"


async def test_refreshing_keeps_visitor_and_conversation_and_costs_nothing(service: Service):
    first = await (await post(service, "/web/session", {"account": "second"})).json()
    for _ in range(6):
        again = await (await post(service, "/web/session", {"account": "second", "token": first["token"]})).json()
        assert [again[key] for key in ("visitor_id", "conversation_id")] == [
            first[key] for key in ("visitor_id", "conversation_id")
        ]
    for token in ("junk", first["token"][:-2], ""):
        stranger = await post(service, "/web/session", {"account": "default", "token": token})
        assert (await stranger.json())["conversation_id"] != first["conversation_id"]
    statuses = [(await post(service, "/web/session", {"account": "second"})).status for _ in range(3)]
    assert statuses == [200, 200, 429], "new visitors are limited per address"


@pytest.mark.parametrize("account", ["off", "unknown"])
async def test_accounts_that_are_none(service: Service, account: str):
    response = await post(service, "/web/session", {"account": account})
    assert response.status == 404
    assert "data-account" in await response.text()


@pytest.mark.parametrize("field", ["token", "identity", "account"])
async def test_fields_beyond_any_sense_are_refused(service: Service, field: str):
    assert (await post(service, "/web/session", {field: "x" * 5_000})).status == 422


async def test_a_proof_moves_the_visitor_to_the_customers_own_conversation(service: Service):
    good = proof({"sub": "7", "exp": time.time() + 60}, SECRET)
    first = await (await post(service, "/web/session", {"identity": good})).json()
    second = await (await post(service, "/web/session", {"identity": good})).json()
    assert first["verified"] is second["verified"] is True
    assert first["conversation_id"] == second["conversation_id"]
    assert first["visitor_id"] != second["visitor_id"]
    kept = await (await post(service, "/web/session", {"identity": good, "token": first["token"]})).json()
    assert kept["visitor_id"] == first["visitor_id"], "the same customer stays the same visitor"
    for bad in (
        proof({"sub": "7", "exp": time.time() - 1}, SECRET),
        proof({"sub": "7", "exp": time.time() + IDENTITY_MAX_S * 3}, SECRET),
        proof({"sub": "7", "exp": time.time() + 60}, "x" * 40),
    ):
        stranger = await (await post(service, "/web/session", {"identity": bad})).json()
        assert stranger["verified"] is False
        assert stranger["conversation_id"] != first["conversation_id"]


async def test_a_snapshot_before_and_after_the_first_word(service: Service):
    visitor = await service.visitor(follow=False)
    assert await visitor.snapshot() == {
        "conversation_id": visitor.conversation, "status": "bot", "reason": None, "position": None,
        "last_event_id": 0, "messages": [], "model": "loading",
    }  # fmt: skip
    answer = await answered(service, visitor)
    seen = await visitor.snapshot()
    assert [(message["role"], message["text"]) for message in seen["messages"]] == [
        ("customer", "question"), ("assistant", "yes"),
    ]  # fmt: skip
    assert (seen["messages"][1]["id"], seen["messages"][1]["turn"]) == (answer, f"{visitor.conversation}:1")
    assert "turn" not in seen["messages"][0]
    assert seen["messages"][0]["client_message_id"] == "m1"
    assert seen["last_event_id"] > seen["messages"][1]["seq"]


async def test_the_place_in_the_queue(service: Service):
    first, second = await service.visitor(follow=False), await service.visitor(follow=False)
    for place, visitor in enumerate((first, second), 1):
        response = await visitor.post("handoff", {"locale": "de"})
        assert (response.status, await response.json()) == (202, {"status": "waiting", "position": place})
        assert (await visitor.snapshot())["position"] == place
    await Handoff(service.store).claim(first.conversation, "ana")
    assert (await second.snapshot())["position"] == 1
    assert (await first.snapshot())["position"] is None
    row = await service.store.row("conversations.read", id=first.conversation)
    assert row is not None
    assert row["language"] == "de"


async def test_ratings(service: Service):
    visitor = await service.visitor(follow=False)
    message = await answered(service, visitor)
    question = (await visitor.snapshot())["messages"][0]["id"]
    assert (await visitor.post("feedback", {"message_id": message, "value": "up"})).status == 204
    assert (await visitor.snapshot())["messages"][1]["feedback"] == "up"
    assert (await visitor.post("feedback", {"message_id": question, "value": "up"})).status == 409
    assert (await visitor.post("feedback", {"message_id": "none", "value": "up"})).status == 404
    assert (
        await visitor.post("feedback", {"message_id": message, "value": "up", "comment": "x" * 2_001})
    ).status == 422


async def test_stop_with_and_without_anything_to_stop(service: Service):
    visitor = await service.visitor(follow=False)
    for stopping in (False, True):
        response = await visitor.post("stop")
        assert (response.status, await response.json()) == (202, {"stopping": stopping})
        await visitor.say("hello")


async def test_signing_out_before_and_after_the_first_word(service: Service):
    visitor = await service.visitor(follow=False)
    assert (await post(service, "/web/session/end", **visitor.headers)).status == 204, "nothing to forget yet"
    await visitor.say("hello")
    assert (await post(service, "/web/session/end", **visitor.headers)).status == 204
    late = await visitor.post("messages", {"client_message_id": "late", "text": "me again"})
    assert late.status == 401, "the old token is void"
    for path in ("", "/events"):
        response = await service.http.get(f"{visitor.url}{path}", headers=visitor.headers)
        assert response.status == 401
    for path in ("stop", "handoff"):
        assert (await visitor.post(path)).status == 401
    refreshed = await service.visitor(follow=False, token=visitor.token)
    assert refreshed.conversation != visitor.conversation, "a void token brings nothing back"
    events = await service.store.rows("bench.events", id=visitor.conversation)
    assert [event["kind"] for event in events].count("session_ended") == 1


@pytest.mark.parametrize(
    "authorization",
    [
        "",
        "Basic abc",
        "Bearer",
        "Bearer ",
        "Bearer a.b",
        "bearer x",
        b"Bearer a.\xff".decode("latin-1"),
        "Bearer a b.c",
    ],
)
async def test_without_a_valid_token(service: Service, authorization: str):
    visitor = await service.visitor(follow=False)
    response = await service.http.get(visitor.url, headers={"Authorization": authorization})
    assert response.status == 401
    assert response.content_type == "application/problem+json"


async def test_bytes_that_are_no_text_in_a_token_are_refused_like_any_other(service: Service):
    visitor = await service.visitor(follow=False)
    host, port = service.base.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    path = visitor.url.removeprefix(service.base)
    head = f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nAuthorization: Bearer a."
    writer.write(head.encode() + b"\xff\xfe\r\n\r\n")
    answer = await reader.read()
    writer.close()
    assert answer.split(b"\r\n")[0] in {b"HTTP/1.1 401 Unauthorized", b"HTTP/1.1 400 Bad Request"}


@pytest.mark.parametrize("last", ["abc", "-1", "1.5", "٣", "1e3"])
async def test_event_ids_that_are_none(service: Service, last: str):
    visitor = await service.visitor(follow=False)
    response = await service.http.get(f"{visitor.url}/events", headers=visitor.headers | {"Last-Event-ID": last})
    assert response.status == 422


async def test_limits_per_visitor_and_per_site(service: Service):
    one = await service.visitor(follow=False, account="second")
    for _ in range(3):
        await one.say("hello")
    refused = await one.post("messages", {"client_message_id": "late", "text": "more"})
    assert (refused.status, int(refused.headers["Retry-After"]) >= 1) == (429, True)
    assert (await one.post("handoff")).status == 429
    crowd = [await service.visitor(follow=False, account="crowded") for _ in range(3)]
    body = {"client_message_id": "x", "text": "hi"}
    assert [(await visitor.post("messages", body)).status for visitor in crowd] == [202, 202, 429]


async def test_refused_messages_store_nothing(service: Service):
    visitor = await service.visitor(follow=False)
    for body, status in (
        ({"client_message_id": "x", "text": "ä" * 4_097}, 413),
        ({"client_message_id": "x", "text": " \n "}, 422),
        ({"client_message_id": "", "text": "hi"}, 422),
    ):
        response = await visitor.post("messages", body)
        assert response.status == status, json.loads(await response.text())
    assert (await visitor.snapshot())["messages"] == []
    assert (await visitor.post("messages", {"client_message_id": "x", "text": "ä" * 4_096})).status == 202


async def test_pages_of_listed_sites_may_call_and_others_not(service: Service):
    visitor = await service.visitor(follow=False)
    for origin, status in ((SHOP, 204), ("https://evil.example", 403), ("null", 403)):
        response = await service.http.options(f"{visitor.url}/messages", headers={"Origin": origin})
        assert response.status == status
        assert response.headers.get("Access-Control-Allow-Origin") == (SHOP if status == 204 else None)
    assert (await service.http.options(f"{visitor.url}/messages")).status == 403
    body = {"client_message_id": "x", "text": "hi"}
    sent = await visitor.http.post(f"{visitor.url}/messages", json=body, headers=visitor.headers | {"Origin": SHOP})
    assert (sent.status, sent.headers["Access-Control-Allow-Origin"], sent.headers["Vary"]) == (202, SHOP, "Origin")
    evil = await visitor.http.get(visitor.url, headers=visitor.headers | {"Origin": "https://evil.example"})
    assert evil.status == 403
    own = await visitor.http.get(visitor.url, headers=visitor.headers | {"Origin": service.base})
    assert own.status == 200, "on a laptop the served page itself"


async def test_a_stream_that_is_open_when_the_server_stops_is_told_to_resume(service: Service):
    visitor = await service.visitor()
    await Handoff(service.store).ask((await _opened(visitor)).conversation, Reason.RULE)
    await visitor.until(lambda me: me.of("state"))
    await service._runner.shutdown()
    await visitor.until(lambda me: me.frames[-1].kind == "resume")


async def _opened(visitor: Visitor) -> Visitor:
    await visitor.say("hello")
    return visitor


async def test_a_bad_proof_never_keeps_the_person_before(service: Service):
    anonymous = await service.visitor(follow=False)
    again = await service.visitor(follow=False, token=anonymous.token, identity="junk")
    assert again.conversation == anonymous.conversation, "an anonymous visitor stays who they are"


async def test_open_streams_of_one_visitor_are_bounded(service: Service):
    visitor = await service.visitor(follow=False)
    await visitor.say("hello")
    streams = [await service.http.get(f"{visitor.url}/events", headers=visitor.headers) for _ in range(20)]
    assert {stream.status for stream in streams} == {200}
    refused = await service.http.get(f"{visitor.url}/events", headers=visitor.headers)
    assert refused.status == 429
    assert refused.headers["Retry-After"]
    for stream in streams:
        stream.close()


async def test_a_host_header_that_is_none_and_an_endless_event_id(service: Service):
    visitor = await service.visitor(follow=False)
    response = await service.http.get(visitor.url, headers=visitor.headers | {"Host": "x:99999", "Origin": "http://x"})
    assert response.status == 400
    response = await service.http.get(f"{visitor.url}/events", headers=visitor.headers | {"Last-Event-ID": "9" * 5000})
    assert response.status == 422
