"""``frontdesk chat``: a customer in the terminal, over the public API of a running server."""

from __future__ import annotations

import asyncio
import signal
import sys
import threading
from contextlib import suppress
from typing import Annotated

import typer

from server.commands import shared
from server.commands.client import Customer
from server.commands.failure import Failure
from server.commands.screen import Screen

app = typer.Typer(add_completion=False, rich_markup_mode=None)

QUIT = "/quit"
HINT = f"Ctrl-C stops an answer, {QUIT} leaves."
LAST_ANSWER_S = 180.0  # how long a script that ran out of lines waits for the last answer


@app.command()
def chat(
    url: Annotated[str, typer.Option(help="Server to talk to; empty = the one these settings describe.")] = "",
    account: Annotated[str, typer.Option(help="Account of the web channel.")] = "default",
) -> None:
    """Talk to a running server as a customer, in the terminal."""
    shared.run(Chat(url or shared.public_url(shared.settings()), account).run())


class Chat:
    """Lines in, answers out; one question is open at a time."""

    def __init__(self, url: str, account: str) -> None:
        self._url = url
        self._account = account
        self._screen = Screen(_write)
        self._idle = asyncio.Event()
        self._lines: asyncio.Queue[str | None] = asyncio.Queue()

    async def run(self) -> None:
        """Talk until ``/quit``, end of input, or Ctrl-C while nothing is being written."""
        self._idle.set()
        async with Customer.visiting(self._url, self._account) as customer:
            shared.say(f"{customer.name or 'frontdesk'}: {customer.disclosure} {HINT}")
            self._read_lines()
            reader = asyncio.create_task(self._show(customer), name="chat events")
            loop = asyncio.get_running_loop()
            loop.add_signal_handler(signal.SIGINT, self._interrupt, customer)
            try:
                await self._talk(customer, reader)
            finally:
                loop.remove_signal_handler(signal.SIGINT)
                reader.cancel()
                with suppress(asyncio.CancelledError, Failure):
                    await reader

    async def _talk(self, customer: Customer, reader: asyncio.Task[None]) -> None:
        while True:
            await self._until_idle(reader)
            if sys.stdin.isatty():
                _write("> ")
            line = await self._lines.get()
            if line is None or line.strip() == QUIT:
                return
            if line.strip():
                self._idle.clear()
                await customer.say(line.strip())

    async def _until_idle(self, reader: asyncio.Task[None]) -> None:
        idle = asyncio.create_task(self._idle.wait())
        patience_s = None if sys.stdin.isatty() else LAST_ANSWER_S
        await asyncio.wait({idle, reader}, timeout=patience_s, return_when=asyncio.FIRST_COMPLETED)
        if reader.done():
            idle.cancel()
            reader.result()
        if not idle.done():
            idle.cancel()
            raise Failure(f"no answer within {LAST_ANSWER_S:.0f} s", shared.DOCTOR)

    async def _show(self, customer: Customer) -> None:
        async for frame in customer.frames():
            if self._screen.show(frame):
                self._idle.set()

    def _interrupt(self, customer: Customer) -> None:
        """Ctrl-C: stop the answer if one is open, else leave."""
        if self._idle.is_set():
            self._lines.put_nowait(None)
        else:
            self._stopping = asyncio.create_task(self._stop(customer))

    async def _stop(self, customer: Customer) -> None:
        with suppress(Failure):
            await customer.stop()
        self._idle.set()

    def _read_lines(self) -> None:
        """Read standard input in a thread of its own, so that leaving never waits for Enter."""
        loop = asyncio.get_running_loop()

        def read() -> None:
            with suppress(RuntimeError):  # the loop is closed: nobody listens any more
                for line in sys.stdin:
                    loop.call_soon_threadsafe(self._lines.put_nowait, line)
                loop.call_soon_threadsafe(self._lines.put_nowait, None)

        threading.Thread(target=read, name="chat input", daemon=True).start()


def _write(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()
