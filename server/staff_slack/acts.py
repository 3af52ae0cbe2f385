"""What staff do in a thread: taken in once, done by the desk's own rules, refused with a word only they see.

A reply is a note; ``!send`` in front of it sends it to the customer; buttons claim, hand back, close and correct.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol

import structlog

from channels.base import Refused as PlatformRefused
from channels.base import SendError, Unavailable
from server import decisions, lanes
from server.audit import audit
from server.conversation import NotFound, Refused
from server.corrections import Correction, Corrections
from server.decisions import Decisions, change_of
from server.desk.notes import Notes
from server.desk.sends import Letter, Sends
from server.lanes import Lease
from server.routes import Principal
from server.staff_slack import words
from server.staff_slack.colleagues import Colleagues
from server.staff_slack.contract import CORRECT_MARKS, SEND_MARKS, Room, Rooms
from server.store.contract import Row, Store, Tx

log = structlog.get_logger()

AWAY_S: Final = 5.0
SCOPES: Final = "the app lacks the scopes users:read and users:read.email: add them and install the app again"
OTHER_TEAM: Final = "this conversation belongs to another team"
OUTSIDE: Final = "people of other companies cannot work on this desk"

Outcome = str | None
Step = Callable[["Act"], Awaitable[Outcome]]
Written = Callable[[Tx], Awaitable[Outcome]]


class Turns(Protocol):
    """The transitions of a conversation, as the console causes them."""

    async def claim(self, conversation_id: str, person_id: str) -> Mapping[str, Any]:
        """Take it."""

    async def give_back(self, conversation_id: str, person_id: str) -> Mapping[str, Any]:
        """Return it to the bot."""

    async def close(self, conversation_id: str, person_id: str) -> Mapping[str, Any]:
        """End the case."""


class Sees(Protocol):
    """Which conversations somebody's teams let them see."""

    async def visible(self, principal: Principal, conversations: Collection[str]) -> Collection[str]:
        """Those of some that they may see."""


@dataclass(frozen=True, slots=True)
class Act:
    """Something to do: who, where, and the row it came from."""

    row: Row
    by: Principal
    lease: Lease
    text: str
    action: str

    @property
    def conversation(self) -> str:
        """The conversation of the thread."""
        return str(self.row["conversation_id"])


@dataclass(frozen=True, slots=True)
class Tools:
    """The desk's own parts that acts go through."""

    turns: Turns
    notes: Notes
    sends: Sends
    corrections: Corrections
    decisions: Decisions
    sees: Sees


