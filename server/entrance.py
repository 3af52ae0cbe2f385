"""Everything about who comes in and what they may do: the objects and addresses of one process."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Protocol

from config.settings import Settings
from server.api.access import AccessApi
from server.api.audit import AuditApi
from server.api.keys import KeysApi
from server.api.people import PeopleApi
from server.api.profile import ProfileApi
from server.api.sessions import SessionsApi
from server.auth.attempts import Attempts
from server.auth.gate import Auth
from server.auth.keys import Keys
from server.auth.login import Login
from server.auth.passwords import Passwords
from server.auth.seal import Seal
from server.auth.second import SecondFactor
from server.auth.sessions import Sessions
from server.links import Links
from server.people import People
from server.routes import Route
from server.store.contract import Store
from server.teams import Teams


class Resource(Protocol):
    """One thin module of the API."""

    def routes(self) -> list[Route]:
        """Its addresses."""


class Entrance:
    """Sign-in, people, keys and audit; clocks are epoch seconds, ``attempt_clock`` counts tries."""

    def __init__(
        self,
        store: Store,
        settings: Settings,
        teams: Teams,
        *,
        passwords: Passwords | None = None,
        clock: Callable[[], float] = time.time,
        attempt_clock: Callable[[], float] = time.time,
    ) -> None:
        tenant, access, http = settings.tenant, settings.access, settings.http
        passwords = passwords or Passwords(access.argon2_memory_kib)
        attempts = Attempts(store, tenant, access.attempts_per_minute, attempt_clock)
        sessions = Sessions(store, tenant, access, http, clock)
        self.links = Links(store, tenant, access, http.public_url, clock)
        self.people = People(store, tenant, passwords, sessions, clock)
        self.seal = Seal(store, tenant, access, settings.data_dir)
        second = SecondFactor(store, tenant, settings.name, sessions, attempts, self.seal, clock)
        login = Login(store, tenant, passwords, attempts, sessions)
        self.gate = Auth(store, sessions, Keys(store, tenant, clock), http, teams)
        self._resources: list[Resource] = [
            SessionsApi(store, login, sessions, http),
            AccessApi(store, tenant, http, second, sessions, self.people, attempts, clock),
            ProfileApi(store, tenant, http, self.people, passwords, sessions, second, attempts, teams),
            PeopleApi(self.people, self.links, sessions, attempts, http),
            KeysApi(store, tenant, http),
            AuditApi(store, tenant, http),
        ]

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Say at the start, not at somebody's sign-in, when the key of stored secrets is missing; seal old ones."""
        await self.seal.start()
        yield

    def routes(self) -> list[Route]:
        """The table of these addresses."""
        return [route for resource in self._resources for route in resource.routes()]
