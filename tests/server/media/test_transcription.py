"""A speech-to-text service that refuses, redirects, babbles or hangs."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from aiohttp import ClientSession

from config.settings import MediaSettings
from server.media.transcription import ANSWER_BYTES, FILE_BYTES, TEXT_CHARACTERS, Transcription
from tests.server.media.bench import OGG, Speech


async def asked(speech: Speech, **settings: Any) -> str:
    wanted = MediaSettings(transcription_url=speech.url, **settings)
    async with ClientSession() as session:
        return await Transcription(wanted).text(session, OGG, "audio/ogg")


@pytest.mark.parametrize(
    ("status", "answer", "text"),
    [
        (200, {"text": " hello "}, "hello"),
        (200, {"text": "x" * 20_000}, "x" * TEXT_CHARACTERS),
        (200, {"text": None}, ""),
        (200, ["text"], ""),
        (200, b"<html>", ""),
        (200, b'{"text": "' + b"x" * ANSWER_BYTES + b'"}', ""),
        (302, {"text": "moved"}, ""),
        (401, {"error": "key"}, ""),
        (500, b"", ""),
    ],
)
async def test_only_a_plain_answer_is_a_transcript(status: int, answer: Any, text: str):
    async with Speech().running() as speech:
        speech.status, speech.answer = status, answer
        assert await asked(speech) == text
        assert len(speech.calls) == 1
        assert speech.calls[0]["key"] is None


async def test_a_service_that_hangs_or_is_gone_is_waited_for_no_longer_than_set():
    async with Speech().running() as speech:
        speech.hold = asyncio.Event()
        assert await asked(speech, timeout_s=0.2) == ""
        speech.hold.set()
    assert await asked(speech, timeout_s=0.5) == "", "nobody listens there any more"


async def test_what_no_service_takes_is_not_sent():
    async with Speech().running() as speech, ClientSession() as session:
        service = Transcription(MediaSettings(transcription_url=speech.url))
        assert service.on
        assert await service.text(session, bytes(FILE_BYTES + 1), "audio/ogg") == ""
        assert speech.calls == []
    assert not Transcription(MediaSettings()).on
