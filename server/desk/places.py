"""What a channel account can carry, as the composer shows it: lengths, files, and how long free text is accepted."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

from channels.base import Limits, pulls
from channels.web import WebChannel
from config.approved import Approved

MEGABYTE: Final = 1_000_000
FILES: Final[Mapping[str, int]] = {"whatsapp": 16 * MEGABYTE, "telegram": 50 * MEGABYTE, "slack": 100 * MEGABYTE}
"""Largest file each platform takes from us, bytes; a platform that is not here takes none."""
PICTURES: Final[Mapping[str, int]] = {"whatsapp": 5 * MEGABYTE, "telegram": 10 * MEGABYTE}
"""The same of images, where it is less."""


class Place(Protocol):
    """What is asked of a channel account; a :class:`channels.base.Channel` has it."""

    limits: Limits

    def template(self) -> Mapping[str, Any] | None:
        """What may be sent while free text is not accepted."""

    def templates(self) -> Sequence[Approved]:
        """What staff may choose then."""


Places = Callable[[str, str], Place | None]  # (channel, account): None while it is off


@dataclass(frozen=True, slots=True)
class Room:
    """What can be sent to one conversation now; times are epoch seconds, sizes bytes.

    ``running`` False: its account is off, messages wait. ``closes_at`` is None where free text is always accepted.
    """

    running: bool
    text_units: int
    unit: str
    file_bytes: int
    image_bytes: int
    closes_at: float | None
    open: bool
    template: bool
    templates: tuple[Approved, ...] = ()


def room(places: Places, channel: str, account: str, said_at: float, now_s: float) -> Room:
    """What a conversation's channel carries, by when its customer last wrote."""
    if pulls(channel):
        limits: Limits | None = WebChannel.limits
        place = None
    else:
        place = places(channel, account)
        limits = place.limits if place is not None else None
    if limits is None:
        return Room(
            running=False,
            text_units=0,
            unit="characters",
            file_bytes=0,
            image_bytes=0,
            closes_at=None,
            open=True,
            template=False,
        )
    closes_at = said_at + limits.window_s if limits.window_s is not None else None
    largest = FILES.get(channel, 0)
    return Room(
        running=True,
        text_units=limits.text_units,
        unit=limits.unit,
        file_bytes=largest,
        image_bytes=min(largest, PICTURES.get(channel, largest)),
        closes_at=closes_at,
        open=closes_at is None or now_s < closes_at,
        template=place is not None and place.template() is not None,
        templates=tuple(place.templates()) if place is not None else (),
    )
