"""What staff send: committed at once, said some seconds later, and until that moment it can be taken back.

Nothing of a waiting message is visible to the customer: it is a row of its own, and becomes a message (on a platform
an outbox row as well) in the commit that ends the wait. Whoever claims the conversation meanwhile stops it.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import structlog

from server import lanes, shifts
from server.conversation import NotFound, Refused, Status
from server.desk.notes import lock_own
from server.desk.places import Places, room
from server.desk.templates import BODY, Picked, body_of, words
from server.ids import new_id
from server.media.files import Files
from server.outbox.ending import announce
from server.store.contract import Row, Store, Tx
from server.timeline import Timeline

log = structlog.get_logger()

TOPIC: Final = "desk_send"
UNDO_S: Final = 5.0
RETRIED: Final = frozenset(
    {"failed", "parked", "expired", "cancelled"}
)  # rows of which something surely did not arrive

Shown = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Letter:
    """What somebody sends; ``uploads`` are ids of files. ``key`` is the caller's, for repeats; ``undo_s`` seconds.

    ``suggested`` is the model's draft that the text began as, "" without one. ``template`` goes instead of the text.
    """

    text: str
    uploads: tuple[str, ...] = ()
    key: str | None = None
    undo_s: float = UNDO_S
    suggested: str = ""
    template: Picked | None = None


class Sends:
    """Messages of staff on their way out; ``places`` finds channel accounts, ``wall`` gives epoch seconds."""

    def __init__(
        self, store: Store, tenant: str, files: Files, places: Places, wall: Callable[[], float] = time.time
    ) -> None:
        self._store = store
        self._tenant = tenant
        self._files = files
        self._places = places
        self._wall = wall
        self._wake = asyncio.Event()
        self._next: float | None = None

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Say what is due until the block ends; belongs to a worker."""
        stop = self._store.listen(TOPIC, lambda _topic, _payload: self._wake.set())
        task = asyncio.create_task(shifts.repeat("desk sends", self.step, self._idle), name="desk sends")
        try:
            yield
        finally:
            stop()
            await shifts.end([task])

    async def send(self, tx: Tx, conversation_id: str, person: str, letter: Letter) -> Shown:
        """Take a message in; only the claimer may speak. Answers with ``id``, ``state`` and ``due_at``.

        A repeat with the same key gets the first answer again. Raises Refused, NotFound.
        """
        timeline = await lock_own(tx, self._tenant, conversation_id)
        if letter.key is not None:
            known = await tx.row("inbox_sends.by_key", tenant=self._tenant, author=person, key=letter.key)
            if known is not None:
                return _repeated(known, conversation_id)
        if timeline.state.status is not Status.CLAIMED or timeline.state.owner != person:
            raise Refused("claim the conversation first; only its claimer may answer")
        text, body = self._contents(timeline, letter, tx.now_s)
        message_id, due_at = new_id(), tx.now_s + letter.undo_s
        attachments = [await self._use(tx, timeline, person, one, message_id) for one in letter.uploads]
        body |= {"attachments": attachments} if attachments else {}
        await tx.run(
            "inbox_sends.add", id=message_id, tenant=self._tenant, conversation_id=conversation_id, author=person,
            epoch=timeline.state.owner_epoch, text=text, body=json.dumps(body, ensure_ascii=False),
            key=letter.key, due_at=due_at, now=tx.now_s,
        )  # fmt: skip
        if letter.suggested and letter.suggested.strip() != letter.text.strip():
            await tx.run(
                "routing.keep_original", message_id=message_id, tenant=self._tenant, conversation_id=conversation_id,
                original=letter.suggested, author=person, now=tx.now_s,
            )  # fmt: skip
        if letter.template is None:
            await tx.run("inbox_desk.drop_draft", id=conversation_id, person=person, kind="reply")
        if letter.undo_s <= 0:
            await self._say(tx, timeline, await _one(tx, self._tenant, message_id))
        else:
            told = {"id": message_id, "text": text, "author": person, "due_at": due_at} | body
            timeline.emit("scheduled", told, audience="staff")
            await timeline.save(touch=False)
            tx.notify(TOPIC)
        return {"id": message_id, "state": "waiting" if letter.undo_s > 0 else "sent", "due_at": due_at}

    async def take_back(self, tx: Tx, message_id: str, person: str) -> Shown:
        """Stop one's own waiting message and return its text and files; raises NotFound, Refused when too late."""
        row = await _one(tx, self._tenant, message_id)
        if row["author"] != person:
            raise Refused("only its author can take a message back")
        timeline = await lock_own(tx, self._tenant, row["conversation_id"])
        if await tx.run("inbox_sends.end", id=message_id, state="taken_back", now=tx.now_s):
            await tx.run("inbox_sends.free_uploads", message_id=message_id)
            timeline.emit("unscheduled", {"id": message_id, "why": "taken_back"}, audience="staff")
            await timeline.save(touch=False)
            files = json.loads(row["body"]).get("attachments", [])
        else:
            await self._call_back(tx, timeline, message_id)
            files = []  # they stay with the message, which staff still see
        text = "" if BODY in json.loads(row["body"]) else row["text"]  # nobody wrote a template's words
        return {"id": message_id, "text": text, "attachments": files}

    async def _call_back(self, tx: Tx, timeline: Timeline, message_id: str) -> None:
        """Stop a message that is said but of which no call left for its platform yet; raises Refused."""
        key = {"tenant": self._tenant, "conversation_id": timeline.id, "id": message_id}
        row = await tx.row("inbox_sends.outgoing", **key)
        parts = await tx.rows("outbox.parts", outbox_id=row["id"]) if row is not None else ()
        if row is None or row["state"] != "queued" or any(part["tried_at"] is not None for part in parts):
            raise Refused("the message is on its way already; write to the customer if something is wrong")
        await tx.run("outbox.set_state", id=row["id"], state="cancelled", reason="taken_back", now=tx.now_s)
        announce(timeline, row, "cancelled", "taken_back")
        await timeline.save(touch=False)

    async def step(self) -> None:
        """Say everything that is due, conversation by conversation, in order."""
        self._wake.clear()
        for row in await self._store.rows("inbox_sends.due", tenant=self._tenant, now=self._wall()):
            await self._store.write(partial(self._due, row["id"]), order=row["conversation_id"])
        following = await self._store.row("inbox_sends.next", tenant=self._tenant)
        self._next = following["due_at"] if following else None

    async def _due(self, message_id: str, tx: Tx) -> None:
        row = await _one(tx, self._tenant, message_id)
        timeline = await lock_own(tx, self._tenant, row["conversation_id"])
        why = _hindrance(timeline, row)
        if not why:
            await self._say(tx, timeline, row)
        elif await tx.run("inbox_sends.end", id=message_id, state=why, now=tx.now_s):
            await tx.run("inbox_sends.free_uploads", message_id=message_id)
            timeline.emit("unscheduled", {"id": message_id, "why": why}, audience="staff")
            await timeline.save(touch=False)

    async def _say(self, tx: Tx, timeline: Timeline, row: Row) -> None:
        """End the wait and say it, once: whoever comes second finds it ended."""
        if not await tx.run("inbox_sends.end", id=row["id"], state="sent", now=tx.now_s):
            return
        body = json.loads(row["body"])
        await timeline.say("staff", row["text"], message_id=row["id"], author=row["author"], extra=body)
        for number, file in enumerate(body.get("attachments", ())):
            await self._keep(tx, row, number, file)
        await timeline.save()

    async def _keep(self, tx: Tx, row: Row, number: int, file: Mapping[str, Any]) -> None:
        """A file that went out is found where customers' files are."""
        await tx.run(
            "media.add", id=file["ref"], tenant=self._tenant, conversation_id=row["conversation_id"],
            message_id=row["id"], number=number, source=json.dumps(file), now=tx.now_s,
        )  # fmt: skip
        await tx.run(
            "media.settle", id=file["ref"], state="stored", reason=None, path=self._files.relative(file["ref"]),
            mime=file["mime"], size_bytes=file["size_bytes"], now=tx.now_s,
        )  # fmt: skip

    async def _use(self, tx: Tx, timeline: Timeline, person: str, upload_id: str, message_id: str) -> Shown:
        key = {"tenant": self._tenant, "conversation_id": timeline.id, "person": person}
        row = await tx.row("inbox_sends.upload", id=upload_id, **key)
        if row is None or not await tx.run("inbox_sends.use_upload", id=upload_id, message_id=message_id):
            raise Refused("a file is not there any more, or went with another message; add it again")
        names = ("name", "mime", "kind", "size_bytes")
        return {name: row[name] for name in names} | {"ref": upload_id, "url": ""}

    def _contents(self, timeline: Timeline, letter: Letter, now_s: float) -> tuple[str, Shown]:
        """The words and the body of a message; raises Refused where neither they nor a template may go out now."""
        if letter.template is None:
            self._check_window(timeline, now_s)
            return letter.text, {}
        return words(self._places, timeline.channel, timeline.account, letter.template), dict(body_of(letter.template))

    def _check_window(self, timeline: Timeline, now_s: float) -> None:
        if not room(self._places, timeline.channel, timeline.account, timeline.said_at, now_s).open:
            raise Refused("the customer last wrote too long ago: the platform takes only a template now; choose one")

    async def retry(self, tx: Tx, conversation_id: str, message_id: str) -> None:
        """Send again what did not arrive of a message; raises NotFound, and Refused where that is not so."""
        timeline = await lock_own(tx, self._tenant, conversation_id)
        key = {"tenant": self._tenant, "conversation_id": conversation_id, "id": message_id}
        row = await tx.row("inbox_sends.outgoing", **key)
        if row is None:
            raise NotFound("nothing of this message was sent to a platform")
        if row["state"] not in RETRIED:
            raise Refused(f"its delivery is {row['state']}; only one that did not arrive can be repeated")
        if timeline.blocked_at is not None:
            raise Refused("the customer cannot be reached on this channel any more")
        waited = await tx.row("inbox_sends.one", tenant=self._tenant, id=message_id)
        if waited is None or BODY not in json.loads(waited["body"]):
            self._check_window(timeline, tx.now_s)
        await tx.run("inbox_sends.requeue", id=row["id"], now=tx.now_s)
        await tx.run("inbox_sends.requeue_parts", id=row["id"], now=tx.now_s)
        body = {"outbox": row["id"], "channel": timeline.channel, "account": timeline.account}
        await lanes.put(tx, timeline.tenant, "out", timeline.id, body)
        told = {"message_id": message_id, "outbox": row["id"], "kind": row["kind"], "state": "queued"}
        timeline.emit("delivery", told, audience="staff")
        await timeline.save(touch=False)

    async def waiting(self, conversation_id: str) -> Sequence[Shown]:
        """What can still be taken back in a conversation."""
        rows = await self._store.rows("inbox_sends.waiting_of", tenant=self._tenant, id=conversation_id)
        names = ("id", "author", "author_name", "text", "due_at")
        return [
            {name: row[name] for name in names} | {"attachments": json.loads(row["body"]).get("attachments", [])}
            for row in rows
        ]

    async def _idle(self) -> None:
        """Until the next is due, or one comes; a poll's time at most, because notifications may be lost."""
        left_s = shifts.POLL_S if self._next is None else min(shifts.POLL_S, max(0.0, self._next - self._wall()))
        try:
            async with asyncio.timeout(left_s):
                await self._wake.wait()
        except TimeoutError:
            return


async def _one(tx: Tx, tenant: str, message_id: str) -> Row:
    row = await tx.row("inbox_sends.one", tenant=tenant, id=message_id)
    if row is None:
        raise NotFound("there is no such message; reload the conversation")
    return row


def _hindrance(timeline: Timeline, row: Row) -> str:
    """Why a message must not go out now, "" if it may: its author held the conversation last, also by ending it."""
    epoch, state = row["owner_epoch"], timeline.state
    if timeline.blocked_at is not None:
        return "closed"
    ended_by_author = state.status is Status.CLOSED and state.owner_epoch == epoch + 1
    return "" if state.owner_epoch == epoch or ended_by_author else "changed_hands"


def _repeated(known: Row, conversation_id: str) -> Shown:
    if known["conversation_id"] != conversation_id:
        raise Refused("this Idempotency-Key belongs to a message in another conversation; send a new key")
    return {name: known[name] for name in ("id", "state", "due_at")}
