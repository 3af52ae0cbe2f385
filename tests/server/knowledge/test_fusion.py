from __future__ import annotations

import pytest

from server.knowledge.contract import Chunk, Hit, Passage
from server.knowledge.fusion import choose, fuse, same, shingles


def hits(*names: str) -> list[Hit]:
    return [Hit(name, 1.0, rank) for rank, name in enumerate(names, 1)]


def passage(name: str, document: str, text: str) -> Passage:
    return Passage(Chunk(name, document, "", "", text, "", "customer"), 1.0)


def test_what_both_found_comes_first_and_ranks_are_kept():
    fused = fuse(hits("a", "b"), hits("c", "b"), constant=60, weights=(1, 1))
    assert [entry.chunk_id for entry in fused] == ["b", "a", "c"]
    assert (fused[0].lexical, fused[0].vector) == (Hit("b", 1.0, 2), Hit("b", 1.0, 2))
    assert fused[1].vector is None


def test_the_first_of_both_scores_one():
    assert fuse(hits("a"), hits("a"))[0].score == pytest.approx(1.0)


def test_one_half_alone_keeps_its_order():
    assert [entry.chunk_id for entry in fuse([], hits("z", "y", "x"))] == ["z", "y", "x"]
    assert [entry.chunk_id for entry in fuse(hits("z", "y", "x"), [])] == ["z", "y", "x"]
    assert fuse([], []) == []


def test_weights_decide_between_two_first_places():
    assert fuse(hits("a"), hits("b"), weights=(2, 1))[0].chunk_id == "a"
    assert fuse(hits("a"), hits("b"), weights=(1, 2))[0].chunk_id == "b"


def test_near_copies_and_crowds_are_left_out():
    text = "Parcels to Norway take six to nine working days and cost nineteen euro ninety."
    found = [
        passage("1", "a", text),
        passage("2", "b", text.upper() + " Really."),
        passage("3", "a", "Something else that is about lamps and wool."),
        passage("4", "a", "A third one that is about stoneware."),
        passage("5", "c", "And another document about gift cards."),
    ]
    assert [entry.chunk.id for entry in choose(found, 5, 2, lambda _: True)] == ["1", "3", "5"]


def test_a_passage_without_room_makes_way_for_the_next():
    found = [passage("1", "a", "x " * 50), passage("2", "b", "short words here")]
    assert [entry.chunk.id for entry in choose(found, 5, 2, lambda entry: len(entry.chunk.text) < 50)] == ["2"]


def test_short_texts_are_compared_as_a_whole():
    assert shingles("Two words") == {"two words"}
    assert not same(shingles("two words"), shingles("other words"))
