"""One call of the model for a turn: its draft is opened on disk first, then its words go to whoever watches."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import dataclass, replace

from models.chat import LLM, Deadlines, Decoding, Delta, ModelError, ToolCall, ToolSpec, Usage
from models.prompt import Prompt
from server.crashpoint import reach
from server.engine import record
from server.engine.context import Context
from server.engine.control import Control, Interrupt
from server.engine.present import Presenter
from server.engine.record import Begun
from server.engine.show import Show
from server.grounding import Filter
from server.hub import Draft, Hub
from server.lanes import Lease
from server.store.contract import Store, Tx
from server.timeline import turn_id

CALL_TOKENS = 512  # of an answer that has to be a call: what is cut is no JSON, however short answers in words are


def decoding_for(context: Context, tool_choice: str | None) -> Decoding:
    """How one answer is decoded; a call that must come gets room of its own, up to half of the model's context."""
    release = context.release
    if not tool_choice:
        return release.decoding
    room = min(CALL_TOKENS, release.context_tokens // 2)
    return replace(release.decoding, max_tokens=max(release.decoding.max_tokens, room))


@dataclass(slots=True)
class Progress:
    """What one attempt has so far; times are of the injected clock, seconds.

    ``text`` is what may be shown: all of it, or what ``gate`` let through. ``begun`` may come from an earlier round of
    the same look that showed nothing; ``silent`` rounds are asked for a call and show nothing at all.
    """

    context: Context
    prompt: Prompt
    started: float
    tools: tuple[ToolSpec, ...] = ()
    tool_choice: str | None = None
    gate: Filter | None = None
    silent: bool = False
    stopped: bool = False
    calls: tuple[ToolCall, ...] = ()
    begun: Begun | None = None
    draft: Draft | None = None
    show: Show | None = None
    text: str = ""
    usage: Usage | None = None
    finish: str | None = None
    first_token: float | None = None


class Attempts:
    """Makes attempts; everything of one is local to :meth:`run` and its ``progress``."""

    def __init__(
        self,
        store: Store,
        llm: LLM,
        hub: Hub,
        presenter: Presenter,
        deadlines: Deadlines,
        lease_s: float,
        clock: Callable[[], float],
    ) -> None:
        self._store = store
        self._llm = llm
        self._hub = hub
        self._presenter = presenter
        self._deadlines = deadlines
        self._lease_s = lease_s
        self._clock = clock

    async def run(self, lease: Lease, control: Control, progress: Progress) -> ModelError | None:
        """One call of the model; its text so far is in ``progress`` even when it was interrupted."""
        task = asyncio.create_task(self._generate(lease, progress), name=f"generate {lease.key}")
        try:
            if await control.guard(task):
                task.result()
        except ModelError as error:
            return error
        except record.OwnerChanged:  # claimed between the look at the state and the draft's opening
            control.interrupt(Interrupt.OWNER)
        finally:
            if progress.draft is not None:
                self._hub.end(progress.draft)
            if progress.show is not None:
                await progress.show.close()
        return None

    async def _generate(self, lease: Lease, progress: Progress) -> None:
        release = progress.context.release
        opening = asyncio.create_task(self._open(lease, progress.context.pin or release.id, progress))
        try:
            stream = self._llm.chat(
                progress.prompt.messages,
                model=release.served_name(progress.context.language),
                decoding=decoding_for(progress.context, progress.tool_choice),
                deadlines=self._deadlines,
                tools=progress.tools,
                tool_choice=progress.tool_choice if progress.tools else None,
            )
            async with aclosing(stream):  # type: ignore[type-var]  # the protocol promises an async generator
                async for delta in stream:
                    await self._take_in(lease, progress, delta, opening)
            progress.begun = await asyncio.shield(opening)
        finally:
            # never left behind: on PostgreSQL an opening that is still on its way could commit after the next one
            while not opening.done():
                with contextlib.suppress(asyncio.CancelledError):  # a second interrupt; the first one is on its way up
                    await asyncio.wait({opening})
            if not opening.cancelled():
                opening.exception()  # looked at: whoever needed the draft has raised it already

    async def _take_in(
        self, lease: Lease, progress: Progress, delta: Delta, opening: asyncio.Task[Begun | None]
    ) -> None:
        progress.usage = delta.usage or progress.usage
        progress.finish = delta.finish_reason or progress.finish
        progress.calls += delta.tool_calls
        if not delta.text or progress.silent:
            return
        if progress.first_token is None:
            progress.first_token = self._clock()
        text = progress.gate.feed(delta.text) if progress.gate is not None else delta.text
        if not text:
            return
        if progress.begun is None or progress.draft is None or progress.show is None:
            progress.begun = await asyncio.shield(opening)  # nothing is shown before the draft's opening is on disk
            assert progress.begun is not None  # only silent attempts open none
            turn = turn_id(lease.key, lease.first_seq)
            progress.draft = self._hub.begin(lease.key, turn, progress.begun.attempt)
            # what must be told before the answer cannot be told any more once a platform shows the answer
            progress.show = (
                Show()
                if progress.context.notes
                else self._presenter.begin(progress.context, lease, progress.begun, progress.started)
            )
        point = "mid_generation" if progress.text else "first_delta"
        progress.text += text
        self._hub.append(progress.draft, text)
        progress.show.append(text)
        reach(point)

    async def _open(self, lease: Lease, release_id: str, progress: Progress) -> Begun | None:
        if progress.begun is not None or progress.silent:
            return progress.begun
        return await self._begin(lease, release_id)

    async def _begin(self, lease: Lease, release_id: str) -> Begun:
        async def unit(tx: Tx) -> Begun:
            return await record.begin(tx, lease, self._lease_s, release_id)

        begun = await self._store.write(unit, order=lease.key, independent=True)
        reach("draft_opened")
        return begun
