"""One call of the model: what is left in its progress, and that whatever it began has ended."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from channels.base import Limits
from models.chat import ModelUnavailable
from server.engine.attempt import Progress
from server.engine.control import Control, Interrupt
from server.engine.words import Notice
from tests.places import Place, until
from tests.server.engine.bench import slowly
from tests.server.engine.screen import LIMITS, Screen, Turn, writing


def progress_of(turn: Turn, **change: Any) -> Progress:
    context = replace(turn.context, **change)
    budget = turn.one.llm.budget
    prompt = budget.fit("", (), context.question, max_answer_tokens=16)
    return Progress(context, prompt, 0.0)


async def test_the_words_and_times_of_an_attempt(place: Place, tmp_path: Path):
    async with writing(place, tmp_path, Screen()) as turn:
        progress = progress_of(turn)
        assert await turn.one.runner._attempts.run(turn.lease, Control(), progress) is None
        assert (progress.text.strip(), progress.finish) == ("yes", "stop")
        assert progress.begun is not None
        assert progress.begun.attempt == 2
        assert progress.first_token is not None
        assert turn.one.hub.draft("c1") is None


async def test_an_error_is_an_answer(place: Place, tmp_path: Path):
    async with writing(place, tmp_path, Screen()) as turn:
        error = ModelUnavailable("gone")
        turn.one.llm.script[0] = error
        assert await turn.one.runner._attempts.run(turn.lease, Control(), progress_of(turn)) is error


@pytest.mark.parametrize("reason", [Interrupt.MORE, Interrupt.OWNER])
async def test_nothing_is_shown_after_an_interrupt(place: Place, tmp_path: Path, reason: Interrupt):
    screen, control = Screen(limits=Limits(**LIMITS | {"edit_interval_s": 0.01})), Control()
    async with writing(place, tmp_path, screen) as turn:
        turn.one.llm.script[0] = slowly(asyncio.Event(), "half", "an")
        progress = progress_of(turn)
        running = asyncio.create_task(turn.one.runner._attempts.run(turn.lease, control, progress))
        await until(lambda: screen.calls)
        control.interrupt(reason)
        assert await running is None
        assert progress.text == "half an "
        shown = len(screen.calls)
        await turn.one.presenter.close()
        assert len(screen.calls) == shown


async def test_a_claim_before_the_opening_is_an_interrupt(place: Place, tmp_path: Path):
    async with writing(place, tmp_path, Screen()) as turn:
        control, progress = Control(), progress_of(turn)
        await turn.one.handoff.claim("c1", "ana")
        assert await turn.one.runner._attempts.run(turn.lease, control, progress) is None
        assert control.reason is Interrupt.OWNER
        assert progress.show is None


async def test_an_answer_that_a_notice_must_precede_is_not_shown(place: Place, tmp_path: Path):
    screen = Screen()
    async with writing(place, tmp_path, screen) as turn:
        progress = progress_of(turn, notes=(Notice.IMAGE_UNREADABLE,))
        await turn.one.runner._attempts.run(turn.lease, Control(), progress)
        assert progress.text
        assert screen.calls == []
