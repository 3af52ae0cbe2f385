"""Keeps every model server at the adapters that releases need: load, prove by one token, say so; unload after a drain.

Needed are those of the live release, of the canary, of candidates under evaluation, and of open cases. What fails is
an alarm and the base model answers in its place (``engine/asking.py``); no customer ever sees a 404. Names say their
content and are never reused, and nothing outside this bot's own names is touched.
"""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Protocol

import structlog

from config.settings import Settings
from models.adapters import BadAdapter
from models.chat import ChatMessage, Deadlines, Decoding, ModelError, ModelProtocolError
from models.tensors import BadTensors
from models.weights import WeightsError
from server import shifts
from server.releases.moves import TOPIC
from server.releases.served import AdapterUnavailable
from server.store.contract import Store, StoreError, Tx
from server.telemetry import Metrics

log = structlog.get_logger()

STEP_S: Final = 5.0  # between two looks when nobody calls; half of what makes a model server look gone
FAILED_AGAIN_S: Final = 30.0  # between two tries of an adapter that could not be loaded
CANDIDATE_S: Final = 86_400.0  # how long a candidate without a verdict counts as under evaluation
HOUR_S: Final = 3_600.0
HELD_S: Final = 6 * HOUR_S  # how long an adapter that was asked for by name stays: an evaluation on a CPU takes hours
PROBE_TOKENS: Final = (1, 8)  # the second try for a first token that is only a space
LOCAL: Final = ""
PROBE: Final = (ChatMessage("user", "Hello"),)


class Server(Protocol):
    """What is needed of a model server's client (``models.vllm.VLLM``)."""

    async def models(self) -> list[str]:
        """Names it can be asked for."""

    async def load_adapter(self, name: str, path: str) -> None:
        """Load a folder under a new name."""

    async def unload_adapter(self, name: str) -> None:
        """Forget a name."""

    def chat(self, messages: Sequence[ChatMessage], *, model: str, decoding: Decoding, deadlines: Deadlines) -> Any:
        """Stream one answer."""


@dataclass(slots=True)
class _State:
    """What is known of one model server; times are of the monotonic clock, seconds."""

    proved: set[str] = field(default_factory=set)
    failed: dict[str, tuple[str, float]] = field(default_factory=dict)  # name -> reason, when
    unneeded: dict[str, float] = field(default_factory=dict)  # name -> since when
    told: tuple[str, str] = ("", "")
    told_at: float = 0.0


