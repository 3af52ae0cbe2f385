import dataclasses

import pytest

from channels.message import Attachment, Button, Citation, Inbound, Outbound


def test_two_messages_share_no_state():
    one = Inbound("web", "default", "a", "1", "hi", 0.0)
    two = Inbound("web", "default", "b", "2", "hi", 0.0)
    assert one.profile == {}
    assert one.profile is not two.profile
    assert one.echo is not two.echo
    assert (one.conversation_id, one.verified, one.attachments) == (None, False, ())


@pytest.mark.parametrize(
    "value",
    [
        Inbound("web", "default", "a", "1", "hi", 0.0),
        Outbound("hi", buttons=(Button("Yes", "y"),), citations=(Citation("p1", "Returns"),)),
        Attachment("image", "https://files.example/1"),
    ],
)
def test_messages_do_not_change_on_their_way(value: object):
    field = dataclasses.fields(value)[0].name  # type: ignore[arg-type]
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(value, field, "other")
    assert dataclasses.replace(value) == value  # type: ignore[type-var]
