"""Starting and stopping for real stands in tests/server/test_cli.py."""

from __future__ import annotations

from collections.abc import Callable

from typer.testing import Result

from server.app import ROLES
from server.commands import serve


def test_roles_are_those_of_the_server() -> None:
    assert tuple(part.value for part in serve.Part) == ROLES


def test_another_role_is_refused(command: Callable[..., Result]) -> None:
    assert command(serve.app, "--role", "nobody").exit_code == 2
