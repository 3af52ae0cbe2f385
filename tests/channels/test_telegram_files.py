from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from channels.base import Refused, SendError, Unavailable
from channels.message import Attachment
from channels.telegram import TelegramChannel
from channels.telegram.files import FILE_BYTES
from tests.doubles.platform import Fault
from tests.doubles.telegram import TOKEN, Telegram
from tests.doubles.telegram_bench import ROUTE, opened


@pytest.fixture
async def double() -> AsyncIterator[Telegram]:
    telegram = Telegram()
    async with telegram.running():
        yield telegram


async def read(channel: TelegramChannel, ref: str, size_bytes: int | None = None) -> bytes:
    attachment = Attachment("file", "", ref=ref, size_bytes=size_bytes)
    return b"".join([chunk async for chunk in channel.fetch(attachment, ROUTE)])


async def test_a_file_is_streamed_from_the_file_host(double: Telegram):
    content = bytes(range(256)) * 2_000
    double.file("f1", content)
    async with opened(double) as channel:
        assert await read(channel, "f1") == content


async def test_a_large_file_is_refused_before_and_after_asking(double: Telegram):
    """T50."""
    double.file("f1", b"x" * (FILE_BYTES + 1))
    async with opened(double) as channel:
        for size_bytes in (30 * 1024 * 1024, None):
            with pytest.raises(Refused) as caught:
                await read(channel, "f1", size_bytes)
            assert caught.value.code == "too_large"
    assert double.calls["getFile"] == 1
    assert double.calls["file"] == 0


async def test_a_file_longer_than_announced_is_cut_off(double: Telegram):
    double.file("f1", b"x" * (FILE_BYTES + 1))
    double.lies = True
    async with opened(double) as channel:
        with pytest.raises(Refused) as caught:
            await read(channel, "f1")
    assert caught.value.code == "too_large"


@pytest.mark.parametrize(
    "path",
    [
        "/etc/passwd",
        "../../etc/passwd",
        "a/../../x",
        "http://127.0.0.1/x",
        "//evil.example/x",
        "a?b",
        "a#b",
        "a%2e",
        "",
    ],
)
async def test_only_plain_paths_are_opened(double: Telegram, path: str):
    double.file("f1", b"x", path)
    async with opened(double) as channel:
        with pytest.raises(Refused):
            await read(channel, "f1")
    assert double.calls["file"] == 0


async def test_failures_do_not_tell_the_token(double: Telegram):
    double.file("f1", b"x" * 10)
    failures: list[SendError] = []
    async with opened(double) as channel:
        with pytest.raises(Refused) as unknown:
            await read(channel, "nobody")
        failures.append(unknown.value)
        double.faults.script("getFile", Fault.ERROR_BEFORE)
        with pytest.raises(Unavailable) as broken:
            await read(channel, "f1")
        failures.append(broken.value)
        double.vanished.add("documents/file_1.pdf")
        with pytest.raises(Refused) as gone:
            await read(channel, "f1")
        failures.append(gone.value)
        double.vanished.clear()
        double.file_resets = True
        with pytest.raises(Unavailable) as reset:
            await read(channel, "f1")
        failures.append(reset.value)
    assert all(TOKEN.partition(":")[2] not in f"{error!r} {error.__cause__!r}" for error in failures)
