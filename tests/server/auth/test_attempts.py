from collections.abc import AsyncIterator
from pathlib import Path
from typing import TypeVar

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from config.settings import Settings
from server.auth import attempts
from server.auth.attempts import Attempts, Count, address_key, counted, email_key
from server.entrance import Entrance
from server.problems import Problem
from server.routes import install
from server.store.contract import StoreUnavailable, Unit
from server.store.sqlite import SqliteStore
from server.teams import Teams
from tests.places import Place
from tests.server.desk import PASSWORD, TENANT, CountingPasswords, FakeClock, open_desk

T = TypeVar("T")


@pytest.fixture
async def place(store_url: str) -> Place:
    return Place(store_url.partition(":")[0], store_url)


@pytest.fixture
async def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
async def place_of_tries(place: Place, clock: FakeClock) -> AsyncIterator[tuple[Attempts, Attempts]]:
    """Two gateways on one store; three tries a minute."""
    async with place.open() as one, place.open() as two:
        yield Attempts(one, TENANT, 3, clock), Attempts(two, TENANT, 3, clock)


async def wait_s(counter: Attempts, *keys: str) -> int:
    """Seconds to wait, 0 when the try is allowed."""
    try:
        await counter.take(*keys)
    except Problem as problem:
        return int(problem.headers["Retry-After"]) if problem.status == 429 else -1
    return 0


def test_pauses_double_and_end():
    now, count, pauses = 1_000.0, Count(1_000.0), []
    for _ in range(6):
        for _ in range(3):
            count, wait = counted(count, now, 3)
            assert wait == 0
        count, wait = counted(count, now, 3)
        pauses.append(wait)
        assert counted(count, now, 3) == (count, wait), "trying while locked neither helps nor prolongs"
        now += wait
    assert pauses == [60, 120, 240, 480, 900, 900]


def test_a_quiet_window_starts_again_and_strikes_fade():
    count, wait = counted(Count(0.0), 0.0, 1)
    count, wait = counted(count, 1.0, 1)
    assert wait == 60
    count, wait = counted(count, 61.0 + attempts.FORGET_S + 1, 1)
    assert (wait, count.strikes) == (0.0, 0)


async def test_two_gateways_count_together(place_of_tries: tuple[Attempts, Attempts], clock: FakeClock):
    one, two = place_of_tries
    waits = [await wait_s(gateway, "ip:1") for gateway in (one, two, one, two, one)]
    assert waits == [0, 0, 0, 60, 60]
    assert await two.locked_s(["ip:1", "ip:2"]) == [60.0, 0.0]
    await two.forgive("ip:1")
    assert await wait_s(one, "ip:1") == 0
    clock.now_s += 61
    assert [await wait_s(one, "ip:1") for _ in range(4)] == [0, 0, 0, 60]


async def test_a_locked_address_does_not_use_up_the_tries_of_an_email(place_of_tries: tuple[Attempts, Attempts]):
    one, two = place_of_tries
    for _ in range(10):
        await wait_s(one, "ip:1", "email:ana")
    assert await wait_s(two, "ip:2", "email:ana") > 0  # three tries were hers, the fourth locked it
    await one.forgive("email:ana")
    for _ in range(10):
        await wait_s(two, "ip:1", "email:ana")
    assert await wait_s(one, "ip:2", "email:ana") == 0


async def test_rows_are_digests_and_do_not_outlive_their_use(place: Place, clock: FakeClock):
    async with place.open() as store:
        counter = Attempts(store, TENANT, 1, clock)
        for number in range(5):
            await counter.take(address_key(f"192.0.2.{number}"), email_key("ana.secret@example.com"[number:]))
        rows = [dict(row) for row in await store.rows("attempts.locked", tenant=TENANT, now=-1.0)]
        assert len(rows) == 10
        assert "ana" not in str(rows)
        assert "192.0" not in str(rows)
        clock.now_s += attempts.FORGET_S + 1
        await counter.take("ip:9")
        assert len(await store.rows("attempts.locked", tenant=TENANT, now=-1.0)) == 1


async def test_a_clock_set_back_locks_nobody_for_longer(place: Place, clock: FakeClock):
    async with place.open() as store:
        counter = Attempts(store, TENANT, 1, clock)
        assert [await wait_s(counter, "a") for _ in range(2)] == [0, 60]
        clock.now_s -= 7_200
        assert await wait_s(counter, "a") == attempts.LONGEST_PAUSE_S


async def test_nobody_may_try_while_nothing_can_be_counted(tmp_path: Path, clock: FakeClock):
    async with Place("sqlite", f"sqlite:///{tmp_path / 'x.db'}").open() as store:
        counter = Attempts(store, TENANT, 3, clock)
    with pytest.raises(StoreUnavailable):
        await counter.take("a")


async def test_over_http_two_gateways_lock_together(store_url: str):
    async with open_desk(store_url) as one, open_desk(store_url) as two:
        two.attempt_clock.now_s = one.attempt_clock.now_s
        body = {"email": "ana@example.com", "password": "not the password"}
        statuses = []
        for number in range(11):
            desk = (one, two)[number % 2]
            statuses.append((await desk.browser().call("POST", "/api/session", body)).status)
        assert statuses == [401] * 10 + [429]
        hashed = len(two.passwords.verified)
        answer = await two.browser().call("POST", "/api/session", body)
        assert (answer.status, len(two.passwords.verified)) == (429, hashed), "refused before any work"


class FullDisk(SqliteStore):
    """A store that can be read and, once it is ``full``, not written."""

    full = False

    async def write(self, unit: Unit[T], *, order: str = "", independent: bool = False) -> T:
        if self.full:
            raise StoreUnavailable("the disk is full")
        return await super().write(unit, order=order, independent=independent)


async def test_a_store_that_cannot_count_answers_503_and_hashes_nothing(tmp_path: Path):
    settings = Settings(tenant=TENANT, data_dir=tmp_path)
    store, passwords = FullDisk(tmp_path / "desk.db", settings.store), CountingPasswords()
    entrance = Entrance(store, settings, Teams(store, TENANT), passwords=passwords)
    app = web.Application()
    install(app, entrance.routes(), entrance.gate)
    async with store.running(), TestClient(TestServer(app, host="127.0.0.1")) as client:
        for path, body in (
            ("/api/session", {"email": "ana@example.com", "password": PASSWORD}),
            ("/api/session/code", {"ticket": "x" * 30, "code": "123456"}),
            ("/api/links/look", {"token": "x" * 43}),
        ):
            store.full = False
            assert (await client.post(path, json=body)).status in {401, 410}
            hashed = len(passwords.verified)
            store.full = True
            answer = await client.post(path, json=body)
            assert (answer.status, answer.headers["Retry-After"]) == (503, "2"), path
            assert len(passwords.verified) == hashed
        assert await Attempts(store, TENANT, 3).forgive("x") is None, "what succeeded stays a success"


def test_an_ipv6_subscriber_is_one_address():
    assert address_key("2001:db8:1:2:3::1") == address_key("2001:db8:1:2:ffff::9")
    assert address_key("2001:db8:1:2::1") != address_key("2001:db8:1:3::1")
    assert address_key("192.0.2.1") != address_key("192.0.2.2")
    assert address_key("") == "ip:unknown"
    assert email_key("a@b") != address_key("a@b")
