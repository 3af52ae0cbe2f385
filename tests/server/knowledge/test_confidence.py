from __future__ import annotations

import pytest

from server.knowledge.confidence import estimate, features, needs_knowledge
from server.knowledge.contract import Chunk, Passage


def passage(text: str, near: float | None, similarity: float | None = None) -> Passage:
    chunk = Chunk(text, "d", "Heron lamp", "", text, "", "customer")
    return Passage(chunk, 1.0, similarity=near if similarity is None else similarity, nearness=near)


def test_nearer_passages_are_more_confident():
    far, close = [passage("Oil it.", 0.1), passage("x", 0.05)], [passage("Oil it.", 0.7), passage("x", 0.5)]
    assert 0 < estimate("how do I oil it", far) < 0.2
    assert 0.9 < estimate("how do I oil it", close) < 1


def test_without_passages_there_is_no_confidence():
    assert estimate("anything", ()) == 0


def test_without_vectors_the_words_in_common_decide():
    found = [Passage(passage("Oil the oak twice a year.", None).chunk, 1.0, lexical_rank=1)]
    assert estimate("how do I oil my oak lamp", found) >= 0.5
    assert estimate("is the wifi password for guests free", found) < 0.2


def test_a_name_that_no_passage_holds_is_noticed():
    held = [passage("Oil the wood.", 0.5)]
    assert features("How do I oil my Heron?", held)["named"] == 1
    assert features("How do I oil my Alexa?", held)["named"] == 0
    assert features("Wie öle ich meine Lampe?", held)["named"] == 1  # every noun has a capital


@pytest.mark.parametrize(
    "message",
    ["Hi", "hello there!", "Good morning 😀", "thanks a lot", "Thank you very much for your help!", "ok", "Yes please.",
     "bye", "great, thanks", "👍", "Are you a bot?", "who are you", "Can you help me?", "I have a question",
     "Hallo", "Vielen Dank!", "Guten Tag", "ja", "alles klar, danke", "Bist du ein Mensch?", "Hola, buenos días",
     "muchas gracias", "¿Eres un robot?", "مرحبا", "شكرا جزيلا", "", "...", "how are you", "Hi, how are you?"],
)  # fmt: skip
def test_small_talk_needs_no_knowledge(message: str):
    assert not needs_knowledge(message)


@pytest.mark.parametrize(
    "message",
    ["returns?", "opening hours", "Hi, do you ship to Spain?", "Thanks. And what does it cost?", "is the lamp great",
     "Hallo, wann habt ihr offen?", "Danke, und der Versand?", "¿Cuánto cuesta?", "ما هي مدة الإرجاع", "MP-L01", "4711",
     "can you help me return a lamp", "who are your suppliers?", "please cancel", "no refund yet",
     "are you open today"],
)  # fmt: skip
def test_questions_need_it(message: str):
    assert needs_knowledge(message)
