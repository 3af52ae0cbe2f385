"""Tools in a turn: what the journal says, what code plans, what the model calls, and what each result means.

A stored round is never asked for again. Plans are made in code; the model fills what only it can. Whatever needs a
yes ends the turn with its question, and the yes runs exactly what was asked.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, cast

import structlog

from config.settings import Settings
from models.chat import ToolCall, ToolSpec
from server.engine import dialogue, results
from server.engine.look import Look, LookAgain, Thread
from server.engine.record import Also, Ending
from server.engine.steps import Box, InSame, Steps, turn_of
from server.engine.words import Notice, say
from server.lanes import Lease
from server.store.contract import Store, Tx
from server.tools import customer_words, journal, requests, schema
from server.tools.contract import Asking, Caller, Previewing, ToolError, ToolRefused, ToolTimeout
from server.tools.journal import Proposal, Step
from server.tools.plans import Ask, Call, Confirmed, Declined, Dialogue, Force, NoPlan, Pending, Plan, Say
from server.tools.replies import say as phrase
from server.tools.requests import Request

Callers = Callable[[str], Awaitable[Caller]]
"""Who a conversation's customer is, by the conversation's id."""
Planner = Callable[
    [str, Sequence[str], Dialogue, Pending | None, Caller, Sequence[ToolSpec], datetime], Awaitable[Plan]
]
"""``server.tools.planner.plan`` with the shop's vocabulary."""

log = structlog.get_logger()

PLANNED = frozenset(
    {
        *("order_status", "confirm_identity", "book_appointment", "payment_link"),
        *("capture_lead", "create_ticket", "handoff_to_staff"),
    }
)
"""Tools whose calls code decides; a small model only errs about them, so it is not offered them."""

CALL_CHARACTERS = 420  # of all free texts of a call together: attempt.CALL_TOKENS holds them at a token each


class RequestOver(Exception):
    """The request that the customer said yes to is open no more."""


