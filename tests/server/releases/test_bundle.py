"""Bundles: their names, what changes them, and older versions."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from server.releases.bundle import adapters_of, base_of, bundle, digest, read, with_adapters
from tests.server.engine import bench as benches

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
    "rounds": {"tools": {"rounds": 5}},
    "offer": {"tools": {"offer": "all"}},
    "shop": {"tools": {"shop": "sqlite:///shop.db"}},
    "no tools": {"tools": {"enabled": False}},
    "passages": {"knowledge": {"passages": 2}},
    "policy": {"knowledge": {"unsupported": "say_so"}},
    "confidence": {"knowledge": {"confidence": 0.7}},
    "hosts": {"knowledge": {"link_hosts": ["shop.example"]}},
    "chunks": {"knowledge": {"chunk_tokens": 80}},
    "no knowledge": {"knowledge": {"enabled": False}},
}


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
    unimportant: list[dict[str, Any]] = [
        {"engine": {"settle_s": 1.0}},
        {"model": {"max_sequences": 3}},
        {"http": {"port": 1}},
        {"knowledge": {"timeout_s": 9.0}},
        {"tools": {"confirm_s": 9.0}},
    ]
    for change in unimportant:
        assert digest(body(tmp_path, **change)) == digest(body(tmp_path))


def test_the_text_of_the_tools_file_is_part_of_the_name(tmp_path: Path):
    file = tmp_path / "tools.yaml"
    names = set()
    for text in ("", "fee: {python: shop:fee}", "fee: {python: shop:other}"):
        file.write_text(text, encoding="utf-8")
        names.add(digest(body(tmp_path, tools={"file": str(file)})))
    file.unlink()
    names.add(digest(body(tmp_path, tools={"file": str(file)})))
    assert len(names) == 3, "a file that cannot be read counts as empty"


def test_no_secret_is_in_a_bundle(tmp_path: Path):
    secret = "canary-key-1234"
    model = {"api_key": secret, "base_url": "http://127.0.0.1:1/v1"}
    assert secret not in json.dumps(body(tmp_path, model=model))
    assert digest(body(tmp_path, model=model)) == digest(body(tmp_path))
    shop = {"shop": f"postgresql://user:{secret}@host/db"}
    assert secret not in json.dumps(body(tmp_path, tools=shop))
    knowledge = {"embedding_url": "http://127.0.0.1:1/v1", "embedding_key": secret}
    assert secret not in json.dumps(body(tmp_path, knowledge=knowledge))


def test_adapters_are_part_of_the_name_and_the_base_has_none(tmp_path: Path):
    plain = body(tmp_path)
    tuned = with_adapters(plain, "shop-1", {"pt": "shop-2", "de": "shop-3"})
    assert digest(base_of(tuned)) == digest(plain)
    assert len({digest(plain), digest(tuned), digest(with_adapters(plain, "shop-1", {}))}) == 3
    assert digest(with_adapters(plain, "shop-1", {"de": "shop-3", "pt": "shop-2"})) == digest(tuned)
    assert adapters_of(tuned) == {"": "shop-1", "pt": "shop-2", "de": "shop-3"}
    assert adapters_of(plain) == {}


def test_the_adapter_is_chosen_by_the_conversations_language(tmp_path: Path):
    release = read("r", with_adapters(body(tmp_path), "shop-1", {"pt": "shop-2"}))
    assert [release.served_name(language) for language in ("", "en", "pt", "PT-br")] == [
        "shop-1", "shop-1", "shop-2", "shop-2",
    ]  # fmt: skip
    assert release.names == {"shop-1", "shop-2"}
    only = read("r", with_adapters(body(tmp_path), None, {"pt": "shop-2"}))
    assert (only.served_name("en"), only.served_name("pt-BR")) == (only.model, "shop-2")


def test_bodies_of_earlier_versions_are_read(tmp_path: Path):
    second = {key: value for key, value in body(tmp_path).items() if key != "adapters"} | {"version": 2}
    assert read("r", second | {"adapter": "tuned"}).served_name("de") == "tuned"
    first = {key: value for key, value in second.items() if key not in {"tools", "retrieval", "grounding"}}
    release = read("r", first | {"version": 1})
    assert (release.tools_digest, release.grounding, release.served_name()) == ("", None, second["model"])
