"""The files of a run, and what an erasure leaves of them."""

from __future__ import annotations

import json
from pathlib import Path

from server.retrain.folder import Folder, forget, last_object, read_json, read_rows, write_rows


def test_an_erased_customer_is_in_no_file_of_a_run(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    folder.make()
    rows = [{"id": "e1", "customer": "ana", "target": "ANA'S WORDS"}, {"id": "e2", "customer": "bob", "target": "x"}]
    folder.dataset.mkdir()
    write_rows(folder.examples, rows)
    write_rows(folder.dataset / "train.jsonl", [{"id": "e1", "target": "ANA'S WORDS"}, {"id": "e2"}])
    write_rows(folder.answers("base"), [{"id": "e1", "row": rows[0]}, {"id": "e2", "row": rows[1]}])
    (folder.dataset / "train.parquet").write_text("ANA'S WORDS")
    (folder.dataset / "manifest.json").write_text("{}")
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / "batch").write_text("ANA'S WORDS")
    assert forget(tmp_path, "ana", {"e1"}) == 3
    kept = [path.read_text() for path in tmp_path.rglob("*") if path.is_file()]
    assert not any("ANA'S WORDS" in text for text in kept)
    assert [row["id"] for row in read_rows(folder.examples)] == ["e2"]
    assert (folder.dataset / "manifest.json").exists()
    assert forget(tmp_path, "ana", {"e1"}) == 0


def test_what_is_no_json_reads_as_nothing(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    assert read_json(path) == {}
    assert list(read_rows(path)) == []
    path.write_text('warming up\n{"tune": true}\n{"tune": false}\ndone\n')
    assert last_object(path) == {"tune": False}
    assert read_json(path) == {}
    path.write_text(json.dumps([1]))
    assert read_json(path) == {}
    assert last_object(path) == {}


def test_the_folder_is_its_owners_alone(tmp_path: Path) -> None:
    folder = Folder(tmp_path / "run")
    folder.make()
    assert folder.path.stat().st_mode & 0o077 == 0
    assert folder.manifest() == {}
    assert list(folder.sides()) == []
    assert folder.curve(10) == []
