"""What a person makes of a correction: a change of the knowledge, live in seconds, or an example for review.

A fact changes its document and is recorded in one commit; the example that the correction had become leaves the
review queue, because an adapter should not learn figures. Behaviour stays in the queue.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from server import withdrawals
from server.conversation import NotFound, Refused
from server.corrections import Correction, case_of
from server.knowledge import documents
from server.knowledge.documents import Draft, articles
from server.router import TITLE_CHARACTERS, Case, Proposal, Route, Suggestion, bare, suggest
from server.store.contract import Event, Row, Store, Tx

IN_KNOWLEDGE: Final = "in_knowledge"  # why an example left the queue
ORDER: Final = documents.ORDER


@dataclass(frozen=True, slots=True)
class Change:
    """What a person wants the knowledge to say; ``before`` empty with a document: ``after`` is added at its end."""

    kind: Literal["edit", "create"]
    title: str = ""
    after: str = ""
    before: str = ""
    document_id: str = ""


@dataclass(frozen=True, slots=True)
class Result:
    """What became of a fact: the document's state and when it was indexed (epoch seconds), None while it waits."""

    document_id: str
    title: str
    version: int
    state: str
    indexed_at: float | None
    decided_at: float

    @property
    def live(self) -> bool:
        """Whether answers can rest on it now."""
        return self.state == "indexed" and self.indexed_at is not None and self.indexed_at >= self.decided_at - 1.0


