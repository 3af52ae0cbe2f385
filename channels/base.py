"""The contract of a channel.

    ChannelError
    ├── Rejected     the request is not acceptable: nothing was stored, ``status`` and ``reason`` say why
    └── SendError
        ├── Refused      the platform said no for good; ``code`` and ``detail`` are its words
        │   ├── WindowClosed   only a template may be sent now
        │   ├── Unreachable    the customer blocked us, or is no longer there: stop writing to them
        │   ├── Unauthorized   our credentials are not accepted: stop sending on this account
        │   └── Moves          the chat has another id: send there
        ├── Limited      come back after ``retry_after_s``; nothing was sent. ``scope`` chat or account
        ├── Unavailable  nothing was sent (no connection, or an error page before anything happened); repeat later
        └── Unknown      it may have been sent: look it up before it is repeated

Inbound work is two steps so that the second stays pure: *verify* on the raw request, then ``normalize(payload)``.
Every send is one call with our own time-out and no retry of a library: repeating is the outbox's decision.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from channels.message import Attachment, Fact, Outbound
from config.approved import Approved


class ChannelError(Exception):
    """Root of what channels raise on purpose."""


class Rejected(ChannelError):
    """The request is not acceptable and nothing was stored; ``status`` is the HTTP status to answer with."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason


class SendError(ChannelError):
    """A send did not plainly succeed; ``code`` and ``detail`` are the platform's words, shown to staff."""

    def __init__(self, code: str, detail: str = "") -> None:
        super().__init__(f"{code}: {detail}" if detail else code)
        self.code = code
        self.detail = detail


class Refused(SendError):
    """The platform said no for good; repeating it unchanged does not help."""


class WindowClosed(Refused):
    """The customer last wrote too long ago: the platform takes only a template now."""


class Unreachable(Refused):
    """The customer blocked us or left the platform; further messages to them are pointless."""


class Unauthorized(Refused):
    """The platform does not accept our credentials; nothing can be sent on this account until an admin acts."""


class Moves(Refused):
    """The chat has another id now (``to_address``, ``route``); send there."""

    def __init__(self, to_address: str, route: Mapping[str, str]) -> None:
        super().__init__("moved", "the chat has another id")
        self.to_address = to_address
        self.route = route


class Limited(SendError):
    """Too fast: nothing was sent, come back after ``retry_after_s``; ``scope`` says for whom that holds."""

    def __init__(self, code: str, retry_after_s: float, scope: Literal["chat", "account"] = "chat") -> None:
        super().__init__(code)
        self.retry_after_s = retry_after_s
        self.scope = scope


class Unavailable(SendError):
    """The platform could not be reached or said so before anything happened: nothing was sent."""


class Unknown(SendError):
    """Time-out or reset after the request had left, or an error that may have come after the effect."""


@dataclass(frozen=True, slots=True)
class Pace:
    """Tokens per second and the most that may go at once."""

    per_s: float
    burst: int


@dataclass(frozen=True, slots=True)
class Limits:
    """What a platform can carry; the engine and the sender read it instead of asking which channel it is.

    ``text_units`` counts ``unit``; ``edit_interval_s`` is the shortest time between edits of a shown draft, None when
    the platform shows an answer once; ``pull`` means customers fetch committed events themselves (no send).
    ``draft`` says what a draft is there: *message* is a real message that finishing turns into the answer (finishing
    may be repeated), *preview* vanishes by itself and the answer is sent besides. ``window_s`` is how long after the
    customer's last message free text is accepted; ``look_up`` whether :meth:`Channel.find` can tell what was sent;
    ``proof_s`` how long to wait for a status that settles an unknown outcome before repeating.
    """

    text_units: int
    unit: Literal["bytes", "characters", "utf16"]
    edit_interval_s: float | None
    pull: bool = False
    draft: Literal["none", "preview", "message"] = "none"
    account_pace: Pace | None = None
    chat_pace: Pace | None = None
    group_pace: Pace | None = None  # of chats whose route has a ``group``; None = chat_pace
    window_s: float | None = None
    look_up: bool = False
    proof_s: float = 0.0
    media_bytes: int = 0  # largest file a customer may send us
    typing_s: float = 0.0  # how often the sign that somebody writes is shown again; 0 = once, at the start


@dataclass(frozen=True, slots=True)
class Delivery:
    """A webhook request as it came; ``url`` is the one the platform called (by http.public_url behind a proxy).

    Header names are lower case; ``body`` are the raw bytes that signatures cover; ``now_s`` epoch seconds.
    """

    method: str
    url: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes
    now_s: float


