"""Folders are walked without leaving them; what is no file is refused and never waited for."""

from __future__ import annotations

import asyncio
import os
import socket
from pathlib import Path
from typing import Any

import pytest

from server.knowledge.contract import SourceRefused
from server.knowledge.fetched import Failed, Fetched, Frontier, Gone, Known, Unchanged, raw_digest
from server.knowledge.files import FilesReader, contents
from server.knowledge.kinds import checked


async def read(path: Path, known: dict[str, Known] | None = None, frontier: Frontier | None = None, **config: Any):
    settings = {**checked("files", {"path": str(path), **config}), "folder": ""}
    reader = FilesReader(max_bytes=1_000)
    async with asyncio.timeout(5):
        return [item async for item in reader.read(settings, {} if frontier is None else frontier, known or {})]


async def test_files_come_in_order_with_their_public_address(tmp_path: Path):
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "ä b.md").write_text("b")
    (tmp_path / "a.txt").write_text("a")
    (tmp_path / ".secret.md").write_text("hidden")
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "x.md").write_text("hidden")
    (tmp_path / "photo.jpg").write_bytes(b"no document")
    items = await read(tmp_path, url="https://shop.example/help/")
    assert [(item.uri, item.url, item.body) for item in items if isinstance(item, Fetched)] == [
        ("a.txt", "https://shop.example/help/a.txt", b"a"),
        ("b/ä b.md", "https://shop.example/help/b/%C3%A4%20b.md", b"b"),
    ]
    assert len(items) == 2


async def test_patterns_choose(tmp_path: Path):
    for name in ("a.md", "draft-b.md", "c.TXT", "d.rst"):
        (tmp_path / name).write_text(name)
    items = await read(tmp_path, include=["*.md", "*.txt"], exclude=["draft-*"])
    assert [item.uri for item in items] == ["a.md", "c.TXT"]


async def test_known_bytes_are_unchanged_and_missing_ones_gone(tmp_path: Path):
    (tmp_path / "a.md").write_text("a")
    known = {"a.md": Known("", "", raw_digest(b"a")), "b.md": Known("", "", "x")}
    assert await read(tmp_path, known) == [Unchanged("a.md"), Gone("b.md", "the file is gone")]


async def test_a_run_goes_on_behind_its_place(tmp_path: Path):
    for name in "abc":
        (tmp_path / f"{name}.md").write_text(name)
    frontier: Frontier = {"after": "a.md"}
    items = await read(tmp_path, {"a.md": Known()}, frontier)
    assert [item.uri for item in items] == ["b.md", "c.md"]
    assert frontier == {}


async def test_links_pipes_sockets_and_devices_are_refused_and_not_waited_for(tmp_path: Path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "passwd.md").write_text("secret")
    root = tmp_path / "root"
    root.mkdir()
    (root / "file.md").symlink_to(outside / "passwd.md")
    (root / "device.md").symlink_to("/dev/zero")
    (root / "folder").symlink_to(outside)
    os.mkfifo(root / "pipe.md")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(root / "socket.md"))
        items = await read(root)
    assert {item.uri for item in items} == {"file.md", "device.md", "pipe.md", "socket.md"}
    reasons = {item.uri: item.reason for item in items if isinstance(item, Failed)}
    assert "symbolic link" in reasons["file.md"]
    assert "symbolic link" in reasons["device.md"]
    assert "not a file" in reasons["pipe.md"]
    assert "not a file" in reasons["socket.md"]


async def test_a_folder_swapped_for_a_link_after_the_walk_is_not_followed(tmp_path: Path):
    outside, root = tmp_path / "outside", tmp_path / "root"
    for folder in (outside, root, root / "sub"):
        folder.mkdir()
    (outside / "a.md").write_text("secret")
    (root / "0.md").write_text("first")
    (root / "sub" / "a.md").write_text("fine")
    settings = {**checked("files", {"path": str(root)}), "folder": ""}
    items = FilesReader(1_000).read(settings, {}, {})
    assert isinstance(await anext(items), Fetched)
    (root / "sub" / "a.md").unlink()
    (root / "sub").rmdir()
    (root / "sub").symlink_to(outside)
    second = await anext(items)
    assert isinstance(second, Failed)
    assert "sub" in second.uri
    assert "not readable" in second.reason or "symbolic" in second.reason
    await items.aclose()  # type: ignore[attr-defined]


async def test_large_and_unreadable_files_say_so(tmp_path: Path):
    (tmp_path / "big.md").write_text("x" * 1_001)
    (item,) = await read(tmp_path)
    assert isinstance(item, Failed)
    assert "1,000 bytes" in item.reason


async def test_a_single_file_is_a_source_too(tmp_path: Path):
    (tmp_path / "a.md").write_text("a")
    (item,) = await read(tmp_path / "a.md", url="https://shop.example/a")
    assert isinstance(item, Fetched)
    assert (item.uri, item.url) == ("a.md", "https://shop.example/a")


async def test_a_missing_folder_and_one_that_lost_everything_are_refused(tmp_path: Path):
    with pytest.raises(SourceRefused, match="no folder"):
        await read(tmp_path / "none")
    with pytest.raises(SourceRefused, match="any more"):
        await read(tmp_path, {"a.md": Known()})


async def test_contents_are_all_or_nothing(tmp_path: Path):
    (tmp_path / "a.csv").write_text("a")
    (tmp_path / "b.csv").write_text("b")
    assert await contents(tmp_path, 10) == [("a.csv", b"a"), ("b.csv", b"b")]
    (tmp_path / "c.csv").symlink_to(tmp_path / "a.csv")
    with pytest.raises(SourceRefused, match="symbolic link"):
        await contents(tmp_path, 10)
    assert await contents(tmp_path / "files" / "none-uploaded-yet", 10) == []
