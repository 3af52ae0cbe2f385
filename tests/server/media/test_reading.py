"""What the engine is told about files, and what is forgotten with the messages."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from channels.base import Unavailable
from channels.message import Attachment
from config.settings import StoreSettings
from server.media import Problem, Reading
from server.media.files import Missing
from server.store.retention import purge
from tests.places import Place
from tests.server.media.bench import OGG, PNG, Bench, Speech, bench

PHOTO = Attachment("image", "https://files.example/1", "p.png", "image/png")
VOICE = Attachment("audio", "https://files.example/2", "", "audio/ogg", voice=True)
PLACE = Attachment("location", "", text="Location: 52.5, 13.4")


async def test_messages_without_files_cost_nothing(desk: Bench):
    assert await desk.media.read("c1", [await desk.say()]) == Reading()


async def test_places_and_contacts_are_text_without_any_download(desk: Bench):
    card = Attachment("contact", "", text="Contact: Ada, +49 30 1234")
    message_id = await desk.say(PLACE, card)
    reading = await desk.media.read("c1", [message_id])
    assert reading == Reading({message_id: "Location: 52.5, 13.4\nContact: Ada, +49 30 1234"})
    assert {row["state"] for row in await desk.rows(message_id)} == {"stored"}
    with pytest.raises(Missing):
        await desk.media.file("m1-file-0000")


async def test_what_arrives_but_cannot_be_read_is_a_problem_and_kept_for_staff(desk: Bench):
    desk.serve(PNG, b"%PDF-1.7", OGG)
    first = await desk.say(PHOTO, Attachment("file", "u", "bill.pdf", "application/pdf"))
    second = await desk.say(VOICE, PLACE)
    reading = await desk.media.read("c1", [first, second])
    assert reading.texts == {second: "Location: 52.5, 13.4"}
    assert reading.problems == (Problem(first, "image"), Problem(first, "file"), Problem(second, "voice"))
    file = await desk.media.file("m1-file-0000")
    assert (file.name, file.mime, file.content) == ("p.png", "image/png", PNG)
    assert len(desk.kept()) == 3


async def test_a_retaken_turn_finds_what_is_stored(desk: Bench):
    platform = desk.serve(PNG)
    message_id = await desk.say(PHOTO)
    once = await desk.media.read("c1", [message_id])
    assert await desk.media.read("c1", [message_id]) == once
    assert len(platform.asked) == 1


async def test_refusals_have_their_own_words(desk: Bench):
    desk.serve(b"<svg>", *[Unavailable("away")] * 9)
    huge = Attachment("image", "u", mime="image/png", size_bytes=10**9)
    message_id = await desk.say(huge, Attachment("file", "u", mime="application/x-sh"), PHOTO)
    codes = [problem.code for problem in (await desk.media.read("c1", [message_id])).problems]
    assert codes == ["too_large", "type", "type"]


async def test_voice_messages_are_written_down_once(place: Place, tmp_path: Path):
    async with Speech().running() as speech:
        settings: dict[str, Any] = {"transcription_url": speech.url, "transcription_key": "sk-1"}
        async with bench(place, tmp_path, **settings) as desk:
            desk.serve(OGG)
            message_id = await desk.say(VOICE)
            expected = Reading({message_id: "[voice message] Where is my order?"})
            assert await desk.media.read("c1", [message_id]) == expected
            assert await desk.media.read("c1", [message_id]) == expected
    assert speech.calls == [
        {"key": "Bearer sk-1", "model": "whisper-1", "name": "voice.ogg", "type": "audio/ogg", "bytes": OGG}
    ]


async def test_purged_messages_take_their_files_along(desk: Bench):
    desk.serve(PNG, PNG)
    await desk.media.read("c1", [await desk.say(PHOTO)])
    await desk.media.read("c1", [await desk.say(PHOTO)])  # its turn has not ended
    (desk.folder / "aa").mkdir(exist_ok=True)
    half = desk.folder / "aa" / "m9-file-0000.12345678.part"
    half.write_bytes(b"half")
    deleted = await purge(desk.store, StoreSettings(retention_days=1), 10 * 86_400.0)
    assert (deleted["media"], deleted["messages"]) == (1, 1)
    assert await desk.media.sweep() == 0, "what is new may still get its row"
    for path in desk.kept():
        os.utime(path, (0, 0))
    assert await desk.media.sweep() == 2
    assert [path.name for path in desk.kept()] == ["m2-file-0000"]
