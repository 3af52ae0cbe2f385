"""Where messaging platforms deliver: verified on the raw bytes, stored, and only then acknowledged.

A platform waits seconds for its answer (Slack 3, Twilio 15). So a store that does not answer gives 503 within
PULSE's limit, and whatever was stored all the same is recognised when the platform repeats it.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Final

from aiohttp import web

from channels.base import Channel, Delivery, Rejected
from config.keys import DEFAULT_ACCOUNT
from config.settings import Http
from server.accounts import Accounts
from server.catchup import CatchUp
from server.doors import Doors
from server.intake import Intake
from server.problems import Handler, Problem
from server.pulse import LIMIT_S, Pulse
from server.routes import Role, Route, called_url, read_raw
from server.store.contract import StoreUnavailable

PATHS: Final[Mapping[str, tuple[str, str, str]]] = {  # path -> methods, platform, summary
    "/webhooks/whatsapp": ("POST", "whatsapp", "Twilio delivers WhatsApp messages here"),
    "/webhooks/whatsapp/status": ("POST", "whatsapp", "Twilio tells here what became of messages sent"),
    "/webhooks/whatsapp/meta": ("GET POST", "whatsapp", "Meta proves the address (GET) and delivers (POST) here"),
    "/webhooks/slack/events": ("POST", "slack", "Slack's Events API delivers here"),
    "/webhooks/slack/actions": ("POST", "slack", "Slack tells here which buttons were pressed"),
    "/webhooks/telegram": ("POST", "telegram", "Telegram delivers updates here"),
}
BODY_BYTES: Final[Mapping[str, int]] = {
    "/webhooks/whatsapp/meta": 4 * 1_048_576,  # Meta's batches may have 3 MB; whoever answers 413 gets them for days
}
"""Where a platform may send more than http.max_body_bytes. The other platforms' largest deliveries are far below the
default of that, and before its signature is checked a body is a stranger's: no address takes more than it needs."""
ACCOUNT: Final = "{account:[a-z0-9][a-z0-9_-]{0,62}}"
CLOSED_S: Final = 5  # Retry-After of an account that is configured but not open


def addresses(platform: str, account: str, provider: str, public_url: str) -> list[str]:
    """The addresses to enter at a platform for one account; relative without a public URL."""
    suffix = "" if account == DEFAULT_ACCOUNT else f"/{account}"
    mine = [path for path, (_, name, _) in PATHS.items() if name == platform]
    if platform == "whatsapp":
        mine = [path for path in mine if path.endswith("/meta") == (provider == "meta")]
    return [f"{public_url}{path}{suffix}" for path in mine]


class WebhooksApi:
    """The addresses of all platforms, with and without an account's name; the channel checks who calls."""

    def __init__(
        self,
        accounts: Accounts,
        intake: Intake,
        catch_up: CatchUp,
        pulse: Pulse,
        http: Http,
        doors: Doors | None = None,
    ) -> None:
        self._accounts = accounts
        self._intake = intake
        self._catch_up = catch_up
        self._pulse = pulse
        self._http = http
        self._doors = doors

    def routes(self) -> list[Route]:
        """Two addresses per kind of delivery: of the account named default, and of any account by its name."""
        return [
            Route(method, f"{path}{suffix}", self._handler(platform, path), Role.PUBLIC, f"{summary}{words}")
            for path, (methods, platform, summary) in PATHS.items()
            for method in methods.split()
            for suffix, words in (("", ""), (f"/{ACCOUNT}", ", for one account by its name"))
        ]

    def _handler(self, platform: str, path: str) -> Handler:
        needed = BODY_BYTES.get(path, 0)
        limit = needed if needed > self._http.max_body_bytes else 0

        async def handle(request: web.Request) -> web.StreamResponse:
            return await self._deliver(request, platform, limit)

        return handle

    async def _deliver(self, request: web.Request, platform: str, limit_bytes: int) -> web.StreamResponse:
        channel = self._channel(platform, request.match_info.get("account", DEFAULT_ACCOUNT))
        delivery = Delivery(
            method=request.method,
            url=called_url(request, self._http),
            path=request.path,
            query=dict(request.query),
            headers={name.lower(): value for name, value in request.headers.items()},
            body=await read_raw(request, limit_bytes),
            now_s=time.time(),
        )
        started = time.monotonic()
        try:
            received = await channel.receive(delivery)
        except Rejected as error:
            self._note(channel, error.status, error.reason)
            return web.Response(status=error.status, text=error.reason)
        self._note(channel, received.status)
        if received.facts:
            if self._pulse.away:
                raise StoreUnavailable("the store does not answer; try again in a moment")
            await self._catch_up.settled(channel.name, channel.account)
            waited_s = time.monotonic() - started
            await self._intake.take(channel, received.facts, max(LIMIT_S / 2, LIMIT_S - waited_s))
        return web.Response(status=received.status, body=received.body, content_type=received.content_type)

    def _note(self, channel: Channel, status: int, reason: str = "") -> None:
        """Count the delivery: staff see on the channel's page whether its signatures fit."""
        if self._doors is not None:
            self._doors.note(channel.name, channel.account, status, reason)

    def _channel(self, platform: str, account: str) -> Channel:
        """The open channel; raises 404 for an account that is off, 503 for one that could not be opened."""
        channel = self._accounts.get(platform, account)
        if channel is not None:
            return channel
        if self._accounts.known(platform, account) is None:
            raise Problem(404, "Not found", "There is no such channel account, or it is off.")
        detail = "This channel account is not open yet, or could not be opened; nothing was stored."
        raise Problem(503, "Channel not open", detail, headers={"Retry-After": str(CLOSED_S)})
