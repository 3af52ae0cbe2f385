"""What is live and what a case is tied to: settings, candidates, draws, rollbacks, and processes that follow."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from server.engine.context import ContextReader
from server.releases.bundle import Grounding, tools_digest
from server.releases.choice import position
from server.releases.moves import NoRelease, ReleaseRefused
from server.releases.registry import Releases
from server.store.contract import Row
from tests.places import until
from tests.scenario import desk
from tests.server.engine import bench as benches
from tests.server.engine.bench import Bench
from tests.server.releases.rig import ADMIN, adapter, candidate, case, states


async def alias(one: Bench, name: str = "live") -> Row:
    (row,) = [row for row in await one.rows("aliases") if row["alias"] == name]
    return row


async def test_publishing_stores_and_points_once(one: Bench):
    release_id = await one.releases.publish_configured()
    first = await alias(one)
    assert (first["release_id"], first["changed_by"]) == (release_id, "settings")
    assert await one.releases.publish_configured() == release_id == one.releases.live
    again = await alias(one)
    assert again["changed_at"] == first["changed_at"], "nothing changed, nothing is written"


async def test_another_configuration_moves_the_alias_and_keeps_the_old_bundle(one: Bench, tmp_path: Path):
    old = await one.releases.publish_configured()
    changed = Releases(one.store, benches.settings_for(tmp_path, name="New {x}"), "template")
    new = await changed.publish_configured()
    assert new != old
    assert (await alias(one))["release_id"] == new
    assert await states(one) == {old: "retired", new: "live"}
    (row,) = await one.store.rows("rig.audits")
    assert (row["actor_id"], row["action"], row["target"]) == ("settings", "release.published", new)
    release = await changed.get(old)
    assert "assistant of frontdesk" in release.system_prompt
    assert "assistant of New {x}" in (await changed.get(new)).system_prompt


async def test_a_bundle_is_read_back_as_it_was(one: Bench, tmp_path: Path):
    settings = benches.settings_for(tmp_path, model={"temperature": 0.3, "seed": 5, "answer_tokens": 99})
    releases = Releases(one.store, settings, "t")
    release = await Releases(one.store, settings, "another process").get(await releases.publish_configured())
    decoding = release.decoding
    assert (decoding.temperature, decoding.seed, decoding.max_tokens) == (0.3, 5, 99)
    assert (release.template_digest, release.context_tokens, release.adapter) == ("t", 2_048, None)
    assert release.served_name() == release.model == settings.model.name


async def test_how_answers_are_grounded_is_read_back(one: Bench, tmp_path: Path):
    settings = benches.settings_for(tmp_path, knowledge={"passages": 3, "link_hosts": ["b.example", "a.example"]})
    releases = Releases(one.store, settings, "t")
    release = await Releases(one.store, settings, "another process").get(await releases.publish_configured())
    assert release.grounding == Grounding(3, 900, 0.5, "quote", "say_so", ("a.example", "b.example"))
    assert release.tools_digest == tools_digest(settings.tools)


async def test_a_bundle_of_the_first_version_is_still_read(one: Bench):
    release_id = await one.releases.publish_configured()
    row = await one.store.row("releases.get", id=release_id)
    assert row is not None
    old = {
        key: value for key, value in json.loads(row["body"]).items() if key not in {"tools", "retrieval", "grounding"}
    }
    await one.write(lambda tx: tx.run("bench.write_release", id=release_id, body=json.dumps(old | {"version": 1})))
    release = await one.releases.get(release_id)
    assert (release.tools_digest, release.grounding, release.model) == ("", None, old["model"])


async def test_an_adapter_is_served_under_its_own_name(one: Bench):
    release_id = await one.releases.publish_configured()
    row = await one.store.row("releases.get", id=release_id)
    assert row is not None
    changed = json.dumps(json.loads(row["body"]) | {"adapter": "tuned-3"})
    await one.write(lambda tx: tx.run("bench.write_release", id=release_id, body=changed))
    assert (await one.releases.get(release_id)).served_name() == "tuned-3"


async def test_bundles_are_read_once(one: Bench):
    release_id = await one.releases.publish_configured()
    first = await one.releases.get(release_id)
    await one.write(lambda tx: tx.run("bench.write_release", id=release_id, body="{}"))
    assert await one.releases.get(release_id) is first


async def test_an_unknown_release_says_what_to_do(one: Bench):
    with pytest.raises(LookupError, match=r"release nope is not in the store; restore it or close the case"):
        await one.releases.get("nope")


async def test_a_case_keeps_its_release_when_the_settings_change(store_url: str, tmp_path: Path):
    prompts = {}
    async with desk(store_url, tmp_path, name="Old Shop") as service:  # type: ignore[arg-type]
        visitor = await service.visitor()
        await visitor.say("hello")
        await visitor.answered()
        prompts["first"] = str(service.double.stats.prompts[-1]["messages"][0])
    async with desk(store_url, tmp_path, name="New Shop") as service:  # type: ignore[arg-type]
        again = type(visitor)(service.http, service.base, visitor.token, visitor.conversation)
        service._visitors.append(again)
        again.follow()
        await again.say("still me", "second")
        await again.answered(2)
        prompts["pinned"] = str(service.double.stats.prompts[-1]["messages"][0])
        stranger = await service.visitor()
        await stranger.say("hello")
        await stranger.answered()
        prompts["new"] = str(service.double.stats.prompts[-1]["messages"][0])
        old = await service.store.rows("bench.turns", id=visitor.conversation)
        new = await service.store.rows("bench.turns", id=stranger.conversation)
    assert "Old Shop" in prompts["first"]
    assert prompts["pinned"] == prompts["first"]
    assert "New Shop" in prompts["new"]
    assert old[0]["release_id"] == old[1]["release_id"] != new[0]["release_id"]


async def test_changed_settings_keep_the_live_adapter_and_a_restart_keeps_what_was_promoted(one: Bench, tmp_path: Path):
    await one.releases.publish_configured()
    tuned = await candidate(one, 1)
    await one.releases.promote(tuned, by=ADMIN)
    again = Releases(one.store, one.settings, "template")
    assert await again.publish_configured() == tuned, "the settings did not change"
    changed = Releases(one.store, benches.settings_for(tmp_path, name="Other"), "template")
    new = await changed.publish_configured()
    release = await changed.get(new)
    assert (release.served_name(), "Other" in release.system_prompt) == (adapter(1), True)
    await changed.roll_back(by=ADMIN, reason="typo")
    assert changed.live == tuned
    restarted = Releases(one.store, benches.settings_for(tmp_path, name="Other"), "template")
    assert await restarted.publish_configured() == tuned, "a restart does not undo a rollback"


async def test_changed_settings_end_a_canary(one: Bench, tmp_path: Path):
    await one.releases.publish_configured()
    tuned = await candidate(one, 1)
    await one.releases.start_canary(tuned, by=ADMIN)
    changed = Releases(one.store, benches.settings_for(tmp_path, name="Other"), "template")
    new = await changed.publish_configured()
    assert (changed.canary, (await states(one))[tuned], changed.live) == (None, "candidate", new)
    with pytest.raises(ReleaseRefused, match="made under other settings"):
        await changed.promote(tuned, by=ADMIN)
    assert await changed.promote(tuned, by=ADMIN, reason="the prompt was wrong")


async def test_candidates_change_only_their_adapter(one: Bench):
    live = await one.releases.publish_configured()
    first = await candidate(one, 1, None, run="run1", dataset="set1")
    assert await candidate(one, 1, None) == first
    body = (await one.releases.get(first)).served_name("de")
    assert body == adapter(1)
    await one.releases.judge(first, "promote", {})
    await one.releases.promote(first, by=ADMIN)
    german = await one.releases.get(await candidate(one, 2, languages=["de"]))
    assert (german.served_name("de-AT"), german.served_name("en")) == (adapter(2), adapter(1))
    assert (await one.releases.base(german)).id == live
    for name in ("other-000000000001", "default-1", "../x"):
        with pytest.raises(ReleaseRefused, match="is no adapter of default"):
            await one.releases.candidate(name, by=ADMIN)


async def test_nothing_can_be_made_before_something_is_live(one: Bench):
    with pytest.raises(ReleaseRefused, match="nothing is live yet"):
        await one.releases.candidate(adapter(1), by=ADMIN)


async def test_a_verdict_is_kept_with_its_report(one: Bench):
    await one.releases.publish_configured()
    release_id = await candidate(one, 1, "reject")
    row = await one.store.row("releases.card", tenant="default", release_id=release_id)
    assert row is not None
    assert (row["verdict"], json.loads(row["report"])["reasons"]) == ("reject", [{"slice": "all"}])
    with pytest.raises(ValueError, match="a verdict is one of"):
        await one.releases.judge(release_id, "maybe", {})  # type: ignore[arg-type]
    with pytest.raises(NoRelease):
        await one.releases.judge("0" * 16, "reject", {})


async def test_the_base_of_a_release_is_stored_when_it_first_answers(one: Bench, tmp_path: Path):
    await one.releases.publish_configured()
    tuned = await one.releases.get(await candidate(one, 1))
    changed = Releases(one.store, benches.settings_for(tmp_path, name="Other"), "template")
    await changed.promote(tuned.id, by=ADMIN)
    await changed.publish_configured()
    base = await changed.base(await changed.get(changed.live))
    assert (base.served_name(), base.adapter) == (base.model, None)
    assert await changed.base(base) is base


async def test_cases_are_drawn_counted_and_kept(one: Bench):
    live = await one.releases.publish_configured()
    tuned = await candidate(one, 1)
    await one.releases.start_canary(tuned, by=ADMIN, share=0.5, cap=3)
    (trial,) = await one.store.rows("rig.trials")
    names = (f"c{number}" for number in range(12))
    apart = sorted(names, key=lambda name: position(name, trial["id"]) < 0.5)  # the control first: none is drawn later
    first = {name: await case(one, name) for name in apart}
    assert list(first.values()).count(tuned) == 3, "the cap holds"
    again = {name: await case(one, name) for name in first}
    assert again == first
    arms = await one.store.rows("rig.arms")
    drawn = [row for row in arms if row["canary_id"] is not None]
    assert {(row["canary_arm"], row["release_id"]) for row in drawn} == {(1, tuned), (0, live)}
    assert all(row["release_id"] == live for row in arms if row["canary_id"] is None)
    (trial,) = await one.store.rows("rig.trials")
    assert trial["cases"] == 3


async def test_a_rollback_ties_open_cases_to_the_live_release_at_their_next_turn(one: Bench):
    live = await one.releases.publish_configured()
    tuned = await candidate(one, 1)
    await one.releases.start_canary(tuned, by=ADMIN, share=1.0)
    assert await case(one, "c1") == tuned
    await one.releases.roll_back(by=ADMIN, reason="worse")
    assert await case(one, "c1") == live
    (row,) = await one.store.rows("rig.arms")
    assert (row["release_id"], row["canary_arm"]) == (live, 1), "its part in the trial is kept"


async def test_a_turn_keeps_its_release_through_a_rollback(one: Bench):
    await one.releases.publish_configured()
    tuned = await candidate(one, 1)
    await one.releases.start_canary(tuned, by=ADMIN, share=1.0)
    await one.say("c1")
    lease, reader = await one.take_one(), ContextReader(one.store, one.releases, one.settings)
    first = await reader.read(lease, 0.0)
    await one.releases.roll_back(by=ADMIN, reason="worse")
    assert (await reader.read(lease, 0.0, first.release)).release.id == tuned == first.pin
    assert (await reader.read(lease, 0.0)).release.id == one.releases.live


async def test_other_processes_follow(live: Bench):
    other = Releases(live.store, live.settings, "template")
    heard: list[str] = []
    async with other.running():
        stop = other.listen(lambda: heard.append(other.live))
        tuned = await candidate(live, 1)
        await live.releases.start_canary(tuned, by=ADMIN)
        await until(lambda: other.canary is not None)
        await live.releases.promote(tuned, by=ADMIN)
        await until(lambda: other.live == tuned and other.canary is None)
        stop()
    assert heard[-1] == tuned


async def test_a_lost_notification_costs_a_second_at_most(live: Bench):
    other = Releases(live.store, live.settings, "template")
    async with other.running():
        other._stale = asyncio.Event()  # what the listener sets is no longer what is waited for
        tuned = await candidate(live, 1)
        await live.releases.promote(tuned, by=ADMIN)
        await until(lambda: other.live == tuned, 3.0)


async def test_only_own_releases_are_named_by_id(one: Bench):
    live = await one.releases.publish_configured()
    assert (await one.releases.own(live)).id == live
    with pytest.raises(LookupError, match="there is no release"):
        await one.releases.own("0" * 16)
