from __future__ import annotations

from server.grounding import Grounded


def test_an_answer_without_passages_is_not_supported():
    assert Grounded("Hello.") == Grounded("Hello.", (), 0, 0.0, False)
