"""The database commands on real files; what they call is tested in tests/stores."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from typer.testing import Result

from server.commands import bot, store
from server.commands.failure import Failure

Command = Callable[..., Result]


def test_backup_restore_copy_check_purge(command: Command, tmp_path: Path) -> None:
    assert "is current" in command(store.app, "migrate").output
    command(bot.app, "off")
    saved = tmp_path / "saved.db"
    assert f"{saved}: " in command(store.app, "backup", str(saved)).output
    again = command(store.app, "backup", str(saved)).exception
    assert isinstance(again, Failure)
    assert "exists already" in str(again)

    command(bot.app, "on")
    refused = command(store.app, "restore", str(saved)).exception
    assert isinstance(refused, Failure)
    assert "--force" in str(refused)
    assert "Restored" in command(store.app, "restore", str(saved), "--force").output
    assert "every channel            silent" in command(bot.app, "status").output

    source = f"sqlite:///{tmp_path}/data/frontdesk.db"
    copied = command(store.app, "copy", source, f"sqlite:///{tmp_path}/copy.db")
    assert "bot_switch       1" in copied.output
    assert "rows copied and counted." in copied.output
    assert command(store.app, "purge").exit_code == 0
    assert "ok    schema" in command(store.app, "check").output


def test_check_fails_on_a_damaged_file(command: Command, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "frontdesk.db").write_bytes(b"this is not a database, " * 100)
    failure = command(store.app, "check").exception
    assert isinstance(failure, Failure)
    assert failure.repair == "frontdesk store restore BACKUP --force"
