"""A piece of work that one process at a time does: held for a while, held on to, taken over from the dead."""

from __future__ import annotations

import json
import time

from server.knowledge.documents import ORDER
from server.store.contract import Store, Tx

HOLD_S = 15.0
RENEW_S = 3.0


class Holding:
    """One name of a tenant's knowledge; ``held`` asks the database every few seconds at most."""

    def __init__(self, store: Store, tenant: str, name: str) -> None:
        self._store = store
        self._tenant = tenant
        self._name = f"holder:{name}"
        self._mine = False
        self._asked_at = float("-inf")

    @property
    def mine(self) -> bool:
        """Whether this process held it when it last asked."""
        return self._mine

    async def held(self) -> bool:
        """Take it or hold on to it; False while another living process has it. Raises StoreError."""
        if time.monotonic() - self._asked_at < RENEW_S:
            return self._mine
        row = await self._store.row("index.state", tenant=self._tenant, name=self._name)
        holder = json.loads(row["value"])["holder"] if row else ""
        dead = set(await self._store.dead_holders([holder])) if holder else set()
        me = self._store.worker_id

        async def take(tx: Tx) -> bool:
            row = await tx.row("index.lock_state", tenant=self._tenant, name=self._name)
            clock = await tx.row("index.clock")
            now_s = float(clock["now"]) if clock else 0.0
            if row is not None:
                held = json.loads(row["value"])
                if held["holder"] not in {me, *dead} and held["until"] > now_s:
                    return False
            value = json.dumps({"holder": me, "until": now_s + HOLD_S})
            await tx.run("index.set_state", tenant=self._tenant, name=self._name, value=value)
            return True

        self._mine = await self._store.write(take, order=ORDER)
        self._asked_at = time.monotonic()
        return self._mine

    async def release(self) -> None:
        """Let another process have it at once."""
        if not self._mine:
            return
        self._mine = False
        self._asked_at = float("-inf")

        async def give(tx: Tx) -> None:
            row = await tx.row("index.lock_state", tenant=self._tenant, name=self._name)
            if row is not None and json.loads(row["value"])["holder"] == self._store.worker_id:
                value = json.dumps({"holder": "", "until": 0.0})
                await tx.run("index.set_state", tenant=self._tenant, name=self._name, value=value)

        await self._store.write(give, order=ORDER)
