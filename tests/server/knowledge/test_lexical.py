from __future__ import annotations

import pytest

from server.knowledge.contract import Audience, Chunk
from server.knowledge.lexical import TantivyIndex


def chunk(name: str, text: str, audience: Audience = "customer", title: str = "", heading: str = "") -> Chunk:
    return Chunk(name, name.split(":", maxsplit=1)[0], title, heading, text, "", audience)


@pytest.fixture
def index() -> TantivyIndex:
    index = TantivyIndex()
    index.replace("a", [chunk("a:0", "Parcels are delivered by courier"), chunk("a:1", "Lamps with a dimmer")])
    index.replace("b", [chunk("b:0", "The courier's rota", "staff"), chunk("b:1", "Größe der Straße, café")])
    index.commit()
    return index


def found(index: TantivyIndex, text: str, audience: Audience = "customer") -> list[str]:
    return [hit.chunk_id for hit in index.search(text, audience, 10)]


def test_any_word_in_any_form_finds(index: TantivyIndex):
    assert found(index, "when will my parcel be delivering?") == ["a:0"]
    assert found(index, "dimmers or anything else") == ["a:1"]


def test_accents_and_capitals_do_not_matter(index: TantivyIndex):
    assert found(index, "GROSSE") == found(index, "Cafe") == found(index, "strasse") == ["b:1"]


def test_staff_see_everything_customers_what_is_theirs(index: TantivyIndex):
    assert found(index, "courier") == ["a:0"]
    assert sorted(found(index, "courier", "staff")) == ["a:0", "b:0"]


def test_a_replaced_document_loses_its_former_chunks(index: TantivyIndex):
    index.replace("a", [chunk("a:0", "Only blankets now")])
    assert found(index, "dimmer") == ["a:1"]  # not before the commit
    index.commit()
    assert found(index, "dimmer") == []
    assert found(index, "blanket") == ["a:0"]
    index.replace("a", ())
    index.commit()
    assert found(index, "blanket") == []
    assert index.count() == 2


def test_titles_and_headings_count_more_than_text(index: TantivyIndex):
    index.replace("c", [chunk("c:0", "about returns of all kinds in a text", title="Other")])
    index.replace("d", [chunk("d:0", "how this works in the shop and online", title="Help", heading="Returns")])
    index.replace("e", [chunk(f"e:{at}", "lamps and wool", heading=word) for at, word in enumerate("xyz")])
    index.commit()
    assert found(index, "returns")[0] == "d:0"


def test_small_words_are_not_looked_for_unless_there_is_nothing_else(index: TantivyIndex):
    assert found(index, "what is the dimmer of it") == ["a:1"]
    assert found(index, "with a") == ["a:1"]


def test_a_word_in_title_and_text_counts_once(index: TantivyIndex):
    index.replace("g", [chunk("g:0", "Harbour inn has harbour rooms at the harbour", title="Harbour inn")])
    index.replace("h", [chunk("h:0", "The internet is quick", title="Harbour inn")])
    index.commit()
    assert found(index, "harbour inn: internet?")[0] == "h:0"


def test_ranks_count_from_one_with_falling_scores(index: TantivyIndex):
    hits = index.search("courier parcels lamps", "staff", 10)
    assert [hit.rank for hit in hits] == list(range(1, len(hits) + 1))
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)


@pytest.mark.parametrize("text", ["", "  ", "?!", '() AND OR " -zzz *', "\0"])
def test_a_question_is_words_never_a_query_language(index: TantivyIndex, text: str):
    assert found(index, text) == []
