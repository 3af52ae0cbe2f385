"""The switch that silences the bot: everywhere, on one channel, or for one channel account."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress

import structlog

from server.audit import audit
from server.routes import Principal
from server.store.contract import Event, Row, Store, StoreUnavailable, Tx

log = structlog.get_logger()

TOPIC = "switch"
EVERYWHERE = "*"
POLL_S = 1.0  # a lost notification costs at most this


class BotSwitch:
    """Answers from memory whether the bot must be silent; off anywhere up the line means silent."""

    def __init__(self, store: Store, tenant: str) -> None:
        self._store = store
        self._tenant = tenant
        self._rows: Sequence[Row] = ()
        self._silent: frozenset[tuple[str, str]] = frozenset()
        self._stale = asyncio.Event()
        self._listeners: list[Callable[[], None]] = []

    def listen(self, listener: Callable[[], None]) -> Callable[[], None]:
        """Call ``listener`` after each change that this process has taken in; returns the unsubscriber."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def silent(self, channel: str, account: str) -> bool:
        """Whether the bot must not write on this channel account; no io, at most a second old."""
        places = ((EVERYWHERE, EVERYWHERE), (channel, EVERYWHERE), (channel, account))
        return any(place in self._silent for place in places)

    @property
    def rows(self) -> Sequence[Row]:
        """Each place that was ever switched: channel, account, silent, changed_by, changed_at."""
        return self._rows

    async def load(self) -> None:
        """Read the switch's state from the store; raises StoreUnavailable and then keeps the last one."""
        rows = await self._store.rows("switch.all", tenant=self._tenant)
        silent = frozenset((row["channel"], row["account"]) for row in rows if row["silent"])
        changed = silent != self._silent
        self._rows, self._silent = rows, silent
        if changed:
            log.info("switch_changed", silent=sorted("/".join(place) for place in silent))
            for listener in tuple(self._listeners):
                listener()

    async def set(self, principal: Principal, channel: str, account: str, silent: bool, ip: str = "") -> None:  # noqa: FBT001 - the state itself
        """Turn the bot off or on at one place; true in this process on return, elsewhere within a second."""

        async def unit(tx: Tx) -> None:
            await tx.run(
                "switch.set",
                tenant=self._tenant,
                channel=channel,
                account=account,
                silent=int(silent),
                changed_by=principal.owner,
                now=tx.now_s,
            )
            await audit(tx, principal, "switch.set", f"{channel}/{account}", {"silent": silent}, ip)
            body = {"channel": channel, "account": account, "silent": silent}
            tx.emit(Event(self._tenant, "switch", body))
            tx.notify(TOPIC, self._tenant)

        await self._store.write(unit)
        await self.load()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Keep the copy fresh: by notification, and by a poll because notifications may be lost."""
        await self.load()
        unlisten = self._store.listen(TOPIC, lambda _topic, _payload: self._stale.set())
        task = asyncio.create_task(self._follow(), name="bot switch")
        try:
            yield
        finally:
            unlisten()
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def _follow(self) -> None:
        while True:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stale.wait(), POLL_S)
            self._stale.clear()
            try:
                await self.load()
            except StoreUnavailable:
                log.warning("switch_not_read", kept=len(self._silent))
