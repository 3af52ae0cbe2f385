"""``frontdesk search``: what the knowledge holds for a question, and how each half of the index ranks it."""

from __future__ import annotations

import asyncio
import json
from contextlib import AsyncExitStack
from typing import Annotated, Any, Literal

import typer

from config.settings import Settings
from server.commands import shared
from server.commands.failure import Failure
from server.knowledge.confidence import estimate, needs_knowledge
from server.knowledge.contract import Passage, Retrieved
from server.knowledge.index import Index
from server.knowledge.rerank import open_reranker
from server.knowledge.retrieval import Retrieval
from server.knowledge.vectors import ExactVectors, open_embeddings
from server.store.contract import Store

app = typer.Typer(add_completion=False, rich_markup_mode=None)

LOAD_S = 120.0  # the longest that reading the index from the database may take
PATIENCE_S = 10.0  # for one search: nobody waits for the answer of a conversation
TITLE_WIDTH = 44


@app.command()
def search(
    question: Annotated[str, typer.Argument(help="What a customer would write.")],
    limit: Annotated[int, typer.Option(min=1, max=50, help="Passages shown.")] = 10,
    audience: Annotated[str, typer.Option(help="Who asks: customer or staff.")] = "customer",
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON object.")] = False,  # noqa: FBT002 - a flag
) -> None:
    """Print the passages found for a question with their ranks by words, by vectors and together."""
    who: Literal["customer", "staff"] = "staff" if audience == "staff" else "customer"
    settings = shared.settings()
    found = shared.run(_search(settings, question, limit, who))
    if found.empty:
        raise Failure("there are no documents in the knowledge", "frontdesk ingest PATH")
    if as_json:
        shared.say(json.dumps(_plain(settings, question, found), ensure_ascii=False, indent=2))
        return
    _show(settings, question, found)


async def _search(settings: Settings, question: str, limit: int, audience: Literal["customer", "staff"]) -> Retrieved:
    async with shared.opened(settings) as store, AsyncExitStack() as stack:
        embeddings = open_embeddings(settings.knowledge)
        stack.push_async_callback(embeddings.close)
        index = Index(store, settings.tenant, embeddings, ExactVectors())
        await stack.enter_async_context(index.running())
        await _loaded(store, settings.tenant, index)
        patient = settings.knowledge.model_copy(
            update={"timeout_s": PATIENCE_S, "passages": limit, "passage_tokens": 100_000}
        )
        reranker = open_reranker(settings.knowledge)
        if reranker is not None:
            stack.push_async_callback(reranker.close)
        return await Retrieval(store, settings.tenant, index, patient, reranker, estimate).retrieve(
            question, audience=audience, limit=limit
        )


async def _loaded(store: Store, tenant: str, index: Index) -> None:
    """Wait until the index in memory holds what the database does; words alone if vectors cannot be had."""
    row = await store.row("index.state", tenant=tenant, name="revision")
    revision = int(row["value"]) if row else 0
    try:
        async with asyncio.timeout(LOAD_S):
            await index.loaded.wait()
            if revision:
                await index.caught_up(revision, vectors=True)
    except TimeoutError:
        shared.say(f"note: the index is not complete after {LOAD_S:.0f} s ({await index.note()})")


def _show(settings: Settings, question: str, found: Retrieved) -> None:
    shared.say(f"{'':>3} {'words':>6} {'vector':>7} {'cosine':>7} {'fused':>7}  passage")
    for number, passage in enumerate(found.passages, 1):
        shared.say(
            f"{number:>3} {_cell(passage.lexical_rank):>6} {_cell(passage.vector_rank):>7} "
            f"{_cosine(passage.similarity):>7} {passage.score:>7.3f}  {_place(passage)[:TITLE_WIDTH]}"
        )
        if passage.nearest:
            shared.say(f"{'':>36}{passage.nearest[:100]}")
    threshold = settings.knowledge.confidence
    verdict = "answerable" if found.confidence >= threshold else f"not answerable (knowledge.confidence {threshold})"
    shared.say(f"confidence {found.confidence:.2f}: {verdict}")
    if found.degraded:
        shared.say(f"missing: {found.degraded}")
    if not needs_knowledge(question):
        shared.say("in a conversation this would be taken for small talk and not be searched for")


def _plain(settings: Settings, question: str, found: Retrieved) -> dict[str, Any]:
    return {
        "question": question,
        "confidence": found.confidence,
        "answerable": found.confidence >= settings.knowledge.confidence,
        "needs_knowledge": needs_knowledge(question),
        "degraded": found.degraded,
        "passages": [
            {
                "id": passage.chunk.id,
                "title": passage.chunk.title,
                "heading": passage.chunk.heading,
                "url": passage.chunk.url,
                "lexical_rank": passage.lexical_rank,
                "vector_rank": passage.vector_rank,
                "similarity": passage.similarity,
                "score": passage.score,
                "nearest": passage.nearest,
                "text": passage.chunk.text,
            }
            for passage in found.passages
        ],
    }


def _place(passage: Passage) -> str:
    heading = passage.chunk.heading if passage.chunk.heading != passage.chunk.title else ""
    return " > ".join(part for part in (passage.chunk.title, heading) if part)


def _cell(rank: int | None) -> str:
    return "-" if rank is None else str(rank)


def _cosine(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
