"""Documents come in from the command line, read here or left to a worker; what is wrong is said before anything is."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import Result

from server.commands import ingest
from server.commands.failure import Failure
from server.commands.ingest import Wanted, described

Command = Callable[..., Result]
NOTHING = {"query": "", "key": "", "title": "", "text": [], "password_env": ""}


def stored(tmp_path: Path, sql: str) -> list[tuple[object, ...]]:
    """What the command left in its database."""
    (path,) = (tmp_path / "data").glob("*.db")
    with sqlite3.connect(path) as connection:
        return connection.execute(sql).fetchall()


@pytest.fixture(autouse=True)
def _no_model(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FRONTDESK_KNOWLEDGE__EMBEDDING_URL", "http://127.0.0.1:9/v1")  # found by words only


@pytest.fixture
def papers(tmp_path: Path) -> Path:
    folder = tmp_path / "papers"
    folder.mkdir()
    (folder / "returns.md").write_text("# Returns\n\nThirty days.", encoding="utf-8")
    (folder / "wool.md").write_text("# Wool\n\nWash it cold.", encoding="utf-8")
    return folder


def test_a_folder_is_read_and_read_again(command: Command, papers: Path, tmp_path: Path) -> None:
    first = command(ingest.app, str(papers), "--name", "Papers")
    assert first.exit_code == 0, first.output
    assert "indexed  2 documents" in first.output
    (papers / "wool.md").write_text("# Wool\n\nWash it warm.", encoding="utf-8")
    second = command(ingest.app, str(papers), "--name", "Papers", "--audience", "staff")
    assert second.exit_code == 0, second.output
    assert "1 changed" in second.output
    documents = "select title, audience, version from document where deleted_at is null order by title"
    assert [row[:2] for row in stored(tmp_path, documents)] == [("Returns", "staff"), ("Wool", "staff")]
    assert stored(tmp_path, "select count(*) from source") == [(1,)]
    assert any("warm" in str(row[0]) for row in stored(tmp_path, "select text from chunk"))


def test_a_worker_may_read_it_later(command: Command, papers: Path, tmp_path: Path) -> None:
    result = command(ingest.app, str(papers), "--no-wait", "--cron", "0 3 * * *")
    assert result.exit_code == 0, result.output
    assert "queued" in result.output
    assert stored(tmp_path, "select name, state, cron from source") == [("papers", "queued", "0 3 * * *")]
    assert stored(tmp_path, "select count(*) from document") == [(0,)]


def test_a_source_that_cannot_be_read_fails_with_its_reason(command: Command, tmp_path: Path) -> None:
    empty = tmp_path / "shop.db"
    sqlite3.connect(empty).close()
    result = command(
        ingest.app, f"sqlite:///{empty}", "--query", "select * from faq", "--key", "id", "--title", "q", "--text", "a"
    )
    assert isinstance(result.exception, Failure)
    assert "shop query" in str(result.exception)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("nowhere",), "no file or folder"),
        (("--kind", "pictures", "papers"), "no kind of source"),
        (("--cron", "daily", "papers"), "schedule"),
        (("--audience", "everybody", "papers"), "audience"),
        (("data",), "own data"),
        (("ftp://shop.example",), "no file or folder"),
        (("postgresql://u@db/x",), "query"),
    ],
)
def test_mistakes_are_told_before_anything_is_stored(
    command: Command, tmp_path: Path, arguments: tuple[str, ...], words: str
) -> None:
    for name in ("papers", "data"):
        (tmp_path / name).mkdir()
    result = command(ingest.app, *arguments)
    assert isinstance(result.exception, Failure)
    assert words in str(result.exception)
    if list((tmp_path / "data").glob("*.db")):
        assert stored(tmp_path, "select count(*) from source") == [(0,)]


def test_another_kind_under_the_same_name_is_refused(command: Command, papers: Path) -> None:
    assert command(ingest.app, str(papers), "--no-wait", "--name", "Shop").exit_code == 0
    result = command(ingest.app, "https://shop.example/", "--no-wait", "--name", "Shop")
    assert "choose another --name" in str(result.exception)


def test_knowledge_that_is_off_takes_nothing(command: Command, papers: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FRONTDESK_KNOWLEDGE__EMBEDDING_URL", "")
    monkeypatch.setenv("FRONTDESK_KNOWLEDGE__ENABLED", "false")
    assert "knowledge is off" in str(command(ingest.app, str(papers)).exception)


@pytest.mark.parametrize(
    ("name", "text", "kind"),
    [
        ("faq.csv", "Question,Answer\nWhen?,Now\n", "qa"),
        ("faq.json", '[{"question": "When?", "answer": "Now"}]', "qa"),
        ("products.csv", "sku,name\n1,Mug\n", "catalogue"),
        ("products.json", "not json", "catalogue"),
        ("empty.json", "[]", "catalogue"),
        ("returns.md", "# Returns", "files"),
    ],
)
def test_a_file_says_what_it_is(tmp_path: Path, name: str, text: str, kind: str) -> None:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    assert described(str(path), "", "", NOTHING) == Wanted(kind, path.stem, {"path": str(path)})
    assert described(str(path), "files", "", NOTHING).kind == "files"


def test_addresses_are_sites_and_databases_are_queries() -> None:
    assert described("https://shop.example/help/", "", "", NOTHING) == Wanted(
        "site", "shop.example", {"url": "https://shop.example/help/"}
    )
    columns = {**NOTHING, "query": "select 1", "key": "id", "title": "t", "text": ["a", "b"]}
    assert described("postgresql://u@db/shop", "", "FAQ", columns) == Wanted(
        "sql", "FAQ",
        {"url": "postgresql://u@db/shop", "query": "select 1", "key": "id", "title": "t", "text": ["a", "b"]},
    )  # fmt: skip
