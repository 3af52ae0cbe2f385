"""What the customers' addresses take is checked before anything runs."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from server.api.customers_shapes import CustomerBody, EraseBody, MergeBody, RevealBody, UnmergeBody
from server.customers.records import MOST_ATTRIBUTES


@pytest.mark.parametrize(
    ("shape", "values"),
    [
        (CustomerBody, {"name": "n" * 101, "attributes": {}}),
        (CustomerBody, {"name": "Marta", "attributes": {"": "red"}}),
        (CustomerBody, {"name": "Marta", "attributes": {f"a{n}": "x" for n in range(MOST_ATTRIBUTES + 1)}}),
        (RevealBody, {"field": ""}),
        (MergeBody, {"other": "a b"}),
        (MergeBody, {"other": ""}),
        (UnmergeBody, {"merge": "../x"}),
        (EraseBody, {}),
    ],
)
def test_what_means_nothing_is_refused(shape: Any, values: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        shape.model_validate(values)


def test_a_name_is_one_line() -> None:
    assert CustomerBody(name="  Marta\n Holm ", attributes={}).name == "Marta Holm"
