"""Settings of analytics and surveys: off until the shop asks, bounds."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from config.insight import Analytics, Surveys


def test_nobody_is_asked_before_the_shop_wants_it() -> None:
    assert not Surveys().csat
    assert Surveys().nps_days == 0
    assert Surveys().channels == ("web", "whatsapp", "slack", "telegram")


@pytest.mark.parametrize("values", [{"currency": "euro"}, {"prompt_price": -1}, {"return_days": 0}])
def test_senseless_figures_are_refused(values: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Analytics(**values)  # type: ignore[arg-type]


def test_only_channels_that_exist() -> None:
    with pytest.raises(ValidationError):
        Surveys(channels=("fax",))  # type: ignore[arg-type]
