from __future__ import annotations

from typing import Any

from training.model_card import model_card

MANIFEST: dict[str, Any] = {
    "base": {"name": "example/base", "weights_sha256": "aa", "tokenizer_sha256": "bb", "template_sha256": "cc"},
    "dataset_sha256": "dd", "recipe": {"method": "sft", "lr": 7e-4}, "rank": 16, "alpha": 32,
    "metrics": {"steps": 9, "heldout": [{"stage": "sft", "step": 3, "loss": 1.25}]},
    "created_at": 1795000000.0, "parents": ["desk-abc"],
}  # fmt: skip


def test_says_what_it_is_from_what_and_how_it_was_measured() -> None:
    card = model_card(MANIFEST, ["rank 128 is outside"])
    assert card.startswith("---\nlibrary_name: peft\nbase_model: example/base\n")
    for part in ("aa", "bb", "cc", "dd", "desk-abc", "| sft | 3 | 1.2500 |", "- rank 128", "2026-11-", "| steps | 9 |"):
        assert part in card


def test_leaves_out_what_there_is_not() -> None:
    card = model_card({**MANIFEST, "metrics": {}, "parents": []})
    assert "Held-out loss\n" not in card
    assert "Unusual" not in card
    assert "| parents | none |" in card
