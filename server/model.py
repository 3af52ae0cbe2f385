"""The model as the server sees it: one client, one state, whether a local vLLM child or a URL stands behind it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from functools import partial
from pathlib import Path

import structlog

from config.settings import ModelSettings, Settings
from models import weights
from models.chat import ChatMessage, Deadlines, Decoding, Delta, ModelError, ModelState, ModelUnavailable, ToolSpec
from models.prompt import PromptBudget, open_budget
from models.serve import ModelProcess
from models.vllm import VLLM
from server.telemetry import Metrics

log = structlog.get_logger()

Launch = Callable[..., ModelProcess]
Prepare = Callable[[VLLM, str], Awaitable[None]]
"""Brings a model server, known by a name (empty: the child of this process), to what it needs before any request."""

REMOTE_POLL_S = 0.5  # while a URL has not answered yet
WEIGHTS_RETRY_S = 30.0


class Model:
    """Implements ``models.chat.LLM``; ``state`` says whether turns may be dispatched.

    ``launch`` makes the child's process from model settings, weights folder, log file and a listener for its states;
    ``prepare`` is run after each start of it, before READY.
    """

    def __init__(
        self, settings: Settings, metrics: Metrics, launch: Launch = ModelProcess, prepare: Prepare | None = None
    ) -> None:
        self._settings = settings
        self._metrics = metrics
        self._launch = partial(launch, prepare=self._prepare_child) if prepare is not None else launch
        self._prepare = prepare
        self._replicas: dict[str, VLLM] = {}
        self._client: VLLM | None = None
        self._process: ModelProcess | None = None
        self._listeners: list[Callable[[], None]] = []
        self._budget = open_budget(None, settings.model.context_tokens)
        self.state = ModelState.LOADING
        self.progress = "waiting to start"

    def on_change(self, listener: Callable[[], None]) -> None:
        """Call ``listener`` after each change of state."""
        self._listeners.append(listener)

    @property
    def budget(self) -> PromptBudget:
        """Counts with the served model's tokenizer once its files are at hand, with an upper estimate before."""
        return self._budget

    @property
    def servers(self) -> Mapping[str, VLLM]:
        """The model servers that can be told to load something, by address; the child of this process by ''."""
        if self._client is None or self.state is not ModelState.READY:
            return {}
        return self._replicas or {self._settings.model.base_url: self._client}

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Start (or find) the model in the background; the block begins at once, while it still loads."""
        task = asyncio.create_task(self._start(), name="model")
        try:
            yield
        finally:
            task.cancel()
            await asyncio.wait({task})
            if self._process is not None:
                await self._process.stop()
            elif self._client is not None:
                await self._client.close()
            for client in self._replicas.values():
                await client.close()

    async def chat(
        self,
        messages: Sequence[ChatMessage],
        *,
        model: str,
        decoding: Decoding,
        deadlines: Deadlines,
        tools: Sequence[ToolSpec] = (),
        tool_choice: str | None = None,
    ) -> AsyncIterator[Delta]:
        """Stream one answer; raises ModelUnavailable at once while there is no server to ask."""
        if self._client is None:
            raise ModelUnavailable(f"the model is not there yet: {self.progress}")
        stream = self._client.chat(
            messages, model=model, decoding=decoding, deadlines=deadlines, tools=tools, tool_choice=tool_choice
        )
        async with aclosing(stream):  # type: ignore[type-var]  # an async generator behind the protocol
            async for delta in stream:
                yield delta

    async def note(self) -> str:
        """One phrase about the model for readiness: its state and what it is doing."""
        return self.state.value if self.state is ModelState.READY else f"{self.state.value}: {self.progress}"

    async def _start(self) -> None:
        begin = self._find_remote if self._settings.model.base_url else self._start_child
        while True:
            try:
                return await begin()
            except (OSError, ValueError, ModelError) as error:  # a full disk, a damaged tokenizer file
                self.progress = f"the model cannot be started ({error}); frontdesk doctor names the repair"
                self._set(ModelState.DOWN)
                log.exception("model_start_failed", retry_in_s=WEIGHTS_RETRY_S)
                await asyncio.sleep(WEIGHTS_RETRY_S)

    async def _find_remote(self) -> None:
        model = self._settings.model
        self._client = VLLM(model.base_url, model.api_key.get_secret_value())
        try:
            found = weights.find(model)
        except weights.WeightsError as error:  # a remote model needs no weights here, only its tokenizer helps
            log.warning("tokenizer_incomplete", error=str(error))
            found = None
        self._use_tokenizer(found.folder if found else model.path)
        self.progress = f"waiting for {model.base_url}"
        deadline = time.monotonic() + model.load_timeout_s
        while not await self._client.health():
            if time.monotonic() > deadline and self.state is ModelState.LOADING:
                self._set(ModelState.DOWN)
                log.error("model_unreachable", url=model.base_url, after_s=model.load_timeout_s)
            await asyncio.sleep(REMOTE_POLL_S)
        await self._prepare_remote(model)
        # from here on failures are the breaker's matter: a URL has no other signs of life than its answers
        self._set(ModelState.READY)

    async def _prepare_child(self, client: VLLM) -> None:
        assert self._prepare is not None
        await self._prepare(client, "")

    async def _prepare_remote(self, model: ModelSettings) -> None:
        assert self._client is not None
        key = model.api_key.get_secret_value()
        self._replicas = {url: VLLM(url, key) for url in self._settings.releases.replicas}
        if self._prepare is None:
            return
        for url, client in (self._replicas or {model.base_url: self._client}).items():
            try:
                await self._prepare(client, url)
            except ModelError as error:  # it is looked at again every few seconds
                log.warning("replica_not_prepared", url=url, error=type(error).__name__)

    async def _start_child(self) -> None:
        found = None
        while found is None:
            try:
                found = await weights.ensure(self._settings.model, self._report)
            except weights.WeightsError as error:
                self.progress = str(error)
                self._set(ModelState.DOWN)
                log.error("weights_missing", error=str(error), retry_in_s=WEIGHTS_RETRY_S)  # noqa: TRY400 - said whole
                await asyncio.sleep(WEIGHTS_RETRY_S)
        self._use_tokenizer(found.folder)
        self.progress = "vLLM is starting"
        log_path = self._settings.data_dir / "vllm.log"
        self._process = self._launch(self._settings.model, found.folder, log_path, self._on_child)
        self._client = self._process.client
        self._set(ModelState.LOADING)
        await self._process.start()

    def _on_child(self, state: ModelState) -> None:
        assert self._process is not None
        restarted = self._process.restarts > 0
        if restarted and state is ModelState.LOADING:
            # a crashed server is a fault that customers hear of, not a first start that they wait for
            state = ModelState.DOWN
        if state is ModelState.DOWN and self.state is not ModelState.DOWN:
            self._metrics.child_restarts.labels("vllm").inc()
        self.progress = "vLLM is restarting" if restarted or state is ModelState.DOWN else "vLLM is starting"
        self._set(state)

    def _report(self, progress: weights.Progress) -> None:
        self.progress = f"weights: {progress.stage}"

    def _use_tokenizer(self, folder: Path | None) -> None:
        self._budget = open_budget(folder, self._settings.model.context_tokens)

    def _set(self, state: ModelState) -> None:
        changed, self.state = state is not self.state, state
        self._metrics.model_state.state(state.value)
        if changed:
            log.info("model_state", state=state.value)
            for listener in self._listeners:
                listener()
