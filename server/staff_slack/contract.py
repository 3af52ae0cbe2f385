"""What working in Slack needs from a channel account, and the names that its parts share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol

from channels.base import Outgoing, Pace
from config.settings import Settings

CHANNEL: Final = "slack"
POSTS: Final = "staff_out"  # lane: what a conversation's thread should show; key = conversation id
ACTS: Final = "staff_in"  # lane: what staff did in a thread; key = conversation id
PACE: Final = Pace(per_s=1.0, burst=5)  # Slack's own limit of one channel
SEND_MARKS: Final = ("!send", "/send")
CORRECT_MARKS: Final = ("!correct", "/correct")


class Room(Protocol):
    """The staff channel's part of a Slack account; every call is one try and raises SendError."""

    async def post(self, out: Outgoing) -> str:
        """Post a message and return its ts."""

    async def find(self, out: Outgoing) -> str:
        """The ts of a message that may have been posted, "" for none."""

    async def edit(self, channel: str, ts: str, payload: Mapping[str, Any]) -> None:
        """Make a message of ours say something else."""

    async def whisper(self, channel: str, thread: str, user: str, text: str) -> None:
        """Tell one person something nobody else sees."""

    async def person(self, user: str) -> Mapping[str, str]:
        """Email and name of a full member, empty for anybody else."""


Rooms = Callable[[str], Room | None]
"""The running account of this name, None while it is off."""


@dataclass(frozen=True, slots=True)
class Desks:
    """Which account's staff channel shows a conversation; a workspace's own conversations stay in it."""

    rooms: Mapping[str, str]  # account -> channel id

    @classmethod
    def of(cls, settings: Settings) -> Desks:
        """As the settings say."""
        accounts = settings.channels.slack.items()
        return cls({name: one.staff_channel for name, one in accounts if one.on and one.staff_channel})

    def account(self, channel: str, account: str) -> str:
        """The account whose staff channel shows a conversation of this place, "" when there is none."""
        if account.startswith("~"):  # of the simulator: nobody stands behind it
            return ""
        if channel == CHANNEL and account in self.rooms:
            return account
        return min(self.rooms, default="")
