"""What the queue's addresses take."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from server.api.review_shapes import QueueQuery, RowQuery


def test_filters_are_codes_and_sides_are_known():
    assert RowQuery(split="heldout").split == "heldout"
    assert QueueQuery(behaviour="tool_call", limit=5).limit == 5
    for wrong in ({"split": "elsewhere"}, {"behaviour": "Nö"}, {"unknown": "1"}):
        with pytest.raises(ValidationError):
            RowQuery.model_validate(wrong)
