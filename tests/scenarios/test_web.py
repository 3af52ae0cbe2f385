"""The numbered cases of the web channel (V01 to V14) and the requests that must fail with the one right error (A7)."""

from __future__ import annotations

import asyncio
import io
import json
import time
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession
from joserfc import jwt
from joserfc.jwk import OctKey

from tests.model_double import Pace
from tests.scenario import Visitor, desk

SECRET = "s" * 40
SHOP = "https://shop.example.com"


def proof(subject: str, *, secret: str = SECRET, life_s: float = 600) -> str:
    claims = {"sub": subject, "exp": int(time.time() + life_s)}
    return jwt.encode({"alg": "HS256"}, claims, OctKey.import_key(secret))


async def test_v01_the_token_is_random_signed_and_never_in_a_url(store_url: str, tmp_path: Path) -> None:
    async with desk(store_url, tmp_path) as service:
        one, two = await service.visitor(follow=False), await service.visitor(follow=False)
        assert one.token != two.token
        assert one.conversation != two.conversation
        for place in (f"{one.url}?token={one.token}", f"{one.url}?access_token={one.token}"):
            response = await service.http.get(place)
            assert response.status == 401, "a token in the address is not even looked at"
        forged = one.token[:-3] + ("aaa" if not one.token.endswith("aaa") else "bbb")
        response = await service.http.get(one.url, headers={"Authorization": f"Bearer {forged}"})
        assert response.status == 401


async def test_v02_origins(tmp_path: Path) -> None:
    async with desk(f"sqlite:///{tmp_path}/d.db", tmp_path, account={"allowed_origins": [SHOP]}) as service:
        visitor = await service.visitor(follow=False)
        body = {"client_message_id": "x", "text": "hi"}
        for origin, status in ((SHOP, 202), (service.base, 202), ("https://evil.example", 403), ("null", 403)):
            headers = visitor.headers | {"Origin": origin}
            response = await service.http.post(f"{visitor.url}/messages", json=body, headers=headers)
            assert response.status == status, origin
        evil = visitor.headers | {"Origin": "https://evil.example"}
        assert (await service.http.get(f"{visitor.url}/events", headers=evil)).status == 403
        session = await service.http.post(
            f"{service.base}/web/session", json={}, headers={"Origin": "https://evil.example"}
        )
        assert session.status == 403
        assert session.headers["Content-Type"].startswith("application/problem+json")
        assert "Access-Control-Allow-Origin" not in session.headers
        asked = await service.http.options(f"{visitor.url}/messages", headers={"Origin": SHOP})
        assert asked.status == 204
        assert asked.headers["Access-Control-Allow-Origin"] == SHOP
        assert "Authorization" in asked.headers["Access-Control-Allow-Headers"]
        refused = await service.http.options(f"{visitor.url}/messages", headers={"Origin": "https://evil.example"})
        assert refused.status == 403
        assert "Access-Control-Allow-Origin" not in refused.headers


async def test_v03_somebody_elses_conversation_does_not_exist(store_url: str, tmp_path: Path) -> None:
    async with desk(store_url, tmp_path) as service:
        mine, theirs = await service.visitor(follow=False), await service.visitor(follow=False)
        await theirs.say("private")
        for path in ("", "/events"):
            response = await service.http.get(f"{theirs.url}{path}", headers=mine.headers)
            assert response.status == 404
        for path in ("messages", "feedback", "handoff", "stop"):
            response = await service.http.post(f"{theirs.url}/{path}", json={}, headers=mine.headers)
            assert response.status == 404, path


async def test_v04_sent_twice_is_stored_once(store_url: str, tmp_path: Path) -> None:
    async with desk(store_url, tmp_path) as service:
        visitor = await service.visitor()
        first = await visitor.say("only once", "same-id")
        again = await asyncio.gather(*(visitor.say("only once", "same-id") for _ in range(10)))
        assert {(a["message_id"], a["seq"], a["duplicate"]) for a in again} == {
            (first["message_id"], first["seq"], True)
        }
        other = await service.visitor()
        assert not (await other.say("mine", "same-id"))["duplicate"], "another visitor's equal id is another message"
        await visitor.answered()
        await other.answered()
        assert visitor.said("customer") == ["only once"]
        assert service.double.stats.requests == 2
        await service.check_laws(visitor.conversation)


