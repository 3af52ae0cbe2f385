from __future__ import annotations

from pathlib import Path

from config.knowledge import Knowledge
from server.knowledge.offline import Offline, Text, read_folder
from tests.server.knowledge.words_embedder import WordsEmbedder


async def test_a_folder_with_tables_is_read_row_by_row(tmp_path: Path):
    (tmp_path / "a.md").write_text("# Returns\n\nThirty days.")
    (tmp_path / "faq.csv").write_text("question,answer\nDo you ship?,Yes.\n")
    (tmp_path / "products.csv").write_text("sku,name,price_eur\nL1,Heron lamp,289.00\n")
    (tmp_path / "notes.txt").write_text("not wanted")
    texts = await read_folder(tmp_path, Knowledge(), lambda name: name != "notes.txt")
    assert [(text.name, text.title, bool(text.key)) for text in texts] == [
        ("a.md", "Returns", False),
        ("faq.csv", "Do you ship?", True),
        ("products.csv", "Heron lamp", True),
    ]


async def test_both_halves_find_and_are_fused():
    index = Offline(WordsEmbedder(), Knowledge())
    await index.add(
        [Text("a.md", "Returns", "You have thirty days to send it back."), Text("b.md", "Lamps", "Ash and linen.")]
    )
    found = await index.find("how many days to send it back")
    best = found.passages[0]
    assert index.documents[best.chunk.document_id] == "a.md"
    assert found.lexical[0] == found.vector[0] == found.fused[0] == best.chunk.id
    assert best.nearest == "You have thirty days to send it back."
