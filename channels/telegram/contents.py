"""What a Telegram message carries besides text; pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from channels.message import Attachment, Kind

Part = Mapping[str, Any]
UNREADABLE = ("poll", "dice", "game", "story", "paid_media", "checklist", "giveaway", "invoice")
"""Kinds that a customer sends on purpose and that hold nothing to download."""


def attachments_of(message: Mapping[str, Any]) -> tuple[Attachment, ...]:
    """The attachments of a message: at most one, as Telegram sends the files of an album one message each."""
    for kind, read in _READERS.items():
        content = message.get(kind)
        if content:
            return (read(content),)
    return tuple(Attachment(kind="other", url="", name=kind, text=_gist(message[kind]))
                 for kind in UNREADABLE if message.get(kind))  # fmt: skip


def _file(kind: Kind, part: Part, *, mime: str = "", name: str = "", voice: bool = False, text: str = "") -> Attachment:
    size = part.get("file_size")
    return Attachment(
        kind=kind,
        url="",  # files have no lasting address here: getFile makes one for an hour
        name=str(part.get("file_name") or name),
        mime=str(part.get("mime_type") or mime),
        size_bytes=int(size) if size is not None else None,
        ref=str(part["file_id"]),
        text=text,
        voice=voice,
    )


def _photo(sizes: Any) -> Attachment:
    largest = max(sizes, key=lambda size: int(size.get("width", 0)) * int(size.get("height", 0)))
    return _file("image", largest, mime="image/jpeg", name="photo.jpg")


def _document(part: Part) -> Attachment:
    is_image = str(part.get("mime_type", "")).startswith("image/")
    return _file("image" if is_image else "file", part)


def _sticker(part: Part) -> Attachment:
    """Only the emoji behind a sticker says something to a support desk, so nothing is downloaded."""
    return Attachment(kind="other", url="", name="sticker", text=str(part.get("emoji") or ""))


def _venue(part: Part) -> Attachment:
    words = filter(None, (part.get("title"), part.get("address"), _coordinates(part["location"])))
    return Attachment(kind="location", url="", text=", ".join(map(str, words)))


def _contact(part: Part) -> Attachment:
    name = " ".join(filter(None, (part.get("first_name"), part.get("last_name"))))
    return Attachment(kind="contact", url="", name=name, text=", ".join(filter(None, (name, part["phone_number"]))))


def _coordinates(location: Part) -> str:
    return f"{float(location['latitude']):.6f}, {float(location['longitude']):.6f}"


def _gist(content: Any) -> str:
    """The words in a content we cannot show: a poll's question, the emoji of a die, a checklist's title."""
    found = next((content.get(name) for name in ("question", "title", "emoji") if content.get(name)), "")
    return str(found)


_READERS: dict[str, Callable[[Any], Attachment]] = {  # in this order: an animation also comes as a document,
    "venue": _venue,  # and a venue also as a location
    "animation": lambda part: _file("video", part, mime="video/mp4", name="animation.mp4"),
    "photo": _photo,
    "voice": lambda part: _file("audio", part, mime="audio/ogg", name="voice.ogg", voice=True),
    "audio": lambda part: _file("audio", part, mime="audio/mpeg", name="audio.mp3"),
    "video": lambda part: _file("video", part, mime="video/mp4", name="video.mp4"),
    "video_note": lambda part: _file("video", part, mime="video/mp4", name="video.mp4"),
    "document": _document,
    "sticker": _sticker,
    "location": lambda part: Attachment(kind="location", url="", text=_coordinates(part)),
    "contact": _contact,
}
