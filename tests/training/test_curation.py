from __future__ import annotations

import json
from pathlib import Path

import pytest

from training.curation import Curation, read_curation
from training.errors import RecipeError


def test_without_a_recipe_the_measured_shares_hold() -> None:
    quotas = read_curation(None).quotas
    assert (quotas.refusal_least, quotas.refusal_most, quotas.call_most) == (0.15, 0.20, 0.45)


def test_only_its_own_part_of_the_recipe_is_read(tmp_path: Path) -> None:
    path = tmp_path / "recipe.json"
    path.write_text(json.dumps({"rank": 16, "prepare": {"per_cluster": 2, "replay": "replay.jsonl"}}), encoding="utf-8")
    found = read_curation(path)
    assert found.per_cluster == 2
    assert found.replay == tmp_path / "replay.jsonl"


@pytest.mark.parametrize(
    "text",
    [
        '{"prepare": {"unknown": 1}}',
        '{"prepare": {"heldout_share": 2}}',
        '{"prepare": {"quotas": {"refusal_least": 0.3, "refusal_most": 0.2}}}',
        '{"prepare": {"quotas": {"call_most": 1}}}',
        "{",
        "[1]",
    ],
)
def test_an_unusable_recipe_is_refused_with_its_name(tmp_path: Path, text: str) -> None:
    path = tmp_path / "recipe.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(RecipeError, match=r"recipe\.json"):
        read_curation(path)


def test_a_missing_recipe_is_told(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="can be read"):
        read_curation(tmp_path / "none.json")


def test_the_digest_follows_every_choice_and_no_order() -> None:
    one = Curation.model_validate({"exclude": {"customers": ["a", "b", "c", "d"]}})
    other = Curation.model_validate({"exclude": {"customers": ["d", "c", "b", "a"]}})
    assert one.sha256 == other.sha256
    assert one.sha256 != Curation().sha256
