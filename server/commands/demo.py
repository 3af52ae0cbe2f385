"""``frontdesk demo``: the whole loop on one machine, with every stage timed.

With ``--once`` it ends after its three questions; 0 means that all were answered and the first answer streamed.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import time
from collections.abc import Callable
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer
from aiohttp import web

from config.load import Loaded, read
from config.settings import Settings
from models import weights
from server import app as server_app
from server.commands import demo_shop, shared
from server.commands.client import Customer
from server.commands.failure import INTERRUPTED, Failure
from server.commands.screen import Screen
from server.install import ROOT
from server.links import LinkRefused, create_setup_link
from server.redaction import secrets_of
from server.telemetry import setup_logging

app = typer.Typer(add_completion=False, rich_markup_mode=None)

SHOP = ROOT / "config/demo/frontdesk.yaml"
GREETING = "Hi, how are you?"  # needs no documents, so the model's own words stream
QUESTIONS = {
    "first answer": GREETING,
    "from documents": "May I wash the Shepherd lap blanket in the machine?",
    "from tools": "Where is my order MP-20349?",
}
LOOPBACK = "127.0.0.1"
PORTS_TRIED = 50
MODEL_POLL_S = 0.5
DOWN_S = 60.0  # a local model server that crashes is started again; this long it may stay away
STILL_LOADING_S = 15.0  # how often a long wait says that it goes on
ANSWER_S = 180.0  # one answer on a slow laptop, first tokens included
MIB = 1024 * 1024


@app.command()
def demo(
    once: Annotated[bool, typer.Option("--once", help="End after three answers; the exit status tells.")] = False,  # noqa: FBT002 - a flag
    port: Annotated[int, typer.Option(help="First port to try.")] = 8080,
) -> None:
    """Start the demo shop, load its documents, wait for the model, and ask it three questions."""
    started_s = time.monotonic()
    settings, moved, again = demo_settings(port)
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    log_path = settings.data_dir / "demo.log"
    with log_path.open("a", encoding="utf-8") as stream:
        setup_logging(settings.log, secrets=secrets_of(settings), stream=stream)
        if moved:
            shared.say(f"Port {port} is taken; this demo uses {settings.http.port}.")
        shared.run(Demo(settings, Stages(started_s), log_path, again).run(once=once))


def demo_settings(port: int) -> tuple[Settings, bool, Callable[[], Loaded]]:
    """The demo shop's settings on a free port, whether it is another than asked for, and how to read them again.

    With a configuration file of one's own the shop stays out: then this is a demo of that configuration.
    """
    own = bool(os.environ.get("FRONTDESK_CONFIG"))
    yaml_path = None if own else SHOP
    overrides: dict[str, Any] = {}
    if not os.environ.get("FRONTDESK_DATA_DIR"):
        home = os.environ.get("XDG_DATA_HOME") or "~/.local/share"
        overrides["data_dir"] = str(Path(home) / "frontdesk-demo")
    if not os.environ.get("FRONTDESK_HTTP__PORT"):
        overrides["http.port"] = port
    wanted = shared.loaded(yaml_path, overrides).settings
    overrides["http.port"] = free_port(wanted.http.host, wanted.http.port)
    if not own:
        if not wanted.tools.shop:
            overrides["tools.shop"] = demo_shop.shop_path(wanted.data_dir)
        if wanted.tools.file is None:
            overrides["tools.file"] = str(SHOP.with_name("tools.yaml"))
        if wanted.training.recipe is None:
            overrides["training.recipe"] = str(SHOP.with_name("training") / "recipe.json")
        overrides["knowledge.crawl.allow_hosts"] = [f"{LOOPBACK}:{free_port(LOOPBACK, overrides['http.port'] + 1)}"]
    again = partial(read, os.environ, yaml_path, overrides)
    return shared.loaded(yaml_path, overrides).settings, overrides["http.port"] != wanted.http.port, again


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

    def __init__(self, settings: Settings, stages: Stages, log_path: Path, again: Callable[[], Loaded]) -> None:
        self._settings = settings
        self._again = again
        self._stages = stages
        self._log_path = log_path
        self._stop = asyncio.Event()
        self._url = shared.public_url(settings)

    async def run(self, *, once: bool) -> None:
        """Start everything, ask three questions, then end (``once``) or stay until Ctrl-C."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._stop.set)
        async with AsyncExitStack() as stack:
            runner = server_app.runner_of(server_app.build(self._settings, again=self._again))
            stack.callback(self._stages.done, "stopped")
            stack.push_async_callback(runner.cleanup)
            await self._unless_stopped(self._start(runner))
            if self._has_shop:
                await self._unless_stopped(self._shop(stack))
            await self._unless_stopped(self._answers())
            if not once:
                shared.say("Running; Ctrl-C ends it.")
                await self._stop.wait()

    @property
    def _has_shop(self) -> bool:
        """Whether the demo shop's own things are part of this demo."""
        return bool(self._settings.knowledge.crawl.allow_hosts) and not os.environ.get("FRONTDESK_CONFIG")

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
        if self._has_shop and self._settings.tools.enabled:
            made = await demo_shop.make_database(self._settings, demo_shop.now())
            self._stages.done("shop", f"{'made' if made else 'kept'} {self._settings.tools.shop}")
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

    async def _shop(self, stack: AsyncExitStack) -> None:
        """The shop's site, and its documents in the knowledge."""
        port = int(self._settings.knowledge.crawl.allow_hosts[0].rpartition(":")[2])
        url = await stack.enter_async_context(demo_shop.site(port))
        if not self._settings.knowledge.enabled:
            return
        self._tell("knowledge", "reading the shop's documents; the first time the embedding model is made ready too")
        async with shared.opened(self._settings) as store:
            loaded = await demo_shop.load_knowledge(store, self._settings, url, lambda text: self._tell("source", text))
        self._stages.done("knowledge", f"{loaded.documents} documents, {loaded.passages} passages")

    def _tell(self, stage: str, text: str) -> None:
        self._stages.done(stage, text)

    async def _answers(self) -> None:
        if not self._settings.model.base_url:
            await self._weights()
        async with Customer.visiting(self._url) as customer:
            await self._model(customer)
            for stage, question in QUESTIONS.items():
                await self._ask(customer, stage, question)

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

    async def _ask(self, customer: Customer, stage: str, question: str) -> None:
        shared.say(f"  customer: {question}")
        shared.say("  assistant: ")
        screen = Screen(_write)
        asked_s = time.monotonic()
        seq = await customer.say(question)
        try:
            async with asyncio.timeout(ANSWER_S):
                async for frame in customer.frames():
                    if int(frame.data.get("seq", seq)) >= seq and screen.show(frame) and screen.answers:
                        break
        except TimeoutError:
            raise Failure(f"no answer within {ANSWER_S:.0f} s; the log is {self._log_path}", shared.DOCTOR) from None
        if question == GREETING and not screen.streamed:
            raise Failure("the answer came in one piece instead of streaming", shared.DOCTOR)
        how = "streamed" if screen.streamed else "whole"
        sources = f", {screen.sources} source{'s' * (screen.sources != 1)}" if screen.sources else ""
        self._stages.done(stage, f"{how} in {time.monotonic() - asked_s:.1f} s{sources}")


def _write(text: str) -> None:
    print(text, end="", flush=True)  # noqa: T201 - the command line prints
