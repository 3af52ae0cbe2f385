"""API keys: how a program proves who it is."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress

from server.auth.tokens import fingerprint, key_id, same
from server.routes import Principal, Role
from server.store.contract import Store, StoreError, Tx

TOUCH_S = 60.0


class Keys:
    """Finds the principal behind ``fd_<id>_<secret>``; ``clock`` is epoch seconds."""

    def __init__(self, store: Store, tenant: str, clock: Callable[[], float] = time.time) -> None:
        self._store = store
        self._tenant = tenant
        self._clock = clock

    async def find(self, text: str) -> Principal | None:
        """Whose key this is, or None when it is unknown, wrong or revoked."""
        name = key_id(text)
        if not name:
            return None
        row = await self._store.row("access.key", tenant=self._tenant, id=name)
        if row is None or not same(row["key_hash"], fingerprint(text)):
            return None
        now = self._clock()
        if now - (row["seen_at"] or 0.0) > TOUCH_S:
            await self._touch(name, now)
        return Principal(self._tenant, "api_key", name, Role(row["role"]), name=row["name"])

    async def _touch(self, name: str, now: float) -> None:
        async def unit(tx: Tx) -> None:
            await tx.run("access.touch_key", tenant=self._tenant, id=name, now=now)

        with suppress(StoreError):  # "last used" is a convenience; the call itself goes on
            await self._store.write(unit)