class Reconciler:
    """One per process with a model; ``servers`` gives the reachable servers by name, ``find`` an adapter's folder.

    The supervised child's name is LOCAL; elsewhere it is known by the name of this worker.
    """

    def __init__(
        self, store: Store, settings: Settings, metrics: Metrics, servers: Callable[[], Mapping[str, Server]],
        find: Callable[[str], Path], *, clock: Callable[[], float] = time.monotonic,
    ) -> None:  # fmt: skip
        self._store = store
        self._tenant = settings.tenant
        self._settings = settings.releases
        self._idle_s = settings.engine.case_idle_h * HOUR_S
        model = settings.model
        self._deadlines = Deadlines(model.total_timeout_s, model.gap_timeout_s, model.total_timeout_s)
        self._metrics = metrics
        self._servers = servers
        self._find = find
        self._clock = clock
        self._mine = re.compile(rf"{re.escape(settings.tenant)}-[0-9a-f]{{12}}")
        self._states: dict[str, _State] = {}
        self._extra: dict[str, float] = {}  # asked for in this process -> until
        self._wake = asyncio.Event()
        self._turn = asyncio.Lock()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Reconcile on every change of releases, and every few seconds, until the block ends."""
        stop = self._store.listen(TOPIC, lambda _topic, _payload: self._wake.set())
        task = asyncio.create_task(shifts.repeat("adapters", self.step, self._rest), name="adapters")
        try:
            yield
        finally:
            stop()
            await shifts.end([task])

    def wake(self) -> None:
        """Look soon: a model server came back."""
        self._wake.set()

    async def step(self) -> None:
        """Bring every reachable model server to what is needed now."""
        async with self._turn:
            wanted = await self._wanted()
            missing: set[str] = set()
            for name, server in self._servers().items():
                missing |= await self._reconcile(name, server, wanted)
            self._metrics.adapters_missing.set(len(missing))

    async def prepare(self, server: Server, name: str = LOCAL) -> None:
        """Load what is needed into a model server that just started, before it gets any request.

        What cannot be loaded is an alarm, not a reason to stay down. Raises ModelError when the server itself fails.
        """
        await server.models()
        async with self._turn:
            self._states.pop(name, None)  # a fresh process: nothing of it was proved
            try:
                wanted = await self._wanted()
            except StoreError as error:
                log.warning("adapters_unknown", reason=str(error))  # the next step loads them
                return
            missing = await self._reconcile(name, server, wanted)
            self._metrics.adapters_missing.set(len(missing))

    async def ensure(self, names: Collection[str], timeout_s: float) -> None:
        """Have adapters loaded and proved on every model server of this process; raises AdapterUnavailable.

        They stay for HELD_S from now on, and longer where a release needs them.
        """
        until = self._clock() + timeout_s
        for name in names:
            if not self._mine.fullmatch(name):
                raise AdapterUnavailable(f"{name[:80]!r} is no adapter of {self._tenant}")
            self._extra[name] = self._clock() + HELD_S
        while True:
            await self.step()
            states = {name: self._states[name] for name in self._servers() if name in self._states}
            if states and all(state.proved.issuperset(names) for state in states.values()):
                return
            reasons = [state.failed[name][0] for state in states.values() for name in names if name in state.failed]
            if reasons:
                raise AdapterUnavailable(reasons[0])
            if self._clock() > until:
                raise AdapterUnavailable(f"no model server had {', '.join(sorted(names))} within {timeout_s:g} s")
            await asyncio.sleep(0.1)

    async def _rest(self) -> None:
        try:
            async with asyncio.timeout(STEP_S):
                await self._wake.wait()
        except TimeoutError:
            return
        self._wake.clear()
        for state in self._states.values():  # somebody changed something: what failed may work now
            state.failed = {name: (reason, 0.0) for name, (reason, _) in state.failed.items()}

    async def _wanted(self) -> set[str]:
        now, wall = self._clock(), time.time()
        rows = await self._store.rows(
            "releases.wanted", tenant=self._tenant, now=wall, fresh_since=wall - CANDIDATE_S,
            active_since=wall - self._idle_s,
        )  # fmt: skip
        self._extra = {name: until for name, until in self._extra.items() if until > now}
        return {row["name"] for row in rows} | self._extra.keys()

    async def _reconcile(self, replica: str, server: Server, wanted: set[str]) -> set[str]:
        """One model server; returns what is needed and not served there."""
        state = self._states.setdefault(replica, _State())
        try:
            listed = set(await server.models())
        except ModelError as error:
            log.debug("replica_away", replica=replica, error=type(error).__name__)
            return set()
        state.proved &= listed
        state.failed = {name: failure for name, failure in state.failed.items() if name in wanted}
        for name in sorted(wanted - state.proved):
            await self._load(replica, server, state, name, loaded=name in listed)
        for name in sorted(filter(self._mine.fullmatch, listed - wanted)):
            await self._unload(replica, server, state, name)
        state.unneeded = {name: since for name, since in state.unneeded.items() if name not in wanted}
        await self._tell(replica, state)
        return wanted - state.proved

    async def _load(self, replica: str, server: Server, state: _State, name: str, *, loaded: bool) -> None:
        failed = state.failed.get(name)
        if failed is not None and self._clock() - failed[1] < FAILED_AGAIN_S and failed[1] > 0:
            return
        started, state.told_at = self._clock(), 0.0
        try:
            if not loaded:
                path = await asyncio.to_thread(self._find, name)
                await server.load_adapter(name, str(path))
            await self._probe(server, name)
        except (ModelError, BadAdapter, BadTensors, LookupError, WeightsError, OSError) as error:
            if not await self._came_otherwise(server, name, loaded=loaded):
                state.failed[name] = str(error), self._clock()
                log.error("adapter_not_served", adapter=name, replica=replica, reason=str(error))  # noqa: TRY400 - whole
                return
        state.failed.pop(name, None)
        state.proved.add(name)
        log.info("adapter_served", adapter=name, replica=replica, seconds=round(self._clock() - started, 2))

    async def _came_otherwise(self, server: Server, name: str, *, loaded: bool) -> bool:
        """Whether another worker loaded it at the same moment, and it answers."""
        if loaded:
            return False
        try:
            if name in await server.models():
                await self._probe(server, name)
                return True
        except ModelError:
            pass
        return False

    async def _probe(self, server: Server, name: str) -> None:
        """Have it say one token; raises ModelError."""
        for tokens in PROBE_TOKENS:
            stream = server.chat(PROBE, model=name, decoding=Decoding(max_tokens=tokens), deadlines=self._deadlines)
            try:
                async with aclosing(stream):
                    async for _ in stream:
                        pass
            except ModelProtocolError:
                if tokens == PROBE_TOKENS[-1]:
                    raise
            else:
                return

    async def _unload(self, replica: str, server: Server, state: _State, name: str) -> None:
        """Forget it once it was not needed for the time of a drain: running turns have ended by then."""
        since = state.unneeded.setdefault(name, self._clock())
        if self._clock() - since < self._settings.drain_s:
            return
        try:
            await server.unload_adapter(name)
        except ModelError as error:
            log.warning("adapter_not_unloaded", adapter=name, replica=replica, reason=str(error))
            return
        state.proved.discard(name)
        state.unneeded.pop(name, None)
        log.info("adapter_unloaded", adapter=name, replica=replica)

    async def _tell(self, replica: str, state: _State) -> None:
        """Let every process know; written on a change, after each try, and often enough to look alive."""
        told = json.dumps(sorted(state.proved)), json.dumps({name: why for name, (why, _) in state.failed.items()})
        if told == state.told and state.told_at and self._clock() - state.told_at < STEP_S - 1:
            return
        known_as = replica or self._store.worker_id

        async def unit(tx: Tx) -> None:
            await tx.run(
                "releases.served", tenant=self._tenant, replica=known_as, served=told[0], failed=told[1], now=tx.now_s
            )

        await self._store.write(unit)
        state.told, state.told_at = told, self._clock()
