"""What was missed is read once everything works again; the cursor never passes over it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from channels.base import File, Refused, Unauthorized, Unavailable
from config.settings import Settings
from server import catchup as module
from server.accounts import Accounts, Cursors
from server.buttons import Buttons
from server.catchup import MARGIN_S, OLDEST_S, SEEN, CatchUp
from server.gateway import Gateway
from server.handoff import Handoff
from server.inbox import Inbox
from server.intake import Intake
from server.pulse import Pulse
from server.store.contract import StoreUnavailable
from server.telemetry import Metrics
from tests.places import Place, until
from tests.server.engine.bench import ShakyStore
from tests.told_channel import TELEGRAM, ToldChannel, ToldPlatform, installed

NOW = 1_700_000_000.0


class Wall:
    """Epoch seconds that move only when told."""

    def __init__(self) -> None:
        self.now_s = NOW

    def __call__(self) -> float:
        return self.now_s


@dataclass
class Follower:
    """A process that keeps one account complete."""

    platform: ToldPlatform
    store: ShakyStore
    catch_up: CatchUp
    cursors: Cursors
    pulse: Pulse
    wall: Wall

    @property
    def channel(self) -> ToldChannel:
        return self.platform.made["default"]

    async def seen(self) -> float:
        return float(await self.cursors.load(SEEN) or "nan")

    async def saved(self, condition: Callable[[float], bool]) -> float:
        async with asyncio.timeout(5):
            while not condition(value := await self.seen()):
                await asyncio.sleep(0.01)
        return value

    async def said(self) -> list[str]:
        rows = await self.store.rows("bench.customers")
        if not rows[0]["conversations"]:
            return []
        row = await self.store.row(
            "conversations.identity_by_address", tenant="default", channel="telegram", account="default", address="ana"
        )
        assert row is not None
        return [message["text"] for message in await self.store.rows("bench.messages", id=row["conversation_id"])]


async def no_file(_file_id: str) -> File:
    raise LookupError


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "APART_S", 0.01)
    monkeypatch.setattr(module, "RETRY_S", 0.02)


@pytest.fixture
def platform(monkeypatch: pytest.MonkeyPatch) -> ToldPlatform:
    return installed(monkeypatch)


@asynccontextmanager
async def following(
    url: str, folder: Path, platform: ToldPlatform, *, seen: float | None = None, **account: Any
) -> AsyncIterator[Follower]:
    channels = {"telegram": {"default": TELEGRAM | account}}
    settings = Settings.model_validate({"data_dir": str(folder), "channels": channels})
    async with Place("", url).open(real_clock=True) as inner:
        store: Any = ShakyStore(inner)
        pulse, wall = Pulse(store), Wall()
        accounts = Accounts(settings, store, no_file, str)
        gateway, handoff = Gateway(store, settings, Metrics()), Handoff(store)
        intake = Intake(Inbox(store, gateway, handoff, Buttons("default", lambda: b"k"), "default"), pulse)
        catch_up = CatchUp(store, accounts, intake, pulse, "default", wall=wall, beat_s=0.03)
        cursors = Cursors(inner, "default", "telegram", "default")
        if seen is not None:
            await cursors.save(SEEN, repr(seen))
        async with pulse.running(), accounts.running(), intake.running(), catch_up.running():
            yield Follower(platform, store, catch_up, cursors, pulse, wall)


def pages(*texts: str) -> list[list[Any]]:
    channel = ToldChannel()
    return [[channel.message("ana", f"m-{text}", text, sent_at=NOW)] for text in texts]


async def test_a_new_account_has_missed_nothing(store_url: str, tmp_path: Path, platform: ToldPlatform):
    async with following(store_url, tmp_path, platform) as one:
        assert await one.saved(lambda value: value == NOW) == NOW
        await one.catch_up.settled("telegram", "default", 5.0)
        one.wall.now_s += 10
        assert one.channel.asked_since == []
        one.wall.now_s += MARGIN_S
        assert await one.saved(lambda value: value > NOW) <= NOW + 10, "the cursor stays behind the platform's clock"


async def test_a_new_account_counts_from_the_start_also_when_the_process_dies_before_it_opened(
    store_url: str, tmp_path: Path, platform: ToldPlatform
):
    """The platform gave up on what it sent while the first process was dying: the second one reads it."""
    never = asyncio.Event()

    async def stuck(*_: Any) -> None:
        await never.wait()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(CatchUp, "_follow", stuck)
        async with following(store_url, tmp_path, platform) as one:
            assert float(await one.cursors.load(SEEN) or 0) == NOW
    platform.prepare = {"history": pages("lost")}
    async with following(store_url, tmp_path, platform) as one:
        await one.catch_up.settled("telegram", "default", 5.0)
        assert one.channel.asked_since == [NOW]


async def test_a_start_reads_everything_since_the_last_process(store_url: str, tmp_path: Path, platform: ToldPlatform):
    platform.prepare = {"history": pages("one", "two")}
    async with following(store_url, tmp_path, platform, seen=NOW - 500) as one:
        await one.catch_up.settled("telegram", "default", 5.0)
        assert one.channel.asked_since == [NOW - 500]
        assert await one.said() == ["one", "two"]
        assert await one.saved(lambda value: value > NOW - 500) == NOW - MARGIN_S


async def test_nobody_waits_for_an_answer_for_weeks(store_url: str, tmp_path: Path, platform: ToldPlatform):
    async with following(store_url, tmp_path, platform, seen=NOW - 30 * OLDEST_S) as one:
        await one.catch_up.settled("telegram", "default", 5.0)
        assert one.channel.asked_since == [NOW - OLDEST_S]


async def test_a_reading_that_fails_is_repeated_and_live_messages_do_not_wait_for_it(
    store_url: str, tmp_path: Path, platform: ToldPlatform
):
    platform.prepare = {"history": pages("one"), "catch_up_errors": [Unavailable("503"), ZeroDivisionError()]}
    async with following(store_url, tmp_path, platform, seen=NOW - 500) as one:
        await one.catch_up.settled("telegram", "default", 5.0)
        await until(lambda: len(one.channel.asked_since) == 3)
        assert one.channel.asked_since == [NOW - 500] * 3, "from the same time until it worked"
        assert await one.said() == ["one"]
        await one.saved(lambda value: value == NOW - MARGIN_S)


async def test_a_platform_that_refuses_is_not_asked_again(store_url: str, tmp_path: Path, platform: ToldPlatform):
    platform.prepare = {"catch_up_errors": [Refused("missing_scope")]}
    async with following(store_url, tmp_path, platform, seen=NOW - 500) as one:
        await one.saved(lambda value: value == NOW - MARGIN_S)
        assert len(one.channel.asked_since) == 1


async def test_switched_off_it_reads_nothing(store_url: str, tmp_path: Path, platform: ToldPlatform):
    async with following(store_url, tmp_path, platform, seen=NOW - 500, catch_up=False) as one:
        await one.catch_up.settled("telegram", "default", 5.0)
        assert one.channel.asked_since == []


async def test_after_an_outage_of_the_store_the_platform_is_asked(
    store_url: str, tmp_path: Path, platform: ToldPlatform
):
    async with following(store_url, tmp_path, platform) as one:
        await one.catch_up.settled("telegram", "default", 5.0)
        before = await one.saved(lambda value: value == NOW)
        one.channel.history = pages("missed")
        one.store.away = True
        one.pulse.lost()
        one.wall.now_s += 15
        await asyncio.sleep(0.1)
        assert await one.seen() == before, "nothing moves on while the store is away"
        one.store.away = False
        await until(lambda: one.channel.asked_since)
        assert one.channel.asked_since[0] <= NOW
        async with asyncio.timeout(5):
            while await one.said() != ["missed"]:
                await asyncio.sleep(0.01)


async def test_a_process_that_stood_still_asks_too(store_url: str, tmp_path: Path, platform: ToldPlatform):
    async with following(store_url, tmp_path, platform) as one:
        await one.catch_up.settled("telegram", "default", 5.0)
        one.wall.now_s += 600
        await until(lambda: one.channel.asked_since)
        assert one.channel.asked_since[0] <= NOW


async def test_updates_that_are_pulled_are_stored_before_the_platform_hears_of_it(
    store_url: str, tmp_path: Path, platform: ToldPlatform
):
    platform.prepare = {"listens": True, "listen_errors": [Unavailable("503"), ZeroDivisionError()]}
    async with following(store_url, tmp_path, platform) as one:
        (facts,) = pages("pulled")
        one.channel.to_tell.put_nowait(facts)
        await until(lambda: one.channel.told, 10)
        assert await one.said() == ["pulled"]
        assert len(one.channel.asked_since) >= 1, "what came while it was lost is read"


@pytest.mark.parametrize("what", ["listen_errors", "catch_up_errors"])
async def test_no_pause_outlasts_an_outage_of_the_store(
    store_url: str, tmp_path: Path, platform: ToldPlatform, monkeypatch: pytest.MonkeyPatch, what: str
):
    monkeypatch.setattr(module, "RETRY_S", 60.0)
    platform.prepare = {"listens": True, what: [StoreUnavailable("gone")]}
    async with following(store_url, tmp_path, platform, seen=NOW - 500) as one:
        await until(lambda: one.channel.asked_since and not getattr(one.channel, what))
        (facts,) = one.channel.history = pages("came")
        if what == "listen_errors":
            one.channel.history = []
            one.channel.to_tell.put_nowait(facts)
        one.pulse.lost()
        async with asyncio.timeout(5):
            while await one.said() != ["came"]:
                await asyncio.sleep(0.01)


async def test_a_channel_that_never_opens_keeps_nobody_waiting(store_url: str, tmp_path: Path, platform: ToldPlatform):
    platform.prepare = {"start_error": OSError("down")}
    async with following(store_url, tmp_path, platform, seen=NOW - 500) as one:
        async with asyncio.timeout(2):
            await one.catch_up.settled("telegram", "default", 5.0)
        assert await one.seen() == NOW - 500
    assert await one.catch_up.settled("slack", "default") is None


async def test_a_platform_that_locks_us_out_is_asked_again(store_url: str, tmp_path: Path, platform: ToldPlatform):
    platform.prepare = {"history": pages("one"), "catch_up_errors": [Unauthorized("token_revoked")]}
    async with following(store_url, tmp_path, platform, seen=NOW - 500) as one:
        await until(lambda: len(one.channel.asked_since) == 2)
        assert one.channel.asked_since == [NOW - 500] * 2
        async with asyncio.timeout(5):
            while await one.said() != ["one"]:
                await asyncio.sleep(0.01)


async def test_a_cursor_of_a_clock_that_ran_ahead_passes_over_nothing(
    store_url: str, tmp_path: Path, platform: ToldPlatform
):  # R18
    async with following(store_url, tmp_path, platform, seen=NOW + 600) as one:
        await one.catch_up.settled("telegram", "default", 5.0)
        assert one.channel.asked_since == [NOW - MARGIN_S]
        assert await one.saved(lambda value: value < NOW) == NOW - MARGIN_S
