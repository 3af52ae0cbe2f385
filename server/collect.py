"""The job that looks through what happened and proposes examples: by event number, each event once.

A batch of events and the cursor behind it are one commit, so a killed process repeats nothing and misses nothing. What
an event is about is read as it stands now: a thumb that was taken back since, or an answer that was corrected since,
makes no example.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, cast

import structlog

from config.settings import Settings
from models.chat import ToolSpec
from server import withdrawals
from server.candidates import HANDOFF, Behaviour, Candidate, Origin, Target, behaviour_of, propose
from server.conversation import Outcome, Reason
from server.corrections import told_before
from server.snapshot import Told, recall, suppose
from server.store.contract import Row, Store, Tx

log = structlog.get_logger()

JOB = "collect-examples"
CURSOR = "collect"
BATCH_EVENTS = 100
WINDOW_S = 30 * 86_400.0  # in which one customer's talks make a limited number of examples
REFUSED = frozenset({"unanswerable", "unsupported"})  # reasons of turns that said what they could not answer
SAYING_NO = frozenset({"say_so", "ask_back"})

Specs = Callable[[], Sequence[ToolSpec]]


class Collector:
    """Proposes examples for one bot; ``specs`` are the tools there are now."""

    def __init__(self, store: Store, settings: Settings, specs: Specs) -> None:
        self._store = store
        self._tenant = settings.tenant
        self._history = settings.engine.history_messages
        self._most = settings.training.customer_examples
        self._specs = specs
        self._steps: Mapping[str, Callable[[Tx, Row, Mapping[str, Any]], Awaitable[None]]] = {
            "feedback": self._rated,
            "turn_ended": self._ended,
            "message": self._said,
            "state": self._changed,
        }

    async def run(self, _body: Mapping[str, Any]) -> None:
        """The job: everything there is to look through."""
        while await self.step():
            pass

    async def step(self) -> int:
        """One batch; returns how many events it had."""
        return await self._store.write(self._batch, order="~")

    async def _batch(self, tx: Tx) -> int:
        at = await tx.row("loop.cursor", tenant=self._tenant, name=CURSOR)
        events = await tx.rows(
            "loop.events_since", tenant=self._tenant, after=at["number"] if at else 0, count=BATCH_EVENTS
        )
        for event in events:
            try:
                await self._steps[event["kind"]](tx, event, json.loads(event["body"]))
            except (KeyError, TypeError, ValueError) as error:  # one odd event must not stop all later ones
                log.warning("event_passed_over", number=event["number"], kind=event["kind"], error=repr(error)[:200])
        if events:
            await tx.run("loop.move_cursor", tenant=self._tenant, name=CURSOR, number=events[-1]["number"])
        return len(events)

    async def _rated(self, tx: Tx, _event: Row, body: Mapping[str, Any]) -> None:
        """A thumb up confirms an answer; anything else takes that back."""
        message = await tx.row("loop.message", tenant=self._tenant, id=body["message_id"])
        if message is None or message["role"] != "assistant":
            return
        wrong = await self._wrong(tx, message)
        up = await tx.row("loop.thumb", message_id=message["id"])
        if up is None or not up["up"] or any(wrong.values()):
            await withdrawals.of_message(tx, self._tenant, message["id"], "not_confirmed")
            return
        if message["outcome"] != Outcome.ANSWERED.value:
            return
        told = await recall(tx, {**message, "message_seq": message["seq"]})
        if told is not None:  # an answer that code gave by itself teaches the model nothing
            target = Target(message["text"])
            behaviour = behaviour_of(target, cited='"citations"' in message["body"])
            await self._propose(tx, "confirmed", behaviour, message, told, target)

    async def _wrong(self, tx: Tx, message: Row) -> Row:
        """What happened since that says that an answer was not good after all, counted by kind."""
        row = await tx.row(
            "loop.went_wrong",
            message_id=message["id"],
            conversation_id=message["conversation_id"],
            case_id=message["case_id"] or "",
            seq=message["seq"],
            at=message["created_at"],
        )
        assert row is not None  # counts always give a row
        return row

    async def _disliked(self, tx: Tx, message: Row) -> bool:
        wrong = await self._wrong(tx, message)
        return bool(wrong["corrected"] or wrong["down"])

    async def _ended(self, tx: Tx, _event: Row, body: Mapping[str, Any]) -> None:
        """A turn may have called tools, refused, or handed over because the customer asked."""
        turn = await tx.row("loop.turn", tenant=self._tenant, id=body["turn"])
        if turn is None or turn["message_id"] is None:
            return
        message = await tx.row("loop.message", tenant=self._tenant, id=turn["message_id"])
        if message is None:
            return
        if turn["outcome"] == Outcome.HANDED_OVER.value and turn["reason"] == Reason.CUSTOMER_ASKED.value:
            await self._handed_over(tx, message)
        elif turn["outcome"] != Outcome.ANSWERED.value or await self._disliked(tx, message):
            return
        elif turn["reason"] in REFUSED:
            await self._refused(tx, message)
        elif turn["made"]:
            await self._called(tx, {**turn, "message_seq": message["seq"]}, message)

    async def _handed_over(self, tx: Tx, message: Row) -> None:
        told = await told_before(tx, message, self._history)
        if told is None or told.messages[-1]["role"] != "user":
            return
        steps = await tx.rows(
            "loop.turn_steps", conversation_id=message["conversation_id"], first_seq=message["first_seq"]
        )
        called = next((step for step in steps if step["tool"] == HANDOFF), None)
        arguments = json.loads(called["arguments"]) if called else {"reason": Reason.CUSTOMER_ASKED.value}
        target = Target("", ({"name": HANDOFF, "arguments": arguments},))
        await self._propose(tx, "handoff", "handoff", message, self._with_tool(told, HANDOFF), target)

    async def _refused(self, tx: Tx, message: Row) -> None:
        policy = json.loads(message["grounding"] or "{}").get("policy", "")
        told = await told_before(tx, message, self._history) if policy in SAYING_NO else None
        if told is not None:
            await self._propose(tx, "refusal", "refusal", message, told, Target(message["text"]))

    async def _called(self, tx: Tx, turn: Row, message: Row) -> None:
        """The first round of calls that the model made by itself, where all of them worked."""
        steps = await tx.rows("loop.turn_steps", conversation_id=turn["conversation_id"], first_seq=turn["first_seq"])
        calls = [step for step in steps if step["call_id"] and step["round"] == 0]
        if not calls or any(step["state"] != "done" for step in calls):
            return
        rounds = json.loads(turn["made"])["rounds"]
        number = next((at for at, one in enumerate(rounds) if one["steps"] == 0 and not one["forced"]), None)
        told = await recall(tx, turn, number=number) if number is not None else None
        if told is not None:
            target = Target("", tuple({"name": step["tool"], "arguments": json.loads(step["arguments"])}
                                      for step in calls))  # fmt: skip
            await self._propose(tx, "tool_call", "tool_call", message, told, target)

    async def _said(self, tx: Tx, _event: Row, body: Mapping[str, Any]) -> None:
        """What staff answer a customer with, all of it up to the customer's next word."""
        if body.get("role") != "staff":
            return
        said = await tx.row("loop.message", tenant=self._tenant, id=body["id"])
        if said is None:
            return
        place: dict[str, Any] = {"conversation_id": said["conversation_id"]}
        asked = await tx.rows("loop.asked_before", **place, seq=said["seq"])
        if not asked:
            return
        answers = await tx.rows("loop.staff_after", **place, seq=asked[0]["seq"])
        question = "\n".join(row["text"] for row in reversed(asked))
        first_seq = min(row["item_seq"] or 2**62 for row in asked)
        told = await suppose(tx, said, question, asked[-1]["seq"], first_seq=first_seq, history=self._history)
        if told is None or not answers:
            return
        target = Target("\n\n".join(row["text"] for row in answers))
        first = await tx.row("loop.message", tenant=self._tenant, id=answers[0]["id"])
        assert first is not None
        candidate = Candidate(
            f"staff_reply:{first['id']}", "staff_reply", "chat", told, target, first, person=first["author"] or "",
            rejected=await self._drafted(tx, answers),
        )  # fmt: skip
        await propose(tx, candidate, renew=True)

    async def _drafted(self, tx: Tx, answers: Sequence[Row]) -> Target | None:
        """What the model had drafted where a person changed it; None where several messages answered together."""
        if len(answers) != 1:
            return None
        row = await tx.row("routing.original", tenant=self._tenant, message_id=answers[0]["id"])
        return Target(row["original"]) if row is not None else None

    async def _changed(self, tx: Tx, event: Row, body: Mapping[str, Any]) -> None:
        """A customer who asks for a person after all was not helped by what was confirmed before."""
        if body.get("status") == "waiting" and body.get("reason") == Reason.CUSTOMER_ASKED.value:
            await withdrawals.before(tx, self._tenant, event["conversation_id"], event["seq"], "handed_over")

    async def _propose(
        self, tx: Tx, origin: str, behaviour: Behaviour, message: Row, told: Told, target: Target
    ) -> None:
        """Propose what the assistant did itself, as long as this customer's talks do not outweigh all others."""
        made = await tx.row(
            "loop.customer_examples", tenant=self._tenant, customer_id=message["customer_id"],
            since=tx.now_s - WINDOW_S,
        )  # fmt: skip
        if made is not None and made["n"] >= self._most:
            return
        source = f"{origin}:{message['id']}"
        await propose(tx, Candidate(source, cast("Origin", origin), behaviour, told, target, message))

    def _with_tool(self, told: Told, name: str) -> Told:
        """The prompt with a tool that code calls in the model's place, so that a model which may learns it too."""
        if any(tool["name"] == name for tool in told.tools):
            return told
        found = [
            {"name": spec.name, "description": spec.description, "parameters": dict(spec.parameters)}
            for spec in self._specs()
            if spec.name == name
        ]
        tools = [*told.tools, *found]
        return Told(told.messages, tools, told.sources, told.question, told.from_seq, exact=told.exact and not found)
