"""Model servers hold what releases need: after a change, a restart, a failure; five promotions in a row."""

from __future__ import annotations

import asyncio
import time

import pytest

from models.chat import ModelUnavailable
from models.vllm import VLLM
from server.releases.reconciler import FAILED_AGAIN_S, PROBE
from server.releases.served import AdapterUnavailable
from tests.places import until
from tests.server.engine.bench import Bench
from tests.server.releases.rig import ADMIN, WEIGHTS, adapter, candidate, case, fleet


def missing(one: Bench) -> float:
    return one.metrics.adapters_missing._value.get()


async def test_a_candidate_is_loaded_and_proved_and_unloaded_after_a_drain(live: Bench):
    async with fleet(live) as them:
        tuned = await candidate(live, 1, None)
        await them.reconciler.step()
        assert them.first.loads == [(adapter(1), str(WEIGHTS / adapter(1)))]
        probe = them.first.stats.prompts[-1]
        assert (probe["model"], probe["last_user"], probe["wishes"]["max_tokens"]) == (adapter(1), PROBE[0].content, 1)
        await them.reconciler.step()
        assert len(them.first.loads) == len(them.first.stats.prompts) == 1, "what is proved is left alone"
        await live.releases.judge(tuned, "reject", {})
        await them.reconciler.step()
        assert not them.first.unloads
        them.clock.now += live.settings.releases.drain_s
        await them.reconciler.step()
        assert (them.first.unloads, them.first.stats.adapters) == ([adapter(1)], [])


async def test_nothing_of_others_is_touched(live: Bench):
    others = ["other-000000000001", "default-x-00000000000a", "default-123", "somebody/lora"]
    async with fleet(live) as them:
        them.first.stats.adapters += [*others, adapter(9)]
        await them.reconciler.step()
        them.clock.now += 1_000
        await them.reconciler.step()
        assert (them.first.stats.adapters, them.first.unloads) == (others, [adapter(9)])


async def test_a_restarted_server_has_the_live_adapter_before_any_request(live: Bench):
    async with fleet(live) as them:
        tuned = await candidate(live, 1)
        await live.releases.promote(tuned, by=ADMIN)
        await them.reconciler.prepare(them.clients[""])
        assert them.first.stats.adapters == [adapter(1)]
        await them.first.restart()
        await them.reconciler.prepare(them.clients[""])
        assert them.first.stats.adapters == [adapter(1)]
        assert (len(them.first.loads), missing(live)) == (2, 0)


async def test_a_server_that_forgot_is_filled_again_by_the_next_look(live: Bench):
    async with fleet(live) as them:
        await live.releases.promote(await candidate(live, 1), by=ADMIN)
        await them.reconciler.step()
        await them.first.restart()
        await them.reconciler.step()
        assert them.first.stats.adapters == [adapter(1)]


async def test_a_failing_load_alarms_and_never_keeps_the_server_down(live: Bench):
    async with fleet(live) as them:
        await live.releases.promote(await candidate(live, 1), by=ADMIN)
        them.first.refused.add(adapter(1))
        await them.reconciler.prepare(them.clients[""])
        assert missing(live) == 1
        await them.reconciler.step()
        assert len(them.first.loads) == 1, "not again at once"
        them.first.refused.clear()
        them.clock.now += FAILED_AGAIN_S
        await them.reconciler.step()
        assert (missing(live), them.first.stats.adapters) == (0, [adapter(1)])


async def test_a_folder_that_is_not_there_is_the_same_alarm(live: Bench):
    async with fleet(live) as them:
        them.missing.add(adapter(1))
        await live.releases.promote(await candidate(live, 1), by=ADMIN)
        await them.reconciler.step()
        assert (missing(live), them.first.loads) == (1, [])
        (replica,) = await live.releases.served.replicas()
        assert (replica.name, replica.failed) == (
            live.store.worker_id,
            {adapter(1): f"there is no adapter {adapter(1)}"},
        )


async def test_an_adapter_that_cannot_answer_is_not_served(live: Bench):
    async with fleet(live) as them:
        them.first.fail("500")
        await candidate(live, 1, None)
        await them.reconciler.step()
        assert missing(live) == 1
        them.first.fail("ok")
        them.clock.now += FAILED_AGAIN_S
        await them.reconciler.step()
        assert (missing(live), len(them.first.loads)) == (0, 1), "loaded already, so only asked again"


