"""Showing an answer while it is written: a preview that vanishes by itself, or a message that becomes the answer."""

from __future__ import annotations

import hashlib
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Literal

from channels.base import Refused, Unknown
from channels.telegram.payloads import opening
from channels.telegram.places import Place, message_id, route_place
from channels.telegram.sending import Sending

NUMBERS = 2**31 - 1
GROUP_INTERVAL_S = 3.0  # groups take 20 messages and edits a minute
SHOWN = 1_024  # drafts in groups whose last edit is remembered

Route = Mapping[str, str]


class Drafts:
    """The drafts of one bot, of one kind (see :class:`channels.base.Limits`)."""

    def __init__(
        self,
        sending: Sending,
        kind: Literal["none", "preview", "message"],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._sending = sending
        self._kind = kind
        self._clock = clock
        self._edited: OrderedDict[str, float] = OrderedDict()

    async def open(self, draft_id: str, route: Route, text: str) -> str:
        """Show the beginning of an answer; the draft's id names chat and number."""
        place = route_place(route)
        if self._kind == "message":
            number = await self._sending.message(place, opening(text, unfinished=True))
            if not number:
                raise Unknown("200", "the answer names no message")
            return place.key(number)
        provider_id = place.key(draft_number(draft_id))
        await self.update(provider_id, route, text)
        return provider_id

    async def update(self, provider_id: str, route: Route, text: str) -> None:
        """Show the text so far; a preview lives 30 s after each update."""
        place = route_place(route)
        if self._kind == "message":
            shown = opening(text, unfinished=True)
            if self._due(place, provider_id) and not await self._sending.edit(place, message_id(provider_id), shown):
                raise Refused("400", "the draft's message is gone")
            return
        if self._kind != "preview" or not place.private or place.business:
            raise Refused("no_draft", "Telegram shows drafts in the bot's own private chats only")
        await self._sending.preview(place, message_id(provider_id), opening(text))

    def find(self, draft_id: str, route: Route) -> str:
        """A preview's number follows from its id and needs no look-up; a message cannot be looked up."""
        return route_place(route).key(draft_number(draft_id)) if self._kind == "preview" else ""

    async def withdraw(self, provider_id: str, route: Route) -> None:
        """Delete a draft's message; previews vanish by themselves."""
        if self._kind == "message":
            await self._sending.delete(route_place(route), message_id(provider_id))

    def _due(self, place: Place, provider_id: str) -> bool:
        """Whether an edit may go out now; one left out in a group loses nothing, the next holds the whole text."""
        now = self._clock()
        if place.private:
            return True
        if now - self._edited.get(provider_id, -GROUP_INTERVAL_S) < GROUP_INTERVAL_S:
            return False
        self._edited[provider_id] = now
        while len(self._edited) > SHOWN:
            self._edited.popitem(last=False)
        return True


def draft_number(draft_id: str) -> int:
    """The same number for the same draft, never 0 (which Telegram refuses)."""
    digest = hashlib.sha256(draft_id.encode()).digest()
    return int.from_bytes(digest[:8], "big") % NUMBERS + 1
