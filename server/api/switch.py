"""The bot switch over HTTP: read it, turn the bot off or on."""

from __future__ import annotations

from typing import Annotated

from aiohttp import web
from pydantic import StringConstraints, model_validator

from config.settings import Http
from server.api.shapes import Answer, Body, answer
from server.routes import AUDITED, PRINCIPAL, Role, Route, client_ip, read_body
from server.switch import EVERYWHERE, BotSwitch

Place = Annotated[str, StringConstraints(pattern=r"^(\*|[A-Za-z0-9][A-Za-z0-9_.-]{0,63})$")]


class SwitchBody(Body):
    """Where (``*`` = everywhere), and whether the bot must be silent there."""

    channel: Place = EVERYWHERE
    account: Place = EVERYWHERE
    silent: bool

    @model_validator(mode="after")
    def _one_place(self) -> SwitchBody:
        if self.channel == EVERYWHERE and self.account != EVERYWHERE:
            raise ValueError("name the channel of this account, or use * for both")
        return self


class SwitchRow(Answer):
    """One place that was switched; ``changed_at`` is epoch seconds."""

    channel: str
    account: str
    silent: bool
    changed_by: str
    changed_at: float


class SwitchState(Answer):
    """``silent`` is the switch for everything; a place is silent when any row that contains it is."""

    silent: bool
    rows: list[SwitchRow]


class SwitchApi:
    """Address ``/api/switch``."""

    def __init__(self, switch: BotSwitch, http: Http) -> None:
        self._switch = switch
        self._http = http

    def routes(self) -> list[Route]:
        """The table of this resource."""
        return [
            Route("GET", "/api/switch", self.read, Role.VIEWER, "Where the bot is silent", answer=SwitchState),
            Route(
                "PUT", "/api/switch", self.set, Role.STAFF, "Silence the bot or let it speak", "switch.set",
                body=SwitchBody, answer=SwitchState,
            ),
        ]  # fmt: skip

    async def read(self, _request: web.Request) -> web.Response:
        """The state from the store, so that nobody looks at a copy of a second ago."""
        await self._switch.load()
        return self._state()

    async def set(self, request: web.Request) -> web.Response:
        """Silence the bot or let it speak at one place; staff may, because it is the emergency brake."""
        body = await read_body(request, SwitchBody)
        ip = client_ip(request, self._http)
        await self._switch.set(request[PRINCIPAL], body.channel, body.account, body.silent, ip)
        request[AUDITED] = True
        return self._state()

    def _state(self) -> web.Response:
        rows = [SwitchRow(**row) for row in self._switch.rows]
        return answer(SwitchState(silent=self._switch.silent(EVERYWHERE, EVERYWHERE), rows=rows))
