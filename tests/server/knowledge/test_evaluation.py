from __future__ import annotations

import json

import pytest

from config.knowledge import Knowledge
from server.knowledge.contract import KnowledgeError
from server.knowledge.evaluation import demo_documents, evaluate, score
from server.knowledge.offline import Offline, Text
from server.knowledge.questions import Question, Quote
from tests.server.knowledge.words_embedder import WordsEmbedder


async def index() -> Offline:
    made = Offline(WordsEmbedder(), Knowledge())
    await made.add(
        [Text("a.md", "Returns", "You have thirty days to send it back."), Text("b.md", "Lamps", "Ash and linen.")]
    )
    return made


def question(text: str, document: str = "", quote: str = "", language: str = "en") -> Question:
    return Question(text, text, language, (Quote(document, quote),) if document else (), every=True)


async def test_figures_and_misses():
    asked = [
        question("how many days to send it back", "a.md", "thirty days"),
        question("was ist das", "b.md", "nowhere in the document", "de"),
        question("quantum chromodynamics"),
    ]
    report = await evaluate(await index(), asked, Knowledge())
    assert report.scores["fused"].questions == 2
    assert report.scores["fused"].recall_1 == 0.5
    assert report.languages["de"].recall_5 == 0
    assert report.abstention == 1
    assert report.unknown == ("b.md: nowhere in the document",)
    assert {miss.id: miss.why for miss in report.misses}["was ist das"] == "not found"
    json.dumps(report.as_json())


async def test_questions_about_other_documents_are_refused():
    with pytest.raises(KnowledgeError):
        await evaluate(await index(), [question("x", "z.md", "y")], Knowledge())


def test_scores():
    figures = score([1, 2, None, 10])
    assert (figures.recall_1, figures.recall_5, figures.recall_10) == (0.25, 0.5, 0.75)
    assert figures.mrr == pytest.approx(0.4)
    assert score([]).questions == 0


@pytest.mark.parametrize(
    ("name", "wanted"), [("documents/a.md", True), ("site/index.html", True), ("site/staff/rota.html", False),
                         ("products.csv", True), ("evaluation/answerable.jsonl", False), ("README.md", False)],
)  # fmt: skip
def test_the_demos_documents(name: str, wanted: bool):
    assert demo_documents(name) is wanted
