"""Voice messages as text, by any service with the OpenAI-compatible transcription call."""

from __future__ import annotations

import asyncio
import json

import structlog
from aiohttp import ClientError, ClientSession, FormData

from config.settings import MediaSettings

log = structlog.get_logger()

FILE_BYTES = 25_000_000  # what such services take
ANSWER_BYTES = 1_048_576
TEXT_CHARACTERS = 8_000  # of a transcript: more is no question
_OK = 200
_ENDINGS = {"audio/ogg": "ogg", "audio/mpeg": "mp3", "audio/mp4": "m4a", "audio/wav": "wav", "audio/webm": "webm"}


class Transcription:
    """Asks ``media.transcription_url``; off without one."""

    def __init__(self, settings: MediaSettings) -> None:
        self._settings = settings

    @property
    def on(self) -> bool:
        """Whether voice messages can be read at all."""
        return bool(self._settings.transcription_url)

    async def text(self, session: ClientSession, content: bytes, mime: str) -> str:
        """What is said in a recording; empty when the service cannot tell (or is away), which is logged."""
        if len(content) > FILE_BYTES:
            return ""
        try:
            async with asyncio.timeout(self._settings.timeout_s):
                return await self._ask(session, content, mime)
        except (TimeoutError, ClientError, OSError, ValueError) as error:
            log.warning("transcription_failed", error=type(error).__name__, hint="check media.transcription_url")
            return ""

    async def _ask(self, session: ClientSession, content: bytes, mime: str) -> str:
        form = FormData()
        form.add_field("model", self._settings.transcription_model)
        form.add_field("response_format", "json")
        form.add_field("file", content, filename=f"voice.{_ENDINGS.get(mime, 'ogg')}", content_type=mime)
        key = self._settings.transcription_key.get_secret_value()
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        async with session.post(
            self._settings.transcription_url, data=form, headers=headers, allow_redirects=False
        ) as answer:
            if answer.status != _OK:
                log.warning("transcription_refused", status=answer.status)
                return ""
            body = bytearray()
            async for chunk in answer.content.iter_chunked(65_536):
                body += chunk
                if len(body) > ANSWER_BYTES:
                    return ""
        said = json.loads(body)
        text = said.get("text") if isinstance(said, dict) else None
        return text.strip()[:TEXT_CHARACTERS] if isinstance(text, str) else ""
