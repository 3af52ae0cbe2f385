"""Bundles: their names, their immutability, and cases that keep the one they began with."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from server.releases import Releases, bundle, digest
from tests.places import Place
from tests.scenario import desk
from tests.server.engine import bench as benches
from tests.server.engine.bench import Bench, bench

BASE = {"name": "Shop"}
CHANGES: dict[str, dict[str, Any]] = {
    "name": {"name": "Other"},
    "prompt": {"engine": {"system_prompt": "Be {name}."}},
    "model": {"model": {"name": "other/model"}},
    "context": {"model": {"context_tokens": 4_096}},
    "temperature": {"model": {"temperature": 0.5}},
    "top_p": {"model": {"top_p": 0.5}},
    "repetition": {"model": {"repetition_penalty": 1.3}},
    "seed": {"model": {"seed": 7}},
    "length": {"model": {"answer_tokens": 100}},
}


@pytest.fixture
async def one(tmp_path: Path) -> AsyncIterator[Bench]:
    async with bench(Place("sqlite", f"sqlite:///{tmp_path}/desk.db"), tmp_path) as opened:
        yield opened


def body(tmp_path: Path, template: str = "t", **more: Any) -> dict[str, Any]:
    return bundle(benches.settings_for(tmp_path, **{**BASE, **more}), template)


def test_a_digest_is_stable_and_independent_of_order(tmp_path: Path):
    one = body(tmp_path)
    assert digest(one) == digest(body(tmp_path))
    assert digest(dict(reversed(one.items()))) == digest(one)
    assert digest(json.loads(json.dumps(one))) == digest(one)
    assert digest({"a": 1}) == "015abd7f5cc57a2d", "ids in old databases must keep their meaning"
    assert len(digest(one)) == 16


def test_every_part_of_a_bundle_changes_its_name(tmp_path: Path):
    names = {name: digest(body(tmp_path, **change)) for name, change in CHANGES.items()}
    names |= {"none": digest(body(tmp_path)), "template": digest(body(tmp_path, "other"))}
    assert len(set(names.values())) == len(names), names


def test_what_does_not_change_answers_does_not_change_the_name(tmp_path: Path):
    for change in ({"engine": {"settle_s": 1.0}}, {"model": {"max_sequences": 3}}, {"http": {"port": 1}}):
        assert digest(body(tmp_path, **change)) == digest(body(tmp_path))


def test_no_secret_is_in_a_bundle(tmp_path: Path):
    secret = "canary-key-1234"
    model = {"api_key": secret, "base_url": "http://127.0.0.1:1/v1"}
    assert secret not in json.dumps(body(tmp_path, model=model))
    assert digest(body(tmp_path, model=model)) == digest(body(tmp_path))


async def test_publishing_stores_and_points_once(one: Bench):
    release_id = await one.releases.publish_configured()
    (first,) = await one.rows("aliases")
    assert (first["alias"], first["release_id"], first["changed_by"]) == ("live", release_id, "settings")
    assert await one.releases.publish_configured() == release_id
    (again,) = await one.rows("aliases")
    assert again["changed_at"] == first["changed_at"], "nothing changed, nothing is written"


async def test_another_configuration_moves_the_alias_and_keeps_the_old_bundle(one: Bench, tmp_path: Path):
    old = await one.releases.publish_configured()
    changed = Releases(one.store, benches.settings_for(tmp_path, name="New {x}"), "template")
    new = await changed.publish_configured()
    assert new != old
    (alias,) = await one.rows("aliases")
    assert alias["release_id"] == new
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
    assert release.served_name == release.model == settings.model.name


async def test_an_adapter_is_served_under_its_own_name(one: Bench):
    release_id = await one.releases.publish_configured()
    row = await one.store.row("releases.get", id=release_id)
    assert row is not None
    changed = json.dumps(json.loads(row["body"]) | {"adapter": "tuned-3"})
    await one.write(lambda tx: tx.run("bench.write_release", id=release_id, body=changed))
    assert (await one.releases.get(release_id)).served_name == "tuned-3"


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
