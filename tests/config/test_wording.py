"""Validation errors become one sentence; the cases of each key stand in test_load.py."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from config.settings import Settings
from config.wording import sentence


def worded(tree: dict[str, object], origins: dict[str, str] | None = None) -> str:
    with pytest.raises(ValidationError) as caught:
        Settings.model_validate(tree)
    return sentence(caught.value, origins or {})


def test_key_origin_problem_value_and_repair_are_in_it() -> None:
    assert worded({"http": {"port": "x"}}, {"http.port": "some.yaml"}) == (
        "http.port (from some.yaml) must be a whole number, not 'x'; correct it or remove it to get the default, 8080."
    )


def test_without_an_origin_the_variable_is_named() -> None:
    assert "(from FRONTDESK_HTTP__PORT)" in worded({"http": {"port": "x"}})


def test_a_problem_without_words_of_ours_keeps_those_of_the_validator() -> None:
    assert "model.temperature (from FRONTDESK_MODEL__TEMPERATURE)" in worded({"model": {"temperature": float("nan")}})
