"""Letters the desk sends itself: by SMTP, or into a folder where the operator of a demo reads them.

Letters go out behind the answer, never in front of it: whether one was sent at all must not show in how long an answer
takes. A letter that cannot be sent is tried again twice and then dropped; the customer can ask for another code.
"""

from __future__ import annotations

import asyncio
import contextlib
import smtplib
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from email.message import EmailMessage
from email.utils import formatdate, make_msgid
from pathlib import Path
from typing import Protocol

import structlog

from config.mail import Mail
from server.ids import new_id

log = structlog.get_logger()

WAITING = 200  # letters; further ones are dropped, somebody is asking for codes in masses
TRIES = 3
PAUSE_S = 5.0
CLOSE_S = 5.0  # for letters under way when the process ends


@dataclass(frozen=True, slots=True)
class Letter:
    """A plain-text e-mail to one address."""

    to: str
    subject: str
    text: str


class MailError(Exception):
    """A letter was not taken; the message names the fault, never the address or the text."""


class Notifier(Protocol):
    """One way to bring a letter to somebody."""

    async def send(self, letter: Letter) -> None:
        """Hand the letter over; raises MailError."""
        ...


class SmtpNotifier:
    """Hands letters to the SMTP server of the settings, one connection for each."""

    def __init__(self, settings: Mail) -> None:
        self._settings = settings

    async def send(self, letter: Letter) -> None:
        """Deliver to the server in a thread; raises MailError."""
        try:
            await asyncio.to_thread(self._deliver, letter)
        except (smtplib.SMTPException, OSError, ValueError) as error:
            raise MailError(f"the mail server did not take it ({type(error).__name__}); check mail.*") from None

    def _deliver(self, letter: Letter) -> None:
        settings, message = self._settings, EmailMessage()
        message["From"], message["To"], message["Subject"] = settings.sender, letter.to, letter.subject
        message["Date"], message["Message-ID"] = formatdate(), make_msgid(domain=settings.sender.rpartition("@")[2])
        message["Auto-Submitted"] = "auto-generated"
        message.set_content(letter.text)
        context = ssl.create_default_context()
        with contextlib.ExitStack() as stack:
            if settings.security == "tls":
                server: smtplib.SMTP = smtplib.SMTP_SSL(
                    settings.host, settings.port, timeout=settings.timeout_s, context=context
                )
            else:
                server = smtplib.SMTP(settings.host, settings.port, timeout=settings.timeout_s)
            stack.enter_context(server)
            if settings.security == "starttls":
                server.starttls(context=context)
            if settings.user:
                server.login(settings.user, settings.password.get_secret_value())
            server.send_message(message)


class FolderNotifier:
    """Writes letters to files that only the owner of the process can read; for demos and drills."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    async def send(self, letter: Letter) -> None:
        """Write one file; raises MailError."""
        try:
            path = await asyncio.to_thread(self._write, letter)
        except OSError as error:
            raise MailError(f"the folder for letters cannot be written ({error.strerror}); check mail.folder") from None
        log.info("letter_written", path=str(path))

    def _write(self, letter: Letter) -> Path:
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        path = self.folder / f"{new_id()}.txt"
        with path.open("x", encoding="utf-8") as file:
            path.chmod(0o600)
            file.write(f"To: {letter.to}\nSubject: {letter.subject}\n\n{letter.text}")
        return path


def notifier(settings: Mail, data_dir: Path) -> Notifier:
    """The way the settings choose: SMTP where there is a server, else files in ``mail.folder`` or ``data_dir/mail``."""
    return SmtpNotifier(settings) if settings.host else FolderNotifier(settings.folder or data_dir / "mail")


class Mailroom:
    """Sends letters one after the other in the background; ``pause_s`` is the wait before a letter is tried again."""

    def __init__(self, way: Notifier, *, pause_s: float = PAUSE_S, waiting: int = WAITING) -> None:
        self._way = way
        self._pause_s = pause_s
        self._letters: asyncio.Queue[Letter] = asyncio.Queue(waiting)

    def post(self, letter: Letter) -> None:
        """Take a letter; returns at once."""
        try:
            self._letters.put_nowait(letter)
        except asyncio.QueueFull:
            log.warning("letter_dropped", reason="too many letters wait")

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Send until the block ends; what was posted by then still goes out, within a few seconds."""
        task = asyncio.create_task(self._sending(), name="mail")
        try:
            yield
        finally:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(CLOSE_S):
                    await self._letters.join()
            task.cancel()
            await asyncio.wait({task})

    async def _sending(self) -> None:
        while True:
            letter = await self._letters.get()
            try:
                await self._send(letter)
            finally:
                self._letters.task_done()

    async def _send(self, letter: Letter) -> None:
        for attempt in range(1, TRIES + 1):
            try:
                return await self._way.send(letter)
            except MailError as error:
                log.warning("letter_failed", attempt=attempt, reason=str(error))
            if attempt < TRIES:
                await asyncio.sleep(self._pause_s * attempt)
        return None
