"""Releases under traffic: the share, the pin, a regression that is taken back, restarts, and adapters that fail."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from models.vllm import VLLM
from server.engine.context import ContextReader
from server.feedback import Feedback
from server.releases.registry import Releases
from server.releases.watch import Watch
from tests.places import Place
from tests.scenario import Service, model_is, settings_for
from tests.server.engine import bench
from tests.server.engine.bench import Desk
from tests.server.releases.rig import ADMIN, AdapterDouble, DoubleLLM, Fleet, adapter, candidate, fleet, states

CASES = 1_000


@dataclass
class Floor:
    """A desk whose model is a double that knows adapters."""

    desk: Desk
    fleet: Fleet

    async def answer(self, conversation: str, text: str = "hello") -> str:
        """A whole turn through worker and model; returns the release of the reply."""
        before = len(await self.replies(conversation))
        await self.desk.say(conversation, text)
        async with asyncio.timeout(20):
            while len(found := await self.replies(conversation)) <= before:
                await asyncio.sleep(0.005)
        return str(found[-1]["release_id"])

    async def replies(self, conversation: str) -> list[dict[str, object]]:
        rows = await self.desk.rows("messages", id=conversation)
        return [dict(row) for row in rows if row["role"] == "assistant"]

    async def complain(self, conversation: str) -> None:
        last = str((await self.replies(conversation))[-1]["id"])
        await Feedback(self.desk.store).rate(conversation, last, ("customer", conversation), "down")


@asynccontextmanager
async def floor(folder: Path) -> AsyncIterator[Floor]:
    place = Place("sqlite", f"sqlite:///{folder}/desk.db")
    releases = {"load_timeout_s": 3.0}
    async with bench.bench(place, folder, real_clock=True, releases=releases) as plain, fleet(plain) as them:
        llm = DoubleLLM(VLLM(them.first.base_url))
        desk = Desk(plain.store, plain.settings, llm=llm, metrics=plain.metrics)  # type: ignore[arg-type]
        async with desk.working(), desk.releases.running(), them.reconciler.running():
            yield Floor(desk, them)
        await llm.client.close()


async def test_a_tenth_of_a_thousand_conversations_and_each_keeps_its_release(tmp_path: Path):
    place = Place("sqlite", f"sqlite:///{tmp_path}/desk.db")
    async with bench.bench(place, tmp_path) as one:
        live = await one.releases.publish_configured()
        tuned = await candidate(one, 1)
        await one.releases.start_canary(tuned, by=ADMIN, share=0.1, cap=CASES)
        reader = ContextReader(one.store, one.releases, one.settings)
        names = [f"c{number}" for number in range(CASES)]
        await asyncio.gather(*(one.say(name) for name in names))
        got: dict[str, str] = {}
        while leases := await one.take(50):
            contexts = await asyncio.gather(*(reader.read(lease, 0.0) for lease in leases))
            got |= {context.conversation_id: context.release.id for context in contexts}
        assert len(got) == CASES
        on_it = sum(release == tuned for release in got.values())
        assert 80 <= on_it <= 120
        assert set(got.values()) == {live, tuned}
        other = Releases(one.store, one.settings, "template")
        await other.refresh()
        await other.change_share(0.9, by=ADMIN)
        rows = await one.store.rows("rig.arms")
        pinned = {row["conversation_id"]: row["release_id"] for row in rows}
        again = await asyncio.gather(*(other.of_case(name, "unused", pinned[name], withdrawn=False) for name in names))
        assert [release.id for release in again] == [got[name] for name in names], "100 % pinned, whatever the share"


async def test_a_regression_is_taken_back_by_itself_and_no_release_is_mixed(tmp_path: Path):
    async with floor(tmp_path) as hall:
        one = hall.desk
        live = one.releases.live
        tuned = await candidate(one, 1)
        await one.releases.start_canary(tuned, by=ADMIN, share=0.3, cap=50)
        watch = Watch(one.store, one.settings, one.releases, one.metrics)
        used: dict[str, str] = {}
        async with watch.running():
            for number in range(200):
                name = f"c{number}"
                used[name] = await hall.answer(name)
                if used[name] == tuned and number % 20 != 0:
                    await hall.complain(name)
                if one.releases.canary is None:
                    break
        assert one.releases.canary is None, "it was never taken back"
        harmed = [name for name in used if used[name] == tuned]
        assert len(harmed) <= 50
        assert await states(one) == {live: "live", tuned: "withdrawn"}
        model = (await one.releases.get(live)).model
        assert len(hall.fleet.first.asked) == len(used)
        assert [name == adapter(1) for name in hall.fleet.first.asked] == [used[name] == tuned for name in used]
        assert await hall.answer(harmed[0], "again") == live, "open cases go back with their next turn"
        assert hall.fleet.first.asked[-1] == model


async def test_five_promotions_under_traffic_fail_no_request_and_mix_nothing(tmp_path: Path):
    async with floor(tmp_path) as hall:
        one = hall.desk
        served = {one.releases.live: (await one.releases.get(one.releases.live)).model}
        answers: list[tuple[str, str]] = []
        stopped = asyncio.Event()

        async def traffic(lane: int) -> None:
            number = 0
            while not stopped.is_set():
                name, number = f"t{lane}-{number}", number + 1
                answers.append((name, await hall.answer(name, f"hello {name}")))

        async with asyncio.TaskGroup() as group:
            for lane in range(2):
                group.create_task(traffic(lane))
            for number in range(1, 6):
                tuned = await candidate(one, number)
                served[tuned] = adapter(number)
                await one.releases.promote(tuned, by=ADMIN)
                seen = len(answers)
                async with asyncio.timeout(20):
                    while len(answers) < seen + 4:
                        await asyncio.sleep(0.01)
            stopped.set()
        by_question = {prompt["last_user"]: prompt["model"] for prompt in hall.fleet.first.stats.prompts}
        assert {release for _, release in answers} <= served.keys()
        assert [by_question[f"hello {name}"] for name, _ in answers] == [served[release] for _, release in answers]
        assert one.metrics.adapter_fallbacks._value.get() == 0
        assert answers[-1][1] == one.releases.live == tuned


async def test_an_adapter_that_vanished_is_answered_for_by_the_base_and_comes_back(tmp_path: Path):
    async with floor(tmp_path) as hall:
        one, double = hall.desk, hall.fleet.first
        base, tuned = one.releases.live, await candidate(one, 1)
        await one.releases.promote(tuned, by=ADMIN)
        assert await hall.answer("c1") == tuned
        double.refused.add(adapter(1))
        await double.restart()
        assert await hall.answer("c2") == base, "the reply names the release that made it"
        assert [row["release_id"] for row in await one.rows("cases", id="c2")] == [tuned]
        assert one.metrics.adapter_fallbacks._value.get() == 1
        hall.fleet.reconciler.wake()
        async with asyncio.timeout(10):
            while one.metrics.adapters_missing._value.get() != 1:
                await asyncio.sleep(0.01)
        double.refused.clear()
        hall.fleet.reconciler.wake()
        async with asyncio.timeout(10):
            while one.metrics.adapters_missing._value.get() != 0:
                await asyncio.sleep(0.01)
        assert await hall.answer("c2", "again") == tuned
        assert not await one.said("notice", "c2"), "no customer noticed"


async def test_a_restarted_service_serves_what_was_promoted_last(store_url: str, tmp_path: Path):
    async with AdapterDouble() as double:
        double.stats.adapters.append(adapter(1))
        settings = settings_for(store_url, tmp_path, double)
        tuned = ""
        for start in range(3):
            service = Service(settings, double)
            async with service.running():
                await model_is(service, "ready")
                if start == 0:
                    elsewhere = Releases(service.store, settings, "another process")
                    await elsewhere.refresh()
                    tuned = await elsewhere.candidate(adapter(1), by=ADMIN)
                    await elsewhere.promote(tuned, by=ADMIN, reason="test")
                    await until_promoted(service, tuned)
                visitor = await service.visitor()
                await visitor.say("hello")
                await visitor.answered()
                (turn,) = await service.turns(visitor.conversation)
                assert turn["release_id"] == tuned
                assert double.asked[-1] == adapter(1)


async def test_a_model_server_that_forgot_everything_costs_no_customer_an_answer(store_url: str, tmp_path: Path):
    """Its adapters cannot be loaded again here: there are no weights to check them against."""
    async with AdapterDouble() as double:
        double.stats.adapters.append(adapter(1))
        settings = settings_for(store_url, tmp_path, double, model={"name": double.models[0]})
        service = Service(settings, double)
        async with service.running():
            await model_is(service, "ready")
            elsewhere = Releases(service.store, settings, "another process")
            await elsewhere.refresh()
            base = elsewhere.live
            tuned = await elsewhere.candidate(adapter(1), by=ADMIN)
            await elsewhere.promote(tuned, by=ADMIN, reason="test")
            await until_promoted(service, tuned)
            await double.restart()
            visitor = await service.visitor()
            await visitor.say("hello")
            await visitor.answered()
            (turn,) = await service.turns(visitor.conversation)
            assert (turn["outcome"], turn["release_id"]) == ("answered", base)
            page = await (await service.http.get(f"{service.base}/metrics")).text()
            assert "frontdesk_adapter_fallbacks_total 1.0" in page


async def until_promoted(service: Service, release_id: str) -> None:
    """A stranger's case gets the release; others keep theirs."""
    until = time.monotonic() + 10
    while time.monotonic() < until:
        visitor = await service.visitor()
        await visitor.say("is it there?")
        await visitor.answered()
        (turn,) = await service.turns(visitor.conversation)
        if turn["release_id"] == release_id:
            return
    raise AssertionError("the service did not follow")
