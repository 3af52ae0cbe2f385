"""All languages say the same things with the same fields."""

from __future__ import annotations

from string import Formatter

from server.tools.phrases import DETAILS, MONTHS, STATES, TEXTS, WEEKDAYS
from tests.server.tools.shopfront import DEMO


def fields(text: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(text) if name}


def test_languages_have_the_same_sentences_and_fields() -> None:
    for catalogue in (TEXTS, DETAILS):
        for texts in catalogue.values():
            assert {key: fields(text) for key, text in texts.items()} == {
                key: fields(text) for key, text in catalogue["en"].items()
            }
    for state, texts in STATES.items():
        assert len({frozenset(fields(text)) for text in texts.values()}) == 1, state
    assert {len(names) for names in WEEKDAYS.values()} == {7}
    assert {len(names) for names in MONTHS.values()} == {12}


def test_every_state_of_the_demo_shop_has_a_sentence() -> None:
    script = (DEMO / "orders.sql").read_text("utf-8")
    for state in STATES:
        assert f"'{state}'" in script
    assert "{status}" not in " ".join(text for texts in STATES.values() for text in texts.values())
