from __future__ import annotations

from collections.abc import Callable

from typer.testing import Result

from server.commands import version


def test_one_line_for_bug_reports(command: Callable[..., Result]) -> None:
    output = command(version.app).output
    assert output.startswith("frontdesk 0.")
    assert output.count("\n") == 1
