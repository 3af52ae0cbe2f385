"""Which release is live, which one is on trial, and which one a case is tied to: read from the store, kept fresh.

The alias ``live`` in the store decides, not the settings. Changed settings make a new release that keeps the live
adapters; a rollback or promotion is what every process follows within a second, usually at once.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any, Final, Literal

import structlog

from config.settings import Settings
from server.releases import moves
from server.releases.bundle import Release, adapters_of, base_of, bundle, digest, read, with_adapters
from server.releases.choice import choose
from server.releases.moves import LIVE, TOPIC, Move, ReleaseRefused, Side
from server.releases.served import Served
from server.routes import Principal, Role
from server.store.contract import Store, StoreUnavailable, T, Tx, Unit

log = structlog.get_logger()

POLL_S: Final = 1.0  # a lost notification costs at most this
CONFIGURED: Final = "configured"  # alias of what the settings alone described when they were last published
VERDICTS: Final = ("promote", "reject", "not_enough_evidence")

Verdict = Literal["promote", "reject", "not_enough_evidence"]


@dataclass(frozen=True, slots=True)
class Trial:
    """The running canary as this process knows it; ``full`` once it has all the cases it may get."""

    id: str
    release_id: str
    share: float
    cap: int
    full: bool
    started_at: float


class Releases:
    """The bundles in the store and what names them; bodies are immutable, so they are kept in memory."""

    def __init__(self, store: Store, settings: Settings, template_digest: str) -> None:
        self._store = store
        self._tenant = settings.tenant
        self._settings = settings.releases
        self._configured = base_of(bundle(settings, template_digest))
        self._known: dict[str, Release] = {}
        self._bases: dict[str, Release] = {}
        self._stale = asyncio.Event()
        self._listeners: list[Callable[[], None]] = []
        self.served = Served(store, settings.tenant)
        self.live = ""  # until the store was read
        self.canary: Trial | None = None

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Follow the store until the block ends."""
        stop = self._store.listen(TOPIC, lambda _topic, _payload: self._stale.set())
        await self.refresh()
        following = asyncio.create_task(self._follow(), name="releases")
        try:
            yield
        finally:
            following.cancel()
            with suppress(asyncio.CancelledError):
                await following
            stop()

    def listen(self, listener: Callable[[], None]) -> Callable[[], None]:
        """Call ``listener`` after each change that this process has taken in; returns the unsubscriber."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    async def refresh(self) -> None:
        """Read the aliases; raises StoreUnavailable and then keeps what it knew."""
        row = await self._store.row("releases.now", tenant=self._tenant)
        assert row is not None  # the query has one row in any case
        live, trial = row["live_id"] or "", None
        if row["canary_id"] is not None:
            full = row["cases"] >= row["cap"]
            trial = Trial(row["canary_id"], row["canary_release"], row["share"], row["cap"], full, row["started_at"])
        changed = (live, trial) != (self.live, self.canary)
        self.live, self.canary = live, trial
        if changed:
            log.info("release_live", release=live, canary=trial.release_id if trial else None)
            for listener in tuple(self._listeners):
                listener()

    async def get(self, release_id: str) -> Release:
        """One release by id; raises LookupError for an unknown one."""
        if release_id not in self._known:
            row = await self._store.row("releases.get", id=release_id)
            if row is None:
                raise LookupError(f"release {release_id} is not in the store; restore it or close the case")
            self._known[release_id] = read(release_id, json.loads(row["body"]))
        return self._known[release_id]

    async def own(self, release_id: str) -> Release:
        """The same, only for a release of this bot."""
        row = await self._store.row("releases.card", tenant=self._tenant, release_id=release_id)
        if row is None:
            raise LookupError(f"there is no release {release_id}; list them with: frontdesk release list")
        return await self.get(release_id)

    async def base(self, release: Release) -> Release:
        """The same release without adapters: what answers while an adapter is not served. Stored when first needed."""
        if not release.names:
            return release
        if release.id not in self._bases:
            row = await self._store.row("releases.get", id=release.id)
            assert row is not None  # a release is stored before it answers
            body = base_of(json.loads(row["body"]))

            async def unit(tx: Tx) -> str:
                return await moves.add(tx, self._tenant, body, "retired", "fallback", parent_id=release.id)

            self._bases[release.id] = await self.get(await self._store.write(unit))
        return self._bases[release.id]

    async def of_case(
        self, conversation_id: str, case_id: str | None, pinned: str | None, *, withdrawn: bool
    ) -> Release:
        """What a case's turn is made with: what it is pinned to, else live or canary by the conversation's draw.

        ``withdrawn``: the pinned release was taken back, so the case is tied to the live one from this turn on.
        """
        if pinned is not None and not withdrawn:
            return await self.get(pinned)
        if not self.live:
            await self.refresh()
        if case_id is None:
            return await self.get(self.live)
        if pinned is not None:
            return await self.get(await self._repinned(case_id, pinned))
        if self.canary is None or self.canary.full:
            return await self.get(self.live)
        return await self.get(await self._drawn(conversation_id, case_id))

    async def _repinned(self, case_id: str, old: str) -> str:
        async def unit(tx: Tx) -> str:
            live = await tx.row("releases.alias", tenant=self._tenant, alias=LIVE)
            assert live is not None  # something was live when the case was pinned
            await tx.run("releases.repin", case_id=case_id, release_id=live["release_id"], old=old)
            return str(live["release_id"])

        return await self._store.write(unit)

    async def _drawn(self, conversation_id: str, case_id: str) -> str:
        """Tie a new case to one side of the running trial and count it; the store has the last word on the cap."""

        async def unit(tx: Tx) -> str:
            trial = await tx.row("releases.lock_canary", tenant=self._tenant)
            if trial is None or trial["cases"] >= trial["cap"]:
                live = await tx.row("releases.alias", tenant=self._tenant, alias=LIVE)
                return str(live["release_id"]) if live else self.live
            chosen = choose(conversation_id, trial["live_id"], trial["release_id"], trial["share"], trial["id"])
            arm = int(chosen == trial["release_id"])
            drawn = await tx.run(
                "releases.draw", case_id=case_id, release_id=chosen, canary_id=trial["id"], arm=arm,
                share=trial["share"],
            )  # fmt: skip
            if not drawn:  # another process was first
                row = await tx.row("releases.pinned", case_id=case_id)
                return str(row["release_id"]) if row and row["release_id"] else chosen
            if arm:
                await tx.run("releases.count_case", id=trial["id"])
            return chosen

        return await self._store.write(unit)

    async def publish_configured(self) -> str:
        """Let what the settings describe be live, with the live adapters, if they changed; returns what is live."""
        by = Move(Principal(self._tenant, "system", "settings", Role.ADMIN), "the settings changed")

        async def unit(tx: Tx) -> str:
            live, running = await moves.locked(tx, self._tenant)
            configured = await tx.row("releases.alias", tenant=self._tenant, alias=CONFIGURED)
            base_id = digest(self._configured)
            if live is not None and configured is not None and configured["release_id"] == base_id:
                return live
            await moves.add(tx, self._tenant, self._configured, "retired", "settings")
            await moves.point(tx, self._tenant, CONFIGURED, base_id, "settings")
            body = await self._with_live_adapters(tx, live)
            release_id = await moves.add(tx, self._tenant, body, "live", "settings", parent_id=live)
            if release_id == live:
                return live
            if running is not None:
                await moves.end_trial(tx, by, running, "stopped", "candidate", {})
                await moves.note(tx, by, "canary_stopped", running["release_id"], live, {})
            await moves.go_live(tx, self._tenant, release_id, live, "settings")
            await moves.note(tx, by, "published", release_id, live, {}, first=live is None)
            return release_id

        release_id = await self._store.write(unit)
        await self.refresh()
        return release_id

    async def _with_live_adapters(self, tx: Tx, live: str | None) -> dict[str, Any]:
        if live is None:
            return self._configured
        row = await tx.row("releases.get", id=live)
        assert row is not None  # the alias refers to it
        adapters = adapters_of(json.loads(row["body"]))
        return with_adapters(self._configured, adapters.pop("", None), adapters)

    async def candidate(
        self, adapter: str, *, by: Principal, run: str | None = None, dataset: str | None = None,
        languages: Collection[str] = (),
    ) -> str:  # fmt: skip
        """The live release with another adapter, for all or only some languages; returns its id.

        Raises ReleaseRefused for a name that is no adapter of this bot, or while nothing is live.
        """
        if not re.fullmatch(rf"{re.escape(self._tenant)}-[0-9a-f]{{12}}", adapter):
            raise ReleaseRefused(f"{adapter[:80]!r} is no adapter of {self._tenant}; frontdesk train lists them")

        async def unit(tx: Tx) -> str:
            live, _ = await moves.locked(tx, self._tenant)
            if live is None:
                raise ReleaseRefused(
                    "nothing is live yet; start a worker first, it publishes what the settings describe"
                )
            body = json.loads((await moves.card_of(tx, self._tenant, live))["body"])
            adapters = adapters_of(body) | dict.fromkeys([language.lower() for language in languages] or [""], adapter)
            body = with_adapters(body, adapters.pop("", None), adapters)
            new = await tx.row("releases.card", tenant=self._tenant, release_id=digest(body)) is None
            release_id = await moves.add(
                tx, self._tenant, body, "candidate", by.owner, run_id=run, dataset_id=dataset, parent_id=live
            )
            if new:
                detail = {"adapter": adapter, "languages": sorted(languages), "dataset": dataset, "run": run}
                await moves.note(tx, Move(by), "candidate", release_id, live, detail)
            return release_id

        return await self._store.write(unit)

    async def judge(self, release_id: str, verdict: Verdict, report: Mapping[str, Any]) -> None:
        """Keep what the gate said of a candidate, with its whole report; raises NoRelease, ValueError."""
        if verdict not in VERDICTS:
            raise ValueError(f"a verdict is one of {', '.join(VERDICTS)}, not {verdict!r}")
        text = json.dumps(dict(report), ensure_ascii=False, sort_keys=True)
        by = Principal(self._tenant, "system", "gate", Role.ADMIN)

        async def unit(tx: Tx) -> None:
            card = await moves.card_of(tx, self._tenant, release_id)
            await tx.run(
                "releases.judge", tenant=self._tenant, release_id=release_id, verdict=verdict, report=text, now=tx.now_s
            )
            reasons = _reasons(report.get("reasons"))
            detail = {"verdict": verdict, "before": card["verdict"], "reasons": reasons}
            await moves.note(tx, Move(by), "judged", release_id, None, detail)

        await self._store.write(unit)

    async def start_canary(
        self, release_id: str, *, by: Principal, share: float | None = None, cap: int | None = None,
        reason: str | None = None, ip: str = "",
    ) -> str:  # fmt: skip
        """Try a release on a share of new cases, once its adapters are served; returns the trial's id.

        Raises ReleaseRefused, NoRelease, AdapterUnavailable.
        """
        share, cap = share or self._settings.share, cap or self._settings.cap
        await self._ready(release_id)
        move = Move(by, reason, ip)
        return await self._changed(lambda tx: moves.start(tx, move, release_id, share, cap))

    async def change_share(
        self, share: float, *, by: Principal, cap: int | None = None, reason: str | None = None, ip: str = ""
    ) -> None:
        """Give the running canary another share of new cases; raises ReleaseRefused."""
        await self.refresh()
        most = cap or (self.canary.cap if self.canary else self._settings.cap)
        await self._changed(lambda tx: moves.change_share(tx, Move(by, reason, ip), share, most))

    async def stop_canary(
        self, *, by: Principal, reason: str | None = None, figures: Mapping[str, Any] | None = None, ip: str = ""
    ) -> None:
        """End the trial without a verdict; raises ReleaseRefused."""
        await self._changed(lambda tx: moves.stop(tx, Move(by, reason, ip), figures or {}))

    async def promote(
        self, release_id: str, *, by: Principal, reason: str | None = None,
        figures: Mapping[str, Any] | None = None, ip: str = "",
    ) -> bool:  # fmt: skip
        """Make a release live, once its adapters are served everywhere; False when it is already.

        Raises ReleaseRefused, NoRelease, AdapterUnavailable.
        """
        await self._ready(release_id)
        return await self._changed(lambda tx: moves.promote(tx, Move(by, reason, ip), release_id, figures or {}))

    async def roll_back(
        self, *, by: Principal, reason: str, side: Side = "", canary_id: str = "",
        figures: Mapping[str, Any] | None = None, ip: str = "",
    ) -> str | None:  # fmt: skip
        """Take back the canary, or the live release where none runs; nothing is waited for. Returns what is live.

        Raises ReleaseRefused when there is nothing to go back to.
        """
        move = Move(by, reason, ip)
        return await self._changed(lambda tx: moves.roll_back(tx, move, side, canary_id=canary_id, figures=figures))

    async def _ready(self, release_id: str) -> None:
        rows = await self._store.rows("releases.adapters_of", tenant=self._tenant, release_id=release_id)
        await self.served.ready(release_id, {row["name"] for row in rows}, self._settings.load_timeout_s)

    async def _changed(self, unit: Unit[T]) -> T:
        result = await self._store.write(unit)
        await self.refresh()
        return result

    async def _follow(self) -> None:
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(POLL_S):
                    await self._stale.wait()
            self._stale.clear()
            with suppress(StoreUnavailable):  # the next round tries again
                await self.refresh()


def _reasons(reasons: object) -> Sequence[object]:
    """At most ten of a report's reasons: the timeline tells, the report has all."""
    return list(reasons)[:10] if isinstance(reasons, list | tuple) else []
