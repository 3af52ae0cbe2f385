"""Hostile files end in a reason, the child is limited, and the server does not notice."""

from __future__ import annotations

import asyncio
import os
import re
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from config.knowledge import Parse
from server.knowledge import parsing
from server.knowledge.contract import SourceRefused
from server.knowledge.parsing import Reader
from tests.places import until
from tests.server.knowledge.hostile import READ, Hostile, docx, paragraphs, plain_pdf, table

HOSTILE = list(table())
GROWTH_MIB = 48  # a file of 32 MB is in memory while it is read; nothing of it stays


def rss_mib() -> float:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1_048_576


@pytest.fixture
async def reader() -> AsyncIterator[Reader]:
    one = Reader(Parse(cpu_s=10, memory_mib=512))
    async with one.running():
        yield one


@pytest.mark.parametrize("file", HOSTILE, ids=lambda file: file.name)
async def test_a_hostile_file_is_refused_with_a_reason_or_safely_read(file: Hostile, reader: Reader):
    if file.reason == READ:
        parsed = await reader.read(file.make(), file.name)
        assert parsed.text
        assert max(map(len, parsed.text.split("\n"))) <= 4_000
        return
    with pytest.raises(SourceRefused) as refused:
        await reader.read(file.make(), file.name)
    assert re.search(file.reason, str(refused.value)), str(refused.value)
    assert (await reader.read(b"# Lamps\n\nLit.", "lamps.md")).title == "Lamps", "the next file is read"


async def test_the_servers_memory_stays_flat(reader: Reader):
    made = [(file.name, file.make()) for file in HOSTILE if file.name not in {"pages.pdf", "huge.txt"}]
    await reader.read(b"warm", "warm.txt")
    before = rss_mib()
    for name, data in made * 2:
        try:
            await reader.read(data, name)
        except SourceRefused:
            continue
    assert rss_mib() - before < GROWTH_MIB


async def test_a_file_that_takes_too_long_is_given_up():
    slow = b"<html><body>" + b"".join(b"<p><b>%d</b> %s</p>" % (n, b"word " * 20) for n in range(60_000))
    reader = Reader(Parse(cpu_s=1, max_bytes=30_000_000))
    async with reader.running():
        with pytest.raises(SourceRefused, match="1 seconds of processor time"):
            await reader.read(slow, "slow.html")
        assert (await reader.read(b"Hello", "hello.txt")).text == "Hello"


async def test_names_decide_only_between_kinds_of_text(reader: Reader):
    assert (await reader.read(plain_pdf(), "note.md")).mime == "application/pdf"
    assert (await reader.read(docx(paragraphs(b"Lamps", b"They shine.")), "x.bin")).title == "Lamps"
    assert (await reader.read(b"<html><body><p>Lamps are lit.</p></body></html>", "x.txt")).mime == "text/html"


async def test_rows_come_with_the_names_of_their_columns(reader: Reader):
    assert await reader.rows("name;price\nLämp;3\n".encode("latin-1"), "a.csv") == [{"name": "Lämp", "price": "3"}]
    with pytest.raises(SourceRefused, match="no table"):
        await reader.rows(plain_pdf(), "a.csv")


async def test_the_child_has_no_secrets_and_no_network(reader: Reader, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("FRONTDESK_MODEL__API_KEY", "secret")
    await reader.read(b"Hello", "hello.txt")
    (child,) = reader._idle
    pid = child._process.pid
    assert b"secret" not in Path(f"/proc/{pid}/environ").read_bytes()
    if Path(f"/proc/{pid}/ns/net").readlink() == Path("/proc/self/ns/net").readlink():
        pytest.skip("this kernel lets nobody make a network namespace")
    devices = Path(f"/proc/{pid}/net/dev").read_text().splitlines()[2:]
    assert [line.split(":")[0].strip() for line in devices] in (["lo"], [])


async def test_a_child_that_was_killed_is_replaced(reader: Reader):
    await reader.read(b"Hello", "hello.txt")
    (child,) = reader._idle
    os.kill(child._process.pid, signal.SIGKILL)
    await child._process.wait()
    with pytest.raises(SourceRefused, match="memory"):
        await reader.read(b"Hello", "hello.txt")
    assert (await reader.read(b"Hello", "hello.txt")).text == "Hello"


async def test_two_files_are_read_side_by_side_and_more_wait(reader: Reader):
    found = await asyncio.gather(*[reader.read(b"# T%d" % n, f"{n}.md") for n in range(8)])
    assert [one.title for one in found] == [f"T{n}" for n in range(8)]
    assert len(reader._idle) <= parsing.AT_ONCE


async def test_a_cancelled_read_leaves_no_child_behind(reader: Reader):
    others = set(_children())  # a database's, for one
    task = asyncio.create_task(reader.read(b"<html><body>" + b"<p>word</p>" * 300_000, "big.html"))
    await until(lambda: set(_children()) - others, 10)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not reader._idle
    await until(lambda: not set(_children()) - others)


async def test_idle_children_end_by_themselves():
    reader = Reader(Parse(), idle_s=0.01)
    async with reader.running():
        await reader.read(b"Hello", "hello.txt")
        await until(lambda: not reader._idle and not reader._ending)


async def test_a_title_is_made_of_the_name_where_the_file_has_none(reader: Reader):
    assert (await reader.read(b"Just text.", "folder/opening_hours-2026.txt")).title == "Opening hours 2026"


def _children() -> list[str]:
    return Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
