"""What messages say beyond their text: what their files hold, and what to tell about those nobody can read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Protocol

from server.engine.context import Context
from server.engine.record import joined
from server.engine.words import Notice

_NOTICES = {
    "too_large": Notice.TOO_LARGE,
    "type": Notice.FILE_TYPE,
    "voice": Notice.VOICE_UNAVAILABLE,
    "image": Notice.IMAGE_UNREADABLE,
    "file": Notice.FILE_UNREADABLE,
    "unavailable": Notice.FILE_UNAVAILABLE,
}


class Problem(Protocol):
    """A file that could not be read; ``code`` says why: too_large, type, voice, image, file, unavailable."""

    @property
    def code(self) -> str:
        """Why."""
        ...


class Reading(Protocol):
    """What the files of some messages hold."""

    @property
    def texts(self) -> Mapping[str, str]:
        """What to add to a message's text for the model, by message id."""
        ...

    @property
    def problems(self) -> Sequence[Problem]:
        """Files that could not be read, in order."""
        ...


class MediaReader(Protocol):
    """Reads the files that came with messages."""

    async def read(self, conversation_id: str, message_ids: Sequence[str]) -> Reading:
        """Download what is still missing and say what it holds; a file that cannot be had is a problem, no error."""
        ...


def with_files(context: Context, reading: Reading) -> Context:
    """The context with what the files hold in its question, and what to tell about the others in its notes."""
    lines = [line for message in context.said for line in (message.text, reading.texts.get(message.id, "")) if line]
    notes = dict.fromkeys(_NOTICES.get(problem.code, Notice.FILE_UNREADABLE) for problem in reading.problems)
    return replace(context, question=joined(lines), notes=tuple(notes))
