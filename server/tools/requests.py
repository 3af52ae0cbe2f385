"""Calls that wait for a yes: the customer's confirmation, or the approval of staff.

A yes counts only for the same tool, arguments and conversation, only once, and only before it expires. A confirmed call
is run by the engine as a step of the confirming turn with :attr:`Request.key`; an approved one by :class:`Approvals`.
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from server.ids import new_id
from server.lanes import Reads
from server.store.contract import Row, Tx
from server.tools import schema
from server.tools.journal import Turn

Kind = Literal["confirm", "approve"]
State = Literal["waiting", "granted", "refused", "expired", "done", "failed"]

APPROVE_S = 7 * 86_400.0  # staff have a week; prices and stocks have changed by then
CUSTOMER = "customer"  # decided_by of a confirmation


@dataclass(frozen=True, slots=True)
class Request:
    """One call that waits, or waited, for a yes; ``summary`` is what was shown to whoever decides."""

    id: str
    tenant: str
    conversation_id: str
    first_seq: int
    number: int
    tool: str
    arguments: Mapping[str, Any]
    digest: str
    kind: Kind
    state: State
    summary: str
    expires_at: float
    created_at: float
    decided_by: str | None = None
    result: Mapping[str, Any] | None = None

    @property
    def key(self) -> str:
        """The idempotency key of the effect, however often somebody says yes."""
        return f"{self.conversation_id}:{self.first_seq}:{self.number}"

    def bound_to(self, tool: str, arguments: Mapping[str, Any], conversation_id: str) -> bool:
        """Whether this request is for exactly this call in this conversation."""
        return hmac.compare_digest(self.digest, schema.digest(tool, arguments, conversation_id))


async def ask(
    tx: Tx,
    turn: Turn,
    number: int,
    tool: str,
    arguments: Mapping[str, Any],
    *,
    kind: Kind,
    summary: str,
    ttl_s: float,
) -> Request:
    """Let a step's call wait for a yes; a retaken turn gets the request it made before.

    A new question to the customer ends the ones before it: a yes must have one meaning.
    """
    await tx.run(
        "tools.add_request",
        id=new_id(),
        tenant=turn.tenant,
        **turn.where(),
        number=number,
        tool=tool,
        arguments=schema.canonical(arguments),
        digest=schema.digest(tool, arguments, turn.conversation_id),
        kind=kind,
        summary=summary,
        expires_at=tx.now_s + ttl_s,
        now=tx.now_s,
    )
    if kind == "confirm":
        await tx.run("tools.supersede_confirmations", **turn.where(), number=number)
    row = await tx.row("tools.request_of_step", **turn.where(), number=number)
    assert row is not None
    return of(row)


async def pending(source: Reads, conversation_id: str, now_s: float) -> Request | None:
    """What the customer was asked to confirm and may still confirm at ``now_s`` (the store's wall clock)."""
    rows = await source.rows("tools.waiting_confirmation", conversation_id=conversation_id, now=now_s)
    return of(rows[0]) if rows else None


async def decide(
    tx: Tx,
    request_id: str,
    *,
    conversation_id: str,
    granted: bool,
    by: str = CUSTOMER,
    kind: Kind = "confirm",
    call: tuple[str, Mapping[str, Any]] | None = None,
) -> Request | None:
    """Answer a request; its ``state`` says what became of it: granted, refused or expired.

    None, and nothing is changed, where there is no such request in this conversation, somebody decided it before, its
    stored arguments are not those that were asked about, or ``call`` (tool, arguments) is another call.
    """
    row = await tx.row("tools.lock_request", id=request_id)
    if row is None:
        return None
    request = of(row)
    intact = request.bound_to(request.tool, request.arguments, conversation_id)
    if call is not None:
        intact = intact and request.bound_to(*call, conversation_id)
    if request.conversation_id != conversation_id or request.kind != kind or request.state != "waiting" or not intact:
        return None
    state: State = "granted" if granted else "refused"
    if request.expires_at <= tx.now_s:
        state = "expired"
    await tx.run("tools.decide_request", id=request_id, state=state, decided_by=by, now=tx.now_s)
    decided = await tx.row("tools.lock_request", id=request_id)
    assert decided is not None
    return of(decided)


async def end(tx: Tx, request_id: str, result: Mapping[str, Any], *, failed: bool) -> bool:
    """Store what came of a granted request; False when that was stored before."""
    state = "failed" if failed else "done"
    text = json.dumps(result, ensure_ascii=False)
    return bool(await tx.run("tools.end_request", id=request_id, state=state, result=text))


async def expire(tx: Tx, tenant: str) -> list[Row]:
    """End every request whose time is over; rows have id, kind, conversation_id, first_seq and number."""
    return list(await tx.rows("tools.expire_requests", tenant=tenant, now=tx.now_s))


async def listed(source: Reads, tenant: str, state: State | None = "waiting", limit: int = 100) -> list[Request]:
    """Requests for staff to approve, the newest first; ``state`` None lists all."""
    return [of(row) for row in await source.rows("tools.requests", tenant=tenant, state=state, limit=limit)]


def of(row: Row) -> Request:
    """A request from its row."""
    return Request(
        row["id"],
        row["tenant"],
        row["conversation_id"],
        row["first_seq"],
        row["number"],
        row["tool"],
        json.loads(row["arguments"]),
        row["digest"],
        row["kind"],
        row["state"],
        row["summary"],
        row["expires_at"],
        row["created_at"],
        row["decided_by"],
        json.loads(row["result"]) if row["result"] else None,
    )
