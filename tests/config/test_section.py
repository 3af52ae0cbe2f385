"""What every section of the settings has in common."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from config.section import Seconds, Section, http_url


class Pause(Section):
    """A section with one time."""

    wait_s: Seconds = 1.0


def test_a_section_takes_no_unknown_keys_and_does_not_change() -> None:
    with pytest.raises(ValidationError, match="Extra inputs"):
        Pause.model_validate({"wait_s": 1, "wiat_s": 2})
    with pytest.raises(ValidationError, match="frozen"):
        Pause().wait_s = 2.0  # type: ignore[misc]


@pytest.mark.parametrize("value", [0, -1, 86_401, "soon"])
def test_a_time_is_above_zero_and_a_day_at_most(value: object) -> None:
    with pytest.raises(ValidationError):
        Pause.model_validate({"wait_s": value})


def test_an_address_is_absolute_and_loses_its_slash() -> None:
    assert http_url("https://desk.example/base/", "") == "https://desk.example/base"
    for value in ("desk.example", "ftp://desk.example", "https://", "/base"):
        with pytest.raises(ValueError, match="such as http://example"):
            http_url(value, "http://example")
