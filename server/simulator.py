"""A customer without a platform: staff write as one, and see what each platform would show of the answers.

What they write enters as the platform's own payload through its normalizer, the inbox and the gateway; the engine
answers as it would anybody; the outbox renders and "sends" to :mod:`server.sandbox`. Each person has conversations of
their own, one per platform and session.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from channels.base import Limits
from channels.message import Button, Fact, Inbound, Pressed
from channels.preview import Shown, shown
from channels.web import WebChannel
from server import sandbox
from server.buttons import Buttons, reply_payload
from server.engine.words import Notice, say
from server.sandbox import ACCOUNT, Sandboxes
from server.store.contract import Row, Store

SHOWN: Final = 100  # messages of a conversation
HEARD: Final = frozenset({"assistant", "notice", "staff"})  # roles the customer hears


class NoSimulator(Exception):
    """The platform cannot be imitated here; the sentence names what is missing."""


@dataclass(frozen=True, slots=True)
class Said:
    """One message: words of the customer, or what the platform would show of an answer.

    ``state`` is that of the outbox row (queued, sent …), "" for the customer and on the web; ``reason`` why it ended
    otherwise.
    """

    id: str
    role: str
    text: str
    at: float
    state: str
    reason: str
    parts: Sequence[Shown]


@dataclass(frozen=True, slots=True)
class View:
    """One conversation of the simulator; ``id`` and ``status`` are empty before anything was said."""

    id: str
    status: str
    limits: Limits
    messages: Sequence[Said]


class Simulator:
    """Simulated customers of one tenant; ``accept`` stores facts of platforms durably."""

    def __init__(
        self,
        store: Store,
        tenant: str,
        sandboxes: Sandboxes,
        accept: Callable[[Sequence[Fact]], Awaitable[None]],
        buttons: Buttons,
    ) -> None:
        self._store = store
        self._tenant = tenant
        self._sandboxes = sandboxes
        self._accept = accept
        self._buttons = buttons

    async def say(self, platform: str, person: str, session: str, text: str) -> None:
        """Let the customer write; returns after the commit. Raises NoSimulator, and store errors."""
        channel = await self._channel(platform)
        now_s, digits = time.time(), sandbox.address_digits(person, session)
        delivered = sandbox.said(platform, digits, text, sandbox.new_number(), now_s)
        if isinstance(delivered, Inbound):
            facts: Sequence[Fact] = [delivered]
        else:
            facts = channel.normalize(delivered, now_s=now_s) if channel is not None else ()
        await self._accept(facts)

    async def press(self, platform: str, person: str, session: str, payload: str, label: str) -> None:
        """Let the customer press a button of ours; one that is not ours says what it is labelled."""
        digits = sandbox.address_digits(person, session)
        address = sandbox.customer_address(platform, digits)
        number = sandbox.new_number()
        await self._accept([Pressed(platform, ACCOUNT, address, address, payload, number, time.time(), label)])

    async def view(self, platform: str, person: str, session: str) -> View:
        """What the customer sees; raises NoSimulator."""
        channel = await self._channel(platform)
        limits = channel.limits if channel is not None else WebChannel.limits
        address = sandbox.customer_address(platform, sandbox.address_digits(person, session))
        place = {"tenant": self._tenant, "channel": platform, "account": ACCOUNT, "address": address}
        row = await self._store.row("doors.simulated", **place)
        if row is None:
            return View("", "", limits, ())
        said = await self._store.rows("doors.said", tenant=self._tenant, id=row["id"], count=SHOWN)
        sent: dict[str, list[Row]] = {}
        for part in await self._store.rows("doors.parts", tenant=self._tenant, id=row["id"]):
            sent.setdefault(part["outbox_id"], []).append(part)
        messages = [self._said(platform, row, each, sent.get(each["outbox_id"] or "", ())) for each in said]
        return View(row["id"], row["status"], limits, messages)

    def _said(self, platform: str, conversation: Row, row: Row, sent: Sequence[Row]) -> Said:
        parts: Sequence[Shown] = [shown(platform, json.loads(part["payload"])) for part in sent]
        if platform == "web" and row["role"] in HEARD:
            parts = [self._on_the_web(conversation, row)]
        return Said(
            row["id"], row["role"], row["text"], row["created_at"], row["state"] or "", row["reason"] or "", parts
        )

    def _on_the_web(self, conversation: Row, row: Row) -> Shown:
        """What the widget makes of a message: its text, offered replies, thumbs, and the button for a person."""
        body: Mapping[str, Any] = json.loads(row["body"] or "{}")
        buttons = [Button(str(text), reply_payload(str(text))) for text in body.get("replies", ())]
        if row["role"] == "assistant" and not buttons:
            thumbs = self._buttons.thumbs("web", ACCOUNT, row["id"])
            buttons = [Button(label, payload) for label, payload in zip("👍👎", thumbs, strict=True)]
        if body.get("offer") == "person":
            label = say(Notice.TALK_TO_PERSON, conversation["language"] or "en")
            buttons.append(Button(label, self._buttons.payload("web", ACCOUNT, "person", conversation["id"])))
        text = str(row["text"])
        return Shown(text, "markdown", len(text.encode()), tuple(buttons), "", "")

    async def _channel(self, platform: str) -> sandbox.SimulatedChannel | None:
        """The simulated channel (None: the web needs none); a platform's library is loaded beside the event loop."""
        if platform == "web":
            return None
        try:
            found = await asyncio.to_thread(self._sandboxes.get, platform)
        except ImportError as error:
            raise NoSimulator(f"the platform's library cannot be loaded ({error}); install it") from None
        if found is None:
            raise NoSimulator(f"{platform!r} is no platform")
        return found
