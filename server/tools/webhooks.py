"""Events for the shop's own systems: queued in the commit that caused them, signed, sent until they arrive.

Signatures, headers and pauses follow Standard Webhooks (https://www.standardwebhooks.com): ``webhook-id`` (the same in
every attempt, so receivers can drop repeats), ``webhook-timestamp``, ``webhook-signature`` (one per key, so that keys
can be changed without a gap).
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import random
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import partial
from http import HTTPStatus
from typing import Any, Literal

import structlog

from config.tools import WEBHOOK_PREFIX, Tools
from server import shifts
from server.ids import new_id
from server.store.contract import Row, Store, Tx
from server.store.text import dump
from server.tools.contract import ToolError, ToolTimeout
from server.tools.wire import Http

log = structlog.get_logger()

Kind = Literal["lead.created", "ticket.created", "ticket.updated", "handoff.requested", "customer.waiting"]

TOPIC = "webhook"
TIMEOUT_S = 15.0
HOLD_S = 60.0  # a worker that took an event and died leaves it for others after this
AT_ONCE = 10
MAX_BYTES = 65_536  # of a receiver's answer, which nobody reads
PAUSES_S = (5.0, 300.0, 1_800.0, 7_200.0, 18_000.0, 36_000.0, 50_400.0, 72_000.0, 86_400.0)  # between attempts
JITTER = 0.2  # share of a pause added at random, so that receivers that come back are not overrun


class Webhooks:
    """The outgoing events of one tenant; does nothing while ``tools.webhook_url`` is empty."""

    def __init__(self, store: Store, tenant: str, settings: Tools, http: Http) -> None:
        self._store = store
        self._tenant = tenant
        self._url = settings.webhook_url
        self._keys = keys(settings.webhook_secret.get_secret_value())
        self._allow_hosts = settings.webhook_allow_hosts
        self._http = http
        self._due = asyncio.Event()

    async def emit(self, tx: Tx, kind: Kind, data: Mapping[str, Any], *, event_id: str = "") -> None:
        """Queue an event in the caller's commit; the same ``event_id`` again changes nothing."""
        if not self._url:
            return
        stamp = datetime.fromtimestamp(tx.now_s, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        await tx.run(
            "tools.add_delivery",
            id=event_id or f"msg_{new_id()}",
            tenant=self._tenant,
            url=self._url,
            kind=kind,
            body=dump({"type": kind, "timestamp": stamp, "data": dict(data)}),
            now=tx.now_s,
        )
        tx.notify(TOPIC)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Send what is due until the block ends."""
        if not self._url:
            yield
            return
        stop = self._store.listen(TOPIC, lambda _topic, _payload: self._due.set())
        task = asyncio.create_task(shifts.repeat("webhooks", self._step, self._idle), name="webhooks")
        try:
            yield
        finally:
            stop()
            await shifts.end([task])

    async def _step(self) -> None:
        self._due.clear()
        while await self.send_due():
            pass

    async def _idle(self) -> None:
        await shifts.waited(self._due)

    async def send_due(self) -> int:
        """Take and send the events that are due, at most AT_ONCE; returns how many were taken."""

        async def take(tx: Tx) -> list[tuple[Row, float]]:
            taken = await tx.rows(
                "tools.take_deliveries", tenant=self._tenant, now=tx.now_s, until=tx.now_s + HOLD_S, limit=AT_ONCE
            )
            return [(row, tx.now_s) for row in taken]

        taken = await self._store.write(take, order="~webhooks")
        await asyncio.gather(*(self._deliver(row, now_s) for row, now_s in taken))
        return len(taken)

    async def replay(self, event_id: str) -> bool:
        """Send an event again that was sent or given up; False where there is none such."""

        async def unit(tx: Tx) -> bool:
            found = await tx.run("tools.replay_delivery", id=event_id, tenant=self._tenant, now=tx.now_s)
            tx.notify(TOPIC)
            return bool(found)

        return await self._store.write(unit, order="~webhooks")

    async def _deliver(self, row: Row, now_s: float) -> None:
        body = row["body"].encode()
        headers = {"Content-Type": "application/json", **signed(self._keys, row["id"], int(now_s), body)}
        code, why = 0, ""
        try:
            answer = await self._http.request(
                "POST",
                row["url"],
                headers=headers,
                body=body,
                timeout_s=TIMEOUT_S,
                max_bytes=MAX_BYTES,
                allow_hosts=self._allow_hosts,
            )
            code = answer.status
        except ToolError as error:
            why = "timeout" if isinstance(error, ToolTimeout) else str(error)
        await self._store.write(partial(self._ended, row=row, code=code, why=why), order="~webhooks")

    async def _ended(self, tx: Tx, *, row: Row, code: int, why: str) -> None:
        attempts, state, next_at = int(row["attempts"]), "queued", tx.now_s
        if HTTPStatus.OK <= code < HTTPStatus.MULTIPLE_CHOICES:
            state = "sent"
        elif code == HTTPStatus.GONE or attempts > len(PAUSES_S):
            state = "failed"
        else:
            pause = PAUSES_S[attempts - 1]
            next_at += pause + pause * JITTER * random.random()  # noqa: S311 - spreads load, keeps no secret
        if state != "sent":
            log.warning("webhook_not_taken", event_id=row["id"], kind=row["kind"], code=code, reason=why, state=state)
        await tx.run("tools.end_delivery", id=row["id"], state=state, code=code or None, next_at=next_at)


def keys(secret: str) -> list[bytes]:
    """Signing keys of a setting: ``whsec_`` and base64, several with spaces between."""
    return [base64.b64decode(text.removeprefix(WEBHOOK_PREFIX)) for text in secret.split()]


def signed(signing: list[bytes], event_id: str, timestamp_s: int, body: bytes) -> dict[str, str]:
    """The three headers of Standard Webhooks."""
    text = f"{event_id}.{timestamp_s}.".encode() + body
    signatures = [base64.b64encode(hmac.digest(key, text, hashlib.sha256)).decode() for key in signing]
    return {
        "webhook-id": event_id,
        "webhook-timestamp": str(timestamp_s),
        "webhook-signature": " ".join(f"v1,{signature}" for signature in signatures),
    }
