import pytest
from pydantic import ValidationError

from server.api.examples_shapes import DecideBody, EditBody, ExampleQuery, Reasons


def test_what_clients_send_is_strict() -> None:
    assert ExampleQuery(status="pending", cluster="ab12").behaviour == ""
    for wrong in ({"status": "lost"}, {"cluster": "a b"}, {"unknown": 1}):
        with pytest.raises(ValidationError):
            ExampleQuery.model_validate(wrong)
    with pytest.raises(ValidationError):
        DecideBody.model_validate({"ids": [], "verdict": "approve"})
    with pytest.raises(ValidationError):
        Reasons(reasons=["No Code"])
    assert EditBody(content="x").behaviour is None
