"""Channel accounts for staff: whether they work, how deliveries fare at our door, what became of what was sent."""

from __future__ import annotations

import builtins
import time
from collections.abc import Mapping, Sequence
from typing import Any

from aiohttp import web

from channels.base import Limits
from channels.destination import route_to
from channels.web import WebChannel
from config.settings import Settings
from server.accounts import PLATFORMS, Accounts
from server.api.channel_shapes import (
    Call,
    ChannelLimits,
    ChannelList,
    ChannelRow,
    DoorCount,
    SentCount,
    TrialBody,
    TrialMade,
    TrialState,
)
from server.api.shapes import ID, answer
from server.api.webhooks import addresses
from server.audit import audit
from server.buckets import Buckets
from server.channel_tests import ChannelTests
from server.doors import Count, Doors
from server.problems import Problem
from server.routes import AUDITED, PRINCIPAL, Role, Route, client_ip, read_body
from server.store.contract import Row, Store, Tx

KEPT_S = 10.0  # how long figures of all accounts are reused: every open console asks for them
SENT_S = 86_400.0  # what became of messages is counted this far back
TESTS_PER_MINUTE = 3  # of one person: a test message reaches somebody
PLACE = "{channel:[0-9a-z_-]{1,32}}/{account:[0-9a-z_-]{1,63}}"

Place = tuple[str, str]


class ChannelsApi:
    """Addresses ``/api/channels``."""

    def __init__(
        self,
        store: Store,
        accounts: Accounts,
        settings: Settings,
        doors: Doors | None = None,
        tests: ChannelTests | None = None,
    ) -> None:
        self._store = store
        self._accounts = accounts
        self._settings = settings
        self._doors = doors
        self._tests = tests
        self._rate = Buckets(TESTS_PER_MINUTE)
        self._last: tuple[float, dict[Place, float], dict[Place, builtins.list[Row]]] = (-KEPT_S, {}, {})

    def routes(self) -> builtins.list[Route]:
        """The table of this resource."""
        table = [
            Route(
                "GET", "/api/channels", self.list, Role.VIEWER, "Channel accounts: on or off, health, webhook address",
                answer=ChannelList,
            )
        ]  # fmt: skip
        if self._tests is None:
            return table
        return [
            *table,
            Route("POST", f"/api/channels/{PLACE}/test", self.test, Role.ADMIN, "Send a test message",
                  "channel.test", body=TrialBody, answer=TrialMade),
            Route("GET", f"/api/channels/tests/{ID}", self.tested, Role.ADMIN, "What became of a test message",
                  answer=TrialState),
        ]  # fmt: skip

    async def list(self, _request: web.Request) -> web.Response:
        """Every account, those of the web first."""
        states = await self._store.rows("channels.states", tenant=self._settings.tenant)
        revoked = {(row["channel"], row["account"]): row["reason"] for row in states if row["state"] != "ok"}
        counts = await self._doors.counts() if self._doors is not None else {}
        said, sent = await self._figures()
        rows = [
            _row(("web", name), said, sent, counts, on=account.enabled, ok=True if account.enabled else None,
                 mode="pull", limits=WebChannel.limits, feedback=True)
            for name, account in self._settings.channels.web.items()
        ]  # fmt: skip
        for platform in PLATFORMS:
            for name, account in getattr(self._settings.channels, platform).items():
                rows.append(
                    _row((platform, name), said, sent, counts, **self._found(platform, name, account),
                         revoked=revoked.get((platform, name), ""))
                )  # fmt: skip
        return answer(ChannelList(channels=rows))

    def _found(self, platform: str, name: str, account: Any) -> dict[str, Any]:
        """What the process knows of an account, and what is to be entered at its platform."""
        known = self._accounts.known(platform, name)
        health = known.health if known is not None else None
        fault = known.fault if known is not None else ""
        channel = known.channel if known is not None else None
        provider = getattr(account, "provider", "")
        latest = self._doors.latest(platform, name) if self._doors is not None else ()
        return {
            "on": account.on,
            "ok": False if fault else (health.ok if health is not None else None),
            "detail": fault or (health.detail if health is not None else ""),
            "checked_at": known.checked_at if known is not None else None,
            "webhooks": addresses(platform, name, provider, self._settings.http.public_url),
            "provider": provider,
            "mode": _mode(platform, account),
            "limits": channel.limits if channel is not None else None,
            "feedback": account.feedback,
            "latest": [Call(at=call.at, status=call.status, reason=call.reason) for call in latest],
        }

    async def _figures(self) -> tuple[dict[Place, float], dict[Place, builtins.list[Row]]]:
        """When customers last wrote, and what became of messages, by account."""
        at, said, sent = self._last
        if time.monotonic() - at > KEPT_S:
            tenant, since = self._settings.tenant, time.time() - SENT_S
            rows = await self._store.rows("channels.last_said", tenant=tenant)
            said, sent = {(row["channel"], row["account"]): row["at"] for row in rows}, {}
            for row in await self._store.rows("doors.sent", tenant=tenant, since=since):
                sent.setdefault((row["channel"], row["account"]), []).append(row)
            self._last = (time.monotonic(), said, sent)
        return said, sent

    async def test(self, request: web.Request) -> web.Response:
        """Queue one line for a destination; ask for what became of it by its id."""
        assert self._tests is not None
        platform, name = request.match_info["channel"], request.match_info["account"]
        principal, tests = request[PRINCIPAL], self._tests
        known = self._accounts.known(platform, name)
        if known is None or name.startswith("~"):
            raise Problem(404, "Not found", "There is no such channel account, or it is off.")
        body = await read_body(request, TrialBody)
        try:
            route = route_to(platform, getattr(known.settings, "provider", ""), body.to)
        except ValueError as error:
            raise Problem(422, "Invalid input", f"to: {error}.") from None
        wait_s = self._rate.take(principal.owner)
        if wait_s:
            detail = f"At most {TESTS_PER_MINUTE} test messages a minute; try again in {wait_s:.0f} s."
            raise Problem(429, "Too fast", detail, headers={"Retry-After": f"{wait_s:.0f}"})
        ip = client_ip(request, self._settings.http)

        async def unit(tx: Tx) -> str:
            message_id = await tests.send(tx, (platform, name), route, body.text, principal)
            detail = {"channel": platform, "account": name}
            await audit(tx, principal, "channel.test", message_id, detail, ip)
            return message_id

        request[AUDITED] = True
        return answer(TrialMade(id=await self._store.write(unit)), status=202)

    async def tested(self, request: web.Request) -> web.Response:
        """The outbox's state of a test message, and the platform's words where it refused."""
        found = await self._tests.read(request.match_info["id"]) if self._tests is not None else None
        if found is None:
            raise Problem(404, "Not found", "There is no such test message; it may have been deleted meanwhile.")
        return answer(TrialState(**{name: getattr(found, name) for name in TrialState.model_fields}))


