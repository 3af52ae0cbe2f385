"""What a reader of a source hands over, one item per document it looked at.

A reader is an async iterator. It keeps its place in a frontier, a plain dict that goes through JSON unchanged and that
it alone understands; at each item the frontier already counts that item as done. Whoever reads commits the item and
the frontier together, so that a killed run goes on with the next item and neither repeats nor loses one. Between two
commits of the frontier nothing worse happens than that items are fetched again. An empty dict starts anew; a frontier
whose run has ended is handed to the next run as it is.

Errors::

    KnowledgeError
    └── SourceDown    the source as a whole cannot be read now; nothing is known about its documents
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeAlias

from server.knowledge.contract import KnowledgeError

Frontier: TypeAlias = dict[str, Any]


class SourceDown(KnowledgeError):
    """The source as a whole cannot be read now: keep its documents, look again in ``retry_s`` (None = as scheduled)."""

    def __init__(self, reason: str, retry_s: float | None = None) -> None:
        super().__init__(reason)
        self.retry_s = retry_s


class Known(NamedTuple):
    """What is stored of a document from the last run: the answer's validators and ``raw_digest`` of its bytes."""

    etag: str = ""
    last_modified: str = ""
    raw_digest: str = ""


@dataclass(frozen=True, slots=True)
class Fetched:
    """A document that is new or whose bytes changed; ``uri`` is its key in the source, ``url`` where customers read it.

    ``mime`` is what the source claims (lower case, no parameters), so it decides nothing alone; ``title`` may be empty.
    """

    uri: str
    url: str
    mime: str
    body: bytes = field(repr=False)
    etag: str = ""
    last_modified: str = ""
    title: str = ""

    @property
    def raw_digest(self) -> str:
        """SHA-256 of the bytes in hex, as ``document.raw_digest`` stores it and ``Known`` brings it back."""
        return raw_digest(self.body)


@dataclass(frozen=True, slots=True)
class Unchanged:
    """The document is there and its bytes are those that are known."""

    uri: str


@dataclass(frozen=True, slots=True)
class Gone:
    """A known document is no longer part of the source and is to be deleted; ``reason`` is for staff."""

    uri: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Failed:
    """The document could not be read this time: what is stored of it stays; ``reason`` is for staff."""

    uri: str
    reason: str


Item: TypeAlias = Fetched | Unchanged | Gone | Failed


def raw_digest(body: bytes) -> str:
    """SHA-256 in hex."""
    return hashlib.sha256(body).hexdigest()
