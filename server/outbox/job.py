"""What a sender reads before it works on a row, and what the row looks like to a channel."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from channels.message import Attachment, Button, Citation, Outbound
from server.engine.words import Notice, say
from server.outbox.rows import ARRIVED
from server.store.contract import Row, Store

Feedback = Callable[[str, str, str], tuple[str, str] | None]  # (channel, account, message id): payloads of thumbs
Person = Callable[[str, str, str], str]  # (channel, account, conversation id): payload of "Talk to a person"

KNOWN_S = 86_400.0  # platform ids of parts tried this long before a lost one can be mistaken for it
KNOWN_PARTS = 200


@dataclass(frozen=True, slots=True)
class Job:
    """A row as it was read; ``draft`` is what a platform still shows of it, None for nothing.

    ``parts`` are empty until the row is rendered. Nothing here is locked: every commit looks again.
    """

    row: Row
    parts: tuple[Row, ...]
    draft: Row | None

    @property
    def id(self) -> str:
        """The row's id."""
        return str(self.row["id"])

    @property
    def conversation_id(self) -> str:
        """Whose message it is, and the order of its commits."""
        return str(self.row["conversation_id"])

    @property
    def place(self) -> tuple[str, str]:
        """Channel and account."""
        return self.row["channel"], self.row["account"]

    @property
    def route(self) -> dict[str, str]:
        """What the channel needs to reach the customer, as last known."""
        return dict(json.loads(self.row["route"]))


async def read(store: Store, outbox_id: str) -> Job | None:
    """Read a row with its parts; None when its conversation was erased."""
    row = await store.row("outbox.job", id=outbox_id)
    if row is None:
        return None
    draft = None
    if row["draft_seq"] is not None:
        draft = await store.row(
            "outbox.draft_ended",
            conversation_id=row["conversation_id"],
            first_seq=row["draft_seq"],
            state="withdrawn" if row["kind"] == "withdraw" and row["message_id"] is None else "final",
        )
    return Job(row, tuple(await store.rows("outbox.parts", outbox_id=outbox_id)), draft)


async def known(store: Store, job: Job, part: Row) -> frozenset[str]:
    """Platform ids of other parts sent to this customer about that time."""
    found = await store.rows(
        "outbox.known", conversation_id=job.conversation_id, part_id=part["id"],
        since=(part["tried_at"] or part["updated_at"]) - KNOWN_S, limit=KNOWN_PARTS,
    )  # fmt: skip
    return frozenset(str(row["provider_id"]) for row in found)


def pending(parts: Sequence[Row]) -> Row | None:
    """The next part to work on: not there yet, and not given up after its one repeat."""
    return next((part for part in parts if part["state"] not in ARRIVED and not gave_up(part)), None)


def gave_up(part: Row) -> bool:
    """Whether nobody can tell if a part arrived, and it was repeated already."""
    return bool(part["state"] == "uncertain" and part["repeats"])


def outbound(job: Job, feedback: Feedback, person: Person) -> Outbound:
    """The message of a row, as channels render it; thumbs only below answers of the assistant."""
    row = job.row
    body: Mapping[str, Any] = json.loads(row["body"] or "{}")
    buttons: tuple[Button, ...] = ()
    if body.get("offer") == "person":
        payload = person(*job.place, job.conversation_id)
        label = say(Notice.TALK_TO_PERSON, row["language"] or "en")
        buttons = (Button(label, payload),) if payload else ()
    return Outbound(
        row["text"] or "",
        citations=tuple(_citation(each) for each in body.get("citations", ())),
        buttons=buttons,
        attachments=tuple(_attachment(each) for each in body.get("attachments", ())),
        feedback=feedback(*job.place, row["message_id"]) if row["role"] == "assistant" else None,
    )


def _citation(body: Mapping[str, Any]) -> Citation:
    return Citation(body["passage_id"], body["title"], body.get("url", ""))


def _attachment(body: Mapping[str, Any]) -> Attachment:
    return Attachment(
        body["kind"], body.get("url", ""), body.get("name", ""), body.get("mime", ""), body.get("size_bytes"),
        body.get("ref", ""), body.get("text", ""),
    )  # fmt: skip
