"""Makes what stands between bot and people of one process: its objects, addresses, jobs, and what runs with it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

from config.settings import Settings
from server.api.duty import DutyApi
from server.api.tickets import TicketsApi
from server.duty import moves
from server.duty.follower import Follower
from server.duty.moves import Moves
from server.duty.presence import Presence
from server.duty.tickets import Export, Tickets, export_nowhere
from server.jobs import Job
from server.routes import Route
from server.store.contract import Store

Running = Callable[[], AbstractAsyncContextManager[None]]


class Duty:
    """Presence, hours, transfers, promises and tickets; ``works``: this process follows and tells."""

    def __init__(
        self, store: Store, settings: Settings, *, export: Export = export_nowhere, works: bool = True
    ) -> None:
        tenant, http, handoff = settings.tenant, settings.http, settings.handoff
        self._works = works
        self.presence = Presence(store, tenant, handoff.presence_s)
        self.follower = Follower(store, tenant, handoff)
        self._returning = moves.Returning(store, tenant, handoff)
        self._duty = DutyApi(store, tenant, http, handoff, self.presence, Moves(tenant))
        self._tickets = TicketsApi(store, tenant, http, Tickets(tenant, export))

    def routes(self) -> list[Route]:
        """The table of its addresses."""
        return [*self._duty.routes(), *self._tickets.routes()]

    def jobs(self) -> dict[str, Job]:
        """What a worker does by the clock."""
        return {moves.JOB: self._returning.run}

    def schedules(self) -> dict[str, str]:
        """When."""
        return {moves.JOB: moves.CRON}

    def resources(self) -> list[Running]:
        """What starts with the process, after the store."""
        return [self.follower.running] if self._works else []
