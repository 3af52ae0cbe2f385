import asyncio
from pathlib import Path

import pytest

from models import cache


def test_the_cache_root_follows_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("FRONTDESK_CACHE_DIR", str(tmp_path / "own"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache.cache_root() == tmp_path / "own"
    monkeypatch.delenv("FRONTDESK_CACHE_DIR")
    assert cache.cache_root() == tmp_path / "xdg" / "frontdesk"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache.cache_root() == tmp_path / ".cache" / "frontdesk"


def test_a_manifest_tells_whole_from_broken(tmp_path: Path):
    (tmp_path / "a.bin").write_bytes(b"12345")
    assert not cache.check(tmp_path)
    cache.write_manifest(tmp_path, {"source": "test"})
    assert cache.check(tmp_path, hashes=True)
    digest = cache.manifest_digest(tmp_path)
    (tmp_path / "a.bin").write_bytes(b"54321")
    assert cache.check(tmp_path)  # same size: only the thorough check sees it
    assert not cache.check(tmp_path, hashes=True)
    cache.write_manifest(tmp_path, {"source": "test"})
    assert cache.manifest_digest(tmp_path) != digest
    (tmp_path / "a.bin").write_bytes(b"1")
    assert not cache.check(tmp_path)
    (tmp_path / "a.bin").unlink()
    assert not cache.check(tmp_path)
    (tmp_path / cache.MANIFEST).write_text("[]")
    assert not cache.check(tmp_path)


async def test_publishing_is_all_or_nothing(tmp_path: Path):
    target = tmp_path / "model"

    async def fail() -> None:
        async with cache.publishing(target) as scratch:
            (scratch / "half").write_text("x")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await fail()
    assert list(tmp_path.iterdir()) == []
    target.mkdir()
    (target / "old").write_text("incomplete")
    async with cache.publishing(target) as scratch:
        (scratch / "new").write_text("x")
    assert [path.name for path in tmp_path.rglob("*")] == ["model", "new"]
    async with cache.publishing(None, tmp_path) as scratch:
        (scratch / "temporary").write_text("x")
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_leftovers_of_killed_runs_are_removed(tmp_path: Path):
    (tmp_path / ".tmp-1").mkdir()
    (tmp_path / "model").mkdir()
    cache.remove_leftovers(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


async def test_one_holder_at_a_time(tmp_path: Path):
    inside = 0
    most = 0

    async def work() -> None:
        nonlocal inside, most
        async with cache.locked(tmp_path / "lock"):
            inside += 1
            most = max(most, inside)
            await asyncio.sleep(0)
            inside -= 1

    await asyncio.gather(*(work() for _ in range(3)))
    assert most == 1


def test_an_outline_changes_with_configuration_and_weight_sizes(tmp_path: Path):
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "model.safetensors").write_bytes(b"1")
    first = cache.outline(tmp_path)
    (tmp_path / "README.md").write_text("ignored")
    assert cache.outline(tmp_path) == first
    (tmp_path / "model.safetensors").write_bytes(b"12")
    second = cache.outline(tmp_path)
    (tmp_path / "config.json").write_text('{"a": 1}')
    assert len({first, second, cache.outline(tmp_path)}) == 3


def test_folder_bytes_survive_vanishing_files(tmp_path: Path):
    (tmp_path / "a").write_bytes(b"123")
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    assert cache.folder_bytes(tmp_path) == 3