async def test_a_first_token_without_a_word_is_asked_for_more(live: Bench):
    async with fleet(live) as them:
        them.first.fail("empty", times=1)
        await candidate(live, 1, None)
        await them.reconciler.step()
        assert [prompt["wishes"]["max_tokens"] for prompt in them.first.stats.prompts] == [1, 8]
        assert missing(live) == 0


async def test_a_server_that_is_away_is_left_for_later_but_not_prepared(live: Bench):
    async with fleet(live) as them:
        await candidate(live, 1, None)
        await them.first.stop()
        await them.reconciler.step()
        with pytest.raises(ModelUnavailable):
            await them.reconciler.prepare(them.clients[""])


async def test_every_replica_must_have_it_before_a_trial_begins(live: Bench):
    async with fleet(live, "http://one/v1", "http://two/v1") as them:
        one, two = them.doubles.values()
        two.refused.add(adapter(1))
        await them.reconciler.step()  # both are known: nobody waits for a server that never was there
        async with them.reconciler.running():
            tuned = await candidate(live, 1)
            with pytest.raises(AdapterUnavailable, match=r"not served by http://two/v1: .*rank too high"):
                await live.releases.start_canary(tuned, by=ADMIN)
            assert live.releases.canary is None
            two.refused.clear()
            await live.releases.start_canary(tuned, by=ADMIN)
        assert one.stats.adapters == two.stats.adapters == [adapter(1)]


async def test_two_workers_that_load_at_the_same_moment_both_have_it(live: Bench):
    async with fleet(live, "http://one/v1") as them, fleet(live, "http://one/v1") as other:
        client = VLLM(them.first.base_url)
        other.clients["http://one/v1"] = client
        await candidate(live, 1, None)
        await asyncio.gather(them.reconciler.step(), other.reconciler.step())
        assert (them.first.stats.adapters, missing(live)) == ([adapter(1)], 0)
        await client.close()


async def test_five_promotions_leave_what_is_live_and_what_open_cases_need(live: Bench):
    async with fleet(live) as them, them.reconciler.running():
        for number in range(1, 6):
            tuned = await candidate(live, number)
            await live.releases.promote(tuned, by=ADMIN)
            assert them.first.stats.adapters[-1] == adapter(number), "loaded before the alias moves"
            if number == 2:
                assert await case(live, "c1") == tuned
        # a candidate and a wish keep theirs for a while; long after, only live and the open case do
        them.clock.now += 1_000
        await asyncio.sleep(0)
        later = time.time() + 2 * 86_400
        rows = await live.store.rows(
            "releases.wanted", tenant="default", now=later, fresh_since=later, active_since=later - 3 * 86_400
        )
        assert [row["name"] for row in rows] == [adapter(2), adapter(5)]
        idle = await live.store.rows(
            "releases.wanted", tenant="default", now=later, fresh_since=later, active_since=later
        )
        assert [row["name"] for row in idle] == [adapter(5)], "a case that went idle begins anew anyway"


async def test_what_is_asked_for_by_name_is_there_or_it_is_said_why(live: Bench):
    async with fleet(live) as them:
        await them.reconciler.ensure([adapter(7)], 5.0)
        assert them.first.stats.adapters == [adapter(7)]
        them.first.refused.add(adapter(8))
        with pytest.raises(AdapterUnavailable, match="rank too high"):
            await them.reconciler.ensure([adapter(8)], 5.0)
        with pytest.raises(AdapterUnavailable, match="is no adapter of default"):
            await them.reconciler.ensure(["other-000000000001"], 5.0)


async def test_a_wake_up_tries_again_what_failed(live: Bench):
    async with fleet(live) as them:
        them.first.refused.add(adapter(1))
        await live.releases.promote(await candidate(live, 1), by=ADMIN)
        async with them.reconciler.running():
            await until(lambda: missing(live) == 1)
            them.first.refused.clear()
            them.reconciler.wake()
            await until(lambda: missing(live) == 0)
