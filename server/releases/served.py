"""What model servers told of their adapters, read from the store: any process can wait for an adapter to be ready."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from server.releases.moves import TOPIC
from server.store.contract import Store, Tx

FRESH_S = 15.0  # a model server not heard of for so long is gone; reconcilers report every few seconds
LOOK_S = 0.1
KEEP_S = 60.0  # added to a wait, so that what was loaded is still there when the alias moves


class AdapterUnavailable(Exception):
    """An adapter cannot be served; the message names it with the cause."""


@dataclass(frozen=True, slots=True)
class Replica:
    """One model server: adapters that answered a probe, and why others are missing."""

    name: str
    served: frozenset[str]
    failed: Mapping[str, str]
    seen_at: float  # epoch seconds


class Served:
    """Asks for adapters and waits until every model server has them; ``wall`` gives epoch seconds."""

    def __init__(self, store: Store, tenant: str, wall: Callable[[], float] = time.time) -> None:
        self._store = store
        self._tenant = tenant
        self._wall = wall

    async def replicas(self) -> list[Replica]:
        """The model servers that live now."""
        since = self._wall() - FRESH_S
        rows = await self._store.rows("releases.replicas", tenant=self._tenant, since=since)
        return [
            Replica(row["replica"], frozenset(json.loads(row["served"])), json.loads(row["failed"]), row["seen_at"])
            for row in rows
        ]

    async def ready(self, release_id: str, names: Collection[str], timeout_s: float) -> None:
        """Have a release's adapters loaded and proved on every model server; raises AdapterUnavailable.

        Without any model server there is nothing to wait for: each loads what is wanted before it serves.
        """
        if not names:
            return
        asked_at = await self._want(release_id, timeout_s + KEEP_S)
        until = self._wall() + timeout_s
        while True:
            replicas = await self.replicas()
            for replica in (each for each in replicas if each.seen_at > asked_at):  # an older failure is tried again
                for name in sorted(replica.failed.keys() & set(names)):
                    raise AdapterUnavailable(f"adapter {name} is not served by {replica.name}: {replica.failed[name]}")
            if all(replica.served.issuperset(names) for replica in replicas):
                return
            if self._wall() > until:
                raise AdapterUnavailable(
                    f"{', '.join(sorted(names))} not ready after {timeout_s:g} s; see the worker's log"
                )
            await asyncio.sleep(LOOK_S)

    async def _want(self, release_id: str, keep_s: float) -> float:
        async def unit(tx: Tx) -> float:
            until = tx.now_s + keep_s
            await tx.run("releases.want", tenant=self._tenant, release_id=release_id, until=until)
            tx.notify(TOPIC, self._tenant)
            return tx.now_s

        return await self._store.write(unit)
