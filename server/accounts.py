"""The configured channel accounts: a platform's module is loaded where an account of it is on, opened, and watched."""

from __future__ import annotations

import asyncio
import importlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import structlog

from channels.base import Channel, File, Health, Services
from config.accounts import PlatformAccount
from config.settings import Settings
from server.outbox.access import restore
from server.sandbox import ACCOUNT as SANDBOX
from server.sandbox import Sandboxes
from server.store.contract import Store, StoreError, Tx

log = structlog.get_logger()

PLATFORMS = ("whatsapp", "slack", "telegram")
OPEN_S = 5.0  # the start of the service waits this long for its channels, then goes on without the slow ones
REOPEN_S = 5.0  # before a channel that failed to open is tried again; doubles up to REOPEN_MAX_S
REOPEN_MAX_S = 300.0
CHECK_S = 300.0  # between asking a platform whether our credentials work
RECHECK_S = 30.0  # the same while they do not

Key = tuple[str, str]  # channel, account


@dataclass(slots=True)
class Account:
    """One configured account; ``channel`` is None when its module could not be loaded, ``fault`` says why."""

    name: str
    account: str
    settings: PlatformAccount
    channel: Channel | None = None
    fault: str = ""
    open: bool = False
    health: Health | None = None
    checked_at: float | None = None  # epoch seconds
    ready: asyncio.Event = field(default_factory=asyncio.Event)  # opened, or failed to


class Accounts:
    """Registry of the accounts of messaging platforms; ``file`` and ``file_url`` are the stored files' own."""

    def __init__(
        self,
        settings: Settings,
        store: Store,
        file: Callable[[str], Awaitable[File]],
        file_url: Callable[[str], str],
    ) -> None:
        self._settings = settings
        self._store = store
        self._file = file
        self._file_url = file_url
        self._known: dict[Key, Account] = {
            (platform, name): Account(platform, name, account)
            for platform in PLATFORMS
            for name, account in getattr(settings.channels, platform).items()
            if account.on
        }
        self._loaded = False
        self.sandboxes = Sandboxes(self._sandbox_services, self._whatsapp_provider)

    def get(self, channel: str, account: str) -> Channel | None:
        """The channel of an account; None while it is off, unknown, or not open. The simulator's are always open."""
        if account == SANDBOX:
            return self.sandboxes.get(channel)
        known = self._known.get((channel, account))
        return known.channel if known is not None and known.open else None

    def known(self, channel: str, account: str) -> Account | None:
        """An account that is on, whether it works or not."""
        return self._known.get((channel, account))

    def all(self) -> Sequence[Account]:
        """Every account that is on."""
        return tuple(self._known.values())

    def notes(self) -> Mapping[str, Callable[[], Awaitable[str]]]:
        """A phrase per account for the readiness page."""
        return {f"{one.name}/{one.account}": partial(_note, one) for one in self.all()}

    def asks_feedback(self, channel: str, account: str) -> bool:
        """Whether thumbs go below answers of this account."""
        if account == SANDBOX:
            return True
        known = self.known(channel, account)
        return known is not None and known.settings.feedback

    def asks_reasons(self, channel: str, account: str) -> bool:
        """Whether a thumb down on this account is followed by the question what was wrong."""
        known = self.known(channel, account)
        return known is not None and known.settings.feedback and known.settings.asks_reasons

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Open every account and watch it; one that fails is logged, noted and tried again, the others go on."""
        await self._load()
        stop = asyncio.Event()
        holders = [asyncio.create_task(self._hold(one, stop), name=f"channel {one.name}") for one in self.all()]
        watchers = [asyncio.create_task(self._watch(one), name=f"health {one.name}") for one in self.all()]
        with suppress(TimeoutError):
            async with asyncio.timeout(OPEN_S):
                for one in self.all():
                    await one.ready.wait()
        try:
            yield
        finally:
            stop.set()
            for task in watchers:
                task.cancel()
            if holders:
                await asyncio.gather(*watchers, return_exceptions=True)
                _, stuck = await asyncio.wait(holders, timeout=OPEN_S)
                for task in stuck:
                    task.cancel()
                await asyncio.gather(*holders, return_exceptions=True)

    async def _load(self) -> None:
        """Make the channel of every account; a platform's libraries are first touched here."""
        if self._loaded:
            return
        self._loaded = True
        for one in self.all():
            error = await outcome(self._make(one))
            if error is not None:
                why = str(error) if isinstance(error, ImportError) else type(error).__name__
                one.fault = f"the platform's module cannot be loaded ({why}); install its library"
                log.error("channel_not_loaded", channel=one.name, account=one.account, error=why)
                one.ready.set()

    async def _make(self, one: Account) -> None:
        one.channel = make(self._settings, one.name, one.account, self._services(one))

    async def _hold(self, one: Account, stop: asyncio.Event) -> None:
        """Keep one channel open until ``stop``; whatever its start raises ends in a log line, a note, and a retry."""
        pause_s = REOPEN_S
        while one.channel is not None and not stop.is_set():
            error = await outcome(self._open(one, one.channel, stop))
            one.open = False
            if error is None:
                return
            one.fault = f"it could not be opened ({type(error).__name__}); it is tried again by itself"
            log.error("channel_not_open", channel=one.name, account=one.account, error=type(error).__name__)
            one.ready.set()
            try:
                async with asyncio.timeout(pause_s):
                    await stop.wait()
            except TimeoutError:
                pause_s = min(REOPEN_MAX_S, pause_s * 2)

    @staticmethod
    async def _open(one: Account, channel: Channel, stop: asyncio.Event) -> None:
        async with channel.running():
            one.open, one.fault = True, ""
            one.ready.set()
            log.info("channel_open", channel=one.name, account=one.account)
            await stop.wait()

    async def _watch(self, one: Account) -> None:
        """Ask the platform now and then whether we are let in; an account that is let in again sends again."""
        await one.ready.wait()
        while one.channel is not None:
            well = one.health is not None and one.health.ok and time.time() - (one.checked_at or 0.0) < CHECK_S
            revoked = await self._revoked(one)
            if one.open and (revoked or not well):
                await self._check(one, one.channel)
                if revoked and one.health is not None and one.health.ok:
                    await self._restore(one)
            await asyncio.sleep(RECHECK_S)

    async def _check(self, one: Account, channel: Channel) -> None:
        found: list[Health] = []

        async def ask() -> None:
            async with asyncio.timeout(4 * self._settings.outbox.send_timeout_s):
                found.append(await channel.check())

        error = await outcome(ask())
        detail = f"the platform could not be asked ({type(error).__name__})"
        one.health = found[0] if found else Health(ok=False, detail=detail)
        one.checked_at = time.time()
        if not one.health.ok:
            log.warning("channel_not_well", channel=one.name, account=one.account, detail=one.health.detail)

    async def _revoked(self, one: Account) -> bool:
        key = {"tenant": self._settings.tenant, "channel": one.name, "account": one.account}
        try:
            row = await self._store.row("channels.state", **key)
        except StoreError:
            return False
        return row is not None and row["state"] != "ok"

    async def _restore(self, one: Account) -> None:
        async def unit(tx: Tx) -> bool:
            return await restore(tx, self._settings.tenant, one.name, one.account)

        try:
            if await self._store.write(unit, order="~"):
                log.info("account_restored", channel=one.name, account=one.account)
        except StoreError:
            log.warning("account_not_restored", channel=one.name, account=one.account)

    def _whatsapp_provider(self) -> str:
        """Whose messages the simulator imitates: those of the first configured number, else Meta's."""
        return next((account.provider for account in self._settings.channels.whatsapp.values() if account.on), "meta")

    def _sandbox_services(self) -> Services:
        """What a channel without a platform needs: nothing of it is kept."""

        async def load(_name: str) -> str:
            return ""

        async def save(_name: str, _value: str) -> None:
            return

        timeout_s = self._settings.outbox.send_timeout_s
        return Services(timeout_s, "", load, save, self._file, self._file_url, look_only=True)

    def _services(self, one: Account) -> Services:
        cursors = Cursors(self._store, self._settings.tenant, one.name, one.account)
        return Services(
            send_timeout_s=self._settings.outbox.send_timeout_s,
            public_url=self._settings.http.public_url,
            load=cursors.load,
            save=cursors.save,
            file=self._file,
            file_url=self._file_url,
        )


