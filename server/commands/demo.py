"""``frontdesk demo``: the whole loop on one machine, with every stage timed.

With ``--once`` it ends after one real answer and its exit status tells whether that answer streamed.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer
from aiohttp import web

from config.settings import Settings
from models import weights
from server import app as server_app
from server.commands import shared
from server.commands.client import Customer
from server.commands.failure import INTERRUPTED, Failure
from server.commands.screen import Screen
from server.install import ROOT
from server.links import LinkRefused, create_setup_link
from server.redaction import secrets_of
from server.telemetry import setup_logging

app = typer.Typer(add_completion=False, rich_markup_mode=None)

SHOP = ROOT / "config/demo/frontdesk.yaml"
QUESTION = "Hello! How long do I have to return a blanket?"
PORTS_TRIED = 50
MODEL_POLL_S = 0.5
DOWN_S = 60.0  # a local model server that crashes is started again; this long it may stay away
STILL_LOADING_S = 15.0  # how often a long wait says that it goes on
ANSWER_S = 180.0  # one answer on a slow laptop, first tokens included
MIB = 1024 * 1024


@app.command()
def demo(
    once: Annotated[bool, typer.Option("--once", help="End after one real answer; the exit status tells.")] = False,  # noqa: FBT002 - a flag
    port: Annotated[int, typer.Option(help="First port to try.")] = 8080,
) -> None:
    """Start the demo shop, wait for the model, and ask it a real question."""
    started_s = time.monotonic()
    settings, moved = demo_settings(port)
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    log_path = settings.data_dir / "demo.log"
    with log_path.open("a", encoding="utf-8") as stream:
        setup_logging(settings.log, secrets=secrets_of(settings), stream=stream)
        if moved:
            shared.say(f"Port {port} is taken; this demo uses {settings.http.port}.")
        shared.run(Demo(settings, Stages(started_s), log_path).run(once=once))


def demo_settings(port: int) -> tuple[Settings, bool]:
    """The demo shop's settings on a free port, and whether that is another port than the one asked for."""
    yaml_path = None if os.environ.get("FRONTDESK_CONFIG") else SHOP
    overrides: dict[str, Any] = {}
    if not os.environ.get("FRONTDESK_DATA_DIR"):
        home = os.environ.get("XDG_DATA_HOME") or "~/.local/share"
        overrides["data_dir"] = str(Path(home) / "frontdesk-demo")
    if not os.environ.get("FRONTDESK_HTTP__PORT"):
        overrides["http.port"] = port
    wanted = shared.loaded(yaml_path, overrides).settings.http
    overrides["http.port"] = free_port(wanted.host, wanted.port)
    return shared.loaded(yaml_path, overrides).settings, overrides["http.port"] != wanted.port


def free_port(host: str, first: int) -> int:
    """``first`` or the next port nobody listens on; raises Failure after PORTS_TRIED."""
    for port in range(first, min(first + PORTS_TRIED, 65_536)):
        with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with suppress(OSError):
                probe.bind((host, port))
                return int(probe.getsockname()[1])
    raise Failure(f"no port from {first} on is free on {host}", "frontdesk demo --port 9000")


@dataclass(frozen=True, slots=True)
class Stages:
    """Prints one line per stage: seconds since the start, name, detail."""

    started_s: float

    def done(self, name: str, detail: str = "") -> None:
        """Say that a stage is over."""
        shared.say(f"[{time.monotonic() - self.started_s:6.1f} s] {name:<13} {detail}".rstrip())


