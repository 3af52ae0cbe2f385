"""What the knowledge addresses take and answer."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints

from server.api.shapes import Answer, Body, Label, Page
from server.knowledge.contract import Audience
from server.knowledge.kinds import Kind

TEXT_CHARACTERS = 500_000  # of an article written by hand
QUESTION_CHARACTERS = 2_000
MOST_HITS = 50

DocumentState = Literal["", "queued", "fetching", "parsing", "indexed", "failed"]
Text = Annotated[str, StringConstraints(min_length=1, max_length=TEXT_CHARACTERS)]
Title = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=300)]
Url = Annotated[str, StringConstraints(strip_whitespace=True, max_length=2_000, pattern=r"^$|^https?://\S+$")]
Id = Annotated[str, StringConstraints(max_length=64, pattern=r"^[0-9A-Za-z_.:-]*$")]
Cron = Annotated[str, StringConstraints(strip_whitespace=True, max_length=100)]
Question = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=QUESTION_CHARACTERS)]


class NewSource(Body):
    """A source to read from now on; ``config`` depends on the kind (docs/knowledge.md), ``cron`` empty = by hand."""

    name: Label
    kind: Kind
    config: dict[str, Any] = Field(default_factory=dict)
    audience: Audience = "customer"
    cron: Cron = ""


class SourceChange(Body):
    """What to change; fields left out stay as they are, an empty ``cron`` means by hand."""

    name: Label | None = None
    config: dict[str, Any] | None = None
    audience: Audience | None = None
    cron: Cron | None = None


class SourceRow(Answer):
    """Where documents come from, and how its last run went; times are epoch seconds.

    ``failed`` documents could not be read, ``queued`` ones wait for the index.
    """

    id: str
    name: str
    kind: str
    config: dict[str, Any]
    audience: str
    cron: str | None
    next_at: float | None
    state: str
    reason: str | None
    progress: dict[str, Any]
    documents: int
    failed: int
    queued: int
    created_at: float
    updated_at: float
    synced_at: float | None


class SourceList(Answer):
    """Every source, the oldest first."""

    sources: list[SourceRow]


class FileList(Answer):
    """The uploaded files of a source; it reads them at once."""

    files: list[str]


class SyncBody(Body):
    """How to read a source: ``again`` reads also what has not changed, and what was refused."""

    again: bool = False


class UploadQuery(Body):
    """The file's name, for a raw body; a multipart form brings the names itself."""

    name: Annotated[str, StringConstraints(max_length=200)] = ""


class DocumentQuery(Page):
    """A page of documents: of one source, in one state, with ``q`` in the title."""

    source: Id = ""
    state: DocumentState = ""
    q: Annotated[str, StringConstraints(strip_whitespace=True, max_length=100)] = ""


class DocumentRow(Answer):
    """A document without its text; in state ``indexed`` what is stored is what customers get answers from."""

    id: str
    source_id: str
    uri: str
    url: str
    title: str
    audience: str
    mime: str
    state: str
    reason: str | None
    version: int
    characters: int
    fetched_at: float | None
    indexed_at: float | None
    updated_at: float


class DocumentPage(Answer):
    """Documents by title; ``next`` is the cursor of the following page, None at the end."""

    documents: list[DocumentRow]
    next: str | None


class ChunkRow(Answer):
    """One passage as it is indexed."""

    id: str
    number: int
    heading: str
    text: str


class DocumentDetail(Answer):
    """A document with its Markdown and its passages."""

    document: DocumentRow
    text: str
    chunks: list[ChunkRow]


class NewArticle(Body):
    """An article written here, in Markdown; ``url`` is where customers can read it, empty = nowhere.

    ``source`` is the source it belongs to (its audience counts), empty = the articles, which are for customers.
    """

    title: Title
    text: Text
    url: Url = ""
    source: Id = ""


class ArticleChange(Body):
    """A document's new words; ``version`` is the one that was edited, so that nobody's change is lost."""

    title: Title | None = None
    text: Text
    url: Url | None = None
    version: Annotated[int, Field(ge=0)] | None = None


class Restore(Body):
    """The version that shall be the newest again."""

    version: Annotated[int, Field(ge=1)]


class VersionRow(Answer):
    """What a document said once, and who said so; ``text`` is empty in lists."""

    version: int
    title: str
    changed_by: str
    created_at: float
    characters: int
    text: str


class VersionList(Answer):
    """The versions of a document, newest first."""

    versions: list[VersionRow]


class NewPair(Body):
    """A question and its answer; ``gap`` is the unanswered question that this answers."""

    question: Question
    answer: Text
    url: Url = ""
    source: Id = ""
    gap: Id = ""


class SearchQuery(Body):
    """A question put to the index; ``audience`` staff also finds what only staff may read."""

    q: Question
    audience: Audience = "customer"
    limit: Annotated[int, Field(ge=1, le=MOST_HITS)] = 8


class HitRow(Answer):
    """A passage with how it was found: ranks count from 1 and are None for the half that did not find it."""

    passage: str
    document_id: str
    title: str
    heading: str
    url: str
    audience: str
    text: str
    score: float
    lexical_rank: int | None
    vector_rank: int | None
    similarity: float | None


class SearchAnswer(Answer):
    """Passages, best first; ``answerable``: the assistant would answer from them; ``degraded`` names what failed.

    ``given`` of the passages at most go into a prompt, ``prompt`` is the part of it that carries them.
    """

    hits: list[HitRow]
    confidence: float
    answerable: bool
    degraded: str
    took_ms: dict[str, float]
    given: int
    prompt: str


class GapRow(Answer):
    """A question that nothing answered."""

    id: str
    conversation_id: str
    turn_id: str
    question: str
    confidence: float
    channel: str
    language: str | None
    created_at: float


class GapPage(Answer):
    """Unanswered questions, newest first."""

    gaps: list[GapRow]
    next: str | None


class KnowledgeState(Answer):
    """How the knowledge is: documents by state, passages, and whether an edit is answerable yet.

    ``revision`` is the newest change stored, ``followed`` the newest this process answers from; ``waiting`` documents
    are not findable yet; ``degraded`` names a missing half of the index; ``alarms`` are for admins.
    """

    enabled: bool
    documents: dict[str, int]
    chunks: int
    gaps: int
    revision: int
    followed: int
    waiting: int
    degraded: str
    alarms: dict[str, str]
