"""The canary is looked at and taken back, promoted only where that is set, and left alone otherwise."""

from __future__ import annotations

import asyncio
import json
import time
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from server.conversation import Reason
from server.feedback import Feedback
from server.handoff import Handoff
from server.releases.registry import Releases
from server.releases.watch import Watch
from tests.places import FakeClock, Place
from tests.server.engine.bench import Bench, bench
from tests.server.releases.rig import ADMIN, candidate, case, states

OPENED = FakeClock().wall  # when the cases of these tests begin, epoch seconds


async def trial(one: Bench, **how: Any) -> tuple[str, str]:
    """The live release and one on trial."""
    live = one.releases.live or await one.releases.publish_configured()
    tuned = await candidate(one, 1)
    await one.releases.start_canary(tuned, by=ADMIN, **how)
    return live, tuned


async def run(one: Bench, tuned: str, cases: int, bad: str = "thumbs") -> int:
    """So many cases, of which those on the canary go badly; returns how many those were."""
    harmed = 0
    for number in range(cases):
        name = f"c{number}"
        release = await case(one, name)
        if release == tuned:
            harmed += 1
            await spoil(one, name, bad)
    return harmed


async def spoil(one: Bench, name: str, bad: str) -> None:
    if bad == "thumbs":
        (row,) = [row for row in await one.rows("messages", id=name) if row["role"] == "assistant"]
        await Feedback(one.store).rate(name, row["id"], ("customer", name), "down")
    elif bad == "handoff":
        await Handoff(one.store).ask(name, Reason.CUSTOMER_ASKED)
    else:
        await one.store.write(lambda tx: tx.run("rig.fail_step", id=name))


def watch(one: Bench, releases: Releases | None = None) -> Watch:
    return Watch(one.store, one.settings, releases or one.releases, one.metrics)


@pytest.mark.parametrize("bad", ["thumbs", "handoff", "tools"])
async def test_a_canary_that_harms_is_taken_back(one: Bench, bad: str):
    live, tuned = await trial(one, share=0.3)
    harmed = await run(one, tuned, 60, bad)
    assert one.releases.canary is not None
    found = await watch(one).compare(one.releases.canary)
    assert (found.canary.cases, found.canary.bad(bad), found.live.cases) == (harmed, harmed, 60 - harmed)
    await watch(one).step()
    assert (one.releases.canary, await states(one)) == (None, {live: "live", tuned: "withdrawn"})
    (row,) = [row for row in await one.store.rows("rig.changes") if row["action"] == "canary_rolled_back"]
    assert (row["actor_kind"], row["actor_id"], row["previous_id"]) == ("system", "canary", tuned)
    assert bad in row["reason"]
    assert json.loads(row["detail"])["figures"]["worst"] == bad
    assert one.metrics.rollbacks._value.get() == 1


async def test_what_is_not_the_releases_fault_does_not_count(one: Bench):
    _, tuned = await trial(one, share=0.3)

    for number in range(40):
        if await case(one, f"c{number}") == tuned:
            await Handoff(one.store).ask(f"c{number}", Reason.MODEL_DOWN)
    await watch(one).step()
    assert one.releases.canary is not None


async def test_one_conversation_counts_once_however_often_it_complains(one: Bench):
    _, tuned = await trial(one, share=1.0)

    assert await case(one, "c1") == tuned
    for _ in range(12):
        await case(one, "c1")
    for row in await one.rows("messages", id="c1"):
        if row["role"] == "assistant":
            await Feedback(one.store).rate("c1", row["id"], ("customer", "c1"), "down")
    assert one.releases.canary is not None
    found = await watch(one).compare(one.releases.canary)
    assert (found.canary.cases, found.canary.thumbs) == (1, 1)


async def test_nothing_is_promoted_by_itself_unless_that_is_set(one: Bench):
    _, tuned = await trial(one, share=0.5, cap=5)
    for number in range(20):
        await case(one, f"c{number}")
    later = Watch(one.store, one.settings, one.releases, one.metrics, lambda: time.time() + 10 * 86_400)
    assert one.releases.canary is not None
    assert (await later.compare(one.releases.canary)).verdict == "passed"
    await later.step()
    assert one.releases.live != tuned


async def test_a_canary_that_passed_goes_live_where_that_is_set(tmp_path: Path):
    place = Place("sqlite", f"sqlite:///{tmp_path}/desk.db")
    async with bench(place, tmp_path, releases={"automatic_promotion": True}) as one:
        _, tuned = await trial(one, share=0.5, cap=5)
        for number in range(20):
            await case(one, f"c{number}")
        await Watch(one.store, one.settings, one.releases, one.metrics, lambda: OPENED + 3_600).step()
        assert one.releases.live != tuned, "its cases are still open"
        await Watch(one.store, one.settings, one.releases, one.metrics, lambda: time.time() + 10 * 86_400).step()
        assert one.releases.live == tuned


async def test_where_all_cases_are_on_the_canary_the_past_is_compared(one: Bench):
    live = await one.releases.publish_configured()
    for number in range(40):
        assert await case(one, f"p{number}") == live
    one.store._clock.pass_s(60)  # type: ignore[attr-defined]  # the trial begins later
    _, tuned = await trial(one, share=1.0)
    await run(one, tuned, 20)
    assert one.releases.canary is not None
    found = await watch(one).compare(one.releases.canary)
    assert (found.against, found.live.cases, found.verdict) == ("past", 40, "roll_back")


async def test_from_the_case_that_tips_the_scales_to_the_rollback_in_two_seconds(live: Bench):
    """Two workers look, another process follows."""
    before, tuned = await trial(live, share=0.5)
    on_it = [name for name in (f"c{number}" for number in range(40)) if await case(live, name) == tuned]
    follower = Releases(live.store, live.settings, "template")
    second = Releases(live.store, live.settings, "template")
    assert live.releases.canary is not None
    running, judge = live.releases.canary, watch(live)
    async with AsyncExitStack() as stack:
        for releases in (live.releases, follower, second):
            await stack.enter_async_context(releases.running())
        for each in (watch(live), watch(live, second)):
            await stack.enter_async_context(each.running())
        for name in on_it:
            await spoil(live, name, "thumbs")
            if (await judge.compare(running)).verdict == "roll_back":
                break
        started = time.monotonic()
        async with asyncio.timeout(10):
            while follower.canary is not None:
                await asyncio.sleep(0.01)
        seconds = time.monotonic() - started
    assert (follower.live, await states(live)) == (before, {before: "live", tuned: "withdrawn"})
    assert seconds <= 2.0
    rows = [row for row in await live.store.rows("rig.changes") if row["action"] == "canary_rolled_back"]
    assert len(rows) == 1
