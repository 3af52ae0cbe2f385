"""Makes the staff's part of one process: its objects, addresses, jobs, and what runs with it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Any, Final, Protocol

import structlog

from config.settings import Settings
from server import alerts
from server.alerts import Alerts, Hook, hook_nowhere
from server.api.alerts import AlertsApi
from server.api.blocks import BlocksApi
from server.api.canned import CannedApi
from server.api.events import EventsApi
from server.api.inbox import InboxApi
from server.api.labels import LabelsApi
from server.api.notes import NotesApi
from server.api.sends import SendsApi
from server.api.suggest import SuggestApi
from server.api.teams import TeamsApi
from server.desk import snooze
from server.desk.blocks import Blocks
from server.desk.live import Live
from server.desk.notes import Notes
from server.desk.places import Places
from server.desk.search import Search
from server.desk.sends import Sends
from server.desk.suggestions import Answers, Published, Suggestions
from server.desk.uploads import Uploads
from server.desk.views import Views
from server.duty.assembly import Duty
from server.duty.presence import AWAY
from server.duty.tickets import Export, export_nowhere
from server.jobs import Job
from server.media.files import Files
from server.routes import Route
from server.store.contract import Store
from server.teams import Teams
from server.telemetry import Metrics
from server.tools.mail import notifier

log = structlog.get_logger()

Running = Callable[[], AbstractAsyncContextManager[None]]

FORGET: Final = "forget-desk"
FORGET_CRON: Final = "37 3 * * *"  # nightly, after the purge of messages
FORGOTTEN: Final = ("old_notes", "old_drafts", "old_sends", "old_uploads")
BATCH: Final = 500
DAY_S: Final = 86_400.0


class Resource(Protocol):
    """One thin module of the API."""

    def routes(self) -> list[Route]:
        """Its addresses."""


class StaffDesk:
    """What staff see and do around conversations.

    ``places`` finds the running channel of (platform, account), None while it is off; ``model_state`` says how the
    model is; ``works``: this process says what is due and fills the search.
    """

    def __init__(
        self,
        store: Store,
        settings: Settings,
        metrics: Metrics,
        *,
        model_state: Callable[[], str],
        places: Places,
        files: Files,
        assistant: Answers,
        releases: Published,
        works: bool = True,
        export: Export = export_nowhere,
        hook: Hook = hook_nowhere,
    ) -> None:
        tenant, http = settings.tenant, settings.http
        self._store = store
        self._settings = settings
        self._works = works
        self.live = Live(store, tenant, model_state)
        self.duty = Duty(store, settings, export=export, works=works)
        self.search = Search(store, tenant)
        self.sends = Sends(store, tenant, files, places)
        self._returning = snooze.Returning(store, tenant)
        way = notifier(settings.mail, settings.data_dir)
        self._alerts = Alerts(store, settings, way, self._watched, hook)
        views, notes = Views(store, tenant), Notes(store, tenant)
        self.teams = Teams(store, tenant)
        self._events = EventsApi(store, tenant, self.live, metrics, self.teams, heard=self.duty.presence.heard)
        self._resources: list[Resource] = [
            self._events,
            InboxApi(store, tenant, http, views, self.search),
            NotesApi(store, tenant, http, notes, self.sends, places, self.live),
            LabelsApi(store, tenant, http, views),
            CannedApi(store, settings),
            SendsApi(store, tenant, http, self.sends, Uploads(store, tenant, files, settings.media), places),
            SuggestApi(Suggestions(store, tenant, assistant, releases)),
            self.duty,
            TeamsApi(store, http, self.teams),
            BlocksApi(store, http, Blocks(store, tenant, notes)),
            AlertsApi(settings, self._alerts),
        ]

    def routes(self) -> list[Route]:
        """The table of the staff's addresses."""
        return [route for resource in self._resources for route in resource.routes()]

    def jobs(self) -> dict[str, Job]:
        """What a worker does by the clock."""
        return {snooze.JOB: self._returning.run, FORGET: self._forget, alerts.JOB: self._alerts.run, **self.duty.jobs()}

    def schedules(self) -> dict[str, str]:
        """When."""
        return {snooze.JOB: snooze.CRON, FORGET: FORGET_CRON, alerts.JOB: alerts.CRON, **self.duty.schedules()}

    def resources(self) -> list[Running]:
        """What starts with the process, in order, after the store."""
        own = [self.sends.running, self.search.running] if self._works else []
        return [self.live.running, *own, *self.duty.resources()]

    def close_streams(self) -> None:
        """Let readers of the live stream come back later; call it when the server begins to stop."""
        self._events.close_streams()

    async def _watched(self) -> bool:
        """Whether somebody who answers customers has the console open."""
        return any(row["status"] != AWAY for row in await self.duty.presence.everybody())

    async def _forget(self, _body: Mapping[str, Any]) -> None:
        """Delete what staff wrote as long ago as messages are kept."""
        days = self._settings.store.retention_days
        if not days:
            return
        before, tenant = time.time() - days * DAY_S, self._settings.tenant
        for name in FORGOTTEN:
            deleted = BATCH
            while deleted >= BATCH:
                deleted = await self._store.write(
                    lambda tx, name=name: tx.run(f"inbox_desk.{name}", tenant=tenant, before=before)  # type: ignore[misc]
                )
        log.info("desk_forgotten", before=before)
