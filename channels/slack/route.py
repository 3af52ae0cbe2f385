"""Where an answer goes: a conversation's address and route out of Slack's ids.

A direct message is one conversation (``team/channel``), each assistant thread in it another, and in channels each
thread is one (``team/channel/thread_ts``, the thread's first message): people there talk about many things at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Spot:
    """One message's place; ``thread`` is empty for the plain stream of a direct message."""

    team: str
    channel: str
    ts: str
    thread: str

    @property
    def address(self) -> str:
        """What names the conversation within the channel account."""
        return "/".join(filter(None, (self.team, self.channel, self.thread)))

    @property
    def key(self) -> str:
        """The message's identity: its mention and its channel event share it."""
        return f"{self.channel}:{self.ts}"

    def route(self, user: str, user_team: str) -> dict[str, str]:
        """What sending needs; the recipient is who wrote last (streams outside direct messages must name one)."""
        parts = {
            "team": self.team,
            "channel": self.channel,
            "thread_ts": self.thread,
            "user": user,
            "recipient_team": user_team or self.team,
            "ts": self.ts,
        }
        return {name: value for name, value in parts.items() if value}


def spot(team: str, channel: str, ts: str, thread_ts: str, *, direct: bool) -> Spot:
    """The place of a message; ``thread_ts`` equal to ``ts`` only says that others answered it."""
    replied = thread_ts if thread_ts != ts else ""
    return Spot(team, channel, ts, replied if direct else thread_ts or ts)


def provider_id(channel: str, ts: str) -> str:
    """The identity of a message of ours within the account."""
    return f"{channel}:{ts}"


def placed(message: str, route: Mapping[str, str]) -> tuple[str, str]:
    """Channel and ts of a provider id."""
    channel, _, ts = message.rpartition(":")
    return channel or route.get("channel", ""), ts


def seconds(ts: Any) -> float:
    """Epoch seconds of a message's ts; 0 for what is none."""
    whole, _, part = ts.partition(".") if isinstance(ts, str) else ("", "", "")
    digits = whole + part
    return float(f"{whole}.{part or 0}") if whole and digits.isascii() and digits.isdigit() else 0.0
