"""The whole service with a messaging platform: a webhook in, one answer out, whatever happens in between."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientResponse

from server.store.contract import Row
from server.store.statements import load, parse
from tests import postgres
from tests.places import until
from tests.scenario import Service, desk
from tests.told_channel import SECRET, TELEGRAM, ToldChannel, ToldPlatform, installed

QUERIES = """
-- name: conversations
-- Everybody who wrote.
select * from conversation order by created_at, id;
-- name: ratings
-- Every rating.
select * from feedback order by created_at;
"""
for dialect in ("sqlite", "postgresql"):
    load(dialect).update(parse("platform_bench", QUERIES, dialect))

HOOK = "/webhooks/telegram"
ON: dict[str, Any] = {"channels": {"web": {"default": {}}, "telegram": {"default": TELEGRAM}}}


@pytest.fixture
def platform(monkeypatch: pytest.MonkeyPatch) -> ToldPlatform:
    return installed(monkeypatch)


async def deliver(service: Service, *facts: dict[str, Any], path: str = HOOK, **headers: str) -> ClientResponse:
    sent = {"X-Secret": SECRET} | {name.replace("_", "-"): value for name, value in headers.items()}
    answer = await service.http.post(f"{service.base}{path}", json=list(facts), headers=sent)
    await answer.read()
    return answer


def said(number: int, address: str = "ana", text: str = "") -> dict[str, Any]:
    return {"address": address, "external_id": f"{address}:{number}", "text": text or f"question {number}"}


async def conversations(service: Service) -> list[Row]:
    return list(await service.store.rows("platform_bench.conversations"))


async def sent(channel: ToldChannel, count: int, timeout_s: float = 15.0) -> list[str]:
    await until(lambda: len(channel.sends) >= count, timeout_s)
    return channel.texts


async def test_a_webhook_is_answered_once_however_often_it_comes(
    store_url: str, tmp_path: Path, platform: ToldPlatform
) -> None:
    async with desk(store_url, tmp_path, **ON) as service:
        channel = platform.made["default"]
        answers = await asyncio.gather(*(deliver(service, said(1)) for _ in range(10)))
        assert {(answer.status, await answer.text()) for answer in answers} == {(200, "taken")}
        assert await sent(channel, 1) == ["answer to: question 1"]
        assert channel.sends[0].route == {"chat": "ana"}
        assert (await deliver(service, said(1))).status == 200
        await deliver(service, said(2))
        assert await sent(channel, 2) == ["answer to: question 1", "answer to: question 2"]
        assert service.double.stats.requests == 2
        (conversation,) = await conversations(service)
        await service.check_laws(conversation["id"])


async def test_customers_are_answered_apart(store_url: str, tmp_path: Path, platform: ToldPlatform) -> None:
    async with desk(store_url, tmp_path, **ON) as service:
        await deliver(service, said(1, "ana"), said(1, "bob"))
        await sent(platform.made["default"], 2)
        routes = sorted(out.route["chat"] for out in platform.made["default"].sends)
        assert routes == ["ana", "bob"]


async def test_thumbs_come_with_the_answer_and_count(store_url: str, tmp_path: Path, platform: ToldPlatform) -> None:
    async with desk(store_url, tmp_path, **ON) as service:
        channel = platform.made["default"]
        await deliver(service, said(1))
        await sent(channel, 1)
        feedback = channel.rendered[0].feedback
        assert feedback is not None
        up, _ = feedback
        press = {"kind": "press", "address": "ana", "giver": "ana", "payload": up, "external_id": "cb1"}
        assert (await deliver(service, press)).status == 200
        await until(lambda: channel.confirmed)
        (rating,) = await service.store.rows("platform_bench.ratings")
        assert rating["value"] == "up"
        assert service.double.stats.requests == 1, "a thumb is no question"


async def test_what_was_missed_is_answered_before_what_comes_now(
    store_url: str, tmp_path: Path, platform: ToldPlatform
) -> None:
    async with desk(store_url, tmp_path, **ON) as service:
        await deliver(service, said(1))
        await sent(platform.made["default"], 1)
    first = platform.made["default"]
    platform.prepare = {"history": [[first.message("ana", "ana:1"), first.message("ana", "ana:2", "missed")]]}
    async with desk(store_url, tmp_path, **ON, engine={"settle_s": 0.2}) as service:
        await deliver(service, said(3))
        answers = await sent(platform.made["default"], 1)
        assert answers == ["answer to: missed\nquestion 3"]
        (since,) = platform.made["default"].asked_since
        assert time.time() - since < 300


async def test_a_foreign_caller_and_an_unknown_account_get_nothing(
    store_url: str, tmp_path: Path, platform: ToldPlatform
) -> None:
    async with desk(store_url, tmp_path, **ON) as service:
        assert (await deliver(service, said(1), X_Secret="guessed")).status == 403
        assert len(platform.made["default"].deliveries) == 1
        assert (await deliver(service, said(1), path=f"{HOOK}/other")).status == 404
        assert (await deliver(service, said(1), path="/webhooks/slack/events")).status == 404
        assert await conversations(service) == []


async def test_split_roles_answer_too(store_url: str, tmp_path: Path, platform: ToldPlatform) -> None:
    async with desk(store_url, tmp_path, **ON) as worker:
        sender = platform.made["default"]
        gateway = Service(worker.settings, worker.double, "gateway")
        async with gateway.running():
            await deliver(gateway, said(1))
            assert await sent(sender, 1) == ["answer to: question 1"]
            assert platform.made["default"] is not sender
            assert platform.made["default"].sends == [], "a gateway sends nothing"


def processes_of(cluster: postgres.Cluster) -> list[int]:
    """The server and all its children."""
    first = int((cluster.folder / "data" / "postmaster.pid").read_text().split()[0])
    return [first, *map(int, Path(f"/proc/{first}/task/{first}/children").read_text().split())]


@pytest.mark.postgres
@pytest.mark.skipif(not postgres.available(), reason="no PostgreSQL programs here")
async def test_a_stopped_database_is_refused_in_time_and_what_was_told_is_answered_later(
    tmp_path: Path, platform: ToldPlatform, request: pytest.FixtureRequest
) -> None:
    cluster = request.getfixturevalue("cluster")
    async with cluster.database() as url, desk(url, tmp_path, **ON) as service:
        channel = platform.made["default"]
        await deliver(service, said(1))
        await sent(channel, 1)
        processes = processes_of(cluster)
        for process in processes:
            os.kill(process, signal.SIGSTOP)
        try:
            started = time.monotonic()
            first = await deliver(service, said(2))
            took_s = time.monotonic() - started
            started = time.monotonic()
            second = await deliver(service, said(2))
            again_s = time.monotonic() - started
        finally:
            for process in processes:
                os.kill(process, signal.SIGCONT)
        assert (first.status, second.status) == (503, 503)
        assert first.headers["Retry-After"]
        assert took_s < 2.8
        assert again_s < 0.5
        async with asyncio.timeout(15):
            while (await deliver(service, said(2))).status != 200:
                await asyncio.sleep(0.1)
        assert await sent(channel, 2) == ["answer to: question 1", "answer to: question 2"]
        await until(lambda: channel.asked_since, 15)
