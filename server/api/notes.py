"""What staff have around one conversation: notes, drafts, put-off times, and what its channel carries."""

from __future__ import annotations

import time
from dataclasses import asdict

from aiohttp import web

from config.settings import Http
from server.api.acting import Acts, unknown
from server.api.desk_shapes import (
    Colleague,
    ColleagueList,
    DeskDetail,
    DraftBody,
    DraftList,
    DraftRow,
    NoteBody,
    NoteRow,
    RoomRow,
    SnoozeBody,
    WaitingSend,
)
from server.api.shapes import ID, answer
from server.api.template_shapes import TemplateRow
from server.desk import snooze
from server.desk.live import Live
from server.desk.notes import Notes
from server.desk.places import Places, Room, room
from server.desk.sends import Sends
from server.desk.views import PRIORITIES
from server.problems import Problem
from server.routes import AUDITED, PRINCIPAL, Role, Route, read_body
from server.store.contract import Row, Store, Tx


class NotesApi:
    """Addresses around ``/api/conversations/{id}/desk`` and ``/api/notes``."""

    def __init__(
        self, store: Store, tenant: str, http: Http, notes: Notes, sends: Sends, places: Places, live: Live
    ) -> None:
        self._store = store
        self._tenant = tenant
        self._notes = notes
        self._sends = sends
        self._places = places
        self._live = live
        self._acts = Acts(store, http)

    def routes(self) -> list[Route]:
        """The table of this resource."""
        one = f"/api/conversations/{ID}"
        return [
            Route("GET", f"{one}/desk", self.detail, Role.VIEWER, "Notes, labels, drafts and channel limits of one",
                  answer=DeskDetail),
            Route("POST", f"{one}/notes", self.add, Role.STAFF, "Write a note to colleagues", "note.add",
                  body=NoteBody, answer=NoteRow),
            Route("PUT", f"/api/notes/{ID}", self.edit, Role.STAFF, "Change one's own note", "note.edit",
                  body=NoteBody),
            Route("DELETE", f"/api/notes/{ID}", self.drop, Role.STAFF, "Remove a note", "note.remove"),
            Route("GET", "/api/colleagues", self.colleagues, Role.VIEWER, "Who can be mentioned",
                  answer=ColleagueList),
            Route("POST", f"{one}/snooze", self.snooze, Role.STAFF, "Put a conversation off", "conversation.snooze",
                  body=SnoozeBody),
            Route("DELETE", f"{one}/snooze", self.unsnooze, Role.STAFF, "Bring it back now",
                  "conversation.unsnooze"),
            Route("PUT", f"{one}/draft", self.keep_draft, Role.STAFF, "Keep what one has begun to write",
                  "draft.keep", body=DraftBody),
            Route("GET", "/api/drafts", self.drafts, Role.STAFF, "One's own drafts", answer=DraftList),
        ]  # fmt: skip

    async def detail(self, request: web.Request) -> web.Response:
        """Everything around one conversation, for the caller."""
        row, person = await self._conversation(request), request[PRINCIPAL].owner
        key = {"tenant": self._tenant, "id": row["id"]}
        state = await self._store.row("inbox_views.state", **key)
        labels = await self._store.rows("inbox_views.labels_of", tenant=self._tenant, ids=f",{row['id']},")
        drafts = await self._store.rows("inbox_desk.drafts", **key, person=person)
        carried = room(self._places, row["channel"], row["account"], row["said_at"], time.time())
        return answer(
            DeskDetail(
                room=_room(carried),
                priority=PRIORITIES[state["priority"] if state else 1],
                snoozed_until=_until(state, row["said_at"]),
                labels=[label["label_id"] for label in labels],
                notes=[NoteRow(**note) for note in await self._notes.of(row["id"])],
                scheduled=[WaitingSend(**send) for send in await self._sends.waiting(row["id"])],
                drafts={draft["kind"]: draft["text"] for draft in drafts},
                present=[dict(one) for one in self._live.present() if one["conversation"] == row["id"]],
            )
        )

    async def add(self, request: web.Request) -> web.Response:
        """Write a note; the customer never sees it."""
        body, who, key = await read_body(request, NoteBody), request[PRINCIPAL], request.match_info["id"]
        name = who.name or who.owner

        async def unit(tx: Tx) -> dict[str, object]:
            await tx.run("inbox_desk.drop_draft", id=key, person=who.owner, kind="note")
            return await self._notes.add(tx, key, who.owner, name, body.text, body.mentions)

        return answer(NoteRow(**await self._acts.do(request, unit, {"mentions": body.mentions})), status=201)

    async def edit(self, request: web.Request) -> web.Response:
        """Better words; only its author has them."""
        body, note_id = await read_body(request, NoteBody), request.match_info["id"]
        who, order = request[PRINCIPAL].owner, await self._place(note_id)
        await self._acts.do(
            request, lambda tx: self._notes.edit(tx, note_id, who, body.text, body.mentions), order=order
        )
        return web.Response(status=204)

    async def drop(self, request: web.Request) -> web.Response:
        """Remove a note's words; an admin may remove anybody's."""
        who, note_id = request[PRINCIPAL], request.match_info["id"]
        anybody, order = who.role is Role.ADMIN, await self._place(note_id)
        await self._acts.do(request, lambda tx: self._notes.drop(tx, note_id, who.owner, anybody=anybody), order=order)
        return web.Response(status=204)

    async def colleagues(self, _request: web.Request) -> web.Response:
        """Active people by name."""
        rows = await self._notes.colleagues()
        return answer(ColleagueList(people=[Colleague(**row) for row in rows]))

    async def snooze(self, request: web.Request) -> web.Response:
        """Put off; without a time for as long as usual."""
        body, key = await read_body(request, SnoozeBody), request.match_info["id"]
        until, who = body.until or time.time() + snooze.DEFAULT_S, request[PRINCIPAL].owner
        await self._acts.do(request, lambda tx: snooze.snooze(tx, self._tenant, key, who, until), {"until": until})
        return web.json_response({"until": until})

    async def unsnooze(self, request: web.Request) -> web.Response:
        """Bring back what was put off; that it is back already is no mistake."""
        key, who = request.match_info["id"], request[PRINCIPAL].owner
        await self._acts.do(request, lambda tx: snooze.end(tx, self._tenant, key, who, "ended"))
        return web.Response(status=204)

    async def keep_draft(self, request: web.Request) -> web.Response:
        """Kept every few seconds while one writes, so it is not audited: only its writer ever sees it."""
        request[AUDITED] = True
        body, row, who = await read_body(request, DraftBody), await self._conversation(request), request[PRINCIPAL]
        key = {"id": row["id"], "person": who.owner, "kind": body.kind}

        async def unit(tx: Tx) -> None:
            if body.text.strip():
                await tx.run("inbox_desk.keep_draft", **key, tenant=self._tenant, text=body.text, now=tx.now_s)
            else:
                await tx.run("inbox_desk.drop_draft", **key)

        await self._store.write(unit, order=row["id"])
        return web.Response(status=204)

    async def drafts(self, request: web.Request) -> web.Response:
        """Where one has begun to write."""
        rows = await self._store.rows("inbox_desk.my_drafts", tenant=self._tenant, **request[PRINCIPAL].sight.values())
        return answer(DraftList(drafts=[DraftRow(**row) for row in rows]))

    async def _conversation(self, request: web.Request) -> Row:
        row = await self._store.row("conversations.read", id=request.match_info["id"])
        if row is None or row["tenant"] != self._tenant:
            raise unknown()
        return row

    async def _place(self, note_id: str) -> str:
        row = await self._store.row("inbox_desk.note", tenant=self._tenant, id=note_id)
        if row is None:
            raise Problem(404, "No such note", "There is no note with this id; reload the conversation.")
        return str(row["conversation_id"])


def _until(state: Row | None, said_at: float) -> float | None:
    """Until when a conversation is put off; None when it is not, or came back."""
    if state is None or state["snoozed_until"] is None:
        return None
    until = float(state["snoozed_until"])
    return until if until > time.time() and said_at <= state["snoozed_at"] else None


def _room(carried: Room) -> RoomRow:
    """As the composer reads it, with how many values each template takes."""
    offered = [
        TemplateRow(key=each.key, language=each.language, text=each.text, variables=each.variables)
        for each in carried.templates
    ]
    return RoomRow(**{**asdict(carried), "templates": offered})
