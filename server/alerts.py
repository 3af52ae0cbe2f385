"""A customer waits for a person and nobody looks: told by live event, by letter, by webhook, each once per wait.

Browsers are told of every wait that lasts too long (the event ``alert``; a console in the background shows it). Letter
and webhook go out while nobody has the console open. What was told is kept with the wait, so a restart repeats nothing;
a letter is repeated only where the process died while handing it over.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Any, Final

import structlog

from config.settings import Settings
from server.conversation import Status
from server.desk.notes import lock_own
from server.store.contract import Row, Store, Tx
from server.tools.mail import Letter, MailError, Notifier

log = structlog.get_logger()

JOB: Final = "alert-staff"
CRON: Final = "* * * * *"
LETTER_TRIES: Final = 3
SHOWN: Final = 20  # waits listed in one letter

Watched = Callable[[], Awaitable[bool]]  # whether somebody has the console open
Hook = Callable[[Tx, Mapping[str, Any], str], Awaitable[None]]  # (unit, data, event id): queues a signed webhook


async def hook_nowhere(_tx: Tx, _data: Mapping[str, Any], _event_id: str) -> None:
    """The hook of a desk without systems that want to know."""


class Alerts:
    """The alerts of one tenant; ``wall`` is epoch seconds."""

    def __init__(
        self,
        store: Store,
        settings: Settings,
        way: Notifier,
        watched: Watched,
        hook: Hook,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        self._tenant = settings.tenant
        self._name = settings.name
        self._settings = settings.alerts
        self._address = f"{settings.http.public_url}/console/inbox?view=waiting" if settings.http.public_url else ""
        self._way = way
        self._watched = watched
        self._hook = hook
        self._wall = wall

    async def run(self, _body: Mapping[str, Any]) -> None:
        """The job: tell what is to be told now."""
        if not self._settings.after_s:
            return
        now = self._wall()
        before = now - self._settings.after_s
        for row in await self._store.rows("alerts.due", tenant=self._tenant, before=before, now=now):
            await self._store.write(partial(self._tell, row=row), order=row["id"])
        waits = await self._store.rows("alerts.open", tenant=self._tenant)
        if not waits or await self._watched():
            return
        for row in waits:
            if row["hook_at"] is None:
                await self._store.write(partial(self._queue, row=row), order=row["conversation_id"])
        unsent = [row for row in waits if row["letter_at"] is None and row["letter_tries"] < LETTER_TRIES]
        if self._settings.emails and unsent:
            await self._write(unsent)

    async def test(self) -> None:
        """Send a letter to every address of the settings; raises MailError."""
        text = "This is a test. Letters about waiting customers reach this address."
        await self._post(f"{self._name}: test of alerts", text)

    async def recent(self, count: int) -> Sequence[Row]:
        """The latest alerts and what became of them."""
        return await self._store.rows("alerts.recent", tenant=self._tenant, count=count)

    async def _tell(self, tx: Tx, *, row: Row) -> None:
        """Tell the browsers, unless somebody took the conversation meanwhile or another process was quicker."""
        timeline = await lock_own(tx, self._tenant, row["id"])
        since = timeline.state.waiting_since
        if timeline.state.status is not Status.WAITING or since != row["waiting_since"]:
            return
        if await tx.run("alerts.tell", id=row["id"], since=since, tenant=self._tenant, now=tx.now_s):
            timeline.emit("alert", {"waiting_since": since, "channel": timeline.channel}, audience="staff")
            await timeline.save(touch=False)

    async def _queue(self, tx: Tx, *, row: Row) -> None:
        key, since = row["conversation_id"], row["waiting_since"]
        if await tx.run("alerts.hooked", id=key, since=since, now=tx.now_s):
            data = {
                "conversation": key,
                "channel": row["channel"],
                "account": row["account"],
                "reason": row["reason"],
                "waiting_since": since,
            }
            await self._hook(tx, data, f"evt_alert_{key}_{since * 1000:.0f}")

    async def _write(self, waits: Sequence[Row]) -> None:
        """One letter about all of them to each address."""

        async def mark(query: str, tx: Tx) -> None:
            for row in waits:
                now = {} if query == "alerts.try_letter" else {"now": tx.now_s}
                await tx.run(query, id=row["conversation_id"], since=row["waiting_since"], **now)

        await self._store.write(partial(mark, "alerts.try_letter"), order="~alerts")
        try:
            await self._post(self._subject(len(waits)), self._text(waits))
        except MailError as error:
            log.warning("alert_letter_failed", waits=len(waits), reason=str(error))
            return
        await self._store.write(partial(mark, "alerts.lettered"), order="~alerts")
        log.info("alert_letter_sent", waits=len(waits), addresses=len(self._settings.emails))

    async def _post(self, subject: str, text: str) -> None:
        for address in self._settings.emails:
            await self._way.send(Letter(address, subject, text))

    def _subject(self, count: int) -> str:
        waiting = "a customer waits" if count == 1 else f"{count} customers wait"
        return f"{self._name}: {waiting} for a person"

    def _text(self, waits: Sequence[Row]) -> str:
        """Channels and lengths of the waits; nothing of what customers wrote, nor who they are."""
        now = self._wall()
        lines = [
            f"- {row['channel']}/{row['account']}, for {max(1, round((now - row['waiting_since']) / 60))} min"
            for row in waits[:SHOWN]
        ]
        more = [f"- and {len(waits) - SHOWN} more"] if len(waits) > SHOWN else []
        where = [f"Open the console: {self._address}"] if self._address else ["Open the console to answer."]
        return "\n".join(["Nobody has the console open, and these customers wait:", *lines, *more, "", *where, ""])