def _row(
    place: Place,
    said: Mapping[Place, float],
    sent: Mapping[Place, Sequence[Row]],
    counts: Mapping[Place, Sequence[Count]],
    *,
    limits: Limits | None,
    **found: Any,
) -> ChannelRow:
    unknown: dict[str, Any] = {
        "detail": "", "checked_at": None, "webhooks": [], "revoked": "", "provider": "", "latest": [],
    }  # fmt: skip
    mine = sent.get(place, ())
    return ChannelRow(
        channel=place[0],
        account=place[1],
        last_message_at=said.get(place),
        last_sent_at=max((row["last_at"] for row in mine if row["last_at"] is not None), default=None),
        sent=[SentCount(state=row["state"], parts=row["parts"]) for row in mine],
        deliveries=[
            DoorCount(status=one.status, reason=one.reason, deliveries=one.deliveries, last_at=one.last_at)
            for one in counts.get(place, ())
        ],
        limits=_limits(limits),
        **unknown | found,
    )


def _limits(limits: Limits | None) -> ChannelLimits | None:
    if limits is None:
        return None
    pace, chat = limits.account_pace, limits.chat_pace
    return ChannelLimits(
        text_units=limits.text_units,
        unit=limits.unit,
        window_s=limits.window_s,
        media_bytes=limits.media_bytes,
        per_second=pace.per_s if pace is not None else None,
        per_chat_second=chat.per_s if chat is not None else None,
    )


def _mode(platform: str, account: Any) -> str:
    """How messages come in: webhook, polling or socket."""
    if platform == "telegram":
        return str(account.mode)
    if platform == "slack" and account.app_token.get_secret_value():
        return "socket" if not account.signing_secret.get_secret_value() else "webhook and socket"
    return "webhook"