@dataclass(frozen=True, slots=True)
class Received:
    """What a verified delivery means, and what to answer once that is stored."""

    facts: Sequence[Fact] = ()
    status: int = 200
    body: bytes = b""
    content_type: str = "text/plain"


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One platform message to send: a rendered part.

    ``id`` is ours, sent along where the platform can give it back (status callbacks, look-ups). ``payload`` is what
    :meth:`Channel.render` made. ``tried_at`` is when the first try left (epoch seconds), None before. ``draft`` is the
    platform's id of the draft message that this part must become, empty without one. ``known`` are the provider ids of
    other parts sent to the same customer lately: a look-up by text must not take one of those for this part.
    """

    id: str
    route: Mapping[str, str]
    payload: Mapping[str, Any]
    tried_at: float | None = None
    draft: str = ""
    known: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Sent:
    """The platform has it; ``provider_id`` is unique within the channel account (chat and message where need be)."""

    provider_id: str
    state: Literal["sent", "delivered", "read"] = "sent"


@dataclass(frozen=True, slots=True)
class Failed:
    """The platform had taken the message and gave it up for good; ``error`` says why, as a send would have."""

    error: Refused


@dataclass(frozen=True, slots=True)
class Health:
    """Whether the account works, in one sentence that names the repair when it does not."""

    ok: bool
    detail: str


@dataclass(frozen=True, slots=True)
class File:
    """A file that goes out with a message."""

    name: str
    mime: str
    content: bytes


@dataclass(frozen=True, slots=True)
class Services:
    """What the server offers a channel: its time-out for one call, cursors that outlive it, and stored files.

    ``public_url`` is the gateway's own address, empty when unknown. ``load`` and ``save`` keep small texts by name
    (a polling offset). ``file`` reads a stored file by id; ``file_url`` is a short-lived public address of it, empty
    when there is no public address. ``look_only`` is for questions about an installation: the channel may ask the
    platform, and must change nothing there.
    """

    send_timeout_s: float
    public_url: str
    load: Callable[[str], Awaitable[str]]
    save: Callable[[str, str], Awaitable[None]]
    file: Callable[[str], Awaitable[File]]
    file_url: Callable[[str], str]
    look_only: bool = False


Accept = Callable[[Sequence[Fact]], Awaitable[None]]
"""Stores facts durably, in order; returns after the commit. Raises a store error: nothing may be confirmed then."""


class Channel(Protocol):
    """One configured account of one platform; everything that knows the platform's API is behind this."""

    name: str
    account: str
    limits: Limits

    def running(self) -> AbstractAsyncContextManager[None]:
        """Open and close HTTP sessions; must not fail when the platform is away."""

    async def receive(self, delivery: Delivery) -> Received:
        """Verify the raw request and normalize it; raises Rejected. Does no io besides what verifying needs."""

    def normalize(self, payload: Mapping[str, Any], *, now_s: float) -> Sequence[Fact]:
        """Turn a verified payload into facts; pure. Unknown kinds give none; raises Rejected for impossible ones."""

    def render(self, message: Outbound) -> Sequence[Mapping[str, Any]]:
        """The JSON payloads of the platform messages that together show ``message``, in order; pure."""

    def template(self) -> Mapping[str, Any] | None:
        """The payload to send while the window is closed, None where none is configured."""

    def templates(self) -> Sequence[Approved]:
        """What staff may choose to send then; :meth:`render` takes it as ``Outbound.template``."""

    async def send(self, out: Outgoing) -> Sent:
        """Send (or, with ``out.draft``, finish the draft as) one part; one try. Raises SendError."""

    async def find(self, out: Outgoing) -> Sent | Failed | None:
        """Look for a part whose outcome is unknown; None when the platform surely does not have it.

        Raises Unknown when that cannot be told now, Refused when it cannot be told at all (the look-up itself is
        refused), other SendErrors as :meth:`send`.
        """

    async def open_draft(self, draft_id: str, route: Mapping[str, str], text: str) -> str:
        """Show the beginning of an answer and return the platform's id of it; one try. Raises SendError."""

    async def update_draft(self, provider_id: str, route: Mapping[str, str], text: str) -> None:
        """Show the whole text so far (longer than before); raises SendError, and then no further updates come."""

    async def find_draft(self, draft_id: str, route: Mapping[str, str], tried_at: float) -> str:
        """The platform's id of a draft whose opening has an unknown outcome, "" when there is none (or no telling)."""

    async def withdraw_draft(self, provider_id: str, route: Mapping[str, str]) -> None:
        """Take a draft away; gone already is a success. Raises SendError."""

    async def typing(self, route: Mapping[str, str]) -> None:
        """Show that an answer is being written (and the message read); best effort, raises SendError."""

    async def confirm(self, fact: Fact) -> None:
        """Tell the platform that a button press or the like was taken in; best effort, after the commit."""

    def catch_up(self, since_s: float) -> AsyncIterator[Sequence[Fact]]:
        """Read what arrived at the platform since then, oldest first; ends at once where it cannot be read."""

    async def listen(self, accept: Accept) -> None:
        """Pull updates until cancelled (polling, sockets): confirm to the platform only after ``accept`` returned.

        Returns at once for accounts that only have webhooks.
        """

    def fetch(self, attachment: Attachment, route: Mapping[str, str]) -> AsyncIterator[bytes]:
        """Download a customer's file from the platform's own hosts with its credentials; raises SendError."""

    async def check(self) -> Health:
        """Ask the platform whether our credentials work."""


def pulls(channel: str) -> bool:
    """Whether customers of a channel fetch committed events themselves, so that nothing is ever sent to them."""
    return channel == "web"
