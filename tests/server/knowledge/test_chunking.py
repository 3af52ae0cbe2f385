from __future__ import annotations

import pytest
from tokenizers import Tokenizer, models, pre_tokenizers

from server.knowledge.chunking import Chunker, embedded_text, merge_small, plain, read_sections

PAGE = """# Shipping

Orders leave us within two days.

## Abroad

### Rates

| Country | Price |
|---|---|
| France | 9 |
| Spain | 13 |
| Norway | 19 |

### Times

Abroad takes a week, sometimes two when the customs office looks into a parcel and asks for papers.
"""


def words() -> Tokenizer:
    """Counts words."""
    tokenizer = Tokenizer(models.WordLevel({"x": 0}, unk_token="x"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    return tokenizer


def cut(text: str, tokens: int = 40, title: str = "Shipping"):
    return Chunker(tokens, words()).cut("d", title, "https://shop.example/s", "customer", text)


def test_equal_documents_give_equal_chunks_with_their_places():
    first, second = cut(PAGE), cut(PAGE)
    assert first == second
    assert [chunk.heading for chunk in first] == ["", "Abroad > Rates", "Abroad > Times"]
    assert len({chunk.id for chunk in first}) == len({chunk.digest for chunk in first}) == 3
    assert all(chunk.id.startswith(f"d:{at}:") for at, chunk in enumerate(first))
    assert embedded_text(first[1]).startswith("Shipping > Abroad > Rates\n| Country")


def test_a_changed_section_leaves_the_others_digests_alone():
    before = {chunk.heading: chunk.digest for chunk in cut(PAGE)}
    after = {chunk.heading: chunk.digest for chunk in cut(PAGE.replace("a week", "a month"))}
    assert [heading for heading in before if before[heading] != after[heading]] == ["Abroad > Times"]


def test_a_long_table_keeps_its_header_with_every_piece():
    rows = "\n".join(f"| Country {number} | {number} euro a parcel |" for number in range(30))
    pieces = cut(f"| Country | Price |\n|---|---|\n{rows}\n", tokens=60)
    assert len(pieces) > 3
    assert all(piece.text.startswith("| Country | Price |\n|---|---|\n") for piece in pieces)
    assert sum(piece.text.count("a parcel") for piece in pieces) == 30
    sizes = [Chunker(60, words()).count(piece.text) for piece in pieces]
    assert max(sizes) <= 60
    assert min(sizes) > 30  # rows are spread evenly, no single one is left over


def test_long_paragraphs_are_cut_and_nothing_is_lost():
    text = " ".join(f"Sentence number {number} says something." for number in range(80))
    pieces = cut(text, tokens=40)
    assert " ".join(" ".join(piece.text for piece in pieces).split()) == text
    assert max(Chunker(40, words()).count(piece.text) for piece in pieces) <= 40


def test_a_text_without_any_space_is_cut_too():
    pieces = Chunker(40).cut("d", "t", "", "customer", "x" * 30_000)
    assert "".join(piece.text for piece in pieces) == "x" * 30_000


def test_code_is_not_taken_for_headings():
    [chunk] = cut("```\n# not a heading\n```\n\ntext\n")
    assert chunk.heading == ""
    assert "# not a heading" in chunk.text


def test_small_neighbours_are_put_together_with_their_headings_as_text():
    text = "# Shop\n\n## Monday\n\nNine to five.\n\n## Tuesday\n\nTen to six.\n"
    [chunk] = cut(text, title="Shop")
    assert chunk.heading == ""
    assert "**Monday**\n\nNine to five.\n\n**Tuesday**\n\nTen to six." in chunk.text


def test_sections_of_other_chapters_stay_apart():
    chunker = Chunker(40, words())
    sections = [chunker._section(("A", "x"), ["one"]), chunker._section(("B", "y"), ["two"])]
    assert merge_small(sections, 40) == sections


def test_the_first_heading_is_dropped_where_it_is_the_title():
    assert [path for path, _ in read_sections("# Title\n\ntext\n", "Title")] == [()]
    assert [path for path, _ in read_sections("# Other\n\ntext\n", "Title")] == [("Other",)]


@pytest.mark.parametrize(
    ("heading", "expected"),
    [("**Bold** _and_ `code`", "Bold and code"), ("[Link](https://x.example) here", "Link here")],
)
def test_headings_lose_their_marks(heading: str, expected: str):
    assert plain(heading) == expected


def test_the_limit_is_capped_for_the_packaged_model_only():
    assert Chunker(2_000, words()).tokens == 220
    assert Chunker(2_000).tokens == 2_000


def test_an_empty_document_has_no_chunks():
    assert cut("") == cut("\n\n---\n\n") == []
