"""What every platform's messages are turned into, and what answers are made of before a platform renders them.

Everything a platform can tell us is one :data:`Fact`. A channel only translates; the gateway decides what it means.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Kind = Literal["image", "audio", "video", "file", "location", "contact", "other"]


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file that came or goes with a message; ``url`` is the platform's own address, never opened unchecked.

    ``ref`` is the platform's file id where files have no lasting address; ``text`` is what can be read without opening
    anything (coordinates, the name on a contact card); ``voice`` marks speech recorded for this message.
    """

    kind: Kind
    url: str
    name: str = ""
    mime: str = ""
    size_bytes: int | None = None
    ref: str = ""
    text: str = ""
    voice: bool = False


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
    ``route`` is what the channel needs to answer (chat, thread, workspace): it is kept with the conversation, the
    latest one counts, and it comes back in :class:`channels.base.Outgoing`. ``follow_up`` means: only if this address
    has a conversation already (a reply in a thread that may not concern us); dropped without a trace otherwise.
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
    route: Mapping[str, str] = field(default_factory=dict)
    follow_up: bool = False
    wants_person: bool = False  # asked for a person by the platform's own means (a command), whatever the words


@dataclass(frozen=True, slots=True)
class Edited:
    """The customer changed an earlier message; ``external_id`` is the one that message came with."""

    channel: str
    account: str
    address: str
    external_id: str
    text: str
    edited_at: float  # epoch seconds


@dataclass(frozen=True, slots=True)
class Status:
    """What became of something we sent; platforms repeat and reorder these.

    Found by ``part_id`` (our own id, where the platform gives it back) or by ``provider_id``. ``code`` and ``detail``
    are the platform's own words for a failure, shown to staff.
    """

    channel: str
    account: str
    state: Literal["sent", "delivered", "read", "failed"]
    at: float  # epoch seconds
    part_id: str = ""
    provider_id: str = ""
    code: str = ""
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Reacted:
    """A reaction was put on, or taken off, a message of ours; ``value`` None withdraws.

    ``external_id`` where the platform gives reactions ids like messages, so that one told twice counts once.
    """

    channel: str
    account: str
    address: str
    giver: str  # who reacted, in the platform's ids
    provider_id: str
    value: Literal["up", "down"] | None
    external_id: str = ""


@dataclass(frozen=True, slots=True)
class Pressed:
    """A button of ours was pressed; ``payload`` is what we gave it, and not to be believed before it is checked.

    ``label`` is what the button says: a payload that is not ours makes it an ordinary message of the customer.
    ``route`` also carries what :meth:`channels.base.Channel.confirm` needs (a callback id).
    """

    channel: str
    account: str
    address: str
    giver: str
    payload: str
    external_id: str
    at: float  # epoch seconds
    label: str = ""
    route: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Consent:
    """The customer forbade or allowed messages (STOP, START); ``inbound`` is the message that said so, if any."""

    channel: str
    account: str
    address: str
    allowed: bool
    inbound: Inbound | None = None


@dataclass(frozen=True, slots=True)
class Blocked:
    """The customer blocked (or unblocked) us on the platform."""

    channel: str
    account: str
    address: str
    blocked: bool


@dataclass(frozen=True, slots=True)
class Moved:
    """A chat got another id; conversation and history stay."""

    channel: str
    account: str
    address: str
    to_address: str
    route: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Stopped:
    """The customer pressed the platform's own stop on the answer being written."""

    channel: str
    account: str
    address: str


@dataclass(frozen=True, slots=True)
class Revoked:
    """The platform took our access away (uninstalled, tokens revoked); sends stop and an admin is told."""

    channel: str
    account: str
    reason: str


@dataclass(frozen=True, slots=True)
class Echoed:
    """Staff answered from another device on our number: that is a claim, and the text belongs into the history."""

    channel: str
    account: str
    address: str
    external_id: str
    text: str
    sent_at: float  # epoch seconds


@dataclass(frozen=True, slots=True)
class StaffActed:
    """Somebody wrote into a thread of the staff channel, or pressed a button there; never a customer's message.

    ``thread`` is the platform's id of the thread's first message. ``text`` are words, ``action`` is what we gave the
    button. ``ours`` False: the person belongs to another company that shares the channel.
    """

    channel: str
    account: str
    room: str
    thread: str
    user: str
    external_id: str
    at: float  # epoch seconds
    text: str = ""
    action: str = ""
    ours: bool = True


Fact = (
    Inbound | Edited | Status | Reacted | Pressed | Consent | Blocked | Moved | Stopped | Revoked | Echoed | StaffActed
)


@dataclass(frozen=True, slots=True)
class Chosen:
    """A message the platform has approved, with the values of its variables in order; see :mod:`config.approved`."""

    key: str
    language: str
    values: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Outbound:
    """One message to a customer, in CommonMark; each channel renders and splits it.

    ``feedback`` are the payloads of thumbs up and thumbs down where the channel account asks for ratings; ``reasons``
    are the choices of a message that asks what was wrong with an answer. ``template`` is sent instead of everything
    else, which then only says what its words are.
    """

    text: str
    citations: tuple[Citation, ...] = ()
    buttons: tuple[Button, ...] = ()
    attachments: tuple[Attachment, ...] = ()
    feedback: tuple[str, str] | None = None
    reasons: tuple[Button, ...] = ()
    template: Chosen | None = None
