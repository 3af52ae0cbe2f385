"""What a test message may be: a short destination and a short text, which is given where none is typed."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from server.api.channel_shapes import TEST, TrialBody


def test_a_text_is_given_and_limits_hold():
    assert TrialBody(to=" 4711 ").model_dump() == {"to": "4711", "text": TEST}
    for wrong in ({"to": ""}, {"to": "x" * 65}, {"to": "1", "text": "x" * 501}, {"to": "1", "more": True}):
        with pytest.raises(ValidationError):
            TrialBody.model_validate(wrong)
