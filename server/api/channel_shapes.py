"""What the addresses of channel accounts take and answer."""

from __future__ import annotations

from typing import Annotated

from pydantic import StringConstraints

from server.api.shapes import Answer, Body

TEST = "This is a test message of our support desk. You need not answer."


class ChannelLimits(Answer):
    """What a platform carries: ``text_units`` counts ``unit`` per message; null paces = none of ours."""

    text_units: int
    unit: str
    window_s: float | None
    media_bytes: int
    per_second: float | None
    per_chat_second: float | None


class DoorCount(Answer):
    """Deliveries of the last seven days that were answered alike; ``reason`` is empty for accepted ones."""

    status: int
    reason: str
    deliveries: int
    last_at: float


class Call(Answer):
    """One delivery to this process: when, how it was answered, and why it was refused."""

    at: float
    status: int
    reason: str


class SentCount(Answer):
    """Messages of the last 24 hours in one state of delivery."""

    state: str
    parts: int


class ChannelRow(Answer):
    """One channel account; times are epoch seconds.

    ``ok`` is what the platform said when it was last asked whether our credentials work, null before that;
    ``revoked`` is why it lets us in no more, empty while it does. ``webhooks`` are the addresses to enter there.
    """

    channel: str
    account: str
    on: bool
    ok: bool | None
    detail: str
    checked_at: float | None
    last_message_at: float | None
    last_sent_at: float | None
    webhooks: list[str]
    revoked: str
    provider: str
    mode: str
    feedback: bool
    limits: ChannelLimits | None
    deliveries: list[DoorCount]
    latest: list[Call]
    sent: list[SentCount]


class ChannelList(Answer):
    """Every configured channel account."""

    channels: list[ChannelRow]


class TrialBody(Body):
    """Where a test message goes, as the platform writes it, and what it says."""

    to: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=64)]
    text: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=500)] = TEST


class TrialMade(Answer):
    """The id of a test message, to ask what became of it."""

    id: str


class TrialState(Answer):
    """What became of a test message; ``code`` and ``detail`` are the platform's own words."""

    id: str
    channel: str
    account: str
    state: str
    reason: str
    code: str
    detail: str
    at: float
