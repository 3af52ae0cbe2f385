"""Gateway and worker as two processes on one database: text, stop and claims cross between them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from server.handoff import Handoff
from tests.model_double import ModelDouble, Pace
from tests.scenario import Service, Visitor, model_is, settings_for

SLOW = Pace(tokens_per_s=15, first_token_s=0.1)
LONG = "tell me " + " ".join(f"word{number}" for number in range(40))
SHORT = "a b c d e f g h i j"


@asynccontextmanager
async def split(url: str, folder: Path, pace: Pace | None = None) -> AsyncIterator[tuple[Service, Service]]:
    """A gateway and a worker; the gateway starts first, as after a reboot nobody knows which does."""
    async with AsyncExitStack() as stack:
        double = await stack.enter_async_context(ModelDouble(pace))
        gateway = Service(settings_for(url, folder, double), double, "gateway")
        worker = Service(settings_for(url, folder, double), double, "worker")
        await stack.enter_async_context(gateway.running())
        await stack.enter_async_context(worker.running())
        await model_is(worker, "ready")
        yield gateway, worker


def drafted(visitor: Visitor) -> str:
    """The draft text a page shows; fails on a gap or a repeat."""
    text = ""
    for part in visitor.of("draft"):
        assert part["offset"] == len(text), visitor.of("draft")
        text += part["text"]
    return text


async def test_an_answer_streams_from_the_worker_to_the_gateways_reader(store_url: str, tmp_path: Path) -> None:
    async with split(store_url, tmp_path, SLOW) as (gateway, worker):
        visitor = await gateway.visitor()
        await visitor.say(SHORT)
        assert await visitor.answered() == [f"answer to: {SHORT}"]
        assert len(visitor.of("draft")) >= 3, "text came piece by piece"
        assert f"answer to: {SHORT}".startswith(drafted(visitor))
        order = [frame.kind for frame in visitor.frames]
        assert order.index("draft_started") < order.index("draft") < order.index("draft_ended")
        await visitor.until(lambda me: me.of("status") and me.of("status")[-1]["model"] == "ready")
        await gateway.check_laws(visitor.conversation)
        response = await worker.http.post(f"{worker.base}/web/session", json={})
        assert response.status == 404, "a worker serves no customers"


async def test_stop_and_claim_reach_the_other_process(store_url: str, tmp_path: Path) -> None:
    async with split(store_url, tmp_path, SLOW) as (gateway, _):
        stopped, claimed = await gateway.visitor(), await gateway.visitor()
        for visitor in (stopped, claimed):
            await visitor.say(LONG)
        for visitor in (stopped, claimed):
            await visitor.until(lambda me: len(drafted(me).split()) >= 4)
        assert (await (await stopped.post("stop")).json())["stopping"] is True
        (text,) = await stopped.answered()
        assert text.startswith("answer to: tell me")
        assert len(text) < len(LONG)
        answer = await Handoff(gateway.store).claim(claimed.conversation, "ana")
        assert answer["drafts_withdrawn"] == 1
        await claimed.until(lambda me: [end["how"] for end in me.of("draft_ended")] == ["withdrawn"])
        async with asyncio.timeout(10):
            while not (turns := await gateway.turns(claimed.conversation)):
                await asyncio.sleep(0.02)
        assert (turns[0]["outcome"], turns[0]["reason"]) == ("handed_over", "claimed")
        assert not claimed.said("assistant")
        assert gateway.double.stats.cancelled == 2, "the model stopped writing for both"
        await gateway.check_laws(claimed.conversation)


async def test_a_gateway_that_starts_in_the_middle_gets_the_whole_text(store_url: str, tmp_path: Path) -> None:
    async with split(store_url, tmp_path, SLOW) as (gateway, _):
        visitor = await gateway.visitor()
        await visitor.say(LONG)
        await visitor.until(lambda me: len(drafted(me).split()) >= 5)
        late = Service(gateway.settings, gateway.double, "gateway")
        async with late.running():
            again = Visitor(late.http, late.base, visitor.token, visitor.conversation)
            again.follow()
            try:
                await again.until(lambda me: len(drafted(me).split()) >= 8)
                whole = f"answer to: {LONG}"
                assert whole.startswith(drafted(again).rstrip())
                resumed = Visitor(late.http, late.base, visitor.token, visitor.conversation)
                seen = max(frame.id for frame in again.frames if frame.id is not None)
                resumed.follow(last_id=seen)
                await resumed.until(lambda me: me.of("draft"))
                assert whole.startswith(drafted(resumed).rstrip())
                await resumed.leave()
                await again.post("stop")
                await again.answered()
            finally:
                await again.leave()
        await visitor.answered()
        assert visitor.said("assistant") == again.said("assistant")
