"""What staff send to a customer: with some seconds to take it back, with files, and again when it did not arrive."""

from __future__ import annotations

import time
from typing import Final

from aiohttp import hdrs, web

from config.settings import Http
from server.api.acting import Acts, unknown
from server.api.desk_shapes import SendBody, SendMade, TakenBack, UploadMade, UploadQuery
from server.api.shapes import ID, answer
from server.conversation import Refused
from server.desk.places import Places, room
from server.desk.sends import UNDO_S, Letter, Sends
from server.desk.templates import Picked
from server.desk.uploads import Named, TooLarge, Uploads
from server.problems import Problem
from server.routes import PRINCIPAL, Role, Route, read_body, read_query
from server.store.contract import Store

KEY_CHARACTERS: Final = 200
MESSAGE: Final = "{message:[0-9A-Za-z_.:-]{1,64}}"


class SendsApi:
    """Addresses ``/api/conversations/{id}/send`` and around it."""

    def __init__(self, store: Store, tenant: str, http: Http, sends: Sends, uploads: Uploads, places: Places) -> None:
        self._store = store
        self._tenant = tenant
        self._sends = sends
        self._uploads = uploads
        self._places = places
        self._acts = Acts(store, http)

    def routes(self) -> list[Route]:
        """The table of this resource."""
        one = f"/api/conversations/{ID}"
        return [
            Route("POST", f"{one}/send", self.send, Role.STAFF, "Write to the customer, with a moment to take it back",
                  "conversation.send", body=SendBody, answer=SendMade),
            Route("DELETE", f"{one}/send/{MESSAGE}", self.take_back, Role.STAFF, "Take a waiting message back",
                  "conversation.unsend", answer=TakenBack),
            Route("POST", f"{one}/files", self.upload, Role.STAFF, "Add a file that goes with a message",
                  "conversation.file", answer=UploadMade),
            Route("POST", f"{one}/messages/{MESSAGE}/retry", self.retry, Role.STAFF,
                  "Send again what did not arrive", "conversation.retry"),
        ]  # fmt: skip

    async def send(self, request: web.Request) -> web.Response:
        """Take a message in; a repeat with the same ``Idempotency-Key`` sends nothing again."""
        body, key = await read_body(request, SendBody), request.match_info["id"]
        if body.template is not None and (body.text or body.uploads):
            raise Problem(422, "Too much to send", "template: it goes alone; leave text and uploads out.")
        if not body.text and not body.uploads and body.template is None:
            raise Problem(422, "Nothing to send", "text: write something, or add a file.")
        repeat = request.headers.get("Idempotency-Key", "").strip()
        if len(repeat) > KEY_CHARACTERS or not repeat.isprintable():
            raise Problem(422, "Invalid input", f"Idempotency-Key: at most {KEY_CHARACTERS} printable characters.")
        undo_s = UNDO_S if body.undo else 0.0
        letter = Letter(body.text, tuple(body.uploads), repeat or None, undo_s, body.suggested, _picked(body))
        who = request[PRINCIPAL].owner
        made = await self._acts.do(
            request, lambda tx: self._sends.send(tx, key, who, letter), {"files": len(body.uploads)}
        )
        return answer(SendMade(**made), status=202)

    async def take_back(self, request: web.Request) -> web.Response:
        """Possible until it is on its way; answers with what was written."""
        who, message_id = request[PRINCIPAL].owner, request.match_info["message"]
        taken = await self._acts.do(
            request, lambda tx: self._sends.take_back(tx, message_id, who), {"message": message_id}
        )
        return answer(TakenBack(**taken))

    async def upload(self, request: web.Request) -> web.Response:
        """The raw bytes of one file, its name in the query, its type in ``Content-Type``."""
        name, key = read_query(request, UploadQuery).name, request.match_info["id"]
        row = await self._store.row("conversations.read", id=key)
        if row is None or row["tenant"] != self._tenant:
            raise unknown()
        carried = room(self._places, row["channel"], row["account"], row["said_at"], time.time())
        if (request.content_length or 0) > carried.file_bytes > 0:
            raise Problem(413, "Too large", f"This channel takes files up to {carried.file_bytes / 1e6:g} MB.")
        declared = request.headers.get(hdrs.CONTENT_TYPE, "")
        named = Named(key, request[PRINCIPAL].owner, name, declared)
        try:
            made = await self._uploads.take(named, carried, request.content.iter_any())
        except TooLarge as error:
            raise Problem(413, "Too large", f"{error}.".capitalize()) from None
        except Refused as refused:
            raise Problem(409, "Not possible", f"{refused}.".capitalize()) from None
        except TimeoutError:
            raise Problem(408, "Too slow", "The file did not arrive in time; send it again.") from None
        return answer(UploadMade(**made), status=201)

    async def retry(self, request: web.Request) -> web.Response:
        """Only what surely did not arrive goes out again."""
        key, message_id = request.match_info["id"], request.match_info["message"]
        await self._acts.do(request, lambda tx: self._sends.retry(tx, key, message_id), {"message": message_id})
        return web.Response(status=204)


def _picked(body: SendBody) -> Picked | None:
    """The template somebody chose; platforms refuse values with line breaks, so each becomes one line."""
    if body.template is None:
        return None
    values = tuple(" ".join(value.split()) for value in body.template.values)
    return Picked(body.template.key, body.template.language, values)
