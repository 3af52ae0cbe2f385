"""The making of one answer: what code decides, what the documents say, and rounds of the model and its tools."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Protocol

from config.settings import Settings
from models.chat import LLM, QuestionTooLong, ToolSpec, Usage
from models.prompt import Prompt, PromptBudget
from server.conversation import Outcome
from server.engine.acting import Acting
from server.engine.asking import Asking
from server.engine.attempt import Progress, decoding_for
from server.engine.control import Interrupt
from server.engine.knowing import Ground, Knowing
from server.engine.look import Look, LookAgain, Thread
from server.engine.record import Ending
from server.engine.words import Notice
from server.snapshot import Asked, capture
from server.telemetry import Metrics
from server.timeline import turn_id

_OVER = frozenset({Interrupt.OWNER, Interrupt.SILENCE, Interrupt.LOST})  # nothing may be said any more


class BudgetedLLM(LLM, Protocol):
    """A model that also knows what a prompt costs."""

    @property
    def budget(self) -> PromptBudget:
        """Counts with the served model's tokenizer."""
        ...


@dataclass(frozen=True, slots=True)
class _Written:
    """What the model wrote in one round, and what of the documents it had read."""

    progress: Progress
    ground: Ground | None


class Rounds:
    """Makes answers; ``knowledge`` and ``tools`` are None where a process has none."""

    def __init__(
        self,
        llm: BudgetedLLM,
        asking: Asking,
        metrics: Metrics,
        settings: Settings,
        knowledge: Knowing | None,
        tools: Acting | None,
    ) -> None:
        self._llm = llm
        self._asking = asking
        self._metrics = metrics
        self._most_rounds = settings.tools.rounds
        self._knowledge = knowledge
        self._tools = tools

    async def answer(self, look: Look) -> Ending | None:
        """An ending; None when the turn must be looked at again (``look.control``) or went back to its lane."""
        try:
            ending = await self._answer(look)
        except QuestionTooLong:
            return look.told(Outcome.GRACEFUL, "too_long", Notice.TOO_LONG)
        except LookAgain:
            return None
        return None if look.control.reason in _OVER else ending

    async def _answer(self, look: Look) -> Ending:
        thread = Thread()
        if self._tools is not None:
            ending = await self._tools.first(look, thread)
            if ending is None and thread.forced:
                ending = await self._forced(look, thread, self._tools)
            if ending is not None:
                return ending
        ground = await self._grounded(look)
        if self._knowledge is None or ground is None or self._knowledge.answerable(look, ground):
            return await self._told(look, thread, ground)
        return await self._unanswered(look, thread, ground, self._knowledge)

    async def _forced(self, look: Look, thread: Thread, tools: Acting) -> Ending | None:
        """Let the model fill in a call that code found due."""
        written = await self._round(look, thread, None, silent=True)
        if written.progress.calls:
            ending = await tools.called(look, thread, written.progress.calls[:1])
            return ending and self._figured(look, thread, written.progress, ending)
        thread.forced, thread.offered = "", ()
        return None

    async def _unanswered(self, look: Look, thread: Thread, ground: Ground, knowledge: Knowing) -> Ending:
        """No passage answers: the policy does, unless a tool of the model's own choice has something to say."""
        if not thread.steps:
            thread.offered = self._offered(thread)
            if not thread.offered:
                return knowledge.unanswerable(look, ground)
            progress = (await self._round(look, thread, None, silent=True)).progress
            if self._tools is None or not progress.calls:
                return knowledge.unanswerable(look, ground)
            ending = await self._tools.called(look, thread, progress.calls)
            if ending is not None:
                return self._figured(look, thread, progress, ending)
        return await self._told(look, thread, None)

    async def _told(self, look: Look, thread: Thread, ground: Ground | None) -> Ending:
        """The model's answer, with as many rounds of its tools as it may have."""
        while True:
            thread.offered = self._offered(thread)
            written = await self._round(look, thread, ground, silent=False)
            progress = written.progress
            if self._tools is None or not progress.calls or progress.stopped:
                return self._ended(look, thread, written)
            ending = await self._tools.called(look, thread, progress.calls)
            if ending is not None:
                return self._figured(look, thread, progress, ending)

    def _offered(self, thread: Thread) -> tuple[ToolSpec, ...]:
        if self._tools is None or thread.round >= self._most_rounds:
            return ()
        return self._tools.offered(thread)

    async def _grounded(self, look: Look) -> Ground | None:
        """What was found; an interrupt ends the search."""
        if self._knowledge is None:
            return None
        look.control.merging = look.may_merge
        task = asyncio.create_task(self._knowledge.ground(look, self._llm.budget), name=f"retrieve {look.lease.key}")
        if not await look.control.guard(task):
            raise LookAgain
        return task.result()

    async def _round(self, look: Look, thread: Thread, ground: Ground | None, *, silent: bool) -> _Written:
        """One answer of the model: text, or calls."""
        ground, prompt = await self._llm.budget.aside(partial(self._fitted, look, thread, ground))
        progress = await self._asking.ask(look, self._fresh(look, thread, ground, prompt, silent=silent))
        if progress is None:
            raise LookAgain
        thread.asked += (Asked(prompt, progress.tools, progress.tool_choice or ""),)
        # a draft that showed something cannot go on with other words: the next round opens one of its own
        thread.begun = None if progress.text else progress.begun
        usage, before = progress.usage or Usage(prompt.prompt_tokens, 0), thread.usage
        thread.usage = Usage(
            before.prompt_tokens + usage.prompt_tokens, before.completion_tokens + usage.completion_tokens
        )
        return _Written(progress, ground)

    def _fresh(
        self, look: Look, thread: Thread, ground: Ground | None, prompt: Prompt, *, silent: bool
    ) -> Callable[[], Progress]:
        begun, offered, forced = thread.begun, thread.offered, thread.forced or None
        told = "\n".join((look.context.question, *thread.evidence))

        def fresh() -> Progress:
            gate = None
            if ground is not None and self._knowledge is not None:
                gate = self._knowledge.filter(look, ground, told)
            return Progress(
                look.context, prompt, look.clock(), tools=offered, tool_choice=forced, gate=gate, silent=silent,
                begun=begun,
            )  # fmt: skip

        return fresh

    def _fitted(self, look: Look, thread: Thread, ground: Ground | None) -> tuple[Ground | None, Prompt]:
        """The prompt with as many passages as it holds; raises QuestionTooLong when it is too long even so."""
        context = look.context
        while True:
            system = f"{context.release.system_prompt}\n\n{ground.block}" if ground else context.release.system_prompt
            try:
                return ground, self._llm.budget.fit(
                    system, context.history, context.question, tools=thread.offered, steps=thread.steps,
                    max_answer_tokens=decoding_for(context, thread.forced).max_tokens,
                )  # fmt: skip
            except QuestionTooLong:
                ground = self._knowledge.fewer(ground, context.language) if ground and self._knowledge else None
                if ground is None:
                    raise

    def _ended(self, look: Look, thread: Thread, written: _Written) -> Ending:
        """The ending of an answer in the model's words."""
        progress, ground = written.progress, written.ground
        if ground is not None and progress.gate is not None and self._knowledge is not None:
            grounded = progress.gate.finish()
            if progress.stopped:
                cited = tuple(each for each in grounded.citations if f"[{each.number}]" in progress.text)
                grounded = replace(grounded, text=progress.text, citations=cited)
            free = bool(thread.evidence) or progress.stopped
            ending = self._knowledge.checked(look, ground, grounded, free=free)
        else:
            ending = look.answered(progress.text)
        ending = self._figured(look, thread, progress, ending)
        if progress.stopped:
            extra = {**ending.extra, "stopped": True}
            return replace(ending, reason="stopped", extra=extra, saw_tail=None, saw_edits=None)
        if progress.finish == "length" and ending.reason is None:
            return replace(ending, reason="length")
        return ending

    def _figured(self, look: Look, thread: Thread, progress: Progress, ending: Ending) -> Ending:
        """The ending with what every one made with the model carries."""
        now, clocks = look.clock(), look.clocks
        timings = {
            "settle": 1000 * ((clocks.dispatched or now) - clocks.taken),
            "first_token": 1000 * ((progress.first_token or now) - progress.started),
            "total": 1000 * (now - progress.started),
            **clocks.stages_ms,
        }
        self._metrics.first_token_seconds.observe(timings["first_token"] / 1000)
        begun = progress.begun
        of_draft: dict[str, Any] = {"attempt": begun.attempt, "owner_epoch": begun.owner_epoch} if begun else {}
        context, lease = look.context, look.lease
        turn = turn_id(lease.key, lease.first_seq)
        told = capture(lease.tenant, turn, len(context.history), thread.asked)
        return replace(
            ending,
            release_id=context.release.id,
            also=(*ending.also, told),
            usage=thread.usage,
            timings={name: round(value, 1) for name, value in timings.items()},
            **of_draft,
        )
