"""The journal of a turn's tool calls: a call is committed before its effect, and a retaken turn goes on from here.

All writers are functions over an open unit; the caller proves in the same unit that it still holds the turn (its lease
commit), so a worker that lost the lane can write nothing. States: proposed -> running -> done | failed, with waiting in
between while somebody must say yes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from server.lanes import Reads
from server.store.contract import Fenced, Row, Tx, Value
from server.store.text import dump
from server.tools import schema
from server.tools.contract import Result, ToolError, ToolRefused, ToolTimeout, ToolUnavailable

State = Literal["proposed", "running", "waiting", "done", "failed"]

ENDED: frozenset[State] = frozenset({"done", "failed"})
MAX_ATTEMPTS = 4  # begun this often without an end: the call itself seems to kill the worker

_KINDS: tuple[tuple[type[ToolError], str], ...] = (
    (ToolRefused, "refused"),
    (ToolTimeout, "timeout"),
    (ToolUnavailable, "unavailable"),
    (ToolError, "failed"),
)


@dataclass(frozen=True, slots=True)
class Turn:
    """Whose journal: the turn that begins with the in-lane sequence ``first_seq`` of a conversation."""

    tenant: str
    conversation_id: str
    first_seq: int

    def key(self, number: int) -> str:
        """The idempotency key of one step: the same in every attempt at the turn."""
        return f"{self.conversation_id}:{self.first_seq}:{number}"

    def where(self) -> dict[str, Value]:
        """The columns that name the turn."""
        return {"conversation_id": self.conversation_id, "first_seq": self.first_seq}


@dataclass(frozen=True, slots=True)
class Proposal:
    """A call somebody (model or code) wants made; ``key`` overrides the step's own, as a confirmed request does."""

    tool: str
    arguments: Mapping[str, Any]
    call_id: str = ""
    key: str = ""


@dataclass(frozen=True, slots=True)
class Step:
    """One call as it stands in the journal; ``result`` is what :func:`outcome` made of its end."""

    number: int
    tool: str
    arguments: Mapping[str, Any]
    state: State
    key: str
    call_id: str = ""
    round: int = 0
    attempts: int = 0
    result: Mapping[str, Any] | None = None

    @property
    def ended(self) -> bool:
        """Whether nothing can happen to it any more."""
        return self.state in ENDED


@dataclass(frozen=True, slots=True)
class Next:
    """What a turn does now.

    ``ask``: ask the model for round ``round`` with the results so far. ``run``: run ``steps`` (all of round ``round``)
    with their stored arguments and keys. ``wait``: end the turn with the question of ``steps``. ``abandon``: end
    ``steps`` as failed without running them, then ask again what comes next.
    """

    do: Literal["ask", "run", "wait", "abandon"]
    round: int
    steps: tuple[Step, ...] = ()


def resume(steps: Sequence[Step]) -> Next:
    """Decide by the journal alone; the model is never asked again for a round that is stored.

    Only the latest round can be open, because a round is asked for when the one before it has ended.
    """
    if not steps:
        return Next("ask", 0)
    last = max(step.round for step in steps)
    opened = sorted((step for step in steps if not step.ended), key=lambda step: step.number)
    worn = tuple(step for step in opened if step.state == "running" and step.attempts >= MAX_ATTEMPTS)
    if worn:
        return Next("abandon", last, worn)
    if runnable := tuple(step for step in opened if step.state != "waiting"):
        return Next("run", last, runnable)
    if opened:
        return Next("wait", last, tuple(opened))
    return Next("ask", last + 1)


async def read(source: Reads, conversation_id: str, first_seq: int) -> list[Step]:
    """The steps of a turn, in order; a store or an open unit can be asked."""
    rows = await source.rows("tools.steps", conversation_id=conversation_id, first_seq=first_seq)
    return [_step(row) for row in rows]


async def propose(tx: Tx, turn: Turn, number_of_round: int, calls: Sequence[Proposal]) -> list[Step]:
    """Write a round's calls down; where the round is stored already, its steps come back and ``calls`` is ignored."""
    known = await read(tx, turn.conversation_id, turn.first_seq)
    stored = [step for step in known if step.round >= number_of_round]
    if stored:
        return stored
    first = 1 + max((step.number for step in known), default=0)
    for number, call in enumerate(calls, start=first):
        await tx.run(
            "tools.add_step",
            **turn.where(),
            number=number,
            tenant=turn.tenant,
            tool=call.tool,
            arguments=schema.canonical(call.arguments),
            now=tx.now_s,
            key=call.key or turn.key(number),
            call_id=call.call_id,
            round=number_of_round,
        )
    return [step for step in await read(tx, turn.conversation_id, turn.first_seq) if step.round == number_of_round]


async def begin(tx: Tx, turn: Turn, number: int) -> Step:
    """Mark a step running and count the try; its effect may happen after this commit. Raises Fenced once it ended."""
    row = await tx.row("tools.begin_step", **turn.where(), number=number)
    if row is None:
        raise Fenced(f"step {number} of {turn.conversation_id}:{turn.first_seq} has ended; somebody else ran it")
    return _step(row)


async def finish(tx: Tx, turn: Turn, number: int, end: Result | ToolError) -> None:
    """Store what came of a step; raises Fenced when it ended before."""
    await _end(tx, turn, number, "failed" if isinstance(end, ToolError) else "done", outcome(end))


async def wait(tx: Tx, turn: Turn, number: int, why: Literal["confirm", "approve", "verify"]) -> None:
    """Set a step aside until somebody says yes; raises Fenced when it ended before."""
    await _end(tx, turn, number, "waiting", {"ok": False, "waiting": why})


async def _end(tx: Tx, turn: Turn, number: int, state: State, result: Mapping[str, Any]) -> None:
    if not await tx.run(
        "tools.end_step", **turn.where(), number=number, state=state, result=dump(result), now=tx.now_s
    ):
        raise Fenced(f"step {number} of {turn.conversation_id}:{turn.first_seq} has ended; drop the work")


def outcome(end: Result | ToolError) -> dict[str, Any]:
    """An end as JSON: ``ok`` with data, say, handoff and replies, or ``error`` with its kind and words."""
    if isinstance(end, ToolError):
        kind = next(name for error, name in _KINDS if isinstance(end, error))
        return {"ok": False, "error": kind, "message": str(end)}
    return {
        "ok": end.ok,
        "data": dict(end.data),
        "say": end.say,
        "handoff": end.handoff,
        "replies": list(end.replies),
    }


def ended_with(step: Step) -> Result | ToolError:
    """What :func:`outcome` stored, as it was; for a step that ended."""
    stored = step.result or {}
    if "error" in stored:
        kind = next((error for error, name in _KINDS if name == stored["error"]), ToolError)
        return kind(str(stored.get("message", "")))
    return Result(
        stored.get("data", {}),
        stored.get("say", ""),
        bool(stored.get("ok")),
        stored.get("handoff", ""),
        tuple(stored.get("replies", ())),
    )


def for_model(step: Step) -> str:
    """What the model reads as the result of a call: JSON, without the texts that are for the customer."""
    end = ended_with(step)
    if isinstance(end, ToolError):
        return dump({"error": (step.result or {}).get("error", "failed"), "message": str(end)})
    return dump({"ok": end.ok, **end.data})


def _step(row: Row) -> Step:
    return Step(
        number=row["number"],
        tool=row["tool"],
        arguments=json.loads(row["arguments"]),
        state=row["state"],
        key=row["key"] or "",
        call_id=row["call_id"] or "",
        round=row["round"],
        attempts=row["attempts"],
        result=json.loads(row["result"]) if row["result"] else None,
    )
