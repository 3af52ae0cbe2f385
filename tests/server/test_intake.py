"""Stored first, confirmed after; and what is still to be confirmed when the process ends."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from channels.message import Fact, Pressed
from server import intake as module
from server.intake import Intake
from server.pulse import Pulse
from server.store.contract import StoreUnavailable
from tests.places import until
from tests.told_channel import ToldChannel


class Book:
    """An inbox that keeps what it is told, or refuses."""

    def __init__(self) -> None:
        self.facts: list[Fact] = []
        self.error: Exception | None = None

    async def accept(self, facts: Sequence[Fact]) -> None:
        if self.error is not None:
            raise self.error
        self.facts += facts

    async def ping(self) -> None:
        if self.error is not None:
            raise self.error


@pytest.fixture
def book() -> Book:
    return Book()


@pytest.fixture
def pulse(book: Book) -> Pulse:
    return Pulse(book)  # type: ignore[arg-type]  # only ping is asked


@pytest.fixture
def channel() -> ToldChannel:
    return ToldChannel()


PRESS = Pressed("telegram", "default", "ana", "ana", "payload", "cb1", 0.0)


async def test_presses_are_confirmed_once_they_are_stored(book: Book, pulse: Pulse, channel: ToldChannel):
    intake = Intake(book, pulse)  # type: ignore[arg-type]
    async with pulse.running(), intake.running():
        await intake.take(channel, [])
        await intake.take(channel, [channel.message("ana", "m1"), PRESS])
        assert len(book.facts) == 2
        await until(lambda: channel.confirmed == [PRESS])
        assert ("telegram", "default") in intake.last_at
        book.error = StoreUnavailable("away")
        with pytest.raises(StoreUnavailable):
            await intake.take(channel, [PRESS])
        book.error = None
        await until(lambda: not pulse.away)
    assert channel.confirmed == [PRESS], "what was not stored is not confirmed"


async def test_confirmations_are_bounded_and_ended(
    book: Book, pulse: Pulse, channel: ToldChannel, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(module, "CONFIRMS", 2)
    monkeypatch.setattr(module, "CLOSE_S", 0.05)
    begun: list[Fact] = []

    async def never(fact: Fact) -> None:
        begun.append(fact)
        await asyncio.Event().wait()

    channel.confirm = never  # type: ignore[method-assign]
    intake = Intake(book, pulse)  # type: ignore[arg-type]
    async with intake.running():
        await intake.take(channel, [PRESS] * 5)
        await until(lambda: len(begun) == 2)
    assert len(begun) == 2