class Decisions:
    """Corrections of one tenant on their way to where they belong."""

    def __init__(self, store: Store, tenant: str, max_characters: int) -> None:
        self._store = store
        self._tenant = tenant
        self._max_characters = max_characters

    async def suggest(self, correction_id: str) -> tuple[Case, Suggestion]:
        """The correction as it was compared, and where the router would send it; raises NotFound."""
        row = await self._store.row("routing.read", tenant=self._tenant, id=correction_id)
        if row is None:
            raise _missing()
        case = await case_of(self._store, {**row, "text": row["original"]}, _given(row))
        found = suggest(case)
        return case, await self._possible(case, found)

    async def decide(
        self, tx: Tx, correction_id: str, by: str, route: Route, change: Change | None
    ) -> Mapping[str, Any]:
        """Record a decision inside a unit of order :data:`ORDER`; answers with ``route`` and ``document_id``.

        A later decision takes an earlier one's place; the knowledge keeps what it was told. Raises NotFound, Refused.
        """
        if route == "fact":
            await tx.row("knowledge.lock", tenant=self._tenant)
        row = await tx.row("routing.lock", tenant=self._tenant, id=correction_id)
        if row is None:
            raise _missing()
        document_id, version = row["document_id"], row["document_version"]
        if route == "fact":
            if change is None:
                raise Refused("say what the knowledge should say from now on")
            document_id, version = await self._apply(tx, row, change, by)
        await tx.run(
            "routing.decide", tenant=self._tenant, id=correction_id, route=route, by=by, document_id=document_id,
            version=version, now=tx.now_s,
        )  # fmt: skip
        await self._example(tx, str(row["message_id"]), route, by)
        told = {"message_id": row["message_id"], "id": correction_id, "route": route, "document": document_id}
        tx.emit(Event(self._tenant, "correction", told))
        return {"route": route, "document_id": document_id}

    async def result(self, correction_id: str) -> Result | None:
        """How the document of a fact stands, None for behaviour and for what nobody decided; raises NotFound."""
        row = await self._store.row("routing.read", tenant=self._tenant, id=correction_id)
        if row is None:
            raise _missing()
        if row["route"] != "fact" or not row["document_id"]:
            return None
        found = await self._store.row("knowledge.document", tenant=self._tenant, id=row["document_id"])
        if found is None:
            return None
        at = row["decided_at"] or 0.0
        state = "deleted" if found["deleted_at"] is not None else str(found["state"])
        return Result(found["id"], found["title"], found["version"], state, found["indexed_at"], at)

    async def _possible(self, case: Case, found: Suggestion) -> Suggestion:
        """The same with an edit that the document takes now; else a new entry is proposed."""
        wanted = found.proposal
        if wanted is None or wanted.kind == "create":
            return found
        row = await self._store.row("knowledge.document", tenant=self._tenant, id=wanted.document_id)
        if row is not None and row["deleted_at"] is None and wanted.before in str(row["text"]):
            return found
        title = " ".join(case.question.split())[:TITLE_CHARACTERS] or wanted.title
        return Suggestion(found.route, found.why, Proposal("create", title, "", bare(case.edited)))

    async def _apply(self, tx: Tx, correction: Row, change: Change, by: str) -> tuple[str, int]:
        if change.kind == "create":
            draft = await self._entry(tx, str(correction["id"]), change)
        else:
            draft = await self._edited(tx, change)
        if len(draft.text) > self._max_characters:
            raise Refused(f"the text would be longer than {self._max_characters:,} characters; make a new entry")
        document_id = await documents.put(tx, self._tenant, draft, by, urgent=True)
        row = await tx.row("knowledge.lock_document_id", tenant=self._tenant, id=document_id)
        assert row is not None
        return document_id, int(row["version"])

    async def _entry(self, tx: Tx, correction_id: str, change: Change) -> Draft:
        """A question with its answer, among the articles; deciding again changes the same entry."""
        title, text = " ".join(change.title.split())[:TITLE_CHARACTERS], change.after.strip()
        if not title or not text:
            raise Refused("a new entry needs a question and an answer")
        source_id, uri = await articles(tx, self._tenant), f"correction:{correction_id}"
        return Draft(source_id, uri, "", title, f"# {title}\n\n{text}", "customer", "text/markdown")

    async def _edited(self, tx: Tx, change: Change) -> Draft:
        row = await tx.row("knowledge.lock_document_id", tenant=self._tenant, id=change.document_id)
        if row is None or row["deleted_at"] is not None or row["source_gone"] is not None:
            raise Refused("the document is not there any more; make a new entry")
        text, after = str(row["text"]), change.after.strip()
        if change.before and change.before not in text:
            if not after or after not in text:
                raise Refused("the document does not say that any more; load the suggestion again")
            return _again(row, text)  # decided twice: it says so already
        said = text.replace(change.before, after, 1) if change.before else f"{text.rstrip()}\n\n{after}"
        if not said.strip():
            raise Refused("nothing would be left of the document; delete it instead")
        return _again(row, said)

    async def _example(self, tx: Tx, message_id: str, route: Route, by: str) -> None:
        """Take the correction's example out of the queue, or put it back."""
        example = await tx.row("loop.example_of_source", tenant=self._tenant, source=f"correction:{message_id}")
        if example is None:
            return
        if route == "fact" and example["status"] in {"pending", "approved"}:
            await withdrawals.withdraw(tx, self._tenant, example, IN_KNOWLEDGE, by=by)
        elif route == "behaviour" and example["status"] == "withdrawn" and IN_KNOWLEDGE in str(example["reasons"]):
            await tx.run(
                "loop.decide_example", tenant=self._tenant, id=example["id"], status="pending", reasons="{}",
                decided_by=None, second_by=None, decided_at=None, now=tx.now_s,
            )  # fmt: skip


def change_of(proposal: Proposal | None) -> Change | None:
    """A proposal as the change it proposes."""
    if proposal is None:
        return None
    return Change(proposal.kind, proposal.title, proposal.after, proposal.before, proposal.document_id)


def _given(row: Row) -> Correction:
    calls = tuple(json.loads(row["calls"]).get("calls", ()))
    return Correction(row["message_id"], row["text"], row["reason"], row["note"], calls)


def _again(row: Row, text: str) -> Draft:
    """The document with another text; what is known of its source's bytes stays, so that they do not come back."""
    return Draft(
        row["source_id"], row["uri"], row["url"], row["title"], text, row["audience"], row["mime"], row["raw_digest"],
        row["etag"] or "", row["last_modified"] or "",
    )  # fmt: skip


def _missing() -> NotFound:
    return NotFound("there is no such correction; reload the list")
