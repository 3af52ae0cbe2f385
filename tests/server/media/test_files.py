"""Short-lived addresses, and files that are whole or not there."""

from __future__ import annotations

from pathlib import Path

import pytest

from server.media.files import ADDRESS_S, BUFFER_BYTES, Addresses, Files, Incoming, Missing
from tests.places import FakeClock

ID = "0190-abcd-ef12"


async def test_a_file_is_seen_only_when_it_is_whole(tmp_path: Path):
    files = Files(tmp_path / "media")
    incoming = Incoming(files.place(ID))
    await incoming.add(b"x" * BUFFER_BYTES, 4)
    await incoming.add(b"end", 4)
    assert (incoming.head, incoming.size_bytes) == (b"xxxx", BUFFER_BYTES + 3)
    with pytest.raises(Missing):
        await files.read(ID)
    await incoming.keep()
    await incoming.drop()
    assert await files.read(ID) == b"x" * BUFFER_BYTES + b"end"
    assert files.relative(ID) == f"12/{ID}"
    dropped = Incoming(files.place("0190-abcd-ef13"))
    await dropped.add(b"x" * BUFFER_BYTES, 4)
    await dropped.drop()
    assert [path.name for path in files.root.rglob("*") if path.is_file()] == [ID]


def test_addresses_open_one_file_for_some_minutes():
    clock = FakeClock()
    addresses = Addresses(lambda: b"k" * 32, "https://desk.example/", clock.wall_s)
    url = addresses.url(ID)
    token = url.removeprefix("https://desk.example/media/")
    assert addresses.file_id(token) == ID
    clock.pass_s(ADDRESS_S - 1)
    assert addresses.file_id(token) == ID
    clock.pass_s(1)
    assert addresses.file_id(token) is None
    assert ADDRESS_S <= 15 * 60


def test_forged_addresses_open_nothing():
    addresses = Addresses(lambda: b"k" * 32, "https://desk.example")
    file_id, until, mac = addresses.token(ID).split(".")
    other = Addresses(lambda: b"j" * 32, "https://desk.example").token(ID)
    forged = [
        *("", ".", "..", ID, f"{file_id}.{until}", f"{file_id}.{until}.", f"{file_id}.{until}.{mac[:-1]}", other),
        *(f"{file_id}.{int(until) + 1}.{mac}", f"{file_id}x.{until}.{mac}", f"{file_id}.{until}.{mac}é"),
    ]
    assert [addresses.file_id(token) for token in forged] == [None] * len(forged)


def test_without_a_public_address_there_is_none():
    assert Addresses(lambda: b"", "").url(ID) == ""
