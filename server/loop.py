"""The loop's parts in one process: what is collected, reviewed and trained, its jobs, its addresses."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import config
from config.settings import Settings
from models import weights
from models.chat import ToolSpec
from server.api.examples import ExamplesApi
from server.api.feedback import FeedbackApi
from server.api.plan import PlanApi
from server.api.retrain import RetrainApi
from server.api.review import ReviewApi
from server.api.votes import VotesApi
from server.collect import JOB as COLLECT
from server.collect import Collector
from server.corrections import Corrections
from server.engine.rounds import BudgetedLLM
from server.examples import Examples
from server.jobs import Job
from server.retrain.children import Children
from server.retrain.contract import Machine, ModelServers, Registry
from server.retrain.door import Door
from server.retrain.job import Retrain
from server.retrain.plan import Planner
from server.retrain.runs import JOB as RETRAIN
from server.retrain.runs import Runs
from server.retrain.stages import Stages
from server.retrain.triggers import BY_CLOCK, WATCH, WATCH_CRON, Triggers
from server.routes import Route
from server.store.contract import Store, Tx

SUITES = Path(config.__file__).parent / "demo" / "suites"


class Loop:
    """Collecting, review and retraining of one bot.

    ``registry`` opens the adapters on disk, ``servers`` are this process's model servers, ``busy`` says whether
    customers are being answered, ``specs`` are the tools there are now.
    """

    def __init__(
        self,
        store: Store,
        settings: Settings,
        *,
        llm: BudgetedLLM,
        releases: Any,
        registry: Callable[[], Registry],
        servers: ModelServers,
        busy: Callable[[], bool],
        specs: Callable[[], Sequence[ToolSpec]] = tuple,
        program: Sequence[str] = (),
    ) -> None:
        training = settings.training
        self._store = store
        self._settings = settings
        self.folder = training.folder or settings.data_dir / "training"
        self.examples = Examples(store, settings.tenant, training)
        self.corrections = Corrections(store, settings.tenant, history=settings.engine.history_messages)
        self.collector = Collector(store, settings, specs)
        self.runs = Runs(store, settings.tenant, self.folder)
        self.triggers = Triggers(store, settings.tenant, training, self.runs, releases)
        children = Children(training, program=program)
        self.planner = Planner(store, settings, self.examples, self.runs, children, self.folder, self._machine)
        stages = Stages(
            store,
            settings,
            self.examples,
            self.runs,
            children,
            registry=registry,
            releases=releases,
            servers=servers,
            door=Door(llm, releases.get, settings, busy),
            machine=self._machine,
        )
        self.retrain = Retrain(self.runs, stages, releases)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Write down on what ground each channel account's messages may train, before any of them is taken in."""
        await self._store.write(lambda tx: write_policies(tx, self._settings))
        yield

    def jobs(self) -> dict[str, Job]:
        """What a worker does by the clock or on request."""
        if not self._settings.training.enabled:
            return {}
        made: dict[str, Callable[[Any], Awaitable[None]]] = {
            COLLECT: self.collector.run,
            WATCH: self.triggers.watch,
            BY_CLOCK: self.triggers.by_clock,
            RETRAIN: self.retrain.run,
        }
        return made

    @property
    def long(self) -> frozenset[str]:
        """Jobs that run beside the others."""
        return frozenset({RETRAIN})

    def schedules(self) -> dict[str, str]:
        """When; ``retrain`` is put by whoever starts one."""
        training = self._settings.training
        if not training.enabled:
            return {}
        always = {COLLECT: training.collect_cron, WATCH: WATCH_CRON}
        return {**always, BY_CLOCK: training.cron} if training.cron else always

    def routes(self) -> list[Route]:
        """The addresses of feedback, examples, datasets, retrains and votes; fixed words stand before ids."""
        store, settings = self._store, self._settings
        return [
            *FeedbackApi(store, settings, self.corrections).routes(),
            *ReviewApi(store, settings, self.examples).routes(),
            *ExamplesApi(store, settings, self.examples).routes(),
            *PlanApi(self.planner).routes(),
            *VotesApi(store, settings, self.runs).routes(),
            *RetrainApi(store, settings, self.runs).routes(),
        ]

    def _machine(self) -> Machine:
        """What this machine has for training; raises LookupError without the base model's weights."""
        model, training = self._settings.model, self._settings.training
        try:
            found = weights.find(model)
        except weights.WeightsError as error:
            raise LookupError(str(error)) from error
        base = found.folder if found is not None else model.path
        if base is None:
            raise LookupError(
                "the base model's weights are not on this machine; set model.path, or start a worker with a local model"
            )
        cores = os.cpu_count() or 1
        serves_here = not model.base_url  # beside a served model one thread: two only take turns with it
        threads = training.threads or (1 if serves_here else max(1, cores - 1))
        suites = training.suites or ((SUITES,) if SUITES.is_dir() else ())
        return Machine(base, model.name, threads, suites)


async def write_policies(tx: Tx, settings: Settings) -> None:
    """Make the settings' ``trainable`` the store's own, for every channel account; messages take it at their insert."""
    channels = settings.channels
    for channel in ("web", "whatsapp", "slack", "telegram"):
        for account, options in sorted(getattr(channels, channel).items()):
            await tx.run(
                "loop.set_policy", tenant=settings.tenant, channel=channel, account=account,
                trainable=options.trainable, now=tx.now_s,
            )  # fmt: skip
