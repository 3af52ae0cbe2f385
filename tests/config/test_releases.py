"""Settings of releases: bounds, addresses, folders."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from config.releases import ReleaseSettings


@pytest.mark.parametrize(
    "wrong",
    [{"share": 0.0}, {"share": 1.1}, {"cap": 0}, {"false_alarm": 0.0}, {"replicas": ["10.0.0.5:8000"]}, {"x": 1}],
)
def test_values_that_cannot_be_meant_are_refused(wrong: dict[str, Any]):
    with pytest.raises(ValidationError):
        ReleaseSettings.model_validate(wrong)


def test_addresses_lose_their_slash_and_folders_become_absolute():
    found = ReleaseSettings.model_validate({"replicas": ["http://a:8000/v1/"], "adapters": "~/adapters"})
    assert found.replicas == ("http://a:8000/v1",)
    assert found.adapters == Path.home() / "adapters"
    assert not found.automatic_promotion, "promotion is a person's click"
