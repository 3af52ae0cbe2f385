from __future__ import annotations

from tests.training.made import made
from training.card import card
from training.curation import Curation
from training.manifest import Account, Parts, manifest


def test_the_card_tells_counts_shares_warnings_and_origin() -> None:
    parts = Parts([made(0), made(1, channel="mail|x", language="de")], [made(2)], [], [])
    account = Account(read=4)
    account.left_out["nearly the same"] = 1
    account.masked["email"] = 3
    text = card(manifest(parts, account, Curation(), [], {"train.jsonl": "ab" * 32}))
    assert text.startswith('---\nlanguage: ["de", "en"]')
    for wanted in (
        "| nearly the same | 1 |",
        "| email | 3 |",
        "| train | 2 |",
        "| mail\\|x | 1 | 50.0% | 0 |",
        "under 100",
    ):
        assert wanted in text
    assert "person-" not in text
    assert "customer-" not in text


def test_an_empty_dataset_still_has_a_card() -> None:
    assert "Nothing." in card(manifest(Parts([], [], [], []), Account(), Curation(), [], {}))
