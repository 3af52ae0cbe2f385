"""What the addresses of duty take is checked before anything runs."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from server.api.duty_shapes import PresenceBody, TicketBody, TicketChange, TransferBody

TICKET = {"conversation_id": "c", "category": "damage", "summary": "It broke."}


@pytest.mark.parametrize(
    ("shape", "values"),
    [
        (PresenceBody, {"status": "asleep"}),
        (TransferBody, {"person": ""}),
        (TransferBody, {"to": "ana"}),
        (TicketBody, TICKET | {"category": "weather"}),
        (TicketBody, TICKET | {"suggested_action": "panic"}),
        (TicketBody, TICKET | {"summary": "  "}),
        (TicketChange, {"priority": "later"}),
    ],
)
def test_what_means_nothing_is_refused(shape: Any, values: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        shape.model_validate(values)


def test_what_is_left_out_has_a_sense() -> None:
    assert TransferBody() == TransferBody(person=None, team=None)
    assert TicketBody.model_validate(TICKET).priority == "normal"
    assert TicketChange.model_validate({}).model_dump(exclude_unset=True) == {}
