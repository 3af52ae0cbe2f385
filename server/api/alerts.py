"""Alerts over HTTP: who is told, the latest ones, and a letter to try it."""

from __future__ import annotations

import builtins
from typing import Final

from aiohttp import web

from config.settings import Settings
from server.alerts import Alerts
from server.api.shapes import Answer, answer
from server.problems import Problem
from server.routes import Role, Route
from server.tools.mail import MailError

SHOWN: Final = 50


class AlertRow(Answer):
    """One wait that was told; times are epoch seconds, None for what was not needed or not done yet."""

    conversation_id: str
    waiting_since: float
    created_at: float
    hook_at: float | None
    letter_at: float | None
    letter_tries: int


class AlertList(Answer):
    """How alerts are set, and the latest ones.

    ``after_s`` 0 means never; ``mail``: ``smtp`` or ``folder`` (letters become files); ``webhook``: whether one is set.
    """

    after_s: float
    emails: list[str]
    mail: str
    webhook: bool
    alerts: builtins.list[AlertRow]


class AlertsApi:
    """Address ``/api/alerts``."""

    def __init__(self, settings: Settings, alerts: Alerts) -> None:
        self._settings = settings
        self._alerts = alerts

    def routes(self) -> list[Route]:
        """The table of this resource."""
        return [
            Route("GET", "/api/alerts", self.list, Role.ADMIN, "Alerts about waiting customers", answer=AlertList),
            Route("POST", "/api/alerts/test", self.test, Role.ADMIN, "Send a letter to try it", "alert.test"),
        ]

    async def list(self, _request: web.Request) -> web.Response:
        """Settings and the latest alerts."""
        settings = self._settings
        return answer(
            AlertList(
                after_s=settings.alerts.after_s,
                emails=list(settings.alerts.emails),
                mail="smtp" if settings.mail.host else "folder",
                webhook=bool(settings.tools.webhook_url),
                alerts=[AlertRow(**row) for row in await self._alerts.recent(SHOWN)],
            )
        )

    async def test(self, _request: web.Request) -> web.Response:
        """Send one to every address."""
        if not self._settings.alerts.emails:
            raise Problem(409, "Nobody to write to", "Set alerts.emails first.")
        try:
            await self._alerts.test()
        except MailError as error:
            raise Problem(502, "Letter not sent", str(error)) from None
        return web.Response(status=204)
