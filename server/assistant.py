"""The assistant outside a conversation: one question with its dialogue, answered from the documents, nothing kept."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import structlog

from config.settings import Settings
from models.chat import (
    ChatMessage,
    Deadlines,
    Decoding,
    Delta,
    ModelBusy,
    QuestionTooLong,
    ToolCall,
    ToolSpec,
    UnknownModel,
    Usage,
)
from models.prompt import Prompt
from server import grounding
from server.engine.rounds import BudgetedLLM
from server.grounding import Filter, Grounded
from server.knowledge.confidence import needs_knowledge
from server.knowledge.contract import NOTHING, Passage, Retrieved, Retriever
from server.releases.bundle import Release

log = structlog.get_logger()

QUOTE_CHARACTERS = 200
QUEUE_S = 10.0  # a caller waits so long for its turn at the model before it is told to come again


@dataclass(frozen=True, slots=True)
class Asked:
    """A question and what goes with it; ``steps`` are tool calls and results after the question.

    ``instructions`` follow the release's own prompt. ``structured``: the answer is JSON, so nothing is put into it.
    ``language`` is of the service's own words; empty = English, and the model keeps to the question's. ``exact``: no
    other model may answer in the place of the release's adapter.
    """

    question: str
    decoding: Decoding
    instructions: str = ""
    history: tuple[ChatMessage, ...] = ()
    steps: tuple[ChatMessage, ...] = ()
    tools: tuple[ToolSpec, ...] = ()
    tool_choice: str | None = None
    structured: bool = False
    language: str = ""
    exact: bool = False


@dataclass(frozen=True, slots=True)
class Piece:
    """The next piece of an answer.

    The last one has ``finish``, ``usage`` and the citations, None where nothing was looked up. ``instead`` True: the
    text takes the place of all that went before, for readers that have not shown it yet.
    """

    text: str = ""
    calls: tuple[ToolCall, ...] = ()
    finish: str = ""
    usage: Usage | None = None
    citations: tuple[Mapping[str, Any], ...] | None = None
    instead: bool = False


@dataclass(slots=True)
class Reply:
    """The pieces of an answer put together."""

    text: str = ""
    calls: list[ToolCall] = field(default_factory=list)
    finish: str = "stop"
    usage: Usage = field(default_factory=lambda: Usage(0, 0))
    citations: Sequence[Mapping[str, Any]] | None = None

    def add(self, piece: Piece) -> None:
        """Take in the next piece."""
        self.text = piece.text if piece.instead else self.text + piece.text
        self.calls += piece.calls
        self.finish = piece.finish or self.finish
        self.usage = piece.usage or self.usage
        self.citations = piece.citations if piece.citations is not None else self.citations


class Assistant:
    """Answers questions; customers of the channels come first, so only half of the model's places are for these."""

    def __init__(
        self, llm: BudgetedLLM, retriever: Retriever | None, settings: Settings, *, queue_s: float = QUEUE_S
    ) -> None:
        self._llm = llm
        self._retriever = retriever
        self._knowledge = settings.knowledge
        model = settings.model
        self._deadlines = Deadlines(model.first_token_timeout_s, model.gap_timeout_s, model.total_timeout_s)
        self._queue_s = queue_s
        self._places = asyncio.Semaphore(max(1, model.max_sequences // 2))

    async def answer(self, release: Release, asked: Asked) -> AsyncIterator[Piece]:
        """The answer, piece by piece; raises the errors of :mod:`models.chat`."""
        found = await self._look_up(asked)
        if found is not None and not asked.tools and not self._answerable(found):
            yield self._by_policy(self._knowledge.unanswerable, found, asked, Usage(0, 0))
            return
        async with self._place():
            prompt, found = await self._llm.budget.aside(partial(self._prompt, release, asked, found))
            stream = self._stream(release, asked, prompt)
            async with aclosing(stream):
                async for piece in self._shown(stream, asked, found, prompt):
                    yield piece

    async def _stream(self, release: Release, asked: Asked, prompt: Prompt) -> AsyncGenerator[Delta, None]:
        """The model's words; the base model's where the adapter is not served, unless this very release is asked."""
        name = release.served_name(asked.language)
        for model in dict.fromkeys((name, release.model)):
            stream = self._llm.chat(
                prompt.messages,
                model=model,
                decoding=asked.decoding,
                deadlines=self._deadlines,
                tools=asked.tools,
                tool_choice=asked.tool_choice,
            )
            try:
                async with aclosing(stream):  # type: ignore[type-var]  # the protocol promises an async generator
                    async for delta in stream:
                        yield delta
            except UnknownModel:  # comes before the first word
                if model == release.model or asked.exact:
                    raise
                log.error("adapter_missing", adapter=name, release=release.id)  # noqa: TRY400 - said whole
            else:
                return

    async def _shown(
        self, stream: AsyncIterator[Any], asked: Asked, found: Retrieved | None, prompt: Prompt
    ) -> AsyncIterator[Piece]:
        """What of the model's words may be shown, then the end."""
        passages = found.passages if found is not None else ()
        gate = Filter(passages, self._knowledge.link_hosts, asked.question) if found is not None else None
        shown, called, finish, usage = "", False, "stop", Usage(prompt.prompt_tokens, 0)
        async for delta in stream:
            text = gate.feed(delta.text) if gate is not None and delta.text else delta.text
            shown, called = shown + text, called or bool(delta.tool_calls)
            finish, usage = delta.finish_reason or finish, delta.usage or usage
            if text or delta.tool_calls:
                yield Piece(text, delta.tool_calls)
        if gate is None or found is None:
            yield Piece(finish=finish, usage=usage)
            return
        grounded = gate.finish()
        if called or (grounded.supported and grounded.text.strip()):
            yield _ended(grounded, shown, finish, usage)
        else:
            yield self._by_policy(self._knowledge.unsupported, found, asked, usage)

    async def _look_up(self, asked: Asked) -> Retrieved | None:
        """What the documents say; None where there are none, or the question or the kind of answer needs none."""
        if self._retriever is None or asked.structured or not needs_knowledge(asked.question, asked.history):
            return None
        found = await self._retriever.retrieve(asked.question, limit=self._knowledge.passages)
        return None if found.empty else found

    def _answerable(self, found: Retrieved) -> bool:
        return bool(found.passages) and found.confidence >= self._knowledge.confidence

    def _prompt(self, release: Release, asked: Asked, found: Retrieved | None) -> tuple[Prompt, Retrieved | None]:
        """The prompt with as many of the best passages as fit; raises QuestionTooLong when even none helps."""
        budget = self._llm.budget
        while True:
            block = grounding.prompt_block(found, asked.language) if found is not None and found.passages else ""
            within = budget.count([ChatMessage("system", block)]) <= self._knowledge.passage_tokens if block else True
            try:
                if within or found is None or len(found.passages) == 1:
                    system = "\n\n".join(part for part in (release.system_prompt, asked.instructions, block) if part)
                    prompt = budget.fit(
                        system,
                        asked.history,
                        asked.question,
                        max_answer_tokens=asked.decoding.max_tokens,
                        tools=asked.tools,
                        steps=asked.steps,
                    )
                    return prompt, found
            except QuestionTooLong:
                if found is None or not found.passages:
                    raise
            found = replace(found, passages=found.passages[:-1]) if found is not None else NOTHING

    def _by_policy(self, policy: Any, found: Retrieved, asked: Asked, usage: Usage) -> Piece:
        """What is said where no passage carries an answer; nobody can take over here, so that is said in words."""
        told = grounding.fallback(policy, found, asked.language, asked.question)
        if not isinstance(told, Grounded):
            told = grounding.fallback("say_so", found, asked.language)
        assert isinstance(told, Grounded)  # only the policy hand_over hands over
        return replace(_ended(told, "", "stop", usage), text=told.text, instead=True)

    @asynccontextmanager
    async def _place(self) -> AsyncIterator[None]:
        """One of the model's places; raises ModelBusy when none gets free in time."""
        try:
            async with asyncio.timeout(self._queue_s):
                await self._places.acquire()
        except TimeoutError:
            raise ModelBusy("all places for programs are taken; try again in a moment") from None
        try:
            yield
        finally:
            self._places.release()


def _ended(grounded: Grounded, shown: str, finish: str, usage: Usage) -> Piece:
    """The end of a grounded answer: what is not shown yet, and its footnotes."""
    rest = grounded.text[len(shown) :] if grounded.text.startswith(shown) else ""
    cited = tuple(citation(each.number, each.passage) for each in grounded.citations)
    return Piece(rest, (), finish, usage, cited)


def citation(number: int, passage: Passage) -> Mapping[str, Any]:
    """A footnote as clients read it."""
    chunk = passage.chunk
    return {
        "number": number,
        "title": chunk.title,
        "heading": chunk.heading,
        "url": chunk.url,
        "passage": chunk.id,
        "quote": chunk.text[:QUOTE_CHARACTERS],
    }
