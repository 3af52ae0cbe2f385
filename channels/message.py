"""What every platform's messages are turned into, and what answers are made of before a platform renders them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file that came or goes with a message; ``url`` is the platform's own address, never opened unchecked."""

    kind: Literal["image", "audio", "video", "file", "location"]
    url: str
    name: str = ""
    mime: str = ""
    size_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class Citation:
    """A passage an answer rests on; ``passage_id`` must have been in that answer's prompt."""

    passage_id: str
    title: str
    url: str = ""


@dataclass(frozen=True, slots=True)
class Button:
    """A choice offered below a message; ``payload`` comes back unchanged and is opaque to the platform."""

    label: str
    payload: str


@dataclass(frozen=True, slots=True)
class Inbound:
    """One customer message, normalized.

    ``external_id`` is the platform's identity of the *message* (not of its delivery) and the dedupe key within
    (channel, account); ``address`` names the customer there; ``sent_at`` is the platform's clock, epoch seconds.
    """

    channel: str
    account: str
    address: str
    external_id: str
    text: str
    sent_at: float
    name: str = ""
    verified: bool = False
    conversation_id: str | None = None  # set where the channel mints conversation ids itself (web)
    attachments: tuple[Attachment, ...] = ()
    profile: Mapping[str, str] = field(default_factory=dict)
    session_at: float | None = None  # when the sender's session began, epoch seconds; None where there are no sessions
    echo: Mapping[str, str] = field(default_factory=dict)  # shown again with the stored message


@dataclass(frozen=True, slots=True)
class Outbound:
    """One message to a customer, in CommonMark; each channel renders and splits it."""

    text: str
    citations: tuple[Citation, ...] = ()
    buttons: tuple[Button, ...] = ()
    attachments: tuple[Attachment, ...] = ()
