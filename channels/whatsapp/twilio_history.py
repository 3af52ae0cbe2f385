"""Twilio's Messages list: it settles whether a send arrived, and gives back what came while we were away."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, aclosing
from datetime import UTC, datetime
from typing import Any, Literal, Protocol

from channels.base import Outgoing, Sent, Unknown
from channels.whatsapp import twilio_facts
from channels.whatsapp.twilio_errors import failed_message

API = "https://api.twilio.com"
CLOCK_MARGIN_S = 120.0  # how far Twilio's clock and ours may be apart
PAGE = 100
PAGES = 200  # 20,000 messages: more than an outage's worth, less than a year's


class Reading(Protocol):
    """Guards one read: our time-out, and errors as SendErrors."""

    def __call__(self) -> AbstractAsyncContextManager[None]:
        """A fresh guard."""


class History:
    """The Messages list of one sender; ``rest`` is the SDK's client."""

    def __init__(self, rest: Any, reading: Reading, account_sid: str, sender: str) -> None:
        self._rest = rest
        self._reading = reading
        self._account_sid = account_sid
        self._sender = sender

    async def match(self, out: Outgoing, tried_at: float) -> Any:
        """The oldest message that may be this part, or None: lanes send in order, later equal texts come after it."""
        customer = out.route["to"]
        found = []
        async with aclosing(self._listed(tried_at - CLOCK_MARGIN_S, to=customer, from_=self._sender)) as records:
            async for record in records:
                ours = record.to == customer and record.from_ == self._sender and record.direction != "inbound"
                if ours and record.sid not in out.known and looks_like(record, out.payload):
                    found.append(record)
        return min(reversed(found), key=time_of) if found else None  # times are whole seconds: the list's order decides

    async def missed(self, since_s: float) -> AsyncGenerator[tuple[Mapping[str, str], float], None]:
        """What customers wrote since then, oldest first: webhook fields and epoch seconds."""
        oldest_s = since_s - CLOCK_MARGIN_S
        day = datetime.fromtimestamp(oldest_s, UTC).replace(hour=0, minute=0, second=0)  # documented: whole days
        async with aclosing(self._listed(oldest_s, to=self._sender, date_sent_after=day)) as records:
            found = [one async for one in records if one.direction == "inbound" and one.to == self._sender]
        found.reverse()  # times are whole seconds: within one, the list's order decides
        for record in sorted(found, key=time_of):
            files = await self._files(record) if has_file(record) else ()
            yield twilio_facts.form_of(record, files), time_of(record)

    async def _files(self, record: Any) -> Sequence[tuple[str, str]]:
        """Addresses and types of the files of a listed message."""
        async with self._reading():
            media = await self._rest.messages(record.sid).media.list_async(limit=twilio_facts.FILES)
        base = f"{API}/2010-04-01/Accounts/{self._account_sid}/Messages/{record.sid}/Media"
        return [(f"{base}/{item.sid}", str(item.content_type or "")) for item in media]

    async def _listed(self, oldest_s: float, **filters: Any) -> AsyncGenerator[Any, None]:
        """Records not older than that. The list is newest first; filters are only a help, the caller checks."""
        async with self._reading():
            page = await self._rest.messages.page_async(page_size=PAGE, **filters)
        for _ in range(PAGES):
            recent = [record for record in page if time_of(record) >= oldest_s]
            for record in recent:
                yield record
            if not recent or not page.next_page_url:
                return
            async with self._reading():
                page = await page.next_page_async()


def time_of(record: Any) -> float:
    """When Twilio made or sent a message, epoch seconds; a queued one has no time of sending yet."""
    for value in (record.date_created, record.date_sent):
        if isinstance(value, datetime):
            return value.replace(tzinfo=value.tzinfo or UTC).timestamp()
    return time.time()


def has_file(record: Any) -> bool:
    """Whether a record has files; the number is text there."""
    return str(record.num_media or "0") != "0"


def looks_like(record: Any, payload: Mapping[str, Any]) -> bool:
    """Whether a record may be a part: same text, file or none; a template's text is not known here."""
    if payload.get("content_sid"):
        return True
    same_text = str(record.body or "").strip() == str(payload["body"]).strip()
    return same_text and has_file(record) == bool(payload.get("file"))


def sent(record: Any) -> Sent:
    """What a Message resource says of the send; raises the error of a failed one, Unknown without an id."""
    if not record.sid:
        raise Unknown("unreadable_answer", "Twilio's answer has no message id")
    if twilio_facts.STATES.get(record.status or "") == "failed":
        raise failed_message(record.error_code or 0, record.error_message or "")
    states: dict[str, Literal["delivered", "read"]] = {"delivered": "delivered", "read": "read"}
    return Sent(record.sid, states.get(record.status or "", "sent"))
