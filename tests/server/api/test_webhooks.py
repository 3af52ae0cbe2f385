"""Webhooks over real HTTP: who may deliver what where, what a platform gets told, and how long it waits."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientResponse, ClientSession, web
from aiohttp.test_utils import TestServer
from yarl import URL

from channels.base import File, Received
from config.settings import Settings
from server.accounts import Accounts
from server.api.channels import ChannelsApi
from server.api.webhooks import BODY_BYTES, PATHS, WebhooksApi, addresses
from server.buttons import Buttons
from server.catchup import SEEN, CatchUp
from server.gateway import Gateway
from server.handoff import Handoff
from server.inbox import Inbox
from server.intake import Intake
from server.outbox.access import revoke
from server.pulse import Pulse
from server.routes import Principal, Role, Route, install
from server.store.contract import Store
from server.telemetry import Metrics
from tests.places import Place, until
from tests.server.engine.bench import ShakyStore
from tests.told_channel import SECRET, TELEGRAM, ToldChannel, ToldPlatform, installed

META = {
    "provider": "meta",
    "phone_number_id": "1",
    "access_token": "token",
    "app_secret": "secret",
    "verify_token": "verify",
}


class OpenGate:
    """Everybody is a viewer."""

    async def who(self, _request: web.Request) -> Principal:
        return Principal("default", "cli", "viewer", Role.VIEWER)

    def check_forgery(self, _request: web.Request, _principal: Principal) -> None:
        return None

    async def record(self, _request: web.Request, _principal: Principal, _action: str) -> None:
        return None


@dataclass
class Door:
    """A gateway of webhooks over a real store."""

    platform: ToldPlatform
    store: ShakyStore
    routes: list[Route]
    server: TestServer
    http: ClientSession
    pulse: Pulse

    @property
    def channel(self) -> ToldChannel:
        return self.platform.made["default"]

    async def post(self, *facts: Any, path: str = "/webhooks/telegram", **how: Any) -> ClientResponse:
        headers = {"X-Secret": SECRET} | how.pop("headers", {})
        body = how.pop("data", json.dumps(facts))
        url = URL(f"{self.server.make_url('/')}{path[1:]}", encoded=True)
        answer = await self.http.post(url, data=body, headers=headers, **how)
        await answer.read()
        return answer

    async def stored(self) -> list[str]:
        rows = await self.store.rows("bench.customers")
        return [str(row["conversations"]) for row in rows]


def said(number: int = 1) -> dict[str, Any]:
    return {"address": "ana", "external_id": f"m{number}", "text": "hello"}


async def no_file(_file_id: str) -> File:
    raise LookupError


@asynccontextmanager
async def opened(
    url: str, folder: Path, platform: ToldPlatform, *, seen: str = "", **sections: Any
) -> AsyncIterator[Door]:
    channels = {"telegram": {"default": TELEGRAM, "second": TELEGRAM, "off": {**TELEGRAM, "enabled": False}}}
    settings = Settings.model_validate({"data_dir": str(folder), "channels": channels} | sections)
    async with Place("", url).open(real_clock=True) as inner:
        store: Any = ShakyStore(inner)
        gateway, handoff = Gateway(store, settings, Metrics()), Handoff(store)
        pulse = Pulse(store)
        accounts = Accounts(settings, store, no_file, str)
        intake = Intake(Inbox(store, gateway, handoff, Buttons("default", lambda: b"k"), "default"), pulse)
        catch_up = CatchUp(store, accounts, intake, pulse, "default")
        routes = WebhooksApi(accounts, intake, catch_up, pulse, settings.http).routes()
        routes += ChannelsApi(store, accounts, settings).routes()
        if seen:
            await save_seen(inner, seen)
        app = web.Application(client_max_size=settings.http.max_body_bytes)
        install(app, routes, OpenGate())
        async with AsyncExitStack() as stack:
            for part in (pulse, accounts, intake, catch_up):
                await stack.enter_async_context(part.running())
            server = await stack.enter_async_context(TestServer(app, host="127.0.0.1"))
            http = await stack.enter_async_context(ClientSession())
            yield Door(platform, store, routes, server, http, pulse)


async def save_seen(store: Store, value: str) -> None:
    key = {"tenant": "default", "channel": "telegram", "account": "default"}
    await store.write(lambda tx: tx.run("channels.save_cursor", **key, name=SEEN, value=value, now=tx.now_s))


@pytest.fixture
def platform(monkeypatch: pytest.MonkeyPatch) -> ToldPlatform:
    return installed(monkeypatch)


@pytest.fixture
async def door(store_url: str, tmp_path: Path, platform: ToldPlatform) -> AsyncIterator[Door]:
    async with opened(store_url, tmp_path, platform) as running:
        yield running


async def test_every_address_is_public_and_says_whose_it_is(door: Door):
    webhooks = [route for route in door.routes if route.path.startswith("/webhooks/")]
    assert {route.path.partition("/{")[0] for route in webhooks} == PATHS.keys()
    assert {route.role for route in webhooks} == {Role.PUBLIC}
    assert len({(route.method, route.path) for route in webhooks}) == 14
    assert ("GET", "/webhooks/whatsapp/meta") in {(route.method, route.path) for route in webhooks}


async def test_a_delivery_is_stored_and_gets_the_channels_answer(door: Door):
    answer = await door.post(said(), path="/webhooks/telegram?x=1%2F2&x=3")
    assert (answer.status, await answer.text(), answer.content_type) == (200, "taken", "text/plain")
    assert await door.stored() == ["1"]
    (delivery,) = door.channel.deliveries
    assert json.loads(delivery.body) == [said()]
    assert (delivery.method, delivery.path) == ("POST", "/webhooks/telegram")
    assert delivery.url == str(door.server.make_url("/webhooks/telegram")) + "?x=1%2F2&x=3", "as it was called"
    assert "x-secret" in delivery.headers
    assert abs(delivery.now_s - time.time()) < 5


async def test_accounts_have_their_own_addresses_and_those_that_are_off_none(door: Door):
    assert (await door.post(said(), path="/webhooks/telegram/second")).status == 200
    assert len(door.platform.made["second"].deliveries) == 1
    for path in ("/webhooks/telegram/off", "/webhooks/telegram/nobody", "/webhooks/slack/events", "/webhooks/whatsapp"):
        assert (await door.post(said(), path=path)).status == 404
    assert (await door.http.get(door.server.make_url("/webhooks/telegram"))).status == 405


async def test_a_rejected_delivery_gets_the_channels_words_and_leaves_nothing(door: Door):
    answer = await door.post(said(), headers={"X-Secret": "guessed"})
    assert (answer.status, await answer.text()) == (403, "the secret is not ours")
    assert await door.stored() == ["0"]


async def test_compressed_and_oversized_bodies_are_refused_before_the_channel_sees_them(
    tmp_path: Path, platform: ToldPlatform
):
    small = {"max_body_bytes": 2_048}
    async with opened(f"sqlite:///{tmp_path}/desk.db", tmp_path, platform, http=small) as door:
        assert (await door.post(data=b"x", headers={"Content-Encoding": "gzip"})).status == 415
        assert (await door.post(data=b"x" * 2_049)).status == 413
        assert door.channel.deliveries == []


async def test_meta_may_send_more_than_other_bodies_may_have(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    meta = installed(monkeypatch, "whatsapp")
    channels = {"whatsapp": {"default": META}}
    path, limit = "/webhooks/whatsapp/meta", BODY_BYTES["/webhooks/whatsapp/meta"]
    whole = json.dumps([said()]).encode().ljust(limit)
    async with opened(f"sqlite:///{tmp_path}/desk.db", tmp_path, meta, channels=channels) as door:
        assert limit >= 3 * 2**20 > Settings().http.max_body_bytes
        assert (await door.post(path=path, data=BytesIO(whole))).status == 200
        assert len(door.channel.deliveries[0].body) == limit
        assert (await door.post(path=path, data=BytesIO(b"x" * (limit + 1)))).status == 413
        assert (await door.post(path=path, data=pieces(limit + 1))).status == 413, "also where no length is told"
        too_much = BytesIO(b"x" * (2**20 + 1))
        assert (await door.post(path="/webhooks/whatsapp", data=too_much)).status == 413, "Meta's alone"
        assert len(door.channel.deliveries) == 1


async def pieces(count: int) -> AsyncIterator[bytes]:
    while count > 0:
        yield b"x" * min(count, 65_536)
        count -= 65_536


async def test_without_a_store_the_platform_is_told_at_once(door: Door):
    door.store.away = True
    answer = await door.post(said())
    assert (answer.status, door.pulse.away) == (503, True)
    assert int(answer.headers["Retry-After"]) >= 1
    refused = door.store.refused
    started = time.monotonic()
    assert (await door.post(said())).status == 503
    assert time.monotonic() - started < 0.5
    assert door.store.refused - refused <= 4, "only pings ask the store now"
    door.store.away = False
    await until(lambda: not door.pulse.away)
    assert (await door.post(said())).status == 200
    assert await door.stored() == ["1"]


async def test_a_channel_that_could_not_be_opened_asks_the_platform_to_come_again(
    store_url: str, tmp_path: Path, platform: ToldPlatform
):
    platform.prepare = {"start_error": OSError("down")}
    async with opened(store_url, tmp_path, platform) as door:
        answer = await door.post(said())
        assert (answer.status, answer.headers["Retry-After"]) == (503, "5")


async def test_a_press_is_confirmed_after_it_was_stored(door: Door):
    press = {
        "kind": "press",
        "address": "ana",
        "giver": "ana",
        "payload": "foreign",
        "external_id": "cb",
        "label": "Hi",
    }
    assert (await door.post(press)).status == 200
    await until(lambda: door.channel.confirmed)
    door.channel.confirm_error = OSError("the platform is away")
    assert (await door.post(press)).status == 200


async def test_an_answer_without_facts_needs_no_store(door: Door):
    async def receive(_delivery: Any) -> Received:
        return Received(body=b"challenge", content_type="text/html")

    door.channel.receive = receive  # type: ignore[method-assign]
    door.store.away = True
    answer = await door.post()
    assert (answer.status, await answer.text(), answer.content_type) == (200, "challenge", "text/html")


async def test_live_messages_wait_a_moment_for_missed_ones(store_url: str, tmp_path: Path, platform: ToldPlatform):
    gate = asyncio.Event()
    platform.prepare = {"history_gate": gate}
    async with opened(store_url, tmp_path, platform, seen=repr(time.time() - 60)) as door:
        door.channel.history = [[door.channel.message("ana", "m0", "missed", sent_at=time.time())]]
        started = time.monotonic()
        assert (await door.post(said())).status == 200
        waited_s = time.monotonic() - started
        assert 1.0 < waited_s < 2.0, "then it goes on regardless"
        waiting = asyncio.create_task(door.post(said(2)))
        gate.set()
        assert (await waiting).status == 200


@pytest.mark.parametrize(
    ("http", "headers", "url"),
    [
        ({"public_url": "https://desk.example/base"}, {}, "https://desk.example/base/webhooks/telegram"),
        ({}, {"X-Forwarded-Proto": "https", "X-Forwarded-Host": "evil.example"}, "http://127.0.0.1"),
        (
            {"trusted_proxies": ["127.0.0.1"]},
            {"X-Forwarded-Proto": "http, https", "X-Forwarded-Host": "evil.example, desk.example"},
            "https://desk.example/webhooks/telegram",
        ),
        ({"trusted_proxies": ["127.0.0.1"]}, {}, "http://127.0.0.1"),
    ],
)
async def test_the_address_called_comes_from_the_setting_or_a_trusted_proxy(
    tmp_path: Path, platform: ToldPlatform, http: dict[str, Any], headers: dict[str, str], url: str
):
    async with opened(f"sqlite:///{tmp_path}/desk.db", tmp_path, platform, http=http) as door:
        assert (await door.post(said(), headers=headers)).status == 200
        assert door.channel.deliveries[0].url.startswith(url)


async def test_a_host_that_is_none_is_refused(tmp_path: Path, platform: ToldPlatform):
    async with opened(f"sqlite:///{tmp_path}/desk.db", tmp_path, platform) as door:
        assert (await door.post(said(), headers={"Host": "a/b@c"})).status == 400


@pytest.mark.parametrize(
    ("account", "provider", "expected"),
    [
        ("default", "twilio", ["https://d/webhooks/whatsapp", "https://d/webhooks/whatsapp/status"]),
        ("outlet", "meta", ["https://d/webhooks/whatsapp/meta/outlet"]),
    ],
)
def test_what_to_enter_at_the_platform(account: str, provider: str, expected: list[str]):
    assert addresses("whatsapp", account, provider, "https://d") == expected


async def test_accounts_are_listed_with_health_and_addresses(door: Door):
    await door.post(said())
    await door.store.write(lambda tx: revoke(tx, "default", "telegram", "second", "the bot was deleted"))
    await until(lambda: door.platform.made["default"].opened)
    answer = await door.http.get(door.server.make_url("/api/channels"))
    assert answer.status == 200
    rows = {(row["channel"], row["account"]): row for row in (await answer.json())["channels"]}
    assert [rows["telegram", name]["on"] for name in ("default", "second", "off")] == [True, True, False]
    assert rows["telegram", "default"]["last_message_at"]
    assert rows["telegram", "second"]["revoked"] == "the bot was deleted"
    assert rows["telegram", "default"]["webhooks"] == ["/webhooks/telegram"]
    assert rows["telegram", "second"]["webhooks"] == ["/webhooks/telegram/second"]
    assert rows["slack", "default"]["on"] is False
    assert rows["web", "default"] == rows["web", "default"] | {"on": True, "webhooks": []}
    assert "s3cret" not in await answer.text()
    again = await door.http.get(door.server.make_url("/api/channels"))
    assert again.status == 200
