"""Fetching files from a platform that lies, stalls, breaks off and never ends."""

from __future__ import annotations

import asyncio
import stat

import pytest

from channels.base import Limited, Limits, Refused, Unavailable, Unknown
from channels.message import Attachment
from server.media.files import Missing
from tests.places import until
from tests.server.media.bench import OGG, PNG, Bench

PHOTO = Attachment("image", "https://files.example/1", "p.png", "image/png", len(PNG), ref="r1")


async def outcome(desk: Bench, attachment: Attachment = PHOTO) -> tuple[str, str | None]:
    """What became of one file of a new message."""
    message_id = await desk.say(attachment)
    await desk.media.read("c1", [message_id])
    [row] = await desk.rows(message_id)
    if row["state"] != "stored":
        assert desk.kept() == [], "nothing is left of a file that was not stored"
    return row["state"], row["reason"]


async def test_a_file_is_fetched_with_the_route_and_kept_for_this_user_only(desk: Bench):
    platform = desk.serve([PNG[:10], PNG[10:]])
    assert await outcome(desk) == ("stored", None)
    assert platform.asked == [(PHOTO, {"chat": "7"})]
    [path] = desk.kept()
    assert path.read_bytes() == PNG
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    [row] = await desk.rows("m1")
    assert (row["mime"], row["size_bytes"], desk.folder / row["path"]) == ("image/png", len(PNG), path)


async def test_what_is_said_to_be_too_large_or_unwanted_is_not_opened(desk: Bench):
    platform = desk.serve(PNG)
    assert await outcome(desk, Attachment("file", "u", size_bytes=100_001, mime="application/pdf")) == (
        *("refused", "too_large"),
    )
    assert await outcome(desk, Attachment("file", "u", mime="application/x-msdownload")) == ("refused", "type")
    assert await outcome(desk, Attachment("file", "", mime="application/pdf")) == ("refused", "type")
    platform.limits = Limits(text_units=1, unit="utf16", edit_interval_s=None, media_bytes=500)
    assert await outcome(desk) == ("refused", "too_large")
    assert platform.asked == []


async def test_an_endless_stream_is_stopped_at_the_limit(desk: Bench):
    platform = desk.serve([PNG])
    platform.endless = True
    assert await outcome(desk, Attachment("image", "u", size_bytes=5, mime="image/png")) == ("refused", "too_large")
    assert platform.given_bytes < 250_000
    assert platform.closed == 1, "the connection is given back"


@pytest.mark.parametrize(
    ("attachment", "content", "ended"),
    [
        (Attachment("image", "u", mime="image/png", size_bytes=99_999), PNG, ("stored", None)),  # a wrong size header
        (Attachment("image", "u", mime="image/png"), b"<svg onload=x>", ("refused", "type")),
        (Attachment("file", "u", mime="application/pdf"), b"MZ\x90\x00" + bytes(90), ("refused", "type")),
        (Attachment("image", "u"), PNG, ("stored", None)),
        (Attachment("image", "u"), OGG, ("refused", "type")),
        (Attachment("file", "u"), b"PK\x03\x04" + bytes(90), ("refused", "type")),
        (Attachment("file", "u", mime="application/octet-stream"), b"%PDF-1.7", ("stored", None)),
        (Attachment("audio", "u", mime="audio/ogg; codecs=opus"), OGG, ("stored", None)),
        (Attachment("image", "u", mime="image/png"), b"", ("failed", "gone")),
    ],
)
async def test_content_decides(desk: Bench, attachment: Attachment, content: bytes, ended: tuple[str, str | None]):
    desk.serve(content)
    assert await outcome(desk, attachment) == ended


async def test_a_broken_connection_is_tried_again_from_the_start(desk: Bench):
    platform = desk.serve([PNG[:20], Unknown("reset")], ConnectionResetError(), Unavailable("503"), PNG)
    desk.media._downloads._settings = desk.media._downloads._settings.model_copy(update={"timeout_s": 30.0})
    assert await outcome(desk) == ("stored", None)
    assert len(platform.asked) == 4
    assert desk.kept()[0].read_bytes() == PNG


@pytest.mark.parametrize(
    ("error", "ended"),
    [
        (Refused("404"), ("failed", "gone")),
        (Refused("host"), ("refused", "host")),
        (Refused("too_large"), ("refused", "too_large")),
        (Limited("429", 60.0), ("failed", "unavailable")),
    ],
)
async def test_some_errors_are_final(desk: Bench, error: Exception, ended: tuple[str, str]):
    platform = desk.serve(error, PNG)
    assert await outcome(desk) == ended
    assert len(platform.asked) == 1


async def test_patience_ends(desk: Bench):
    desk.serve(*[Unavailable("away")] * 9)
    assert await outcome(desk) == ("failed", "unavailable")


async def test_a_platform_that_falls_silent_is_waited_for_no_longer_than_set(desk: Bench):
    desk.serve([PNG]).hold = asyncio.Event()
    assert await outcome(desk) == ("failed", "unavailable")


async def test_an_account_that_is_off_and_a_full_disk_fail_politely(desk: Bench):
    assert await outcome(desk) == ("failed", "unavailable")
    desk.folder.parent.joinpath("media").write_text("a file where the folder should be")
    desk.serve(PNG)
    message_id = await desk.say(PHOTO)
    reading = await desk.media.read("c1", [message_id])
    assert [problem.code for problem in reading.problems] == ["unavailable"]
    [row] = await desk.rows(message_id)
    assert row["reason"] == "storage"


async def test_a_cancelled_turn_leaves_nothing_and_the_next_one_starts_again(desk: Bench):
    platform = desk.serve([PNG])
    platform.hold = asyncio.Event()
    message_id = await desk.say(PHOTO)
    task = asyncio.create_task(desk.media.read("c1", [message_id]))
    await until(lambda: platform.given_bytes)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert platform.closed == 1
    assert desk.kept() == []
    desk.serve(PNG)
    await desk.media.read("c1", [message_id])
    assert len(desk.kept()) == 1


async def test_only_ids_name_files(desk: Bench):
    for name in ("../../etc/passwd", "a/b", "..", "", "a" * 65, "abcdefg\x00h", "ABC.DEFG.part"):
        with pytest.raises(Missing):
            desk.media.files.place(name)
        with pytest.raises(Missing):
            await desk.media.file(name)
