"""What staff would have answered: kept beside the original, and proposed for training as an answer and as a pair."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from server import withdrawals
from server.candidates import Behaviour, Candidate, Target, behaviour_of, propose
from server.conversation import NotFound, Refused
from server.ids import new_id
from server.lanes import Reads
from server.router import Case, Source, suggest
from server.snapshot import Told, recall, suppose
from server.store.contract import Row, Store, Tx
from server.store.text import dump
from server.timeline import lock

Reason = Literal["wrong", "unclear", "incomplete", "tone", "format", "tool", "handoff", "other"]
STYLE: frozenset[str] = frozenset({"tone", "format", "unclear"})  # the facts were right, the way they were told was not
NOTE_CHARACTERS = 2_000
HISTORY_MESSAGES = 40


@dataclass(frozen=True, slots=True)
class Correction:
    """A correction as somebody gives it; ``calls`` are {name, arguments} that the answer should have made.

    ``trains`` False: these words came on a ground that forbids training, so they become no example.
    """

    message_id: str
    text: str
    reason: Reason = "wrong"
    note: str = ""
    calls: tuple[Mapping[str, Any], ...] = ()
    behaviour: Behaviour | None = None
    trains: bool = True

    @property
    def target(self) -> Target:
        """What the assistant should have said or called."""
        return Target(self.text.strip(), self.calls)


class Corrections:
    """Corrections of one bot's answers; a later one of the same answer takes the earlier one's place."""

    def __init__(self, store: Store, tenant: str, *, history: int = HISTORY_MESSAGES) -> None:
        self._store = store
        self._tenant = tenant
        self._history = history

    async def correct(self, given: Correction, by: str) -> tuple[str, str | None]:
        """Store a correction; its id and its example's (None where the channel must not train).

        Raises NotFound for an unknown message, Refused for one that is no answer of the assistant, and for a
        correction that says nothing or repeats the answer.
        """
        row = await self._store.row("loop.message", tenant=self._tenant, id=given.message_id)
        if row is None:
            raise NotFound("there is no such message; reload the conversation")
        return await self._store.write(lambda tx: self.write(tx, given, by), order=row["conversation_id"])

    async def write(self, tx: Tx, given: Correction, by: str) -> tuple[str, str | None]:
        """The same inside a unit that also does something else; raises NotFound, Refused."""
        message = await tx.row("loop.message", tenant=self._tenant, id=given.message_id)
        if message is None:
            raise NotFound("there is no such message; reload the conversation")
        _check(given, message)
        timeline = await lock(tx, message["conversation_id"])
        common = {
            "tenant": self._tenant,
            "conversation_id": message["conversation_id"],
            "message_id": given.message_id,
            "turn_id": message["turn_id"],
            "release_id": message["release_id"],
            "reason": given.reason,
            "now": tx.now_s,
        }
        suggestion = suggest(await case_of(tx, message, given))
        await tx.run(
            "loop.correct",
            id=new_id(),
            suggested=suggestion.route,
            route_reason=" ".join(suggestion.why),
            original=message["text"],
            text=given.target.content,
            calls=dump({"calls": [dict(call) for call in given.calls]}),
            note=given.note[:NOTE_CHARACTERS],
            corrected_by=by,
            **common,
        )
        await tx.run("loop.note_correction", id=new_id(), giver_id=by, **common)
        await withdrawals.of_message(tx, self._tenant, given.message_id, "corrected")
        example = await self._propose(tx, given, message, by)
        timeline.emit("correction", {"message_id": given.message_id, "example": example}, audience="staff")
        await timeline.save(touch=False)
        stored = await tx.row("loop.correction_of", tenant=self._tenant, message_id=given.message_id)
        assert stored is not None
        return str(stored["id"]), example

    async def _propose(self, tx: Tx, given: Correction, message: Row, by: str) -> str | None:
        told = await told_before(tx, message, self._history) if given.trains else None
        if told is None:
            return None
        cited = '"citations"' in message["body"]
        behaviour = given.behaviour or behaviour_of(given.target, cited=cited, style=given.reason in STYLE)
        original = Target(message["text"])
        candidate = Candidate(
            f"correction:{message['id']}", "correction", behaviour, told, given.target, message,
            rejected=None if original.empty else original, person=by,
        )  # fmt: skip
        return await propose(tx, candidate, renew=True)


async def told_before(tx: Tx, message: Row, history: int) -> Told | None:
    """What the model was told before an answer, or would have been told where code answered; None: nobody asked."""
    told = await recall(tx, {**message, "message_seq": message["seq"]})
    if told is not None:
        return told
    asked: Sequence[Row] = await tx.rows(
        "loop.asked_before", conversation_id=message["conversation_id"], seq=message["seq"]
    )
    if not asked:
        return None
    question = "\n".join(row["text"] for row in reversed(asked))
    first_seq = min(row["item_seq"] or 2**62 for row in asked)
    return await suppose(tx, message, question, asked[-1]["seq"], first_seq=first_seq, history=history)


async def case_of(tx: Reads, message: Row, given: Correction) -> Case:
    """A correction as the router compares it; ``message`` has ``seq``, ``grounding``, ``language`` and ``text``."""
    asked = await tx.rows("loop.asked_before", conversation_id=message["conversation_id"], seq=message["seq"])
    kept = json.loads(message["grounding"] or "{}").get("passages", ())
    passages = tuple(
        Source(one["id"], one["id"].rsplit(":", 2)[0], str(one.get("title", "")), str(one.get("text", "")))
        for one in kept
    )
    question = "\n".join(row["text"] for row in reversed(asked))
    target, language = given.target, message["language"] or "en"
    return Case(question, message["text"], target.content, passages, given.reason, bool(target.calls), language)


def _check(given: Correction, message: Row) -> None:
    if message["role"] != "assistant":
        raise Refused("only answers of the assistant can be corrected; write a note instead")
    if given.target.empty:
        raise Refused("the correction says nothing; write the better answer, or name the tool it should have called")
    if not given.calls and given.target.content == message["text"].strip():
        raise Refused("the correction is the answer itself; rate it instead")
