"""Plans are values: equal when they say the same, and never changed."""

from __future__ import annotations

import dataclasses

import pytest

from server.tools.plans import Call, Dialogue, NoPlan


def test_plans_are_values() -> None:
    assert NoPlan() == NoPlan()
    assert Call("a", {"b": 1}) == Call("a", {"b": 1})
    assert Dialogue().tool == ""
    with pytest.raises(dataclasses.FrozenInstanceError):
        Dialogue().tool = "x"  # type: ignore[misc]
