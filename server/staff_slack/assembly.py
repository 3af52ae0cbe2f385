"""Makes staff work in Slack in one process, where a Slack account names its staff channel."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Any, Final

from channels.base import Channel
from config.settings import Settings
from server.api.staff_slack import StaffSlackApi
from server.corrections import Corrections
from server.decisions import Decisions
from server.desk.notes import Notes
from server.desk.sends import Sends
from server.jobs import Job
from server.routes import Route
from server.staff_slack.acts import Acts, Sees, Tools, Turns
from server.staff_slack.contract import ACTS, CHANNEL, POSTS, Desks, Room
from server.staff_slack.mirror import Mirror
from server.staff_slack.posts import Posts
from server.staff_slack.work import LaneWork
from server.store.contract import Store

Running = Callable[[], AbstractAsyncContextManager[None]]
Channels = Callable[[str, str], Channel | None]

FORGET: Final = "forget-staff-acts"
FORGET_CRON: Final = "47 3 * * *"
KEPT_S: Final = 30 * 86_400.0  # longer than Slack repeats anything


class StaffSlack:
    """The staff channels of one process; ``works``: this process is a worker."""

    def __init__(
        self,
        store: Store,
        settings: Settings,
        channels: Channels,
        turns: Turns,
        sends: Sends,
        sees: Sees,
        *,
        works: bool,
    ) -> None:
        tenant = settings.tenant
        self._store = store
        self._settings = settings
        self._channels = channels
        desks = Desks.of(settings)
        self._works = works and bool(desks.rooms)
        corrections = Corrections(store, tenant, history=settings.engine.history_messages)
        made = Decisions(store, tenant, settings.knowledge.parse.max_characters)
        tools = Tools(turns, Notes(store, tenant), sends, corrections, made, sees)
        url = f"{settings.http.public_url.rstrip('/')}/console/inbox/{{}}" if settings.http.public_url else ""
        self._mirror = Mirror(store, tenant, desks)
        self._posts = LaneWork(store, tenant, POSTS, Posts(store, tenant, self._room, url).work)
        self._acts = LaneWork(store, tenant, ACTS, Acts(store, tenant, self._room, tools).work)

    def resources(self) -> list[Running]:
        """What starts with a worker, after the channels."""
        return [self._mirror.running, self._posts.running, self._acts.running] if self._works else []

    def jobs(self) -> dict[str, Job]:
        """What a worker does by the clock."""
        return {FORGET: self._forget}

    def schedules(self) -> dict[str, str]:
        """When."""
        return {FORGET: FORGET_CRON}

    def routes(self) -> list[Route]:
        """Who is who in Slack."""
        return StaffSlackApi(self._store, self._settings).routes()

    def _room(self, account: str) -> Room | None:
        room: Room | None = getattr(self._channels(CHANNEL, account), "staff", None)
        return room

    async def _forget(self, _body: Mapping[str, Any]) -> None:
        before = time.time() - KEPT_S
        await self._store.write(
            lambda tx: tx.run("staff_slack.forget_acts", tenant=self._settings.tenant, before=before)
        )
