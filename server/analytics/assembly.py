"""Analytics and surveys of one process: what folds, what asks, and their addresses."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

from config.settings import Settings
from server.analytics.folding import JOB, Folding
from server.analytics.reading import Reading
from server.api.analytics import AnalyticsApi
from server.api.surveys import SurveysApi
from server.jobs import Job
from server.routes import Route
from server.store.contract import Store
from server.surveys.asking import Asking, Places, Sign, Silent

Running = Callable[[], AbstractAsyncContextManager[None]]


class Insight:
    """What the desk learns about itself.

    ``places`` finds the running channel of (platform, account), ``silent`` says where the bot must not write;
    ``sign`` makes a button's payload; ``works``: this process asks customers.
    """

    def __init__(
        self, store: Store, settings: Settings, *, places: Places, silent: Silent, sign: Sign, works: bool = True
    ) -> None:
        self._store = store
        self._settings = settings
        self._works = works
        self.folding = Folding(store, settings.tenant)
        self.reading = Reading(store, settings.tenant, settings.analytics)
        self.asking = Asking(store, settings.tenant, settings.surveys, places, silent, sign)

    def routes(self) -> list[Route]:
        """The table of these addresses."""
        store, settings = self._store, self._settings
        analytics = AnalyticsApi(store, settings.tenant, settings.http, settings.analytics, self.reading)
        return [*analytics.routes(), *SurveysApi(store, settings.tenant).routes()]

    def jobs(self) -> dict[str, Job]:
        """What a worker does by the clock or on request."""
        return {JOB: self.folding.run}

    @property
    def long(self) -> frozenset[str]:
        """Jobs that run beside the others: folding anew may take minutes."""
        return frozenset({JOB})

    def schedules(self) -> dict[str, str]:
        """When."""
        return {JOB: self._settings.analytics.cron}

    def resources(self) -> list[Running]:
        """What starts with the process, after the store."""
        asks = self._settings.surveys.csat or self._settings.surveys.nps_days
        return [self.asking.running] if self._works and asks else []
