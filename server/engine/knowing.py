"""What an answer may rest on: passages found in time, as many as the prompt holds, and the check of the answer."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

import structlog

from config.knowledge import Policy
from config.settings import Settings
from models.chat import ChatMessage
from models.prompt import PromptBudget
from server import grounding
from server.conversation import Outcome, Reason
from server.engine.look import Look
from server.engine.record import Also, Ending
from server.engine.words import Notice
from server.grounding import Filter, Grounded
from server.ids import new_id
from server.knowledge.confidence import needs_knowledge
from server.knowledge.contract import KnowledgeError, Passage, Retrieved, Retriever
from server.releases.bundle import Grounding
from server.store.contract import Tx
from server.telemetry import Metrics
from server.timeline import turn_id

log = structlog.get_logger()

BLIND = frozenset({"late", "lexical"})  # in Retrieved.degraded: finding nothing says nothing about the documents
AGAIN_S = 0.05  # between two looks while the index is being read at a process's start
GRACE_S = 0.5  # the search keeps to its time by itself and returns what it has; this is for one that does not
QUOTE_CHARS = 200

NOTHING_WRITTEN = Grounded("")

Needs = Callable[[str, Sequence[ChatMessage]], bool]
Count = Callable[[str], int]


@dataclass(frozen=True, slots=True)
class Ground:
    """What was found for a question, as much of it as the prompt holds; ``block`` is its part of the system message."""

    retrieved: Retrieved
    block: str


class Knowing:
    """Retrieval for turns; ``needs`` tells questions from small talk."""

    def __init__(
        self, retriever: Retriever, settings: Settings, metrics: Metrics, *, needs: Needs = needs_knowledge
    ) -> None:
        self._retriever = retriever
        self._timeout_s = settings.knowledge.timeout_s
        self._rules = Grounding.of(settings.knowledge)
        self._metrics = metrics
        self._needs = needs

    async def ground(self, look: Look, budget: PromptBudget) -> Ground | None:
        """What the question's answer rests on; None where it needs nothing, or there are no documents at all."""
        context = look.context
        if not self._needs(context.question, context.history):
            return None
        rules, started = self._of(look), look.clock()
        try:
            async with asyncio.timeout(self._timeout_s + GRACE_S):
                found = await self._found(context.question, rules.passages)
        except (TimeoutError, KnowledgeError) as error:
            log.warning("retrieval_failed", conversation=context.conversation_id, error=type(error).__name__)
            found = Retrieved(degraded="late")
        look.clocks.stages_ms["retrieval"] = 1000 * (look.clock() - started)
        if found.empty:
            return None
        count = partial(_tokens, budget)
        return await budget.aside(partial(_fitted, found, context.language, rules.passage_tokens, count))

    async def _found(self, question: str, limit: int) -> Retrieved:
        """What there is; an index that is still being read is waited for, as long as the time allows."""
        until = time.monotonic() + self._timeout_s
        while True:
            found = await self._retriever.retrieve(question, limit=limit)
            reading = not found.passages and not found.empty and "lexical" in found.degraded.split()
            if not reading or time.monotonic() + AGAIN_S > until:
                return found
            await asyncio.sleep(AGAIN_S)

    def answerable(self, look: Look, ground: Ground) -> bool:
        """Whether the passages are likely to answer the question."""
        return bool(ground.retrieved.passages) and ground.retrieved.confidence >= self._of(look).confidence

    def fewer(self, ground: Ground, language: str) -> Ground | None:
        """Half of the passages, for a prompt that is too long; None when there was only one."""
        keep = len(ground.retrieved.passages) // 2
        return _ground(ground.retrieved, keep, language) if keep else None

    def filter(self, look: Look, ground: Ground, told: str) -> Filter:
        """What lets an answer's words through as far as the passages, or what was ``told``, carry them."""
        return Filter(ground.retrieved.passages, self._of(look).link_hosts, told)

    def unanswerable(self, look: Look, ground: Ground) -> Ending:
        """The ending of a question that no passage answers."""
        policy = self._of(look).unanswerable
        ending = self._by_policy(look, ground, policy, "unanswerable", NOTHING_WRITTEN)
        return replace(ending, also=self._miss(look, ground))

    def checked(self, look: Look, ground: Ground, grounded: Grounded, *, free: bool) -> Ending:
        """The ending of an answer the model wrote: its words where they are supported, else what the policy says.

        ``free`` says that it need not rest on the passages: a tool was asked, or the customer stopped it.
        """
        if grounded.removed:
            self._metrics.citations_removed.inc(grounded.removed)
        if (grounded.supported or free) and grounded.text.strip():
            return self._ending(look, ground, grounded, "")
        policy = self._of(look).unsupported
        ending = self._by_policy(look, ground, policy, "unsupported", grounded)
        return ending if policy == "quote" else replace(ending, also=self._miss(look, ground))

    def _by_policy(self, look: Look, ground: Ground, policy: Policy, reason: str, written: Grounded) -> Ending:
        told = grounding.fallback(policy, ground.retrieved, look.context.language, look.context.question)
        if isinstance(told, Grounded):
            told = replace(told, removed=written.removed, withheld=written.withheld, support=written.support)
            return self._ending(look, ground, told, policy, reason)
        ending = look.told(Outcome.HANDED_OVER, Reason.LOW_CONFIDENCE.value, Notice.PERSON_LOOKS)
        kept = _kept(ground.retrieved, replace(written, text="", citations=()), policy)
        return replace(ending, ask=Reason.LOW_CONFIDENCE, grounding=kept)

    def _ending(self, look: Look, ground: Ground, grounded: Grounded, policy: str, reason: str | None = None) -> Ending:
        shown = [_citation(cited.number, cited.passage) for cited in grounded.citations]
        return replace(
            look.answered(grounded.text, reason),
            extra={"citations": shown} if shown else {},
            grounding=_kept(ground.retrieved, grounded, policy),
        )

    def _miss(self, look: Look, ground: Ground) -> tuple[Also, ...]:
        """Note the question for staff, unless it was the index that failed."""
        if BLIND & set(ground.retrieved.degraded.split()):
            return ()
        context, lease = look.context, look.lease

        async def unit(tx: Tx) -> None:
            await tx.run(
                "engine.add_miss",
                id=new_id(),
                tenant=lease.tenant,
                conversation_id=lease.key,
                turn_id=turn_id(lease.key, lease.first_seq),
                question=context.question,
                confidence=ground.retrieved.confidence,
                now=tx.now_s,
            )

        return (unit,)

    def _of(self, look: Look) -> Grounding:
        """The rules of the release that the case is pinned to."""
        return look.context.release.grounding or self._rules


