"""Asking for a person."""

from __future__ import annotations

import pytest

from server.tools.builtin.person import HandoffToStaff
from tests.server.tools.bench import caller


@pytest.mark.parametrize(
    ("language", "words"), [("en", "person"), ("de", "Menschen"), ("es", "persona"), ("fr", "person")]
)
async def test_handing_over_is_said_in_the_customers_language(language: str, words: str) -> None:
    result = await HandoffToStaff().run({"reason": "customer_asked"}, caller(language=language), "k")
    assert result.handoff == "customer_asked"
    assert words in result.say