class Acts:
    """Works on ``staff_in`` lanes: one conversation's acts in their order."""

    def __init__(self, store: Store, tenant: str, rooms: Rooms, tools: Tools) -> None:
        self._store = store
        self._tenant = tenant
        self._rooms = rooms
        self._tools = tools
        self._colleagues = Colleagues(store, tenant)
        self._buttons: Mapping[str, Step] = {
            "claim": self._turned(tools.turns.claim, "conversation.claim"),
            "return": self._turned(tools.turns.give_back, "conversation.return"),
            "close": self._turned(tools.turns.close, "conversation.close"),
            "correct": _explained,
        }

    async def work(self, lease: Lease) -> None:
        """Do the head of a lane; raises Fenced when the lane was lost."""
        key = {"account": str(lease.head.body["account"]), "external_id": str(lease.head.body["act"])}
        row = await self._store.row("staff_slack.read_act", tenant=self._tenant, **key)
        if row is None or row["state"] != "queued":
            await self._store.write(lambda tx: lanes.ack(tx, lease, lease.first_seq), order=lease.key)
            return
        room, body = self._rooms(row["account"]), json.loads(row["body"])
        try:
            if room is None:
                raise Unavailable("closed", "the account is not open")
            by = await self._who(room, row, body)
            act = Act(row, by, lease, body["text"].strip(), body["action"])
            told = await self._step(act)(act)
        except SendError as error:
            log.info("staff_not_asked", code=error.code)
            await self._store.write(lambda tx: lanes.nack(tx, lease, AWAY_S, error=room is not None), order=lease.key)
        except (Refused, NotFound) as error:
            await self._refuse(lease, row, str(error))
        else:
            if told:
                await self._whisper(row, told)

    async def _who(self, room: Room, row: Row, body: Mapping[str, Any]) -> Principal:
        """Who acts; raises Refused for whoever may not, SendError while Slack cannot be asked."""
        try:
            known = await self._colleagues.who(room, row["account"], body["user"])
        except PlatformRefused as error:
            log.error("staff_unknown", code=error.code, repair=SCOPES)  # noqa: TRY400 - said whole
            raise Refused(SCOPES) from None
        if known.principal is None or not body["ours"]:
            raise Refused(known.why if body["ours"] else OUTSIDE)
        if not await self._tools.sees.visible(known.principal, {row["conversation_id"]}):
            raise Refused(OTHER_TEAM)
        return known.principal

    def _step(self, act: Act) -> Step:
        """What an act is: a button, words for the customer, a correction, or a note."""
        name, _, _ = act.action.partition(":")
        if name in {"fact", "behaviour"}:
            return self._decide
        if act.action:
            return self._buttons.get(act.action, _explained_unknown)
        mark = act.text.split(maxsplit=1)[0].lower() if act.text else ""
        if mark in SEND_MARKS:
            return self._send
        return self._correct if mark in CORRECT_MARKS else self._note

    def _turned(self, turn: Callable[[str, str], Awaitable[Mapping[str, Any]]], action: str) -> Step:
        async def step(act: Act) -> Outcome:
            await turn(act.conversation, act.by.owner)  # its own commit; done twice it changes nothing more

            async def unit(_tx: Tx) -> Outcome:
                return None

            await self._finish(act, action, unit)
            return None

        return step

    async def _note(self, act: Act) -> Outcome:
        async def unit(tx: Tx) -> Outcome:
            note = await self._tools.notes.add(tx, act.conversation, act.by.owner, act.by.name, act.text, ())
            return str(note["id"])

        await self._finish(act, "note.add", unit)
        return None

    async def _send(self, act: Act) -> Outcome:
        text = act.text.partition(" ")[2].strip() or act.text.partition("\n")[2].strip()
        if not text:
            raise Refused("write the words for the customer behind !send")

        async def unit(tx: Tx) -> Outcome:
            letter = Letter(text, key=f"slack:{act.row['external_id']}", undo_s=0.0)
            made = await self._tools.sends.send(tx, act.conversation, act.by.owner, letter)
            await tx.run("staff_slack.untrainable", id=made["id"], account=act.row["account"])
            return str(made["id"])

        await self._finish(act, "conversation.send", unit)
        return None

    async def _correct(self, act: Act) -> Outcome:
        text = act.text.partition(" ")[2].strip() or act.text.partition("\n")[2].strip()
        found = await self._store.row("staff_slack.last_answer", conversation_id=act.conversation)
        if found is None:
            raise Refused("the assistant has not answered in this conversation yet")
        policy = await self._store.row("staff_slack.trains", tenant=self._tenant, account=act.row["account"])
        given = Correction(found["id"], text, trains=policy is not None and policy["trainable"] != "no")

        async def unit(tx: Tx) -> Outcome:
            made, _ = await self._tools.corrections.write(tx, given, act.by.owner)
            return made

        await self._finish(act, "correction.give", unit)
        return None

    async def _decide(self, act: Act) -> Outcome:
        route, _, correction_id = act.action.partition(":")
        given = await self._store.row("loop.correction", tenant=self._tenant, id=correction_id)
        if given is None or given["conversation_id"] != act.conversation:  # only this one was judged by what teams see
            raise Refused("there is no such correction in this conversation; use the newest button")
        _, found = await self._tools.decisions.suggest(correction_id)
        change = change_of(found.proposal)
        if route == "fact" and change is None:
            raise Refused("nothing in it looks like a fact; write the change in the console's knowledge page")

        async def unit(tx: Tx) -> Outcome:
            way: Any = route
            await self._tools.decisions.decide(tx, correction_id, act.by.owner, way, change)
            return correction_id

        await self._finish(act, "correction.decide", unit, order=decisions.ORDER)
        if route == "behaviour" or change is None:
            return "Kept for the review queue."
        where = f"the document “{words.inert(change.title, 200)}”" if change.kind == "edit" else "a new entry"
        return f"The knowledge says it now ({where}); answers rest on it within seconds."

    async def _finish(self, act: Act, action: str, unit: Written, order: str = "") -> None:
        """Do it, record it and acknowledge the lane, all in one commit."""

        async def whole(tx: Tx) -> None:
            outcome = await unit(tx)
            await self._end(tx, act.row, "done", act.by.id, outcome)
            await audit(tx, act.by, action, act.conversation, {"via": "slack"})
            await lanes.ack(tx, act.lease, act.lease.first_seq)

        await self._store.write(whole, order=order or act.conversation)

    async def _refuse(self, lease: Lease, row: Row, why: str) -> None:
        async def unit(tx: Tx) -> None:
            await self._end(tx, row, "refused", None, why)
            await lanes.ack(tx, lease, lease.first_seq)

        await self._store.write(unit, order=lease.key)
        await self._whisper(row, f"Not done: {why}.")

    async def _end(self, tx: Tx, row: Row, state: str, person_id: str | None, outcome: Outcome) -> None:
        await tx.run(
            "staff_slack.end_act", tenant=self._tenant, account=row["account"], external_id=row["external_id"],
            state=state, person_id=person_id, outcome=outcome,
        )  # fmt: skip

    async def _whisper(self, row: Row, text: str) -> None:
        """Tell the person; a word that is lost is only a word."""
        room = self._rooms(row["account"])
        if room is not None:
            with contextlib.suppress(SendError):
                await room.whisper(row["room"], row["root"], json.loads(row["body"])["user"], text)


async def _explained(_act: Act) -> Outcome:
    raise Refused(words.HELP.rstrip("."))


async def _explained_unknown(_act: Act) -> Outcome:
    raise Refused("this button means nothing any more; use the newest one")
