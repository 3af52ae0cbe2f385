from __future__ import annotations

from collections.abc import Callable

from typer.testing import Result

from server.commands import search
from server.commands.failure import Failure


def test_without_documents_it_says_how_to_get_some(command: Callable[..., Result]):
    failure = command(search.app, "where is my parcel").exception
    assert isinstance(failure, Failure)
    assert "frontdesk ingest" in str(failure)
