"""What a sender reads before it works on a row, and what the row looks like to a channel."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from channels.message import Attachment, Button, Chosen, Citation, Outbound
from server import reasons as asked
from server.buttons import Reason, reply_payload
from server.engine.words import Notice, say
from server.outbox.rows import ARRIVED
from server.store.contract import Row, Store

Feedback = Callable[[str, str, str], tuple[str, str] | None]  # (channel, account, message id): payloads of thumbs
Reasons = Callable[[str, str, str], Mapping[Reason, str]]  # (channel, account, message id): payloads of reasons
Person = Callable[[str, str, str], str]  # (channel, account, conversation id): payload of "Talk to a person"

KNOWN_S = 86_400.0  # platform ids of parts tried this long before a lost one can be mistaken for it
KNOWN_PARTS = 200


def no_reasons(_channel: str, _account: str, _message_id: str) -> Mapping[Reason, str]:
    """The answer where no button can be signed."""
    return {}


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
    def template(self) -> Chosen | None:
        """The approved message that staff chose to send instead of free text."""
        chosen = json.loads(self.row["body"] or "{}").get("template")
        return Chosen(chosen["key"], chosen["language"], tuple(chosen["values"])) if chosen else None

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


def outbound(job: Job, feedback: Feedback, person: Person, reasons: Reasons = no_reasons) -> Outbound:
    """The message of a row, as channels render it.

    Thumbs stand only below answers of the assistant, and never beside offered replies: a thumb would look like one.
    """
    row = job.row
    body: Mapping[str, Any] = json.loads(row["body"] or "{}")
    buttons = tuple(Button(str(text), reply_payload(str(text))) for text in body.get("replies", ()))
    rated = row["role"] == "assistant" and not buttons
    if body.get("offer") == "person":
        payload = person(*job.place, job.conversation_id)
        label = say(Notice.TALK_TO_PERSON, row["language"] or "en")
        buttons += (Button(label, payload),) if payload else ()
    choices = tuple(Button(str(label), str(payload)) for label, payload in body.get("choices", ()))
    if row["channel"] == "whatsapp":  # three faces: reply buttons take no more
        buttons, choices = (*buttons, *choices), ()
    return Outbound(
        reasons=choices or _reasons(job, body.get(asked.BODY), reasons),
        text=row["text"] or "",
        citations=tuple(_citation(each) for each in sorted(body.get("citations", ()), key=_number)),
        buttons=buttons,
        attachments=tuple(_attachment(each) for each in body.get("attachments", ())),
        feedback=feedback(*job.place, row["message_id"]) if rated else None,
        template=job.template,
    )


def _reasons(job: Job, message_id: str | None, reasons: Reasons) -> tuple[Button, ...]:
    """The choices of a message that asks what was wrong with another one."""
    if not message_id:
        return ()
    labels = asked.labels(job.row["language"] or "en")
    return tuple(Button(labels[each], payload) for each, payload in reasons(*job.place, message_id).items())


def _number(citation: Mapping[str, Any]) -> int:
    return int(citation["number"])


def _citation(body: Mapping[str, Any]) -> Citation:
    """A footnote: its document's title and the heading it stands under."""
    title, heading = str(body["title"]), str(body.get("heading", "")).rpartition(" > ")[2]
    return Citation(
        body["passage"], f"{title}: {heading}" if heading and heading != title else title, body.get("url", "")
    )


def _attachment(body: Mapping[str, Any]) -> Attachment:
    return Attachment(
        body["kind"], body.get("url", ""), body.get("name", ""), body.get("mime", ""), body.get("size_bytes"),
        body.get("ref", ""), body.get("text", ""),
    )  # fmt: skip
