"""Which person of the desk a user of Slack is, where their addresses do not say it."""

from __future__ import annotations

from typing import Annotated

from aiohttp import web
from pydantic import StringConstraints

from config.settings import Settings
from server.api.acting import Acts
from server.api.shapes import Answer, Body, answer
from server.conversation import NotFound, Refused
from server.routes import PRINCIPAL, Role, Route, read_body
from server.store.contract import Store, Tx

ACCOUNT = "{account:[0-9A-Za-z_-]{1,64}}"
USER = "{user:[A-Z0-9]{2,32}}"


class LinkBody(Body):
    """The person a user of Slack is."""

    person_id: Annotated[str, StringConstraints(min_length=1, max_length=64)]


class LinkRow(Answer):
    """A known user of Slack; ``how`` is email or link, ``checked_at`` epoch seconds."""

    account: str
    slack_user: str
    person_id: str
    name: str
    how: str
    linked_by: str | None
    checked_at: float


class LinkList(Answer):
    """Everybody who is known."""

    links: list[LinkRow]


class StaffSlackApi:
    """Addresses ``/api/staff-slack/links``."""

    def __init__(self, store: Store, settings: Settings) -> None:
        self._store = store
        self._tenant = settings.tenant
        self._accounts = frozenset(settings.channels.slack)
        self._acts = Acts(store, settings.http)

    def routes(self) -> list[Route]:
        """The table of this resource."""
        one = f"/api/staff-slack/links/{ACCOUNT}/{USER}"
        return [
            Route("GET", "/api/staff-slack/links", self.list, Role.ADMIN, "Who is who in Slack", answer=LinkList),
            Route("PUT", one, self.link, Role.ADMIN, "Say who a user of Slack is", "staff_slack.link", body=LinkBody),
            Route("DELETE", one, self.unlink, Role.ADMIN, "Forget who a user of Slack is", "staff_slack.unlink"),
        ]  # fmt: skip

    async def list(self, _request: web.Request) -> web.Response:
        """By account and user."""
        rows = await self._store.rows("staff_slack.links", tenant=self._tenant)
        return answer(LinkList(links=[LinkRow(**row) for row in rows]))

    async def link(self, request: web.Request) -> web.Response:
        """Goes before what the person's address says."""
        body, key = await read_body(request, LinkBody), self._key(request)
        if key["account"] not in self._accounts:
            raise web.HTTPNotFound
        by = request[PRINCIPAL].owner

        async def unit(tx: Tx) -> str:
            person = await tx.row("people.by_id", tenant=self._tenant, id=body.person_id)
            if person is None:
                raise NotFound("there is no such person; reload the list")
            if person["disabled_at"] is not None:
                raise Refused("this person's access is switched off")
            await tx.run("staff_slack.link", **key, person_id=body.person_id, how="link", linked_by=by, now=tx.now_s)
            return body.person_id

        await self._acts.do(request, unit, {"slack_user": key["slack_user"]})
        return web.Response(status=204)

    async def unlink(self, request: web.Request) -> web.Response:
        """Their address counts again."""
        key = self._key(request)
        await self._acts.do(request, lambda tx: tx.run("staff_slack.unlink", **key), {"slack_user": key["slack_user"]})
        return web.Response(status=204)

    def _key(self, request: web.Request) -> dict[str, str]:
        found = request.match_info
        return {"tenant": self._tenant, "account": found["account"], "slack_user": found["user"]}
