"""Chroma's HTTP interface (v2), as much of it as an index of our own vectors needs.

The package's client does the same, but importing it holds the interpreter for a second in slices of up to 0.2 s, and it
builds objects for every number. Here a vector is one base64 word, and nothing but vectors is ever sent: for texts the
client would build code out of what a collection's schema says.
"""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import aiohttp
import numpy as np

from server.knowledge.contract import Chunk, IndexUnavailable, Vectors

CONNECT_S = 5.0
QUERY_S = 5.0
WRITE_S = 60.0
SAID = 200  # characters of an error that are passed on
PLACE = "/api/v2/tenants/default_tenant/databases/default_database/collections"
EF_SEARCH = 200  # candidates looked at: at Chroma's own 100 one neighbour in five was missed on hard data
CONFIGURATION = {"hnsw": {"space": "cosine", "ef_search": EF_SEARCH}, "embedding_function": {"type": "legacy"}}
"""``legacy`` is what the package's client writes for a collection without an embedding function."""


@dataclass(frozen=True, slots=True)
class Collection:
    """A collection as the server knows it; ``revision`` is our mark in its metadata, 0 = none."""

    id: str
    revision: int


class ChromaHttp:
    """Calls to one server; every method raises IndexUnavailable. Belongs to one event loop."""

    def __init__(self, url: str) -> None:
        self._url = f"{url.rstrip('/')}{PLACE}"
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_S)
        self._session = aiohttp.ClientSession(timeout=timeout)

    async def close(self) -> None:
        """Close the connections."""
        await self._session.close()

    async def collection(self, name: str) -> Collection:
        """The collection of that name, made where there is none."""
        body = {"name": name, "get_or_create": True, "configuration": CONFIGURATION}
        made = await self._call("POST", "", body, WRITE_S)
        try:
            return Collection(str(made["id"]), int((made.get("metadata") or {}).get("revision", 0)))
        except (TypeError, KeyError, AttributeError, ValueError) as error:
            raise _strange(error) from error

    async def drop_collection(self, name: str) -> None:
        """Delete the collection of that name; one that is not there is no fault."""
        await self._call("DELETE", f"/{name}", None, WRITE_S, missing=True)

    async def mark(self, collection: str, revision: int) -> None:
        """Write our mark into the collection's metadata."""
        await self._call("PUT", f"/{collection}", {"new_metadata": {"revision": revision}}, WRITE_S)

    async def upsert(self, collection: str, chunks: Sequence[Chunk], vectors: Vectors) -> None:
        """Add chunks with their vectors, shape (chunks, dimensions), or put them in place of those of the same ids."""
        body = {
            "ids": [chunk.id for chunk in chunks],
            "embeddings": [_packed(vector) for vector in vectors],
            "metadatas": [{"document": chunk.document_id, "audience": chunk.audience} for chunk in chunks],
        }
        await self._call("POST", f"/{collection}/upsert", body, WRITE_S)

    async def drop_document(self, collection: str, document_id: str) -> None:
        """Delete all chunks of a document."""
        await self._call("POST", f"/{collection}/delete", {"where": {"document": document_id}}, WRITE_S)

    async def count(self, collection: str) -> int:
        """How many chunks it holds."""
        held = await self._call("GET", f"/{collection}/count", None, WRITE_S)
        try:
            return int(held)
        except (TypeError, ValueError) as error:
            raise _strange(error) from error

    async def query(self, collection: str, vector: Vectors, limit: int) -> list[tuple[float, str]]:
        """The nearest chunks with their cosine similarity, best first."""
        body = {"query_embeddings": [vector.tolist()], "n_results": limit, "include": ["distances"]}
        found = await self._call("POST", f"/{collection}/query", body, QUERY_S)
        try:
            far = (found["distances"] or [[]])[0]
            return [(1.0 - float(one), str(id_)) for id_, one in zip(found["ids"][0], far, strict=True)]
        except (TypeError, KeyError, IndexError, ValueError) as error:
            raise _strange(error) from error

    async def _call(
        self, method: str, path: str, body: Mapping[str, Any] | None, limit_s: float, *, missing: bool = False
    ) -> Any:
        if self._session.closed:
            raise IndexUnavailable("Chroma failed (the connection was closed meanwhile)")
        data = json.dumps(body).encode() if body is not None else None
        headers = {"Content-Type": "application/json"} if data is not None else {}
        try:
            async with (
                asyncio.timeout(limit_s),
                self._session.request(
                    method, self._url + path, data=data, headers=headers, allow_redirects=False
                ) as answer,
            ):
                text = await answer.text()
                if answer.status // 100 == 2:  # noqa: PLR2004 - HTTP
                    return json.loads(text) if text else None
                if missing and answer.status == 404:  # noqa: PLR2004 - HTTP
                    return None
                raise IndexUnavailable(f"Chroma failed ({answer.status}: {text[:SAID]})")
        except TimeoutError:
            raise IndexUnavailable(f"Chroma did not answer within {limit_s:g} s") from None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise IndexUnavailable(f"Chroma failed ({type(error).__name__}: {str(error)[:SAID]})") from error


def _packed(vector: Vectors) -> str:
    """A vector as Chroma takes it: base64 of little-endian 32-bit floats."""
    return base64.b64encode(np.asarray(vector, dtype="<f4").tobytes()).decode("ascii")


def _strange(error: Exception) -> IndexUnavailable:
    return IndexUnavailable(f"Chroma failed (an answer of another shape, {type(error).__name__}); check its version")