class Demo:
    """Runs the server in this process and is its first customer."""

    def __init__(self, settings: Settings, stages: Stages, log_path: Path) -> None:
        self._settings = settings
        self._stages = stages
        self._log_path = log_path
        self._stop = asyncio.Event()
        self._url = shared.public_url(settings)

    async def run(self, *, once: bool) -> None:
        """Start everything, ask one question, then end (``once``) or stay until Ctrl-C."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._stop.set)
        runner = server_app.runner_of(server_app.build(self._settings))
        try:
            await self._unless_stopped(self._start(runner))
            await self._unless_stopped(self._first_answer())
            if not once:
                shared.say("Running; Ctrl-C ends it.")
                await self._stop.wait()
        finally:
            await runner.cleanup()
            self._stages.done("stopped")

    async def _unless_stopped(self, work: Any) -> None:
        """Await ``work``, but give it up as soon as Ctrl-C is pressed."""
        task, stop = asyncio.ensure_future(work), asyncio.ensure_future(self._stop.wait())
        await asyncio.wait({task, stop}, return_when=asyncio.FIRST_COMPLETED)
        stop.cancel()
        if not task.done():
            task.cancel()
            await asyncio.wait({task})
            raise Failure("stopped before the first answer", "run it again", code=INTERRUPTED)
        await task

    async def _start(self, runner: web.AppRunner) -> None:
        await runner.setup()
        self._stages.done("store", str(self._settings.data_dir))
        await web.TCPSite(runner, self._settings.http.host, self._settings.http.port).start()
        self._stages.done("server up", f"page    {self._url}/web/demo")
        self._stages.done("", f"console {await self._console()}")
        self._stages.done("", f"log     {self._log_path}")

    async def _console(self) -> str:
        """A one-time link for the first admin, or how to get in once there is one."""
        settings = self._settings
        async with shared.opened(settings) as store:
            try:
                link = await create_setup_link(
                    store, settings.tenant, settings.access, self._url, actor=shared.operator(settings).id
                )
            except LinkRefused:
                return f"{self._url}/console/  (sign in; a new link: frontdesk user link --email ADDRESS)"
        return f"{link.url}  (works once)"

    async def _first_answer(self) -> None:
        if not self._settings.model.base_url:
            await self._weights()
        async with Customer.visiting(self._url) as customer:
            await self._model(customer)
            await self._ask(customer)

    async def _weights(self) -> None:
        shown_s = time.monotonic()

        def show(progress: weights.Progress) -> None:
            nonlocal shown_s
            if time.monotonic() - shown_s >= STILL_LOADING_S / 3:
                shown_s = time.monotonic()
                total = f" of {progress.total_bytes / MIB:.0f}" if progress.total_bytes else ""
                self._stages.done("weights", f"{progress.stage} {progress.done_bytes / MIB:.0f}{total} MiB")

        try:
            found = await weights.ensure(self._settings.model, show)
        except weights.WeightsError as error:
            raise Failure(str(error), shared.DOCTOR) from None
        size = sum(path.stat().st_size for path in found.folder.iterdir() if path.is_file())
        self._stages.done("weights", f"{size / MIB:.0f} MiB from {found.source}: {found.folder}")

    async def _model(self, customer: Customer) -> None:
        patience_s = self._settings.model.load_timeout_s
        told_s = seen_up_s = began_s = time.monotonic()
        while (state := await customer.model_state()) != "ready":
            now_s = time.monotonic()
            seen_up_s = now_s if state == "loading" else seen_up_s
            if now_s - began_s > patience_s or now_s - seen_up_s > DOWN_S:
                cause = f"the model is {state} after {now_s - began_s:.0f} s{self._last_words()}"
                raise Failure(cause, shared.DOCTOR)
            if now_s - told_s > STILL_LOADING_S:
                told_s = now_s
                self._stages.done("model", state)
            await asyncio.sleep(MODEL_POLL_S)
        self._stages.done("model up", self._settings.model.base_url or f"vLLM serves {self._settings.model.name}")

    def _last_words(self) -> str:
        """The last line of the model server's log, where there is one."""
        log_path = self._settings.data_dir / "vllm.log"
        lines = log_path.read_text(encoding="utf-8", errors="replace").splitlines() if log_path.is_file() else []
        return f"; {log_path} ends with: {lines[-1][:200]}" if lines else ""

    async def _ask(self, customer: Customer) -> None:
        shared.say(f"  customer: {QUESTION}")
        shared.say("  assistant: ")
        screen = Screen(_write)
        asked_s = time.monotonic()
        await customer.say(QUESTION)
        try:
            async with asyncio.timeout(ANSWER_S):
                async for frame in customer.frames():
                    if screen.show(frame) and screen.answers:
                        break
        except TimeoutError:
            raise Failure(f"no answer within {ANSWER_S:.0f} s; the log is {self._log_path}", shared.DOCTOR) from None
        if not screen.streamed:
            raise Failure("the answer came in one piece instead of streaming", shared.DOCTOR)
        self._stages.done("first answer", f"streamed in {time.monotonic() - asked_s:.1f} s")


def _write(text: str) -> None:
    print(text, end="", flush=True)  # noqa: T201 - the command line prints
