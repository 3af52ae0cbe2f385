"""Who is shown an answer being written, and the sign that somebody writes."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import structlog

from channels.base import Limits, Refused
from server.engine.present import Presenter, no_channel
from server.engine.show import PlatformShow, Show
from tests.places import Place, until
from tests.server.engine.screen import LIMITS, ROUTE, Screen, writing


async def test_platforms_are_shown_answers(place: Place, tmp_path: Path):
    async with writing(place, tmp_path, Screen()) as turn:
        showing = turn.show()
        assert isinstance(showing, PlatformShow)
        await showing.close()


@pytest.mark.parametrize("limits", [{"draft": "none"}, {"edit_interval_s": None}])
async def test_platforms_without_drafts_show_nothing(place: Place, tmp_path: Path, limits: dict[str, Any]):
    screen = Screen(limits=Limits(**LIMITS | limits))
    async with writing(place, tmp_path, screen) as turn:
        assert type(turn.show()) is Show


async def test_nobody_to_show_to_costs_nothing(place: Place, tmp_path: Path):
    async with writing(place, tmp_path, Screen()) as turn:
        for change in ({"channel": "web"}, {"opted_out": True}, {"blocked": True}):
            turn.context = replace(turn.context, **change)
            showing = turn.show()
            showing.append("Hello")
            await showing.close()
            assert type(showing) is Show
            turn.context = replace(turn.context, channel="chat", opted_out=False, blocked=False)
        turn.one.screen = None
        assert type(turn.show()) is Show


async def test_a_process_without_platforms_shows_nothing(place: Place, tmp_path: Path):
    async with writing(place, tmp_path, Screen()) as turn:
        presenter = Presenter(turn.one.store, no_channel, turn.one.metrics, turn.one.settings)
        assert type(presenter.begin(turn.context, turn.lease, turn.begun)) is Show
        await presenter.close()


async def test_a_fault_of_a_channel_is_logged_and_stays_outside(place: Place, tmp_path: Path):
    screen = Screen()
    screen.plan("open", KeyError("ts"))
    with structlog.testing.capture_logs() as logs:
        async with writing(place, tmp_path, screen) as turn:
            showing = turn.show()
            showing.append("Hello")
            await until(lambda: screen.calls)
            await showing.close()
            assert (await turn.row())["shown"] == "opening"
    assert [entry["error"] for entry in logs if entry["event"] == "presenting_failed"] == ["KeyError"]


async def test_the_end_of_the_process_gives_up_what_hangs(place: Place, tmp_path: Path):
    screen = Screen()
    screen.plan("open", asyncio.Event())
    async with writing(place, tmp_path, screen) as turn:
        showing = turn.show()
        showing.append("Hello")
        await until(lambda: screen.calls)
        await showing.close()
        await asyncio.wait_for(turn.one.presenter.close(), 3)
        assert showing.task.cancelled()  # type: ignore[attr-defined]


async def test_typing_is_shown_once(place: Place, tmp_path: Path):
    screen = Screen()
    async with writing(place, tmp_path, screen) as turn:
        with turn.one.presenter.typing() as start:
            start(turn.context)
            start(turn.context)
            await until(lambda: screen.calls)
        assert screen.calls == [("typing", ROUTE)]


async def test_typing_goes_on_while_the_turn_runs(place: Place, tmp_path: Path):
    screen = Screen(limits=Limits(**LIMITS | {"typing_s": 0.01}))
    async with writing(place, tmp_path, screen) as turn:
        with turn.one.presenter.typing() as start:
            start(turn.context)
            await until(lambda: len(screen.calls) >= 3)
        shown = len(screen.calls)
        await turn.one.presenter.close()
        assert len(screen.calls) == shown


@pytest.mark.parametrize("step", [Refused("404"), asyncio.Event()])
async def test_typing_that_fails_or_hangs_disturbs_nobody(place: Place, tmp_path: Path, step: Any):
    screen = Screen(limits=Limits(**LIMITS | {"typing_s": 0.01}))
    screen.plan("typing", step)
    async with writing(place, tmp_path, screen) as turn:
        with turn.one.presenter.typing() as start:
            start(turn.context)
            await until(lambda: screen.calls)
        await asyncio.wait_for(turn.one.presenter.close(), 1)
        assert len(screen.calls) == 1


async def test_typing_is_shown_to_nobody_who_reads_events(place: Place, tmp_path: Path):
    screen = Screen()
    async with writing(place, tmp_path, screen) as turn:
        with turn.one.presenter.typing() as start:
            start(replace(turn.context, channel="web"))
            start(replace(turn.context, opted_out=True))
            assert not turn.one.presenter._tasks
