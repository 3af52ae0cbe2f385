from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.training.made import asking, made
from training.curation import Curation
from training.manifest import (
    Account,
    BadManifest,
    Parent,
    Parts,
    dataset_sha256,
    earlier_of,
    hands,
    heldout_beside,
    length_of,
    manifest,
    read_parent,
    slices,
    warnings_of,
)

DIGESTS = {"train.jsonl": "aa", "heldout.jsonl": "bb"}


def parts(train: int, heldout: int = 0, pairs: int = 0) -> Parts:
    rows = [made(number) for number in range(train + heldout)]
    return Parts(rows[:train], rows[train:], rows[:pairs], [])


def parent(held: str, trained: str) -> Parent:
    return Parent(format=1, dataset_sha256=held + trained, heldout_conversations=frozenset(held),
                  trained_conversations=frozenset(trained))  # fmt: skip


def test_it_names_rows_messages_and_every_conversation_that_has_a_side() -> None:
    found = manifest(parts(3, 2), Account(read=5), Curation(), [parent("x", "y")], DIGESTS)
    assert found["train_ids"] == ["row-00000", "row-00001", "row-00002"]
    assert found["heldout_messages"] == ["message-00003", "message-00004"]
    assert found["heldout_conversations"] == ["conversation-00003", "conversation-00004", "x"]
    assert "y" in found["trained_conversations"]
    assert found["parents"] == ["xy"]
    assert found["created_at"] == 1004.0
    assert json.loads(json.dumps(found)) == found


def test_customers_are_named_only_when_the_split_is_theirs() -> None:
    one = manifest(parts(2, 1), Account(), Curation(), [], DIGESTS)
    other = manifest(parts(2, 1), Account(), Curation(split_by="customer"), [], DIGESTS)
    assert one["heldout_customers"] == []
    assert other["heldout_customers"] == ["customer-00002"]


def test_its_digest_follows_every_file() -> None:
    assert dataset_sha256(DIGESTS) == dataset_sha256(dict(reversed(DIGESTS.items())))
    assert dataset_sha256(DIGESTS) != dataset_sha256(DIGESTS | {"train.jsonl": "cc"})


def test_held_out_wins_over_trained_among_several_parents() -> None:
    found = earlier_of([parent("a", "b"), parent("b", "c")])
    assert (found.heldout, found.trained) == (frozenset("ab"), frozenset("c"))


def test_small_datasets_and_thin_slices_are_told() -> None:
    assert any("under 100" in text for text in warnings_of(parts(99, 30)))
    assert any("recommended 500" in text for text in warnings_of(parts(499, 30)))
    assert any("preference pairs" in text for text in warnings_of(parts(100, 30, 5)))
    assert any("no row is held out" in text for text in warnings_of(parts(600)))
    assert any("channel web (19)" in text for text in warnings_of(parts(600, 19)))
    assert warnings_of(parts(600, 30)) == []


def test_rows_are_counted_by_what_results_are_looked_at_by() -> None:
    rows = [asking("x" * size, number=size) for size in (10, 100, 500)]
    assert [length_of(row) for row in rows] == ["short", "medium", "long"]
    assert slices(rows)["length"] == {"long": 1, "medium": 1, "short": 1}
    assert slices([made(language="", channel="")])["channel"] == {"unknown": 1}


def test_hands_are_counted_without_names() -> None:
    found = hands([made(0, person="a"), made(1, person="a"), made(2, person="b"), made(3, origin="replay")])
    assert found == {
        "customers": {"count": 3, "largest_share": 0.3333},
        "people": {"count": 2, "largest_share": 0.6667},
    }
    assert hands([])["people"] == {"count": 0, "largest_share": 0.0}


def test_an_earlier_manifest_is_read_by_file_or_folder(tmp_path: Path) -> None:
    made_now = manifest(parts(3, 2), Account(), Curation(), [], DIGESTS)
    (tmp_path / "manifest.json").write_text(json.dumps(made_now), encoding="utf-8")
    assert read_parent(tmp_path) == read_parent(tmp_path / "manifest.json")
    assert heldout_beside(tmp_path) == []


@pytest.mark.parametrize(
    "text", ["{", "{}", '{"format": 9, "dataset_sha256": "", "heldout_conversations": [], "trained_conversations": []}']
)
def test_what_is_no_manifest_is_told(tmp_path: Path, text: str) -> None:
    (tmp_path / "manifest.json").write_text(text, encoding="utf-8")
    with pytest.raises(BadManifest, match=r"manifest\.json"):
        read_parent(tmp_path)


def test_missing_manifests_and_broken_held_out_files_are_told(tmp_path: Path) -> None:
    with pytest.raises(BadManifest, match="No such file"):
        read_parent(tmp_path / "none.json")
    (tmp_path / "heldout.jsonl").write_text("{", encoding="utf-8")
    with pytest.raises(BadManifest, match="line 1"):
        heldout_beside(tmp_path / "manifest.json")