async def test_v05_resume_in_the_middle_of_an_answer(store_url: str, tmp_path: Path) -> None:
    pace = Pace(tokens_per_s=15, first_token_s=0.1)
    async with desk(store_url, tmp_path, pace=pace) as service:
        visitor = await service.visitor()
        await visitor.say("a b c d e f g h i j k l m n o p")
        await visitor.until(lambda me: len(me.of("draft")) >= 4)
        await visitor.leave()
        seen = [frame.id for frame in visitor.frames if frame.id is not None]
        before = len(visitor.frames)
        visitor.follow(last_id=seen[-1])
        await visitor.answered()
        resumed = visitor.frames[before:]
        first_draft = next(frame for frame in resumed if frame.kind == "draft")
        assert first_draft.data["offset"] == 0
        assert first_draft.data["text"].startswith("answer to: a b")
        drafted = ""
        for frame in resumed:
            if frame.kind == "draft":
                assert frame.data["offset"] == len(drafted), "no gap, no repeat"
                drafted += frame.data["text"]
        assert visitor.said("assistant")[0].startswith(drafted)
        ids = [frame.id for frame in visitor.frames if frame.id is not None]
        assert ids == sorted(set(ids))


async def test_v06_an_event_id_older_than_retention_resets(store_url: str, tmp_path: Path) -> None:
    async with desk(store_url, tmp_path) as service:
        visitor = await service.visitor()
        await visitor.say("hello")
        await visitor.answered()
        await visitor.until(lambda me: me.of("draft_ended"))
        await visitor.leave()

        async def forget(tx: Any) -> int:
            return int(await tx.run("scenario.forget", conversation_id=visitor.conversation, upto=3))

        await service.store.write(forget)
        visitor.frames.clear()
        visitor.follow(last_id=1)
        await visitor.until(lambda me: me.of("reset"))
        tail = visitor.of("reset")[0]["last_event_id"]
        assert tail == (await visitor.snapshot())["last_event_id"]
        await visitor.say("still alive")
        await visitor.until(lambda me: me.said("customer") == ["still alive"])
        assert all(frame.id is None or frame.id > tail for frame in visitor.frames)


async def test_v07_stalled_readers_cost_little(tmp_path: Path) -> None:
    async with desk(f"sqlite:///{tmp_path}/d.db", tmp_path) as service:
        visitor = await service.visitor()
        host, port = service.base.removeprefix("http://").split(":")
        stalled = []
        for _ in range(50):
            reader, writer = await asyncio.open_connection(host, int(port), limit=1024)
            request = f"GET /web/conversations/{visitor.conversation}/events HTTP/1.1\r\nHost: {host}:{port}\r\n"
            writer.write(f"{request}Authorization: Bearer {visitor.token}\r\n\r\n".encode())
            stalled.append((reader, writer))
        started = time.monotonic()
        for number in range(20):
            await visitor.say(f"{number} " + "x" * 4_000)
            await visitor.until(lambda me, number=number: len(me.said("customer")) > number)
        assert time.monotonic() - started < 20, "others are not slowed down"
        for _, writer in stalled:
            writer.close()


async def test_v08_two_tabs_see_the_same(store_url: str, tmp_path: Path) -> None:
    async with desk(store_url, tmp_path) as service:
        one = await service.visitor()
        two = Visitor(service.http, service.base, one.token, one.conversation)
        two.follow()
        await one.say("hello")
        await one.answered()
        await two.answered()
        message = one.of("message")[-1]["id"]
        await two.post("feedback", {"message_id": message, "value": "down", "reason": "wrong", "comment": "no"})
        await one.until(lambda me: me.of("feedback"))
        await two.leave()

        def ids(visitor: Visitor) -> list[int]:
            return [frame.id for frame in visitor.frames if frame.id is not None]

        assert set(ids(two)) <= set(ids(one))


