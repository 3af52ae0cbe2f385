"""Makes the customers' part of one process: its objects, addresses and jobs."""

from __future__ import annotations

import time
from collections.abc import Mapping
from functools import partial
from typing import Any, Final

import structlog

from config.settings import Settings
from server.api.customers import CustomersApi
from server.customers.erasure import CRON, JOB, Eraser, Erasures
from server.customers.export import Exporter
from server.customers.records import Customers
from server.jobs import Job
from server.media.files import Files
from server.routes import Route
from server.store.contract import Store, Tx

log = structlog.get_logger()

FORGET: Final = "forget-customers"
FORGET_CRON: Final = "47 3 * * *"  # nightly, after messages and the desk's own rows
AT_ONCE: Final = 200  # customers one night's run begins to erase; the rest follow the next night
DAY_S: Final = 86_400.0


class CustomerDesk:
    """Customers of one process; ``files`` are the stored files of messages."""

    def __init__(self, store: Store, settings: Settings, files: Files) -> None:
        self._store = store
        self._settings = settings
        self.customers = Customers(store, settings.tenant)
        self.erasures = Erasures(store, settings.tenant)
        self.eraser = Eraser(store, settings, files)
        self.exporter = Exporter(store, settings.tenant, files, settings.name)
        self._api = CustomersApi(store, settings.tenant, settings.http, self.customers, self.exporter, self.erasures)

    def routes(self) -> list[Route]:
        """The table of the customers' addresses."""
        return self._api.routes()

    def jobs(self) -> dict[str, Job]:
        """What a worker does by the clock or on request."""
        return {JOB: self.eraser.run, FORGET: self._forget}

    def schedules(self) -> dict[str, str]:
        """When."""
        return {JOB: CRON, FORGET: FORGET_CRON}

    @property
    def long(self) -> frozenset[str]:
        """Jobs that run beside the others."""
        return frozenset({JOB})

    async def due(self) -> list[str]:
        """Ids of customers nobody has had to do with for ``store.customer_days``; none where that is 0."""
        days = self._settings.store.customer_days
        if not days:
            return []
        before = time.time() - days * DAY_S
        rows = await self._store.rows(
            "customers.silent_since", tenant=self._settings.tenant, before=before, count=AT_ONCE
        )
        return [str(row["id"]) for row in rows]

    async def _forget(self, _body: Mapping[str, Any]) -> None:
        """Begin to erase whoever was silent for as long as the shop wants to remember."""
        for customer_id in await self.due():
            await self._store.write(partial(self._begin, customer_id), order="~")
            log.info("customer_forgotten", customer=customer_id)

    async def _begin(self, customer_id: str, tx: Tx) -> str:
        return await self.erasures.ask(tx, customer_id, "retention", "retention")
