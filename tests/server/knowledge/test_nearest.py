from __future__ import annotations

from dataclasses import replace

import pytest

from server.knowledge import nearest as module
from server.knowledge.contract import Chunk, Passage
from server.knowledge.nearest import Nearest, combined
from tests.server.knowledge.words_embedder import WordsEmbedder

LONG = "Lamps are made of ash. Shades are made of linen. Batteries last eighteen months. Cables are black."
SHORT = "Months pass."


def passage(name: str, text: str, rank: int, similarity: float) -> Passage:
    chunk = Chunk(name, name, "Warranty", "", text, "", "customer")
    return Passage(chunk, 1.0 / rank, lexical_rank=rank, vector_rank=rank, similarity=similarity)


async def test_a_fact_among_others_moves_up_and_is_named():
    embedder = WordsEmbedder()
    question = (await embedder.embed(["how many months do batteries last"]))[0]
    found = await Nearest(embedder).order(question, [passage("b", SHORT, 1, 0.45), passage("a", LONG, 2, 0.44)])
    best = next(each for each in found if each.chunk.id == "a")
    assert best.nearest == "Batteries last eighteen months."
    assert combined(best) > 0.44
    assert found[0].vector_rank == found[0].lexical_rank  # what was found stays as it was found


async def test_sentences_are_embedded_once():
    embedder = WordsEmbedder()
    question = (await embedder.embed(["batteries"]))[0]
    nearest = Nearest(embedder)
    await nearest.order(question, [passage("a", LONG, 1, 0.4)])
    before = embedder.embedded
    await nearest.order(question, [passage("a", LONG, 1, 0.4)])
    assert embedder.embedded == before


async def test_passages_wait_for_another_question_when_there_is_too_much_new():
    embedder = WordsEmbedder()
    question = (await embedder.embed(["batteries"]))[0]
    passages = [passage("a", LONG, 1, 0.4), passage("b", "One thing. Two things.", 2, 0.3)]
    nearest = Nearest(embedder, most_new=4)
    first = {each.chunk.id: each.nearest for each in await nearest.order(question, passages)}
    assert (bool(first["a"]), bool(first["b"])) == (True, False)  # whole passages only
    second = {each.chunk.id: each.nearest for each in await nearest.order(question, passages)}
    assert (bool(second["a"]), bool(second["b"])) == (True, True)


async def test_passages_without_any_rank_or_words_stay():
    embedder = WordsEmbedder()
    question = (await embedder.embed(["batteries"]))[0]
    bare = replace(passage("a", "", 1, 0.0), lexical_rank=None, similarity=None)
    assert await Nearest(embedder).order(question, [bare]) == [bare]


async def test_what_was_learned_before_is_not_embedded_for_a_question():
    embedder = WordsEmbedder()
    question = (await embedder.embed(["batteries"]))[0]
    nearest, wanted = Nearest(embedder), passage("a", LONG, 1, 0.4)
    assert await nearest.learn(wanted.chunk, 3) == 0  # four sentences do not fit
    assert (await nearest.learn(wanted.chunk, 10), await nearest.learn(wanted.chunk, 10)) == (4, 0)
    before = embedder.embedded
    [best] = await nearest.order(question, [wanted])
    assert (best.nearest, embedder.embedded) == ("Batteries last eighteen months.", before)
    assert best.nearness == pytest.approx(5**-0.5, abs=0.001)  # half precision is enough


async def test_the_oldest_are_forgotten(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "MOST_KEPT", 5)
    nearest = Nearest(WordsEmbedder())
    first, second = passage("a", LONG, 1, 0.4), passage("b", f"{SHORT} {SHORT}", 2, 0.3)
    await nearest.learn(first.chunk, 10)
    await nearest.learn(second.chunk, 10)
    assert nearest.held == 2
    assert await nearest.learn(first.chunk, 10) == 4