def make(settings: Settings, platform: str, account: str, services: Services) -> Channel:
    """The channel of a configured account, not open yet; raises ImportError where its platform's module is missing."""
    channel: Channel = importlib.import_module(f"channels.{platform}").make(
        account, getattr(settings.channels, platform), services
    )
    return channel


class Cursors:
    """Small texts of one account that outlive the process: where reading goes on."""

    def __init__(self, store: Store, tenant: str, channel: str, account: str) -> None:
        self._store = store
        self._key = {"tenant": tenant, "channel": channel, "account": account}

    async def load(self, name: str) -> str:
        """The text of this name, empty when none was saved; raises StoreUnavailable."""
        row = await self._store.row("channels.cursor", **self._key, name=name)
        return str(row["value"]) if row is not None else ""

    async def save(self, name: str, value: str) -> None:
        """Keep a text; returns once it is on disk. Raises StoreUnavailable."""

        async def unit(tx: Tx) -> None:
            await tx.run("channels.save_cursor", **self._key, name=name, value=value, now=tx.now_s)

        await self._store.write(unit, order="~cursor")


async def outcome(work: Coroutine[Any, Any, object]) -> BaseException | None:
    """Run foreign code as a task of its own; whatever it raises is returned, so that no fault of it ends its caller."""
    task = asyncio.create_task(work)
    try:
        await asyncio.wait({task})
    finally:
        if not task.done():
            task.cancel()
            await asyncio.wait({task})
    return asyncio.CancelledError() if task.cancelled() else task.exception()


async def _note(one: Account) -> str:
    if one.fault:
        return f"down: {one.fault}"
    if one.health is None:
        return "open" if one.open else "starting"
    return "open" if one.health.ok else f"refused: {one.health.detail}"
