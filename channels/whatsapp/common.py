"""What both transports of WhatsApp share: words of consent, moods of reactions, kinds of files, buttons, no drafts."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from email.utils import parsedate_to_datetime
from typing import Final, Literal, Self

from channels.base import Accept, Refused
from channels.message import Attachment, Consent, Fact, Inbound, Kind, Outbound

NAME: Final = "whatsapp"
WINDOW_S = 86_400.0  # free text is accepted for 24 hours after the customer's last message
WINDOW_CLOSED = "window_closed"  # the code of a Status whose message came too late
ACCOUNT_PACE_PER_S = 80  # both ways carry 80 messages a second from one number
DEFAULT_WAIT_S = 1.0
LONGEST_WAIT_S = 3_600.0
DETAIL_CHARACTERS = 200
# English single words of WhatsApp and carrier practice; "cancel", "end", "quit" and "yes" mean other things at a desk
STOP_WORDS = frozenset({"stop", "stopall", "stop all", "unsubscribe", "optout", "opt out", "opt-out"})
START_WORDS = frozenset({"start", "unstop", "subscribe"})
UP = frozenset("👍❤♥🧡💛💚💙💜🖤🤍😀😃😄😁😊🙂😍🥰🤩🎉👏🙌💯🔥🙏✅⭐🌟👌💪😻")
DOWN = frozenset("👎😡😠🤬😢😭😞😒🙁☹💔❌😤🤮💩")
NUMBERS = re.compile(r"\+?\d{6,}")


def consent_of(inbound: Inbound, keyword: str = "") -> Fact:
    """The message itself, or what it says about writing to this customer: STOP forbids, START allows again.

    ``keyword`` is what the platform understood, in whatever language the customer wrote it.
    """
    said = keyword if keyword.casefold() in {"stop", "start"} else inbound.text
    word = " ".join(said.split()).strip(".!\"'“”").casefold()
    if word in STOP_WORDS | START_WORDS and not inbound.attachments:
        return Consent(inbound.channel, inbound.account, inbound.address, word in START_WORDS, inbound)
    return inbound


def mood(emoji: str) -> Literal["up", "down"] | None:
    """What a reaction says about our message; skin tones and variants do not matter, a neutral one says nothing."""
    first = emoji[:1]
    if first in UP:
        return "up"
    return "down" if first in DOWN else None


def kind_of(mime: str) -> Kind:
    """The kind of a file by its declared type."""
    main = mime.split(";", 1)[0].strip().lower()
    if main in {"text/vcard", "text/x-vcard", "text/directory"}:
        return "contact"
    for kind in ("image", "audio", "video"):
        if main.startswith(f"{kind}/"):
            return kind
    return "file"


def place(latitude: str, longitude: str, name: str = "", address: str = "") -> Attachment:
    """A shared location, readable without opening anything."""
    label = ", ".join(part for part in (name, address) if part)
    text = f"{latitude}, {longitude}" + (f" ({label})" if label else "")
    return Attachment("location", "", name=name, text=text)


def address_of(number: str) -> str:
    """The customer's address: ``+`` and digits, the same through both transports; other ids stay as they are."""
    number = number.removeprefix("whatsapp:")
    return f"+{number}" if number.isascii() and number.isdigit() else number


def labels(message: Outbound) -> str:
    """The buttons as lines of text, where the platform offers no buttons: typing the words does the same."""
    return "\n".join(f"• {button.label}" for button in message.buttons)


def wait_s(header: str, now_s: float) -> float:
    """Seconds a Retry-After header asks for, as a number or a date; a second where it says nothing readable."""
    try:
        seconds = float(header)
    except ValueError:
        try:
            seconds = parsedate_to_datetime(header).timestamp() - now_s
        except ValueError:
            return DEFAULT_WAIT_S
    return min(max(0.0, seconds), LONGEST_WAIT_S) if not math.isnan(seconds) else DEFAULT_WAIT_S


def masked(detail: str) -> str:
    """A platform's sentence for staff: short, and without phone numbers."""
    return NUMBERS.sub("…", detail)[:DETAIL_CHARACTERS]


class Nothing:
    """An asynchronous sequence of no facts."""

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Sequence[Fact]:
        raise StopAsyncIteration


class Undrafted:
    """The part of a channel that WhatsApp has no use for: messages there cannot be edited or taken back."""

    async def open_draft(self, draft_id: str, route: Mapping[str, str], text: str) -> str:  # noqa: ARG002 - no drafts
        """Refuse: an answer is shown once."""
        raise Refused("no_drafts", "WhatsApp shows an answer once")

    async def update_draft(self, provider_id: str, route: Mapping[str, str], text: str) -> None:  # noqa: ARG002 - no drafts
        """Refuse: an answer is shown once."""
        raise Refused("no_drafts", "WhatsApp shows an answer once")

    async def find_draft(self, draft_id: str, route: Mapping[str, str], tried_at: float) -> str:  # noqa: ARG002 - no drafts
        """None can exist."""
        return ""

    async def withdraw_draft(self, provider_id: str, route: Mapping[str, str]) -> None:
        """Nothing to take away."""

    async def confirm(self, fact: Fact) -> None:
        """A pressed quick reply is a message of the customer there; the platform waits for nothing."""

    async def listen(self, accept: Accept) -> None:
        """Return at once: WhatsApp only has webhooks."""
