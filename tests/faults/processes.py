"""Real ``frontdesk serve`` processes over one store, and the model server that stays up while they are killed."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp

from tests import postgres

ROOT = Path(__file__).resolve().parents[2]
READY_WITHIN_S = 60.0  # a start that takes longer is a failure of the drill itself, not a figure
POLL_S = 0.02
TICKS_PER_S = os.sysconf("SC_CLK_TCK")
LAYOUTS = {"joined": ("all",), "split": ("gateway", "worker-1", "worker-2"), "gateway": ("gateway",)}


PR_SET_PDEATHSIG = 1  # of prctl(2)
_libc = ctypes.CDLL(None)


def _end_with_parent() -> None:
    """Runs in the child: a drill that is killed leaves nothing behind."""
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


class Died(RuntimeError):
    """A process ended before it was ready."""


def free_port(pick: random.Random | None = None) -> int:
    """A port below those the kernel gives to outgoing connections, so that it stays free between two starts."""
    pick = pick or random.Random()
    while True:
        port = pick.randrange(12_000, 30_000)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


@dataclass
class Start:
    """How long one process took from its start to its first ``/readyz`` 200, on the wall and on the processor."""

    node: str
    wall_s: float
    cpu_s: float


@dataclass
class Node:
    """One process with a fixed port; ``name`` is its role and number."""

    name: str
    port: int
    log: Path
    process: asyncio.subprocess.Process | None = None
    started_at: float = 0.0

    @property
    def role(self) -> str:
        return self.name.partition("-")[0]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    @property
    def alive(self) -> bool:
        return self.process is not None and self.process.returncode is None

    def cpu_s(self) -> float:
        """Processor seconds used so far."""
        fields = Path(f"/proc/{self.pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS_PER_S


@dataclass
class Deployment:
    """The nodes of one layout; ``entry`` is the module run instead of the command line (for negative controls)."""

    store_url: str
    folder: Path
    layout: str
    model_url: str
    settings: dict[str, str] = field(default_factory=dict)
    entry: str = "server.cli"
    starts: list[Start] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.nodes = [Node(name, free_port(), self.folder / f"{name}.log") for name in LAYOUTS[self.layout]]

    @property
    def gateway(self) -> Node:
        return self.nodes[0]

    @property
    def workers(self) -> list[Node]:
        return [node for node in self.nodes if node.role != "gateway"]

    def environment(self, node: Node, crash: str) -> dict[str, str]:
        """Everything the process is told; nothing of the caller's own FRONTDESK settings."""
        inherited = {key: value for key, value in os.environ.items() if not key.startswith("FRONTDESK_")}
        web = "FRONTDESK_CHANNELS__WEB__DEFAULT__"
        return inherited | {
            "FRONTDESK_STORE__URL": self.store_url,
            "FRONTDESK_DATA_DIR": str(self.folder / "data"),
            "FRONTDESK_HTTP__PORT": str(node.port),
            "FRONTDESK_MODEL__BASE_URL": self.model_url,
            "FRONTDESK_MODEL__DOWNLOAD": "false",
            "FRONTDESK_ENGINE__MAX_LOST_LEASES": "100",  # parking after 8 kills would be right, but hides the figures
            "FRONTDESK_LOG__FORMAT": "json",
            f"{web}MESSAGES_PER_MINUTE": "10000",
            f"{web}SESSIONS_PER_MINUTE": "100000",
            f"{web}SITE_MESSAGES_PER_MINUTE": "1000000",
            "FRONTDESK_CRASH_AT": crash,
            **self.settings,
        }

    async def start(self, node: Node, crash: str = "") -> None:
        """Start the process and return at once."""
        node.started_at = time.monotonic()
        with node.log.open("ab") as log:
            node.process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", self.entry, "serve", "--role", node.role,
                cwd=ROOT, env=self.environment(node, crash), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True, preexec_fn=_end_with_parent,
            )  # fmt: skip

    async def ready(self, node: Node) -> Start:
        """Wait for the first 200 of ``/readyz``; raises Died when the process ends before."""
        async with asyncio.timeout(READY_WITHIN_S), aiohttp.ClientSession() as http:
            while True:
                if not node.alive:
                    raise Died(f"{node.name} ended before it was ready; see {node.log.name}")
                with contextlib.suppress(aiohttp.ClientError, OSError, TimeoutError):
                    async with http.get(f"{node.url}/readyz", timeout=aiohttp.ClientTimeout(3)) as response:
                        if response.status == 200:
                            break
                await asyncio.sleep(POLL_S)
        start = Start(node.name, time.monotonic() - node.started_at, node.cpu_s())
        self.starts.append(start)
        return start

    async def up(self) -> None:
        """Start whatever is down and wait until all are ready."""
        for node in self.nodes:
            if not node.alive:
                await self.start(node)
        await asyncio.gather(*(self.ready(node) for node in self.nodes))

    async def kill(self, nodes: Iterable[Node]) -> None:
        """kill -9, all of them before waiting for any."""
        hit = [node for node in nodes if node.alive]
        for node in hit:
            with contextlib.suppress(ProcessLookupError):
                os.kill(node.pid, signal.SIGKILL)
        for node in hit:
            assert node.process is not None
            await node.process.wait()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Deployment]:
        """All nodes ready; at the end none is left."""
        try:
            await self.up()
            yield self
        finally:
            await self.kill(self.nodes)


@asynccontextmanager
async def model_server(*, tokens_per_s: float = 40.0, first_token_s: float = 0.1) -> AsyncIterator[str]:
    """The model double as a process of its own; yields its base URL."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.model_double", "--port", "0",
        "--tokens-per-s", str(tokens_per_s), "--first-token-s", str(first_token_s),
        cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, start_new_session=True,
        preexec_fn=_end_with_parent,
    )  # fmt: skip
    assert process.stdout is not None
    try:
        line = await asyncio.wait_for(process.stdout.readline(), READY_WITHIN_S)
        yield line.decode().strip()
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


@contextmanager
def database(dialect: str, folder: Path) -> Iterator[str]:
    """URL of an empty store: a file in ``folder``, or the only database of a fresh durable cluster."""
    if dialect == "sqlite":
        yield f"sqlite:///{folder / 'desk.db'}"
        return
    with postgres.cluster() as server:
        yield server.url("postgres")
