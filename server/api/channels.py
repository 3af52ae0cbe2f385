"""Channel accounts for staff: which are on, whether they work, and what to enter at the platform."""

from __future__ import annotations

import time
from typing import Any

from aiohttp import web

from config.settings import Settings
from server.accounts import PLATFORMS, Accounts
from server.api.shapes import Answer, answer
from server.api.webhooks import addresses
from server.routes import Role, Route
from server.store.contract import Store

KEPT_S = 10.0  # how long the times of last messages are reused: every open console asks for them


class ChannelRow(Answer):
    """One channel account; times are epoch seconds.

    ``ok`` is what the platform said when it was last asked whether our credentials work, null before that;
    ``revoked`` is why it lets us in no more, empty while it does. ``webhooks`` are the addresses to enter there.
    """

    channel: str
    account: str
    on: bool
    ok: bool | None
    detail: str
    checked_at: float | None
    last_message_at: float | None
    webhooks: list[str]
    revoked: str


class ChannelList(Answer):
    """Every configured channel account."""

    channels: list[ChannelRow]


class ChannelsApi:
    """Address ``/api/channels``."""

    def __init__(self, store: Store, accounts: Accounts, settings: Settings) -> None:
        self._store = store
        self._accounts = accounts
        self._settings = settings
        self._last: tuple[float, dict[tuple[str, str], float]] = (-KEPT_S, {})

    def routes(self) -> list[Route]:
        """The table of this resource."""
        return [
            Route(
                "GET", "/api/channels", self.list, Role.VIEWER, "Channel accounts: on or off, health, webhook address",
                answer=ChannelList,
            )
        ]  # fmt: skip

    async def list(self, _request: web.Request) -> web.Response:
        """Every account, those of the web first."""
        states = await self._store.rows("channels.states", tenant=self._settings.tenant)
        revoked = {(row["channel"], row["account"]): row["reason"] for row in states if row["state"] != "ok"}
        last = await self._last_said()
        rows = [
            self._row("web", name, last, on=account.enabled, ok=True if account.enabled else None)
            for name, account in self._settings.channels.web.items()
        ]
        for platform in PLATFORMS:
            for name, account in getattr(self._settings.channels, platform).items():
                known = self._accounts.known(platform, name)
                health = known.health if known is not None else None
                fault = known.fault if known is not None else ""
                rows.append(
                    self._row(
                        platform, name, last,
                        on=account.on,
                        ok=False if fault else (health.ok if health is not None else None),
                        detail=fault or (health.detail if health is not None else ""),
                        checked_at=known.checked_at if known is not None else None,
                        webhooks=addresses(
                            platform, name, getattr(account, "provider", ""), self._settings.http.public_url
                        ),
                        revoked=revoked.get((platform, name), ""),
                    )
                )  # fmt: skip
        return answer(ChannelList(channels=rows))

    @staticmethod
    def _row(channel: str, account: str, last: dict[tuple[str, str], float], **found: Any) -> ChannelRow:
        unknown: dict[str, Any] = {"detail": "", "checked_at": None, "webhooks": [], "revoked": ""}
        at = last.get((channel, account))
        return ChannelRow(channel=channel, account=account, last_message_at=at, **unknown | found)

    async def _last_said(self) -> dict[tuple[str, str], float]:
        at, found = self._last
        if time.monotonic() - at > KEPT_S:
            rows = await self._store.rows("channels.last_said", tenant=self._settings.tenant)
            found = {(row["channel"], row["account"]): row["at"] for row in rows}
            self._last = (time.monotonic(), found)
        return found
