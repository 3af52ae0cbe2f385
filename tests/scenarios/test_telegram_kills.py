"""T44 and T51 with real processes: killed while they take a message in, and while they show and send its answer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.doubles.telegram import TOKEN, Telegram
from tests.faults.processes import Deployment, Node
from tests.model_double import ModelDouble, Pace
from tests.places import until

pytestmark = pytest.mark.faults

ANA = 42
LONG = " ".join(f"word{number}" for number in range(24))
ANSWER_S = 20.0


@dataclass
class Desk:
    """One process that can be killed at a named point, a bot, and a model that outlive it."""

    telegram: Telegram
    model: ModelDouble
    deployment: Deployment

    @property
    def node(self) -> Node:
        return self.deployment.gateway

    async def dies_at(self, point: str) -> None:
        """Run until it is killed there, then start it again."""
        await self.deployment.start(self.node, crash=f"{point}:1")
        assert self.node.process is not None
        async with asyncio.timeout(ANSWER_S):
            await self.node.process.wait()
        await self.deployment.start(self.node)


@asynccontextmanager
async def polling(url: str, folder: Path, pace: Pace | None = None, **account: Any) -> AsyncIterator[Desk]:
    async with AsyncExitStack() as stack:
        telegram, model = Telegram(), await stack.enter_async_context(ModelDouble(pace))
        await stack.enter_async_context(telegram.running())
        of = "FRONTDESK_CHANNELS__TELEGRAM__DEFAULT__"
        given = {"token": TOKEN, "mode": "polling", "api_base": telegram.base_url} | account
        settings = {f"{of}{name.upper()}": str(value) for name, value in given.items()}
        settings |= {"FRONTDESK_OUTBOX__DRAFT_AFTER_S": "0.1", "FRONTDESK_ENGINE__SETTLE_S": "0"}
        settings |= {"FRONTDESK_OUTBOX__SEND_TIMEOUT_S": "1", "FRONTDESK_OUTBOX__LEASE_S": "3"}
        deployment = Deployment(url, folder, "joined", model.base_url, settings)
        stack.push_async_callback(deployment.kill, deployment.nodes)
        yield Desk(telegram, model, deployment)


@pytest.mark.parametrize("point", ["accept_before_commit", "accept_after_commit"])
async def test_t44_a_kill_around_the_commit_loses_and_doubles_nothing(
    store_url: str, tmp_path: Path, point: str
) -> None:
    async with polling(store_url, tmp_path) as desk:
        desk.telegram.waits(desk.telegram.says(ANA, "one"))
        await desk.dies_at(point)
        assert desk.telegram.queue, "what was not committed (or not confirmed) is still Telegram's"
        await until(lambda: desk.telegram.visible(ANA), ANSWER_S)
        desk.telegram.waits(desk.telegram.says(ANA, "two"))
        await until(lambda: len(desk.telegram.visible(ANA)) == 2, ANSWER_S)
        assert desk.telegram.visible(ANA) == ["answer to: one", "answer to: two"]
        assert desk.model.stats.requests == 2


@pytest.mark.parametrize(
    ("stream", "point"),
    [
        ("draft", "draft_shown"),  # a preview stands there, and nobody knows
        ("edit", "turn_generated"),  # a message stands there, the answer is known to nobody
        ("edit", "send_done"),  # the answer stands there, and nobody knows
    ],
)
async def test_t51_a_kill_between_draft_and_answer_leaves_one_answer(
    store_url: str, tmp_path: Path, stream: str, point: str
) -> None:
    async with polling(store_url, tmp_path, Pace(tokens_per_s=30.0), stream=stream) as desk:
        for _ in range(2):
            desk.model.say_next(LONG)
        desk.telegram.waits(desk.telegram.says(ANA, "tell me all"))
        await desk.dies_at(point)
        await until(lambda: LONG in desk.telegram.visible(ANA), ANSWER_S)
        desk.telegram.waits(desk.telegram.says(ANA, "thanks"))
        await until(lambda: len(desk.telegram.visible(ANA)) == 2, ANSWER_S)
        assert desk.telegram.visible(ANA)[0] == LONG
        assert desk.telegram.drafts(ANA) == []


async def test_t51_a_lost_opening_of_a_growing_message_reads_as_unfinished(store_url: str, tmp_path: Path) -> None:
    async with polling(store_url, tmp_path, Pace(tokens_per_s=30.0), stream="edit") as desk:
        for _ in range(2):
            desk.model.say_next(LONG)
        desk.telegram.waits(desk.telegram.says(ANA, "tell me all"))
        await desk.dies_at("draft_shown")
        await until(lambda: LONG in desk.telegram.visible(ANA), ANSWER_S)
        left = [text for text in desk.telegram.visible(ANA) if text != LONG]
        assert desk.telegram.visible(ANA).count(LONG) == 1
        assert len(left) <= 1
        assert all(text.endswith(" …") and LONG.startswith(text[:-2]) for text in left)