async def test_v09_frame_policy_and_files(tmp_path: Path) -> None:
    async with desk(f"sqlite:///{tmp_path}/d.db", tmp_path, account={"allowed_origins": [SHOP]}) as service:
        frame = await service.http.get(f"{service.base}/web/frame")
        policy = frame.headers["Content-Security-Policy"]
        for part in (
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            "connect-src 'self'",
            "img-src 'self'",
        ):
            assert part in policy
        assert f"frame-ancestors 'self' {SHOP}" in policy
        assert "X-Frame-Options" not in frame.headers
        page = await frame.text()
        assert "<script>" not in page
        assert "style=" not in page
        loader = await service.http.get(f"{service.base}/widget.js")
        assert loader.status == 200
        again = await service.http.get(f"{service.base}/widget.js", headers={"If-None-Match": loader.headers["ETag"]})
        assert again.status == 304


async def test_v10_rate_limits(tmp_path: Path) -> None:
    account = {"messages_per_minute": 3, "sessions_per_minute": 5}
    async with desk(f"sqlite:///{tmp_path}/d.db", tmp_path, account=account) as service:
        visitor = await service.visitor(follow=False)
        for number in range(3):
            await visitor.say(f"hello {number}")
        response = await visitor.post("messages", {"client_message_id": "late", "text": "one more"})
        assert response.status == 429
        assert int(response.headers["Retry-After"]) >= 1
        answers = [await service.http.post(f"{service.base}/web/session", json={}) for _ in range(6)]
        assert answers[-1].status == 429


async def test_v12_heartbeats_come(tmp_path: Path) -> None:
    async with desk(f"sqlite:///{tmp_path}/d.db", tmp_path) as service:
        visitor = await service.visitor(follow=False)
        async with service.http.get(f"{visitor.url}/events", headers=visitor.headers) as stream:
            async with asyncio.timeout(20):
                line = await stream.content.readline()
                while line and not line.startswith(b": ping"):
                    line = await stream.content.readline()
            assert line, "the stream ended before its first heartbeat"


async def test_v13_identity(store_url: str, tmp_path: Path) -> None:
    async with desk(store_url, tmp_path, account={"identity_secret": SECRET}) as service:
        phone = await service.visitor(identity=proof("customer-7"))
        laptop = await service.visitor(identity=proof("customer-7"))
        assert phone.conversation == laptop.conversation
        await phone.say("from my phone")
        await laptop.until(lambda me: me.said("customer") == ["from my phone"])
        for bad in (
            proof("customer-7", secret="x" * 40),
            proof("customer-7", life_s=-10),
            proof("customer-7", life_s=90_000),
            "junk",
        ):
            stranger = await service.visitor(follow=False, identity=bad)
            assert stranger.conversation != phone.conversation
            next_person = await service.visitor(follow=False, identity=bad, token=phone.token)
            assert next_person.conversation != phone.conversation, "a shared browser must not show the person before"


async def test_v14_logout_clears_every_tab(store_url: str, tmp_path: Path) -> None:
    async with desk(store_url, tmp_path) as service:
        visitor = await service.visitor()
        await visitor.say("hello")
        response = await service.http.post(f"{service.base}/web/session/end", json={}, headers=visitor.headers)
        assert response.status == 204
        await visitor.until(lambda me: me.of("session_ended"))


