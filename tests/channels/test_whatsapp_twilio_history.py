"""Reading records of the Messages list; the list itself is tested through the channel."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import nullcontext
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from channels.base import Refused, Sent, Unknown, WindowClosed
from channels.whatsapp import twilio_history


def record(**fields: Any) -> SimpleNamespace:
    values = {
        "sid": "SM1",
        "status": "queued",
        "body": "x",
        "num_media": "0",
        "error_code": None,
        "error_message": None,
    }
    return SimpleNamespace(**{**values, "date_created": None, "date_sent": None, **fields})


def test_times() -> None:
    at = datetime(2026, 11, 21, 8, 0, tzinfo=UTC)
    assert twilio_history.time_of(record(date_created=at)) == at.timestamp()
    assert twilio_history.time_of(record(date_sent=at.replace(tzinfo=None))) == at.timestamp()
    assert twilio_history.time_of(record(date_created="soon")) == pytest.approx(time.time(), abs=5)


def test_what_a_part_looks_like() -> None:
    assert twilio_history.looks_like(record(body="hi "), {"body": "hi"})
    assert not twilio_history.looks_like(record(body="hi", num_media="1"), {"body": "hi"})
    assert twilio_history.looks_like(record(body=None, num_media="1"), {"body": "", "file": {"ref": "f1"}})
    assert not twilio_history.looks_like(record(body="ho", num_media=None), {"body": "hi"})
    assert twilio_history.looks_like(record(body="anything"), {"content_sid": "HX1"})


@pytest.mark.parametrize(
    ("status", "state"),
    [("queued", "sent"), ("accepted", "sent"), ("delivered", "delivered"), ("read", "read"), (None, "sent")],
)
def test_what_a_record_says(status: str | None, state: Any) -> None:
    assert twilio_history.sent(record(status=status)) == Sent("SM1", state)


def test_a_failed_record_is_an_error() -> None:
    with pytest.raises(WindowClosed):
        twilio_history.sent(record(status="undelivered", error_code=63016))
    with pytest.raises(Refused):
        twilio_history.sent(record(status="failed"))
    with pytest.raises(Unknown):
        twilio_history.sent(record(sid=None))


class Endless:
    """A list whose pages never end, as a broken platform might have it."""

    def __init__(self) -> None:
        self.messages = self
        self.pages = 0
        self.next_page_url = "https://api.twilio.com/again"

    def __iter__(self) -> Iterator[SimpleNamespace]:
        return iter([record(direction="inbound", to="another")])

    async def page_async(self, **_: Any) -> Endless:
        self.pages += 1
        return self

    next_page_async = page_async


async def test_reading_ends_even_if_the_list_does_not() -> None:
    endless = Endless()
    history = twilio_history.History(endless, nullcontext, "AC1", "whatsapp:+1")
    assert [message async for message in history.missed(0.0)] == []
    assert endless.pages == twilio_history.PAGES + 1
