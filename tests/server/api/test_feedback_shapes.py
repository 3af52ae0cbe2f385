import pytest
from pydantic import ValidationError

from server.api.feedback_shapes import CorrectionBody, RatingBody


def test_a_correction_names_a_message_and_a_known_reason() -> None:
    body = CorrectionBody.model_validate({"message_id": "m1", "calls": [{"name": "stock"}]})
    assert (body.reason, body.calls[0].arguments) == ("wrong", {})
    for wrong in ({"message_id": "m 1"}, {"message_id": "m1", "reason": "mood"}, {"message_id": "m1", "x": 1}):
        with pytest.raises(ValidationError):
            CorrectionBody.model_validate(wrong)


def test_a_rating_is_up_down_or_withdrawn() -> None:
    assert RatingBody(message_id="m1", value=None).value is None
    with pytest.raises(ValidationError):
        RatingBody.model_validate({"message_id": "m1", "value": "sideways"})
