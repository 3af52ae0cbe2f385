"""The assistant outside a conversation: what goes into its prompt, and who has to wait."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest

from config.settings import Settings
from models.chat import ChatMessage, Decoding, Delta, ModelBusy, QuestionTooLong, Usage
from models.prompt import EstimatedCounter, PromptBudget
from server.assistant import Asked, Assistant, Piece, Reply
from server.knowledge.contract import Retrieved
from server.releases.bundle import Release
from tests.server.wits import ScriptedRetriever, passage

RELEASE = Release("r1", "tiny", None, "You help.", "", Decoding(max_tokens=50), 600)
QUESTION = "How long may I keep a blanket?"


class Parrot:
    """Says what it is told to; remembers the prompts."""

    def __init__(self, *words: str, context_tokens: int = 600) -> None:
        self.words = words
        self.budget = PromptBudget(EstimatedCounter(), context_tokens)
        self.prompts: list[Sequence[ChatMessage]] = []

    async def chat(self, messages: Sequence[ChatMessage], **_: Any) -> AsyncIterator[Delta]:
        self.prompts.append(messages)
        for word in self.words:
            yield Delta(word)
        yield Delta(finish_reason="stop", usage=Usage(10, len(self.words)))


def assistant(parrot: Parrot, found: Retrieved | None = None, **settings: Any) -> Assistant:
    retriever = ScriptedRetriever(found) if found is not None else None
    return Assistant(parrot, retriever, Settings.model_validate(settings))


async def reply(answers: Assistant, question: str = QUESTION, **more: Any) -> Reply:
    whole = Reply()
    async for piece in answers.answer(RELEASE, Asked(question, RELEASE.decoding, **more)):
        whole.add(piece)
    return whole


async def test_without_documents_the_model_answers_alone():
    parrot = Parrot("Hello", " there.")
    whole = await reply(assistant(parrot), instructions="Be brief.")
    assert (whole.text, whole.citations, whole.usage) == ("Hello there.", None, Usage(10, 2))
    assert [message.content for message in parrot.prompts[0]] == ["You help.\n\nBe brief.", QUESTION]


async def test_passages_that_do_not_fit_are_left_out_from_the_end():
    long = [passage(number, f"Blanket rule {number}. " + "More words of no use. " * 20) for number in (1, 2, 3)]
    parrot = Parrot("Blanket rule 1.")
    await reply(assistant(parrot, Retrieved(tuple(long), 0.9), knowledge={"passage_tokens": 400}))
    system = parrot.prompts[0][0].content
    assert "Blanket rule 1." in system
    assert "Blanket rule 3." not in system
    parrot = Parrot("I do not know.", context_tokens=180)
    await reply(assistant(parrot, Retrieved(tuple(long), 0.9)))
    assert parrot.prompts[0][0].content == "You help.", "the question comes first"


async def test_a_question_that_fits_no_prompt_is_refused():
    with pytest.raises(QuestionTooLong):
        await reply(assistant(Parrot("x"), Retrieved((passage(),), 0.9)), "why " * 2_000)


async def test_handing_over_is_said_in_words_because_nobody_can_take_over_here():
    found = Retrieved((passage(),), 0.1)
    whole = await reply(assistant(Parrot(), found, knowledge={"unanswerable": "hand_over"}))
    assert "pass your question on to a person" in whole.text
    assert whole.citations == ()


async def test_whoever_waits_too_long_for_a_place_is_told_to_come_again():
    settings = Settings.model_validate({"model": {"max_sequences": 1}})
    answers = Assistant(Parrot("Hello"), None, settings, queue_s=0.01)
    first = answers.answer(RELEASE, Asked("Hi", RELEASE.decoding))
    assert (await anext(first)).text == "Hello"
    with pytest.raises(ModelBusy):
        await reply(answers, "Hi")
    await first.aclose()  # type: ignore[attr-defined]
    assert (await reply(answers, "Hi")).text == "Hello"


def test_a_piece_may_take_the_place_of_all_before():
    whole = Reply()
    for piece in (Piece("Wrong"), Piece("Right", finish="stop", instead=True)):
        whole.add(piece)
    assert (whole.text, whole.finish) == ("Right", "stop")
