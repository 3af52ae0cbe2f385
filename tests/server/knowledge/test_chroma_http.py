"""What is sent and what is made of answers; the real server is in ``test_chroma``, here it proves that we agree."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from server.knowledge import chroma_http as module
from server.knowledge.chroma import ChromaVectors
from server.knowledge.chroma_http import ChromaHttp
from server.knowledge.chroma_server import ChromaServer
from server.knowledge.contract import Chunk, IndexUnavailable

CHUNKS = [Chunk(f"a:{number}", "a", "", "", "", "", "customer") for number in range(3)]
ROWS = np.eye(3, dtype=np.float32)
PACKAGES_OWN = """
import json, sys, chromadb
client = chromadb.HttpClient(host="127.0.0.1", port=int(sys.argv[1]))
[collection] = [one for one in client.list_collections() if one.count()]
found = collection.query(query_embeddings=[[0.0, 1.0, 0.1]], n_results=2, include=["distances", "metadatas"])
print(json.dumps({"count": collection.count(), "metadata": collection.metadata, "found": found,
                  "space": collection.configuration["hnsw"]["space"]}))
"""


class Scripted:
    """Answers every call with what it was told; keeps what was sent."""

    def __init__(self) -> None:
        self.status = 200
        self.text = "{}"
        self.pause_s = 0.0
        self.sent: list[tuple[str, str, Any]] = []

    async def handle(self, request: web.Request) -> web.Response:
        body = await request.read()
        self.sent.append((request.method, request.path.removeprefix(module.PLACE), json.loads(body) if body else None))
        await asyncio.sleep(self.pause_s)
        return web.Response(status=self.status, text=self.text, headers={"Location": "/elsewhere"})


@asynccontextmanager
async def answering(scripted: Scripted) -> AsyncIterator[ChromaHttp]:
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", scripted.handle)
    async with TestServer(app) as server:
        http = ChromaHttp(str(server.make_url("/")))
        try:
            yield http
        finally:
            await http.close()


async def test_vectors_travel_as_base64_and_never_as_texts():
    scripted = Scripted()
    async with answering(scripted) as http:
        await http.upsert("c", CHUNKS[:1], np.array([[1.0, -2.0]], np.float32))
        await http.drop_document("c", "a")
        await http.mark("c", 7)
    [(_, path, body), deleted, marked] = scripted.sent
    assert (path, body["embeddings"]) == ("/c/upsert", ["AACAPwAAAMA="])
    assert set(body) == {"ids", "embeddings", "metadatas"}
    assert deleted == ("POST", "/c/delete", {"where": {"document": "a"}})
    assert marked == ("PUT", "/c", {"new_metadata": {"revision": 7}})


@pytest.mark.parametrize(
    ("status", "text", "reason"),
    [
        (500, '{"message": "disk full"}', "disk full"),
        (302, "", "302"),
        (200, "<html>", "JSONDecodeError"),
        (200, '{"ids": [["a"]], "distances": [[]]}', "another shape"),
        (200, "[]", "another shape"),
    ],
)
async def test_any_other_answer_is_unavailable(status: int, text: str, reason: str):
    scripted = Scripted()
    scripted.status, scripted.text = status, text
    async with answering(scripted) as http:
        with pytest.raises(IndexUnavailable, match=reason):
            await http.query("c", ROWS[0], 5)
        with pytest.raises(IndexUnavailable):
            await http.collection("name")
        with pytest.raises(IndexUnavailable):
            await http.count("c")


async def test_a_late_answer_and_a_closed_connection_are_unavailable(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "QUERY_S", 0.05)
    scripted = Scripted()
    scripted.pause_s = 5.0
    async with answering(scripted) as http:
        with pytest.raises(IndexUnavailable, match=r"within 0\.05 s"):
            await http.query("c", ROWS[0], 5)
        await http.close()
        with pytest.raises(IndexUnavailable, match="closed"):
            await http.count("c")


async def test_a_collection_that_is_not_there_is_dropped():
    scripted = Scripted()
    scripted.status = 404
    async with answering(scripted) as http:
        await http.drop_collection("name")
        with pytest.raises(IndexUnavailable, match="404"):
            await http.count("c")


@pytest.mark.skipif(importlib.util.find_spec("chromadb") is None, reason="chromadb is not installed")
async def test_the_packages_own_client_reads_what_we_wrote(tmp_path: Path):
    place = ChromaServer(tmp_path / "chroma", tmp_path / "chroma.log")
    index = ChromaVectors(place, "shop", "model")
    try:
        await index.open(3)
        await index.extend(CHUNKS, ROWS)
        await index.mark(5)
        port = (await place.address()).rpartition(":")[2]
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-W", "ignore", "-c", PACKAGES_OWN, port, stdout=asyncio.subprocess.PIPE
        )
        told, _ = await asyncio.wait_for(process.communicate(), 60)
        ours = await index.search(np.array([0.0, 1.0, 0.1], np.float32), "customer", 2)
    finally:
        await index.close()
    theirs = json.loads(told)
    assert (theirs["count"], theirs["metadata"], theirs["space"]) == (3, {"revision": 5}, "cosine")
    assert theirs["found"]["ids"] == [[hit.chunk_id for hit in ours]]
    assert theirs["found"]["metadatas"][0][0] == {"document": "a", "audience": "customer"}
    assert [1 - far for far in theirs["found"]["distances"][0]] == pytest.approx([hit.score for hit in ours])
