"""What decisions take."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from server.api.decisions_shapes import DecideBody


@pytest.mark.parametrize(
    "body",
    [
        {"route": "elsewhere"},
        {"route": "fact", "change": {"kind": "delete"}},
        {"route": "fact", "change": {"kind": "edit", "document_id": "../x"}},
        {"route": "fact", "change": {"kind": "create", "title": "x" * 301}},
        {"route": "fact", "more": 1},
    ],
)
def test_odd_bodies_are_refused(body: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        DecideBody.model_validate(body)


def test_an_entry_needs_no_document() -> None:
    body = DecideBody.model_validate({"route": "fact", "change": {"kind": "create", "title": "t", "after": "a"}})
    assert body.change is not None
    assert body.change.document_id == ""
