import pytest
from pydantic import ValidationError

from server.api.retrain_shapes import StartBody


def test_a_start_needs_nothing_and_takes_nothing_unknown() -> None:
    assert StartBody() == StartBody(note="", recipe={}, force=False)
    with pytest.raises(ValidationError):
        StartBody.model_validate({"recepi": {}})
