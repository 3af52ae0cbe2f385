from __future__ import annotations

from server import grounding


def test_what_the_engine_uses():
    assert {"Cited", "Filter", "Grounded", "HandOver", "fallback", "prompt_block"} == set(grounding.__all__)
