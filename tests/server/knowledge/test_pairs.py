"""Questions with answers as documents."""

from __future__ import annotations

from pathlib import Path

import pytest

from config.knowledge import Parse
from server.install import ROOT
from server.knowledge.contract import SourceRefused
from server.knowledge.fetched import Failed
from server.knowledge.kinds import Text, checked
from server.knowledge.pairs import pair, pairs
from server.knowledge.parsing import Reader
from server.knowledge.records import TableReader


async def read(path: Path, **config: str) -> list[object]:
    reader = Reader(Parse())
    async with reader.running():
        rows = TableReader(reader, 1_000_000, pairs)
        return [item async for item in rows.read(checked("qa", {"path": str(path), **config}), {}, {})]


async def test_the_demo_shops_pairs():
    items = await read(ROOT / "config/demo/questions_and_answers.csv")
    assert len(items) > 20
    assert all(isinstance(item, Text) and item.text.startswith(f"# {item.title}\n\n") for item in items)


async def test_other_columns_and_rows_without_an_answer(tmp_path: Path):
    (tmp_path / "a.csv").write_text("Frage;Antwort\nOffen?;Ja.\nZu?;\n")
    items = await read(tmp_path / "a.csv", question="frage", answer="antwort")
    assert items == [pair("Offen?", "Ja."), Failed("row 2", "row 2 has no answer")]
    with pytest.raises(SourceRefused, match="no column 'question'; its columns are Frage, Antwort"):
        await read(tmp_path / "a.csv")


def test_the_same_question_is_the_same_document():
    assert pair("Open  on sunday?", "a").uri == pair("open on Sunday?", "b").uri
