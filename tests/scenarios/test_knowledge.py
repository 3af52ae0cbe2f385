"""Answers that rest on documents, through the whole service: footnotes, edits, gaps, what customers may not see."""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from server.knowledge.documents import Documents
from server.knowledge.sources import Sources
from server.store.statements import load, parse
from tests.scenario import Service, Visitor, desk

# a connection that chromadb's client was opening when the service ended leaves its coroutine behind
pytestmark = pytest.mark.filterwarnings(
    "ignore:Exception ignored in. <coroutine object connect_tcp:pytest.PytestUnraisableExceptionWarning"
)

WIDTH = 256
LIVE_S = 5.0  # an edit is answered from within this time
RETURNS = (
    "# Returns\n\nLamps can be returned within 30 days after delivery. The box must be complete.\n\n"
    "## Costs\n\nWe pay the way back for lamps that arrived broken."
)
ASKED = "How many days after delivery can lamps be returned?"

QUERIES = """
-- name: misses
-- Questions that nothing answered.
select question from question_miss order by created_at;
"""
for dialect in ("sqlite", "postgresql"):
    load(dialect).update(parse("known", QUERIES, dialect))


def _vector(text: str) -> list[float]:
    """Counts words, so that texts which share words are near."""
    row = [0.0] * WIDTH
    for word in re.findall(r"\w+", text.lower()):
        row[int(hashlib.sha256(word.encode()).hexdigest(), 16) % WIDTH] += 1.0
    length = sum(value * value for value in row) ** 0.5 or 1.0
    return [value / length for value in row]


async def _embed(request: web.Request) -> web.Response:
    texts = (await request.json())["input"]
    data = [{"index": place, "embedding": _vector(text)} for place, text in enumerate(texts)]
    return web.json_response({"object": "list", "data": data, "model": "words"})


@asynccontextmanager
async def informed(url: str, folder: Path, **knowledge: Any) -> AsyncIterator[Service]:
    """A service with an embeddings endpoint, and without a vector index: words find, nearness judges."""
    app = web.Application()
    app.router.add_post("/v1/embeddings", _embed)
    async with TestServer(app, host="127.0.0.1") as server:
        at = str(server.make_url("")).rstrip("/")
        known = {"embedding_url": f"{at}/v1", "chroma_url": at, **knowledge}  # it answers 404: vectors are missing
        async with desk(url, folder, knowledge=known) as service:
            yield service


async def ask(visitor: Visitor, text: str) -> dict[str, Any]:
    """The message that answers a question."""
    before = len(visitor.said("assistant"))
    await visitor.say(text)
    await visitor.answered(before + 1)
    return [message for message in visitor.of("message") if message["role"] == "assistant"][-1]


async def until_told(visitor: Visitor, words: str, timeout_s: float = LIVE_S) -> dict[str, Any]:
    """Ask until the answer has these words; each try is a turn of its own."""
    async with asyncio.timeout(timeout_s):
        while words not in (answer := await ask(visitor, ASKED))["text"]:
            await asyncio.sleep(0.1)
    return answer


async def test_an_edit_is_answered_from_within_seconds(store_url: str, tmp_path: Path) -> None:
    async with informed(store_url, tmp_path) as service:
        documents = Documents(service.store, service.settings)
        made = await documents.save(title="Returns", text=RETURNS, changed_by="ana", url="https://shop.example/returns")
        visitor = await service.visitor()
        answer = await until_told(visitor, "within 30 days", 20.0)
        (cited,) = answer["citations"]
        assert (cited["title"], cited["url"]) == ("Returns", "https://shop.example/returns")
        assert "30 days" in cited["quote"]
        assert answer["text"].endswith("[1]")
        await documents.save(document_id=made.id, title="Returns", text=RETURNS.replace("30", "45"), changed_by="ana")
        saved = time.monotonic()
        await until_told(visitor, "within 45 days")
        assert time.monotonic() - saved < LIVE_S
        turns = await service.turns(visitor.conversation)
        kept = json.loads(turns[-1]["grounding"])
        assert any("45 days" in passage["text"] for passage in kept["passages"])
        await service.check_laws(visitor.conversation)


async def test_what_the_model_makes_up_is_never_shown(store_url: str, tmp_path: Path) -> None:
    async with informed(store_url, tmp_path) as service:
        await Documents(service.store, service.settings).save(title="Returns", text=RETURNS, changed_by="ana")
        visitor = await service.visitor()
        await until_told(visitor, "within 30 days", 20.0)
        service.double.say_next(
            "Lamps can be returned within 30 days after delivery. [9] A lamp costs 77 euro. "
            "See https://evil.example/?q=secret for more."
        )
        answer = await ask(visitor, ASKED)
        assert "30 days" in answer["text"]
        assert [each["number"] for each in answer["citations"]] == [1]
        shown = answer["text"] + "".join(draft["text"] for draft in visitor.of("draft"))
        assert "77" not in shown
        assert "[9]" not in shown
        assert "https://evil.example" not in shown


async def test_a_gap_is_told_and_kept_for_staff(store_url: str, tmp_path: Path) -> None:
    async with informed(store_url, tmp_path) as service:
        await Documents(service.store, service.settings).save(title="Returns", text=RETURNS, changed_by="ana")
        visitor = await service.visitor()
        await until_told(visitor, "within 30 days", 20.0)
        asked = service.double.stats.requests
        answer = await ask(visitor, "Which planets have rings made of ice?")
        assert "could not find an answer" in answer["text"]
        assert service.double.stats.requests == asked, "the model is not asked"
        misses = await service.store.rows("known.misses")
        assert "Which planets have rings made of ice?" in [row["question"] for row in misses]


async def test_documents_for_staff_are_never_answered_from(store_url: str, tmp_path: Path) -> None:
    async with informed(store_url, tmp_path) as service:
        sources = Sources(service.store, service.settings)
        internal = await sources.create("article", "Internal", audience="staff")
        documents = Documents(service.store, service.settings)
        secret = "# Lamps\n\nLamps can be returned within 365 days after delivery by friends of the house."
        await documents.save(title="Lamps", text=secret, changed_by="ana", source_id=internal.id)
        await documents.save(title="Returns", text=RETURNS, changed_by="ana")
        visitor = await service.visitor()
        answer = await until_told(visitor, "within 30 days", 20.0)
        assert "365" not in answer["text"]
        assert "365" not in str(service.double.stats.prompts)
        (turn, *_) = reversed(await service.turns(visitor.conversation))
        assert "365" not in turn["grounding"]
