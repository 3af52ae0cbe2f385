"""What a turn does besides talking: calls are written down first, then run, and what came of them is kept.

Each stage is a commit that proves the lease, and every stage before an effect also proves that no person took the
conversation. A worker that dies leaves a journal; whoever takes the turn next goes on from it with the same keys.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Protocol

import structlog

from config.settings import Settings
from models.chat import ToolSpec
from server import lanes
from server.crashpoint import reach
from server.engine import record
from server.engine.control import Interrupt
from server.engine.look import Look, LookAgain
from server.lanes import Lease
from server.store.contract import Store, Tx, Value
from server.store.text import dump
from server.timeline import lock
from server.tools import journal, requests
from server.tools.contract import Caller, Result, Tool, ToolError, ToolRefused, ToolTimeout
from server.tools.journal import Proposal, Step, Turn

log = structlog.get_logger()

End = Result | ToolError
InSame = Callable[[Tx], Awaitable[None]]  # what is stored in the same commit


class Box(Protocol):
    """The tools there are, behind their limits."""

    def specs(self, caller: Caller, /) -> Sequence[ToolSpec]:
        """What the model may be offered on behalf of this caller."""
        ...

    def tool(self, name: str, /) -> Tool:
        """One tool; raises ToolRefused for an unknown name."""
        ...

    def check(self, name: str, arguments: str, /) -> Mapping[str, Any]:
        """The arguments, once they fit the tool's schema; raises ToolRefused."""
        ...

    def needs(self, name: str, arguments: Mapping[str, Any], /) -> str:
        """Whose yes the call needs first: nobody's (empty), ``confirm`` or ``approve``; raises ToolRefused."""
        ...

    async def run(
        self, name: str, arguments: Mapping[str, Any], caller: Caller, key: str, *, repeat: bool = False
    ) -> Result:
        """Run it; ``repeat`` says that the same step was begun before. Raises ToolError."""
        ...


def turn_of(lease: Lease) -> Turn:
    """The journal's name of a leased turn."""
    return Turn(lease.tenant, lease.key, lease.first_seq)


