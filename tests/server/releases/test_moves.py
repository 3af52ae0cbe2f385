"""What may be changed when, by whom, and what is written down about it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from server.releases.moves import NoRelease, ReleaseRefused
from tests.server.engine.bench import Bench
from tests.server.releases.rig import ADMIN, candidate, states


async def changes(one: Bench) -> list[tuple[Any, ...]]:
    rows = await one.store.rows("rig.changes")
    return [(row["action"], row["release_id"], row["previous_id"], row["actor_id"], row["reason"]) for row in rows]


async def test_from_candidate_over_canary_to_live_and_back(one: Bench):
    live = await one.releases.publish_configured()
    tuned = await candidate(one, 1)
    trial = await one.releases.start_canary(tuned, by=ADMIN, share=0.2, cap=30)
    assert one.releases.canary is not None
    assert (one.releases.canary.id, one.releases.canary.share, one.releases.canary.cap) == (trial, 0.2, 30)
    await one.releases.change_share(0.5, by=ADMIN)
    assert (one.releases.canary.share, one.releases.canary.cap) == (0.5, 30)
    assert await one.releases.promote(tuned, by=ADMIN, figures={"evidence": 0.3})
    assert not await one.releases.promote(tuned, by=ADMIN), "it is live already"
    assert (one.releases.live, one.releases.canary, await states(one)) == (
        tuned,
        None,
        {live: "retired", tuned: "live"},
    )
    assert await one.releases.roll_back(by=ADMIN, reason="rude") == live == one.releases.live
    assert await states(one) == {live: "live", tuned: "withdrawn"}
    assert await changes(one) == [
        ("published", live, None, "settings", "the settings changed"),
        ("candidate", tuned, live, "ada", None),
        ("judged", tuned, None, "gate", None),
        ("canary_started", tuned, live, "ada", None),
        ("canary_share", tuned, live, "ada", None),
        ("promoted", tuned, live, "ada", None),
        ("rolled_back", live, tuned, "ada", "rude"),
    ]
    audits = await one.store.rows("rig.audits")
    assert [row["action"] for row in audits] == [f"release.{change[0]}" for change in (await changes(one))[1:]]
    told = [json.loads(row["body"]) for row in await one.store.rows("rig.told")]
    assert told[-1] == {"action": "rolled_back", "release": live, "previous": tuned, "reason": "rude"}
    (ended,) = await one.store.rows("rig.trials")
    assert (ended["state"], json.loads(ended["figures"])) == ("promoted", {"evidence": 0.3})


@pytest.mark.parametrize("verdict", [None, "reject", "not_enough_evidence"])
async def test_without_the_gates_word_a_reason_is_needed_and_audited(one: Bench, verdict: Any):
    await one.releases.publish_configured()
    tuned = await candidate(one, 1, verdict)
    for act in (one.releases.start_canary, one.releases.promote):
        for reason in (None, "  "):
            with pytest.raises(ReleaseRefused, match="Give a reason"):
                await act(tuned, by=ADMIN, reason=reason)
    assert one.releases.live != tuned
    assert await one.releases.promote(tuned, by=ADMIN, reason="the suite is wrong about refunds")
    row = (await one.store.rows("rig.audits"))[-1]
    detail = json.loads(row["detail"])
    assert (row["action"], detail["override"], detail["reason"]) == (
        "release.promoted", True, "the suite is wrong about refunds",
    )  # fmt: skip


async def test_what_was_rolled_back_goes_live_again_only_with_a_reason(one: Bench):
    await one.releases.publish_configured()
    tuned = await candidate(one, 1)
    await one.releases.start_canary(tuned, by=ADMIN)
    await one.releases.roll_back(by=ADMIN, reason="worse")
    with pytest.raises(ReleaseRefused, match="it was rolled back"):
        await one.releases.start_canary(tuned, by=ADMIN)
    await one.releases.start_canary(tuned, by=ADMIN, reason="it was the shop's bad day")


async def test_one_trial_at_a_time(one: Bench):
    live = await one.releases.publish_configured()
    first, second = await candidate(one, 1), await candidate(one, 2)
    with pytest.raises(ReleaseRefused, match="live already"):
        await one.releases.start_canary(live, by=ADMIN, reason="x")
    with pytest.raises(NoRelease):
        await one.releases.start_canary("0" * 16, by=ADMIN)
    await one.releases.start_canary(first, by=ADMIN)
    with pytest.raises(ReleaseRefused, match="is running"):
        await one.releases.start_canary(second, by=ADMIN)
    await one.releases.promote(second, by=ADMIN)
    assert await states(one) == {live: "retired", first: "candidate", second: "live"}


async def test_a_stopped_trial_leaves_a_candidate(one: Bench):
    live = await one.releases.publish_configured()
    tuned = await candidate(one, 1)
    for impossible in (one.releases.stop_canary(by=ADMIN), one.releases.change_share(0.5, by=ADMIN)):
        with pytest.raises(ReleaseRefused, match="no canary is running"):
            await impossible
    await one.releases.start_canary(tuned, by=ADMIN)
    await one.releases.stop_canary(by=ADMIN, reason="holidays")
    assert (one.releases.canary, await states(one)) == (None, {live: "live", tuned: "candidate"})


async def test_a_rollback_needs_somewhere_to_go(one: Bench):
    await one.releases.publish_configured()
    with pytest.raises(ReleaseRefused, match="no earlier release"):
        await one.releases.roll_back(by=ADMIN, reason="x")
    with pytest.raises(ReleaseRefused, match="no canary is running"):
        await one.releases.roll_back(by=ADMIN, reason="x", side="canary")


async def test_the_live_release_can_be_taken_back_beside_a_canary(one: Bench):
    first = await one.releases.publish_configured()
    second, third = await candidate(one, 1), await candidate(one, 2)
    await one.releases.promote(second, by=ADMIN)
    await one.releases.start_canary(third, by=ADMIN, reason="made from the first")
    assert await one.releases.roll_back(by=ADMIN, reason="rude", side="live") == first
    assert (one.releases.canary, await states(one)) == (
        None, {first: "live", second: "withdrawn", third: "candidate"},
    )  # fmt: skip


async def test_five_promotions_and_five_ways_back(one: Bench):
    lived = [await one.releases.publish_configured()]
    for number in range(1, 6):
        lived.append(await candidate(one, number))
        await one.releases.promote(lived[-1], by=ADMIN)
    assert one.releases.live == lived[-1]
    back = [await one.releases.roll_back(by=ADMIN, reason="back") for _ in range(5)]
    assert back == lived[-2::-1]


async def test_only_the_first_of_two_automatic_rollbacks_acts(one: Bench):
    live = await one.releases.publish_configured()
    tuned = await candidate(one, 1)
    trial = await one.releases.start_canary(tuned, by=ADMIN)
    how: dict[str, Any] = {"by": ADMIN, "reason": "worse", "side": "canary", "canary_id": trial}
    assert await one.releases.roll_back(**how) == live
    assert await one.releases.roll_back(**how) is None
