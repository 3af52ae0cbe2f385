"""Blocking a customer over HTTP."""

from __future__ import annotations

from functools import partial
from typing import Annotated

from aiohttp import web
from pydantic import StringConstraints

from config.settings import Http
from server.api.acting import Acts, unknown
from server.api.shapes import ID, Body
from server.conversation import NotFound
from server.desk.blocks import Blocks
from server.routes import PRINCIPAL, Role, Route, read_body
from server.store.contract import Store


class BlockBody(Body):
    """Why; colleagues read it in the thread."""

    reason: Annotated[str, StringConstraints(strip_whitespace=True, max_length=500)] = ""


class BlocksApi:
    """Address ``/api/conversations/{id}/block``."""

    def __init__(self, store: Store, http: Http, blocks: Blocks) -> None:
        self._store = store
        self._blocks = blocks
        self._acts = Acts(store, http)

    def routes(self) -> list[Route]:
        """The table of this resource."""
        one = f"/api/conversations/{ID}/block"
        return [
            Route("POST", one, self.block, Role.STAFF, "Hear no more of this customer", "conversation.block",
                  body=BlockBody),
            Route("DELETE", one, self.unblock, Role.STAFF, "Hear this customer again", "conversation.unblock"),
        ]  # fmt: skip

    async def block(self, request: web.Request) -> web.Response:
        """Close all of the customer's conversations; what they write from now on is only kept."""
        body, who = await read_body(request, BlockBody), request[PRINCIPAL]
        key, others = await self._meant(request)
        name = who.name or who.owner
        await self._acts.do(request, lambda tx: self._blocks.block(tx, key, who.owner, name, body.reason))
        for other in others:
            await self._store.write(partial(self._blocks.silence, conversation_id=other, person=who.owner), order=other)
        return web.Response(status=204)

    async def unblock(self, request: web.Request) -> web.Response:
        """The next message opens a conversation again."""
        who = request[PRINCIPAL]
        key, others = await self._meant(request)
        await self._acts.do(request, lambda tx: self._blocks.unblock(tx, key, who.owner, who.name or who.owner))
        for other in others:
            await self._store.write(partial(self._blocks.hear, conversation_id=other), order=other)
        return web.Response(status=204)

    async def _meant(self, request: web.Request) -> tuple[str, list[str]]:
        """The conversation in the path and its customer's others; raises a 404 problem."""
        key = request.match_info["id"]
        try:
            return key, await self._blocks.others(key)
        except NotFound:
            raise unknown() from None