async def test_ratings_are_stored_changed_and_withdrawn(store_url: str, tmp_path: Path) -> None:
    async with desk(store_url, tmp_path) as service:
        visitor = await service.visitor()
        await visitor.say("hello")
        await visitor.answered()
        message = visitor.of("message")[-1]["id"]
        for body in ({"value": "up"}, {"value": "down", "reason": "wrong", "comment": "not true"}):
            assert (await visitor.post("feedback", {"message_id": message, **body})).status == 204
        (row,) = await service.store.rows("scenario.feedback", conversation_id=visitor.conversation)
        assert (row["value"], row["reason"], row["comment"]) == ("down", "wrong", "not true")
        assert row["turn_id"]
        assert row["release_id"]
        assert (await visitor.snapshot())["messages"][-1]["feedback"] == "down"
        assert (await visitor.post("feedback", {"message_id": message, "value": None})).status == 204
        assert (await visitor.snapshot())["messages"][-1]["feedback"] is None
        question = visitor.of("message")[0]["id"]
        assert (await visitor.post("feedback", {"message_id": question, "value": "up"})).status == 409


async def test_database_trouble_is_said_and_nothing_pretended(tmp_path: Path) -> None:
    async with desk(f"sqlite:///{tmp_path}/d.db", tmp_path) as service:
        visitor = await service.visitor()
        await visitor.say(
            "hello\x00 with a zero and a lone surrogate \udc80".encode("utf-8", "surrogatepass").decode(
                "utf-8", "replace"
            )
        )
        await visitor.answered()
        assert "\x00" not in visitor.said("customer")[0]


def _long(size: int) -> str:
    return json.dumps({"client_message_id": "x", "text": "ä" * (size // 2)})


JSON = {"Content-Type": "application/json"}
BAD_REQUESTS: dict[str, tuple[str, str, dict[str, str], str | bytes, int, str]] = {
    # name: method, path, headers, body, status, words of the one right error
    "no token": ("POST", "messages", {"Authorization": ""}, "{}", 401, "visitor's token"),
    "forged token": ("POST", "messages", {"Authorization": "Bearer a.b"}, "{}", 401, "new session"),
    "not JSON": ("POST", "messages", JSON, "{", 400, "not valid JSON"),
    "wrong content type": ("POST", "messages", {"Content-Type": "text/plain"}, "hi", 415, "application/json"),
    "compressed body": ("POST", "messages", JSON | {"Content-Encoding": "gzip"}, b"\x1f\x8b", 415, "Content-Encoding"),
    "text over 8 kB": ("POST", "messages", JSON, _long(8_194), 413, "8192 bytes"),
    "body over the cap": ("POST", "messages", JSON, _long(2_000_000), 413, "large"),
    "empty text": ("POST", "messages", JSON, '{"client_message_id":"x","text":"  "}', 422, "empty"),
    "no client id": ("POST", "messages", JSON, '{"text":"hi"}', 422, "client_message_id"),
    "unknown field": ("POST", "messages", JSON, '{"client_message_id":"x","text":"h","as":"bot"}', 422, "as"),
    "rating of nothing": ("POST", "feedback", JSON, '{"message_id":"none","value":"up"}', 404, "no such"),
    "unknown rating": ("POST", "feedback", JSON, '{"message_id":"none","value":"great"}', 422, "value"),
    "event id that is none": ("GET", "events", {"Last-Event-ID": "abc"}, "", 422, "Last-Event-ID"),
    "wrong method": ("DELETE", "messages", {}, "", 405, ""),
    "unknown address": ("GET", "nothing", {}, "", 404, ""),
}


@pytest.mark.parametrize("name", BAD_REQUESTS)
async def test_a7_bad_requests(tmp_path: Path, name: str) -> None:
    method, path, headers, body, status, words = BAD_REQUESTS[name]
    raw = body.encode() if isinstance(body, str) else body
    async with desk(f"sqlite:///{tmp_path}/d.db", tmp_path, wait_ready=False) as service:
        visitor = await service.visitor(follow=False)
        async with ClientSession() as http:
            response = await http.request(
                method, f"{visitor.url}/{path}", data=io.BytesIO(raw), headers=visitor.headers | headers
            )
            text = await response.text()
        assert response.status == status, text
        assert response.headers["Content-Type"].startswith("application/problem+json"), text
        problem = json.loads(text)
        assert problem["status"] == status
        assert words.lower() in text.lower()
        assert (await visitor.snapshot())["messages"] == [], "nothing was stored"
