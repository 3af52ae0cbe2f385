"""What the staff's addresses refuse to take."""

import pytest
from pydantic import BaseModel, ValidationError

from server.api.desk_shapes import CannedBody, InboxQuery, LabelBody, NoteBody, SendBody, ViewBody


@pytest.mark.parametrize(
    ("model", "body"),
    [
        (InboxQuery, {"ids": ",".join(map(str, range(51)))}),
        (InboxQuery, {"ids": "a b"}),
        (InboxQuery, {"view": "everything"}),
        (LabelBody, {"name": "x", "colour": "red"}),
        (NoteBody, {"text": " "}),
        (NoteBody, {"text": "x", "mentions": ["a"] * 21}),
        (CannedBody, {"short": "Hi", "text": "x"}),
        (CannedBody, {"short": "hi", "text": "x", "language": "german!"}),
        (SendBody, {"text": "x", "uploads": ["../etc"]}),
        (ViewBody, {"name": "x", "query": {"limit": "1"}}),
    ],
)
def test_what_cannot_be_meant_is_refused(model: type[BaseModel], body: object) -> None:
    with pytest.raises(ValidationError):
        model.model_validate(body)


def test_what_can_be_meant_is_taken() -> None:
    assert InboxQuery(ids="a,b,").ids == "a,b,"
    assert SendBody(uploads=("a",)).text == ""