class Acting:
    """Tools for turns; stateless apart from its collaborators. ``wall`` is epoch seconds.

    ``planned`` names the tools the model is not offered, because code decides about them.
    """

    def __init__(
        self,
        store: Store,
        box: Box,
        planner: Planner,
        callers: Callers,
        settings: Settings,
        wall: Callable[[], float],
        planned: frozenset[str] = PLANNED,
    ) -> None:
        self._store = store
        self._box = box
        self._planner = planner
        self._callers = callers
        self._tools = settings.tools
        self._wall = wall
        self._planned = planned
        self._steps = Steps(store, box, settings)

    async def reach(self, lease: Lease) -> int | None:
        """The newest message the turn had read when it first called a tool; None while it called none."""
        return await self._steps.reach(lease)

    async def first(self, look: Look, thread: Thread) -> Ending | None:
        """What the journal or code decides before the model is asked; None when the model goes on with ``thread``."""
        known = await self._steps.read(look.lease)
        try:
            thread.caller = await self._callers(look.lease.key)
        except ToolError as error:  # the shop does not say who it is
            if known:
                raise
            log.warning("caller_unknown", conversation=look.lease.key, error=type(error).__name__)
            return None
        if known:
            return await self._resumed(look, thread, known)
        plan, request = await self._plan(look, thread.caller)
        return await self._planned_ending(look, thread, plan, request)

    def offered(self, thread: Thread) -> tuple[ToolSpec, ...]:
        """The tools the model may call now."""
        if thread.caller is None:
            return ()
        specs = (spec for spec in self._box.specs(thread.caller) if spec.name not in self._planned)
        return tuple(customer_words.without(spec) for spec in specs)

    async def called(self, look: Look, thread: Thread, calls: Sequence[ToolCall]) -> Ending | None:
        """Do what the model called; None when it shall read the results and go on."""
        proposals: list[Proposal] = []
        refused: dict[int, ToolError] = {}
        for place, call in enumerate(calls):
            try:
                if place >= self._tools.calls:
                    raise ToolRefused(f"at most {self._tools.calls} calls at once")  # noqa: TRY301 - one way to refuse
                arguments = self._arguments(look, thread, call)
            except ToolRefused as error:
                arguments, refused[place] = {}, error
            call_id = "" if thread.forced else call.id
            proposals.append(Proposal(thread.forced or call.name, arguments, call_id))
        thread.forced, thread.offered = "", ()
        return await self._go(look, thread, proposals, refused)

    def abandon(self, lease: Lease) -> Also:
        """End what is open in the journal of a turn that ends without it."""

        async def unit(tx: Tx) -> None:
            for step in await journal.read(tx, lease.key, lease.first_seq):
                if not step.ended:
                    began = step.state == "running"
                    error = ToolTimeout("nobody waited for its end") if began else ToolRefused("it was not begun")
                    await journal.finish(tx, turn_of(lease), step.number, error)

        return unit

    def _arguments(self, look: Look, thread: Thread, call: ToolCall) -> Mapping[str, Any]:
        """Checked arguments of a model's call; what code knows outranks what the model wrote. Raises ToolRefused."""
        if thread.forced:
            filled = _filled(call.arguments, thread.offered[0])
            return self._box.check(thread.forced, json.dumps({**filled, **thread.known}))
        if call.name not in {spec.name for spec in thread.offered}:
            raise ToolRefused("there is no tool of this name")
        words = self._words(look, call.name)
        arguments = json.dumps({**schema.read(call.arguments), **words}) if words else call.arguments
        return self._box.check(call.name, arguments)

    def _words(self, look: Look, name: str) -> Mapping[str, str]:
        """What the customer said, for the arguments that carry it."""
        return customer_words.fill(self._box.tool(name).spec, look.context.question, _earlier(look))

    async def _plan(self, look: Look, caller: Caller) -> tuple[Plan, Request | None]:
        context = look.context
        request = await requests.pending(self._store, look.lease.key, self._wall())
        pending = Pending(request.id, request.tool, request.arguments) if request is not None else None
        spoken = [message.content for message in context.history if message.role == "assistant"]
        specs = tuple(self._box.specs(caller))
        state = await dialogue.read(self._store, look.lease.key)
        now = datetime.fromtimestamp(self._wall(), UTC)
        return await self._planner(context.question, spoken, state, pending, caller, specs, now), request

    async def _planned_ending(self, look: Look, thread: Thread, plan: Plan, request: Request | None) -> Ending | None:
        match plan:
            case Ask():
                return self._ask(look, plan)
            case Say() | Declined():
                return self._tell(look, plan)
            case Confirmed() if request is not None:
                return await self._confirmed(look, thread, request)
            case Call():
                thread.slots = plan.slots
                told = await self._against(look, thread, plan)
                return told or await self._go(look, thread, [Proposal(plan.tool, plan.arguments)], {}, plan)
            case Force():
                return await self._force(look, thread, plan)
        return None

    def _ask(self, look: Look, plan: Ask) -> Ending:
        """The question for a slot, which is kept with what is known."""
        state = Dialogue(plan.tool, plan.slots, plan.asked, plan.tries)
        also = (dialogue.keep(look.lease, state), *self._void(look.lease, plan.replaces))
        return look.answered(plan.text, "asked", replies=plan.replies, also=also)

    def _tell(self, look: Look, plan: Say | Declined) -> Ending:
        """A text after which nothing is due any more."""
        clear = dialogue.clear(look.lease)
        if isinstance(plan, Say):
            return look.answered(plan.text, "planned", replies=plan.replies, also=(clear,))
        return look.answered(plan.text, "declined", also=(clear, *self._void(look.lease, plan.request_id)))

    async def _force(self, look: Look, thread: Thread, plan: Force) -> Ending | None:
        """Let the model fill in what is left when code has put the customer's words in their place."""
        spec = self._box.tool(plan.tool).spec
        unsaid = set(customer_words.marked(spec.parameters)) - set(plan.known)
        if unsaid and plan.otherwise and not customer_words.words(look.context.question, _earlier(look)):
            return self._ask(look, plan.otherwise)
        known = {**self._words(look, plan.tool), **plan.known}
        missing = [name for name in plan.missing if name not in known]
        thread.slots = plan.slots
        if not missing:
            return await self._go(look, thread, [Proposal(plan.tool, known)], {}, Call(plan.tool, known, plan.slots))
        thread.forced, thread.known, thread.offered = plan.tool, known, (asking_for(spec, missing),)
        return None

    async def _against(self, look: Look, thread: Thread, plan: Call) -> Ending | None:
        """What stands against a call already, told before anybody is asked to say yes to it."""
        assert thread.caller is not None
        try:
            tool = self._box.tool(plan.tool)
            if not isinstance(tool, Previewing) or self._box.needs(plan.tool, plan.arguments) != "confirm":
                return None
            found = await tool.preview(plan.arguments, thread.caller)
        except ToolError:  # the call itself will say so
            return None
        if found is None or not found.say:
            return None
        lease = look.lease
        also = (dialogue.after(lease, plan.tool, plan.slots, found.data), *self._void(lease, plan.replaces))
        return look.answered(found.say, "tool", replies=found.replies, also=also)

    async def _confirmed(self, look: Look, thread: Thread, request: Request) -> Ending | None:
        """The customer's yes: exactly the call that was asked about, under the key it was asked with."""

        async def granted(tx: Tx) -> None:
            decided = await requests.decide(tx, request.id, conversation_id=look.lease.key, granted=True)
            if decided is None or decided.state != "granted":
                raise RequestOver

        proposal = Proposal(request.tool, request.arguments, key=request.key)
        try:
            return await self._go(look, thread, [proposal], {}, also=granted)
        except RequestOver:
            return look.answered(say(Notice.REQUEST_OVER, look.context.language), "request_over")

    async def _go(
        self,
        look: Look,
        thread: Thread,
        proposals: Sequence[Proposal],
        refused: Mapping[int, ToolError],
        plan: Call | None = None,
        also: InSame | None = None,
    ) -> Ending | None:
        """Write a round down, run it, and see what follows."""
        if plan is not None and plan.replaces:
            (also,) = self._void(look.lease, plan.replaces)
        steps = await self._steps.propose(look, thread.round, proposals, refused, also)
        return await self._run(look, thread, steps, plan)

    async def _resumed(self, look: Look, thread: Thread, known: Sequence[Step]) -> Ending | None:
        """Go on where the journal ends; the model reads what ended before."""
        assert thread.caller is not None
        look.clocks.closed = True
        look.control.merging = False
        going = journal.resume(known)
        last = max(step.round for step in known)
        for number in range(last):
            results.read_by_model(thread, [step for step in known if step.round == number])
        thread.round = last
        if going.do == "abandon":
            await self._steps.fail(look.lease, going.steps, ToolTimeout("its outcome is not known"))
            known = await self._steps.read(look.lease)
        steps = [step for step in known if step.round == last]
        plan: Plan = NoPlan()
        if any(self._needs(look, step) and not results.by_model(step) and not step.ended for step in steps):
            plan, _ = await self._plan(look, thread.caller)
        return await self._run(look, thread, steps, plan if isinstance(plan, Call) else None)

    async def _run(self, look: Look, thread: Thread, steps: Sequence[Step], plan: Call | None) -> Ending | None:
        """Run what needs nobody's yes; the first call that needs one ends the turn with its question."""
        assert thread.caller is not None
        number = steps[0].round
        runnable = [step for step in steps if not step.ended and not self._needs(look, step)]
        if runnable:
            known = await self._steps.run(look, thread.caller, runnable)
            steps = [step for step in known if step.round == number]
        ended = [step for step in steps if step.ended]
        ending = results.ending_of(look, ended, thread.slots, writes=self._writes(ended)) if ended else None
        waiting = [step for step in steps if not step.ended]
        if waiting:
            return self._question(look, ended, waiting, plan)
        if ending is None:
            if look.control.reason is not None:
                raise LookAgain
            results.read_by_model(thread, steps)
        return ending

    def _question(self, look: Look, ended: Sequence[Step], waiting: Sequence[Step], plan: Call | None) -> Ending:
        """The ending that asks the customer for a yes, or tells that staff must give it; one question at a time."""
        lease, language = look.lease, look.context.language
        step, *others = waiting
        kind = self._needs(look, step) or "confirm"
        summary = plan.summary if plan is not None and plan.summary and plan.tool == step.tool else ""
        tool = self._box.tool(step.tool)
        summary = summary or (tool.question(step.arguments, language) if isinstance(tool, Asking) else "")
        summary = summary or results.summary_of(tool.spec.description, step.arguments, language)
        life_s = self._tools.confirm_s if kind == "confirm" else requests.APPROVE_S

        async def unit(tx: Tx) -> None:
            turn = turn_of(lease)
            await journal.wait(tx, turn, step.number, kind)
            await requests.ask(
                tx, turn, step.number, step.tool, step.arguments, kind=kind, summary=summary, ttl_s=life_s
            )
            for other in others:
                await journal.finish(tx, turn, other.number, ToolRefused("one question at a time; it was not begun"))

        also = (unit, dialogue.clear(lease))
        if kind == "approve":
            return look.answered(results.after(ended, say(Notice.APPROVAL, language)), kind, also=also)
        replies = (plan.replies if plan is not None else ()) or (phrase("yes", language), phrase("no", language))
        return look.answered(results.after(ended, summary), kind, replies=replies, also=also)

    def _needs(self, look: Look, step: Step) -> requests.Kind | None:
        """Whose yes a step needs before it may run; a step with another turn's key has the customer's already."""
        if step.key != turn_of(look.lease).key(step.number) or step.state == "running":
            return None
        try:
            needed = self._box.needs(step.tool, step.arguments)
        except ToolRefused:  # it is gone; running it says so
            return None
        if needed not in {"confirm", "approve"}:
            return None
        return "approve" if needed == "approve" else "confirm"

    def _writes(self, steps: Sequence[Step]) -> frozenset[str]:
        return frozenset(step.tool for step in steps if self._steps.writes(step.tool))

    def _void(self, lease: Lease, request_id: str) -> tuple[Also, ...]:
        """Refuse a request in the commit of what takes its place."""
        if not request_id:
            return ()

        async def unit(tx: Tx) -> None:
            request = await requests.decide(tx, request_id, conversation_id=lease.key, granted=False)
            if request is not None:
                await self._steps.close_asked(tx, request.key, ToolRefused("the customer did not want it"))

        return (unit,)


def _filled(arguments: str, asked: ToolSpec) -> Mapping[str, Any]:
    """What the model wrote of what it was asked for."""
    try:
        value = json.loads(arguments)
    except ValueError:
        return {}
    wanted = cast("Mapping[str, Any]", asked.parameters["properties"])
    return {name: value[name] for name in wanted if name in value} if isinstance(value, dict) else {}


def _earlier(look: Look) -> list[str]:
    """What the customer said before this turn, oldest first."""
    return [message.content for message in look.context.history if message.role == "user"]


def asking_for(spec: ToolSpec, missing: Sequence[str]) -> ToolSpec:
    """A tool as the model sees it when code knows the other arguments: only what is missing, all of it required."""
    properties = spec.parameters.get("properties")
    known = properties if isinstance(properties, Mapping) else {}
    asked = {name: known[name] for name in missing if name in known}
    shape = schema.brief({**spec.parameters, "properties": asked, "required": list(asked)}, CALL_CHARACTERS)
    return ToolSpec(spec.name, spec.description, shape)