def _tokens(budget: PromptBudget, text: str) -> int:
    return budget.count([ChatMessage("system", text)])


def _fitted(found: Retrieved, language: str, limit: int, count: Count) -> Ground:
    """As many of the best passages as fit into ``limit`` tokens, at least one (cut, if need be)."""
    tokens = 1
    for keep in range(len(found.passages), 0, -1):
        ground = _ground(found, keep, language)
        tokens = count(ground.block)
        if tokens <= limit:
            return ground
    if not found.passages:
        return Ground(found, "")
    best = found.passages[0]
    text = best.chunk.text[: max(1, len(best.chunk.text) * limit // tokens)]
    cut = replace(best, chunk=replace(best.chunk, text=text))
    return _ground(replace(found, passages=(cut,)), 1, language)


def _ground(found: Retrieved, keep: int, language: str) -> Ground:
    kept = replace(found, passages=found.passages[:keep])
    return Ground(kept, grounding.prompt_block(kept, language))


def _citation(number: int, passage: Passage) -> dict[str, object]:
    chunk = passage.chunk
    return {
        "number": number,
        "title": chunk.title,
        "heading": chunk.heading,
        "url": chunk.url,
        "passage": chunk.id,
        "quote": chunk.text[:QUOTE_CHARS],
    }


def _kept(found: Retrieved, grounded: Grounded, policy: str) -> Mapping[str, object]:
    """What staff read under "Why?"."""
    return {
        "confidence": found.confidence,
        "degraded": found.degraded,
        "passages": [_passage(passage) for passage in found.passages],
        "citations": [_citation(cited.number, cited.passage) for cited in grounded.citations],
        "removed": grounded.removed,
        "withheld": grounded.withheld,
        "links": grounded.links,
        "support": grounded.support,
        "policy": policy,
    }


def _passage(passage: Passage) -> dict[str, object]:
    chunk = passage.chunk
    return {
        "id": chunk.id,
        "title": chunk.title,
        "heading": chunk.heading,
        "url": chunk.url,
        "score": passage.score,
        "lexical_rank": passage.lexical_rank,
        "vector_rank": passage.vector_rank,
        "similarity": passage.similarity,
        "text": chunk.text,
    }
