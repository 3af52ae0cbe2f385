from __future__ import annotations

from collections.abc import Callable

import pytest
from typer.testing import Result

from server.commands import review
from server.commands.failure import MISUSED, Failure
from tests.server.commands.test_train import taken

Command = Callable[..., Result]
__all__ = ["taken"]


@pytest.mark.parametrize(("keys", "status"), [("aa", "approved"), ("r2", "rejected"), ("ss", "pending")])
def test_two_keys_decide(taken: Command, keys: str, status: str) -> None:
    done = taken(review.app, "queue", input=keys).output
    assert "assistant  3" in done
    assert "better     Three days. Your team" in done
    assert "Nothing waits for you." in done
    assert status in taken(review.app, "list", "--status", status).output


def test_an_edit_keeps_the_example_in_the_queue(taken: Command) -> None:
    done = taken(review.app, "queue", input="eeThree days, madam.\naa").output
    assert "better     Three days, madam." in done
    assert "approved" in done


def test_q_ends_and_nothing_changes(taken: Command) -> None:
    assert "0 looked at." in taken(review.app, "queue", input="q").output
    assert "1 pending" in taken(review.app, "list").output


def test_an_unknown_state_is_refused(command: Command) -> None:
    failure = command(review.app, "list", "--status", "lost").exception
    assert isinstance(failure, Failure)
    assert failure.code == MISUSED