class Steps:
    """The journal's commits, and the runs between them; stateless apart from its collaborators."""

    def __init__(self, store: Store, box: Box, settings: Settings) -> None:
        self._store = store
        self._box = box
        self._lease_s = settings.engine.lease_s

    async def reach(self, lease: Lease) -> int | None:
        """The newest message the turn had read when it first called a tool; None while it called none."""
        row = await self._store.row("engine.steps_reach", conversation_id=lease.key, first_seq=lease.first_seq)
        return row["upto_seq"] if row else None

    async def read(self, lease: Lease) -> list[Step]:
        """The turn's journal, in order."""
        return await journal.read(self._store, lease.key, lease.first_seq)

    async def propose(
        self,
        look: Look,
        number_of_round: int,
        calls: Sequence[Proposal],
        refused: Mapping[int, ToolError],
        also: InSame | None = None,
    ) -> list[Step]:
        """Write a round's calls down before any effect; raises LookAgain when something came first.

        ``refused`` are the calls (by their place) that end right here, ``also`` is stored in the same commit.
        """
        lease, closed = look.lease, look.clocks.closed
        joins = look.may_merge and len(lease.items) < lanes.ITEMS_PER_TAKE

        async def unit(tx: Tx) -> list[Step]:
            await self._held(tx, look, joins=joins)
            if also is not None:
                await also(tx)
            steps = await journal.propose(tx, turn_of(lease), number_of_round, calls)
            for place, error in refused.items():
                if not steps[place].ended:
                    await journal.finish(tx, turn_of(lease), steps[place].number, error)
            if not closed:
                await tx.run(
                    "engine.note_steps_reach",
                    conversation_id=lease.key,
                    first_seq=lease.first_seq,
                    round=number_of_round,
                    upto_seq=lease.tail,
                )
            known = await journal.read(tx, lease.key, lease.first_seq)
            return [step for step in known if step.round == number_of_round]

        try:
            steps = await self._store.write(unit, order=lease.key)
        except record.OwnerChanged:
            look.control.interrupt(Interrupt.OWNER)
            raise LookAgain from None
        except record.TailMoved:
            look.control.interrupt(Interrupt.MORE)
            raise LookAgain from None
        look.clocks.closed = True  # what joined now would be answered by calls that never saw it
        look.control.merging = False
        reach("tool_proposed")
        return steps

    async def run(self, look: Look, caller: Caller, steps: Sequence[Step]) -> list[Step]:
        """Run calls side by side and store what came of each; raises LookAgain when a person was faster.

        An interrupt does not reach them: what has begun is waited for and stored.
        """
        lease = look.lease

        async def unit(tx: Tx) -> list[Step]:
            await self._held(tx, look, joins=False)
            return [await journal.begin(tx, turn_of(lease), step.number) for step in steps]

        try:
            begun = await self._store.write(unit, order=lease.key)
        except record.OwnerChanged:
            look.control.interrupt(Interrupt.OWNER)
            raise LookAgain from None
        reach("tool_running")
        ends = await asyncio.gather(*(self._run_one(lease, step, caller) for step in begun), return_exceptions=True)
        for end in ends:
            if isinstance(end, BaseException):
                raise end
        return await self.read(lease)

    async def fail(self, lease: Lease, steps: Sequence[Step], error: ToolError) -> None:
        """End calls without running them."""

        async def unit(tx: Tx) -> None:
            await lanes.beat(tx, lease, self._lease_s)
            for step in steps:
                await journal.finish(tx, turn_of(lease), step.number, error)

        await self._store.write(unit, order=lease.key)

    async def _held(self, tx: Tx, look: Look, *, joins: bool) -> None:
        """Prove that the turn is still ours, nobody took the conversation, and (``joins``) nothing newer came."""
        lease, context = look.lease, look.context
        timeline = await lock(tx, lease.key)
        await lanes.beat(tx, lease, self._lease_s)
        if timeline.state.owner_epoch != context.state.owner_epoch:
            raise record.OwnerChanged("staff took the conversation before the call")
        if not joins:
            return
        lane = await tx.row("conversations.in_tail", tenant=timeline.tenant, conversation_id=timeline.id)
        if (lane is not None and lane["tail"] != lease.tail) or timeline.edits != context.edits:
            raise record.TailMoved("a newer message came before the call")

    def writes(self, name: str) -> bool:
        """Whether a tool has effects; one that is gone may have had."""
        try:
            return self._box.tool(name).policy.effect == "write"
        except ToolRefused:
            return True

    async def close_asked(self, tx: Tx, key: str, end: End) -> None:
        """End the request behind a foreign key, and the step that waited for it, in an open unit."""
        conversation_id, first_seq, number = key.rsplit(":", 2)
        asked: dict[str, Value] = {
            "conversation_id": conversation_id,
            "first_seq": int(first_seq),
            "number": int(number),
        }
        row = await tx.row("tools.request_of_step", **asked)
        failed, result = isinstance(end, ToolError), journal.outcome(end)
        if row is not None:
            await requests.end(tx, row["id"], result, failed=failed)
        state = "failed" if failed else "done"
        await tx.run("tools.end_step", **asked, state=state, result=dump(result), now=tx.now_s)

    async def _run_one(self, lease: Lease, step: Step, caller: Caller) -> None:
        end = await self._tried(step, caller)
        reach("tool_effect")

        async def unit(tx: Tx) -> None:
            await lanes.beat(tx, lease, self._lease_s)  # only who holds the turn says what came of it
            await journal.finish(tx, turn_of(lease), step.number, end)
            if step.key != turn_of(lease).key(step.number):
                await self.close_asked(tx, step.key, end)

        await self._store.write(unit, order=lease.key)
        reach("tool_recorded")

    async def _again(self, step: Step, caller: Caller) -> Result:
        """The one repetition of a write; whatever fails now, the first try may have worked. Raises ToolTimeout."""
        log.warning("tool_repeated", tool=step.tool, step=step.number)
        try:
            return await self._box.run(step.tool, step.arguments, caller, step.key, repeat=True)
        except ToolError as error:
            raise ToolTimeout(str(error)) from error

    async def _tried(self, step: Step, caller: Caller) -> End:
        """One call with its stored arguments; a write without an answer is repeated under the same key."""
        try:
            try:
                return await self._box.run(step.tool, step.arguments, caller, step.key, repeat=step.attempts > 1)
            except ToolTimeout:
                if not self.writes(step.tool):
                    raise
                return await self._again(step, caller)
        except ToolError as error:
            log.warning("tool_failed", tool=step.tool, step=step.number, error=type(error).__name__)
            return error
