"""Events reach the shop's own systems: signed, once per id, after any number of faults."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from pydantic import ValidationError
from standardwebhooks import Webhook

from config.tools import Tools
from server.store.contract import Row, Store, Tx
from server.tools.webhooks import HOLD_S, PAUSES_S, Webhooks, keys, signed
from server.tools.wire import GuardedHttp
from tests.places import Place, until
from tests.server.tools import bench as _queries  # noqa: F401 - loads the statements that tests read with

SECRETS = [f"whsec_{base64.b64encode(bytes([n]) * 32).decode()}" for n in (1, 2)]


class Receiver:
    """A system of the shop that answers as its script says, 204 at its end."""

    def __init__(self, *codes: int) -> None:
        self.codes = list(codes)
        self.got: list[tuple[dict[str, str], bytes]] = []
        self.url = ""

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Receiver]:
        app = web.Application()
        app.router.add_post("/hooks", self._take)
        async with TestServer(app, host="127.0.0.1") as server:
            self.url = str(server.make_url("/hooks"))
            yield self

    async def _take(self, request: web.Request) -> web.Response:
        self.got.append((dict(request.headers), await request.read()))
        return web.Response(status=self.codes.pop(0) if self.codes else 204)


def webhooks(store: Store, receiver: Receiver, http: GuardedHttp, **settings: Any) -> Webhooks:
    host = receiver.url.removeprefix("http://").partition("/")[0]
    values = {"webhook_url": receiver.url, "webhook_secret": SECRETS[0], "webhook_allow_hosts": (host,)} | settings
    return Webhooks(store, "default", Tools(**values), http)


async def emitted(store: Store, hooks: Webhooks, event_id: str = "msg_1") -> None:
    async def unit(tx: Tx) -> None:
        await hooks.emit(tx, "lead.created", {"lead": "l1", "name": "Ada"}, event_id=event_id)

    await store.write(unit)


async def delivery(store: Store, event_id: str = "msg_1") -> Row:
    row = await store.row("toolbench.delivery", id=event_id)
    assert row is not None
    return row


async def test_an_event_is_signed_as_the_standard_says(store: Store, http: GuardedHttp, place: Place) -> None:
    async with Receiver().running() as receiver:
        hooks = webhooks(store, receiver, http, webhook_secret=" ".join(SECRETS))
        await emitted(store, hooks)
        await emitted(store, hooks)
        place.clock.wall = datetime.now(UTC).timestamp()  # the receiver's library refuses stamps of other times
        assert await hooks.send_due() == 1
        assert await hooks.send_due() == 0
    ((headers, body),) = receiver.got
    assert headers["Webhook-Id" if "Webhook-Id" in headers else "webhook-id"] == "msg_1"
    for secret in SECRETS:
        event = Webhook(secret).verify(body, headers)
    assert event["type"] == "lead.created"
    assert event["data"] == {"lead": "l1", "name": "Ada"}
    assert event["timestamp"] == "2023-11-14T22:13:20.000Z"
    assert (await delivery(store))["state"] == "sent"


async def test_faults_are_tried_again_with_growing_pauses(store: Store, http: GuardedHttp, place: Place) -> None:
    async with Receiver(500, 302, 204).running() as receiver:
        hooks = webhooks(store, receiver, http)
        await emitted(store, hooks)
        for attempt, pause in enumerate(PAUSES_S[:2], 1):
            assert await hooks.send_due() == 1
            row = await delivery(store)
            assert (row["state"], row["attempts"]) == ("queued", attempt)
            assert pause <= row["next_at"] - place.clock.wall_s() <= pause * 1.2
            assert await hooks.send_due() == 0
            place.clock.pass_s(pause * 1.2 + 1)
        assert await hooks.send_due() == 1
        assert (await delivery(store))["state"] == "sent"
    assert len(receiver.got) == 3
    assert len({body for _, body in receiver.got}) == 1


async def test_after_the_last_attempt_an_event_is_given_up_until_somebody_replays_it(
    store: Store, http: GuardedHttp, place: Place
) -> None:
    async with Receiver(*[500] * (len(PAUSES_S) + 1)).running() as receiver:
        hooks = webhooks(store, receiver, http)
        await emitted(store, hooks)
        for _ in range(len(PAUSES_S) + 1):
            assert await hooks.send_due() == 1
            place.clock.pass_s(200_000.0)
        row = await delivery(store)
        assert (row["state"], row["code"]) == ("failed", 500)
        assert await hooks.send_due() == 0
        assert await hooks.replay("msg_1")
        assert not await hooks.replay("msg_1"), "it is on its way already"
        assert not await hooks.replay("msg_9")
        assert await hooks.send_due() == 1
        assert (await delivery(store))["state"] == "sent"


async def test_a_receiver_that_is_gone_for_good_is_left_alone(store: Store, http: GuardedHttp) -> None:
    async with Receiver(410).running() as receiver:
        hooks = webhooks(store, receiver, http)
        await emitted(store, hooks)
        await hooks.send_due()
    assert (await delivery(store))["state"] == "failed"


async def test_an_address_that_is_not_allowed_is_not_called(store: Store, http: GuardedHttp) -> None:
    async with Receiver().running() as receiver:
        hooks = webhooks(store, receiver, http, webhook_allow_hosts=())
        await emitted(store, hooks)
        await hooks.send_due()
    assert receiver.got == []
    row = await delivery(store)
    assert (row["state"], row["code"]) == ("queued", None)


async def test_what_a_worker_took_and_lost_is_taken_by_others(store: Store, http: GuardedHttp, place: Place) -> None:
    async with Receiver().running() as receiver:
        hooks = webhooks(store, receiver, http)
        await emitted(store, hooks)
        now = place.clock.wall_s()
        taken = await store.write(
            lambda tx: tx.rows("tools.take_deliveries", tenant="default", now=now, until=now + HOLD_S, limit=1)
        )
        assert len(taken) == 1
        assert await hooks.send_due() == 0
        place.clock.pass_s(HOLD_S)
        assert await hooks.send_due() == 1
        assert (await delivery(store))["attempts"] == 2


async def test_an_event_leaves_at_once_while_running(place: Place, http: GuardedHttp) -> None:
    async with Receiver().running() as receiver, place.open(real_clock=True) as store:
        hooks = webhooks(store, receiver, http)
        async with hooks.running():
            await emitted(store, hooks)
            await until(lambda: receiver.got)
    assert json.loads(receiver.got[0][1])["type"] == "lead.created"


async def test_without_an_address_nothing_is_kept(store: Store, http: GuardedHttp) -> None:
    hooks = Webhooks(store, "default", Tools(), http)
    async with hooks.running():
        await emitted(store, hooks)
    assert await store.row("toolbench.delivery", id="msg_1") is None
    assert await hooks.send_due() == 0
    await asyncio.sleep(0)


@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_short", "c2VjcmV0" * 8, f"{SECRETS[0]} nonsense"])
def test_an_address_needs_a_proper_key(secret: str) -> None:
    with pytest.raises(ValidationError, match="webhook_secret"):
        Tools(webhook_url="https://crm.example/hooks", webhook_secret=secret)


def test_the_signature_of_the_published_example() -> None:
    """The example of the standard's own libraries."""
    headers = signed(
        keys("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"),
        "msg_p5jXN8AQM9LWM0D4loKWxJek",
        1614265330,
        b'{"test": 2432232314}',
    )
    assert headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
