"""Letters: into a folder, to a mail server, tried again, and never in anybody's way."""

from __future__ import annotations

import asyncio
import stat
from pathlib import Path

import pytest

from config.mail import Mail
from server.tools.mail import FolderNotifier, Letter, MailError, Mailroom, SmtpNotifier, notifier
from tests.places import until

LETTER = Letter("ana@mail.example", "Your code: 482913", "Hello,\n\nthe code is 482913.\n")


class SmtpDouble:
    """Speaks enough SMTP to take one letter after the other."""

    def __init__(self) -> None:
        self.letters: list[str] = []
        self.refuse = False

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 double\r\n")
        while line := (await reader.readline()).decode().strip():
            verb = line.split()[0].upper()
            if verb == "DATA":
                writer.write(b"354 go on\r\n")
                self.letters.append((await reader.readuntil(b"\r\n.\r\n")).decode())
                writer.write(b"250 taken\r\n")
            elif verb == "QUIT":
                writer.write(b"221 bye\r\n")
                break
            else:
                writer.write(b"550 no\r\n" if self.refuse and verb == "RCPT" else b"250 ok\r\n")
        await writer.drain()
        writer.close()


class Failing:
    """Refuses the first letters."""

    def __init__(self, times: int) -> None:
        self.times, self.tried, self.sent = times, 0, 0

    async def send(self, _letter: Letter) -> None:
        self.tried += 1
        if self.tried <= self.times:
            raise MailError("away")
        self.sent += 1


async def test_a_letter_in_a_folder_is_for_its_owner_only(tmp_path: Path) -> None:
    way = notifier(Mail(), tmp_path)
    assert isinstance(way, FolderNotifier)
    await way.send(LETTER)
    [path] = way.folder.iterdir()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert "482913" in path.read_text()
    (tmp_path / "file").touch()
    with pytest.raises(MailError, match=r"mail\.folder"):
        await FolderNotifier(tmp_path / "file").send(LETTER)


async def test_a_letter_goes_to_the_mail_server() -> None:
    double = SmtpDouble()
    server = await asyncio.start_server(double.serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server:
        way = notifier(Mail(host="127.0.0.1", port=port, security="none", sender="desk@shop.example"), Path())
        assert isinstance(way, SmtpNotifier)
        await way.send(LETTER)
        assert "Subject: Your code: 482913" in double.letters[0]
        assert "Auto-Submitted: auto-generated" in double.letters[0]
        double.refuse = True
        with pytest.raises(MailError) as raised:
            await way.send(LETTER)
        assert "ana@" not in str(raised.value)


async def test_letters_are_tried_again_and_dropped_in_the_end() -> None:
    for times, sent in ((2, 1), (9, 0)):
        way = Failing(times)
        room = Mailroom(way, pause_s=0.001)
        async with room.running():
            room.post(LETTER)
            await until(lambda way=way: way.tried == 3)
        assert way.sent == sent


async def test_what_was_posted_still_goes_out_at_the_end_and_masses_are_dropped() -> None:
    way = Failing(0)
    room = Mailroom(way, waiting=2)
    for _ in range(5):
        room.post(LETTER)
    async with room.running():
        pass
    assert way.sent == 2
