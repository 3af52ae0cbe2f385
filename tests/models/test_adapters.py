import json
import os
import threading
import time
from pathlib import Path

import pytest

from models.adapter_check import CONFIG, MANIFEST, WEIGHTS
from models.adapters import Adapter, Adapters, BadAdapter, content_digest, write_manifest
from models.base_identity import BaseIdentity
from models.cache import sha256_of
from tests.adapter_files import SMALL, write_adapter

BASE = BaseIdentity(
    "org/small",
    {name: (outputs, inputs) for name, outputs, inputs in SMALL.linears()},
    {"weights_sha256": "a" * 64, "tokenizer_sha256": "b" * 64, "template_sha256": "c" * 64},
)


@pytest.fixture
def adapters(tmp_path: Path) -> Adapters:
    return Adapters(tmp_path / "adapters", BASE, max_rank=8)


def source(tmp_path: Path, seed: int = 0) -> Path:
    folder = write_adapter(tmp_path / f"source-{seed}", BASE.name, seed=seed)
    write_manifest(folder, BASE, dataset_sha256="d" * 64, metrics={"loss": 1.5})
    return folder


def hidden(adapters: Adapters) -> list[str]:
    return [path.name for path in adapters._folder.iterdir() if path.name.startswith(".")]


def test_put_names_it_by_its_content_and_get_finds_it(adapters: Adapters, tmp_path: Path):
    folder = source(tmp_path)
    (folder / "README.md").write_text("a card")
    (folder / "optimizer.json").write_text("not ours")
    stored = adapters.put(folder, "default")
    digest = content_digest({name: sha256_of(folder / name) for name in (CONFIG, WEIGHTS)})
    assert stored.name == f"default-{digest[:12]}"
    assert (stored.tenant, stored.digest, stored.path.name) == ("default", digest, stored.name)
    assert stored.manifest["dataset_sha256"] == "d" * 64
    assert stored.manifest["rank"] == 4
    assert sorted(path.name for path in stored.path.iterdir()) == sorted([CONFIG, WEIGHTS, MANIFEST, "README.md"])
    assert adapters.get(stored.name) == stored
    assert adapters.names() == [stored.name]
    assert hidden(adapters) == []


def test_the_same_again_is_the_same_and_another_is_another(adapters: Adapters, tmp_path: Path):
    first = adapters.put(source(tmp_path), "default")
    inode = first.path.stat().st_ino
    assert adapters.put(source(tmp_path / "again"), "default").name == first.name
    assert first.path.stat().st_ino == inode
    other = adapters.put(source(tmp_path, seed=1), "default")
    assert adapters.names() == sorted([first.name, other.name])
    assert adapters.put(tmp_path / "source-0", "another-shop").name.startswith("another-shop-")


def test_many_at_once_put_one(adapters: Adapters, tmp_path: Path):
    folder, stored = source(tmp_path), list[Adapter]()
    threads = [threading.Thread(target=lambda: stored.append(adapters.put(folder, "default"))) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({adapter.path for adapter in stored}) == 1
    assert len(stored) == 6
    assert hidden(adapters) == []


def test_a_broken_one_is_refused_with_every_reason_and_leaves_nothing(adapters: Adapters, tmp_path: Path):
    folder = source(tmp_path)
    config = json.loads((folder / CONFIG).read_text())
    (folder / CONFIG).write_text(json.dumps({**config, "r": 2, "use_dora": True}))
    with pytest.raises(BadAdapter, match="use_dora is set") as caught:
        adapters.put(folder, "default")
    assert {fault.kind for fault in caught.value.faults} >= {"variant", "rank", "manifest"}
    assert adapters.names() == hidden(adapters) == []
    with pytest.raises(BadAdapter, match="missing"):
        adapters.put(tmp_path / "nothing", "default")


def test_nothing_is_copied_through_a_link(adapters: Adapters, tmp_path: Path):
    folder = source(tmp_path)
    (folder / "README.md").symlink_to("/etc/hostname")
    with pytest.raises(BadAdapter, match="symbolic link"):
        adapters.put(folder, "default")
    (tmp_path / "link").symlink_to(source(tmp_path, seed=2))
    with pytest.raises(BadAdapter, match="cannot be read"):
        adapters.put(tmp_path / "link", "default")


@pytest.mark.parametrize(
    "name", ["", "..", "a/b", "../default-0123456789ab", "default-0123456789AB", "/etc", "x\n", "é"]
)
def test_names_are_never_paths(adapters: Adapters, tmp_path: Path, name: str):
    for call in (adapters.get, adapters.remove):
        with pytest.raises(LookupError):
            call(name)
    with pytest.raises(BadAdapter, match="short name"):
        adapters.put(source(tmp_path), name or "-")


def test_unknown_names_are_looked_up_in_vain(adapters: Adapters):
    assert adapters.names() == []
    for call in (adapters.get, adapters.remove):
        with pytest.raises(LookupError, match="no adapter"):
            call("default-0123456789ab")


def test_a_changed_one_is_noticed_and_repaired_by_the_same_put(adapters: Adapters, tmp_path: Path):
    folder = source(tmp_path)
    stored = adapters.put(folder, "default")
    path = stored.path / WEIGHTS
    content = path.read_bytes()
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(BadAdapter, match="named by"):
        adapters.get(stored.name)
    path.unlink()
    with pytest.raises(BadAdapter, match="is not there"):
        adapters.get(stored.name)
    path.symlink_to(folder / WEIGHTS)
    with pytest.raises(BadAdapter, match="symbolic link"):
        adapters.get(stored.name)
    assert adapters.put(folder, "default") == stored
    assert hidden(adapters) == []


def test_remove_deletes_and_old_leftovers_go_at_the_next_put(adapters: Adapters, tmp_path: Path):
    stored = adapters.put(source(tmp_path), "default")
    adapters.remove(stored.name)
    assert adapters.names() == []
    old, fresh = adapters._folder / ".put-old", adapters._folder / ".removed-fresh"
    old.mkdir()
    fresh.mkdir()
    os.utime(old, (time.time() - 200_000,) * 2)
    adapters.put(source(tmp_path, seed=1), "default")
    assert hidden(adapters) == [fresh.name]
