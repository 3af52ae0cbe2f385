"""What staff write to each other inside a conversation. A note is never a message: nothing here can send."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from server.conversation import NotFound, Refused
from server.ids import new_id
from server.store.contract import Row, Store, Tx
from server.timeline import Timeline, lock

NOTES = 200  # of a conversation shown at once

Note = dict[str, Any]


class Notes:
    """Notes of one tenant; every change is one unit of the caller's and one event for staff."""

    def __init__(self, store: Store, tenant: str) -> None:
        self._store = store
        self._tenant = tenant

    async def of(self, conversation_id: str) -> list[Note]:
        """The latest notes, oldest first, with who is asked to look."""
        key = {"tenant": self._tenant, "id": conversation_id}
        asked: dict[str, list[str]] = {}
        for row in await self._store.rows("inbox_desk.mentions_of", **key):
            asked.setdefault(row["note_id"], []).append(row["person_id"])
        rows = await self._store.rows("inbox_desk.notes", **key, count=NOTES)
        return [{**row, "mentions": asked.get(row["id"], [])} for row in reversed(rows)]

    async def add(
        self, tx: Tx, conversation_id: str, author: str, name: str, text: str, mentions: Sequence[str]
    ) -> Note:
        """Write one; people who are not there are not mentioned. Raises NotFound."""
        timeline = await self._lock(tx, conversation_id)
        note_id = new_id()
        body = {"id": note_id, "text": text, "author": author, "author_name": name, "mentions": list(mentions)}
        seq = timeline.emit("note", {**body, "at": tx.now_s}, audience="staff")
        await tx.run(
            "inbox_desk.add_note", id=note_id, tenant=self._tenant, conversation_id=conversation_id, seq=seq,
            author=author, text=text, now=tx.now_s,
        )  # fmt: skip
        await self._mention(tx, conversation_id, note_id, mentions)
        await timeline.save(touch=False)
        return {
            "id": note_id, "conversation_id": conversation_id, "seq": seq, "author": author, "author_name": name,
            "text": text, "created_at": tx.now_s, "edited_at": None, "deleted_at": None, "mentions": list(mentions),
        }  # fmt: skip

    async def edit(self, tx: Tx, note_id: str, author: str, text: str, mentions: Sequence[str]) -> None:
        """Better words for one's own note; raises NotFound, Refused."""
        row, timeline = await self._own(tx, note_id, author)
        await tx.run("inbox_desk.edit_note", id=note_id, tenant=self._tenant, text=text, now=tx.now_s)
        await tx.run("inbox_desk.unmention", note=note_id)
        await self._mention(tx, timeline.id, note_id, mentions)
        body = {"id": note_id, "text": text, "author": author, "author_name": row["author_name"]}
        more = {"mentions": list(mentions), "at": row["created_at"], "edited_at": tx.now_s}
        timeline.emit("note", {**body, **more}, audience="staff")
        await timeline.save(touch=False)

    async def drop(self, tx: Tx, note_id: str, author: str, *, anybody: bool) -> None:
        """Remove its words; ``anybody``: also somebody else's. Raises NotFound, Refused."""
        row, timeline = await self._own(tx, note_id, "" if anybody else author)
        await tx.run("inbox_desk.drop_note", id=note_id, tenant=self._tenant, now=tx.now_s)
        await tx.run("inbox_desk.unmention", note=note_id)
        body = {"id": note_id, "text": "", "author": row["author"], "author_name": row["author_name"], "mentions": []}
        timeline.emit("note", {**body, "at": row["created_at"], "deleted_at": tx.now_s}, audience="staff")
        await timeline.save(touch=False)

    async def colleagues(self) -> Sequence[Row]:
        """Who can be mentioned: id, name and role."""
        return await self._store.rows("inbox_desk.colleagues", tenant=self._tenant)

    async def _own(self, tx: Tx, note_id: str, author: str) -> tuple[Row, Timeline]:
        row = await tx.row("inbox_desk.note", tenant=self._tenant, id=note_id)
        if row is None or row["deleted_at"] is not None:
            raise NotFound("there is no such note; reload the conversation")
        if author and row["author"] != author:
            raise Refused("only its author can change a note; write one of your own")
        return row, await self._lock(tx, row["conversation_id"])

    async def _mention(self, tx: Tx, conversation_id: str, note_id: str, people: Sequence[str]) -> None:
        for person in dict.fromkeys(people):
            await tx.run(
                "inbox_desk.mention", note=note_id, tenant=self._tenant, id=conversation_id, person=person, now=tx.now_s
            )

    async def _lock(self, tx: Tx, conversation_id: str) -> Timeline:
        return await lock_own(tx, self._tenant, conversation_id)


async def lock_own(tx: Tx, tenant: str, conversation_id: str) -> Timeline:
    """A conversation of this tenant, locked; raises NotFound."""
    timeline = await lock(tx, conversation_id)
    if timeline.tenant != tenant:
        raise NotFound("no such conversation; check its id")
    return timeline
