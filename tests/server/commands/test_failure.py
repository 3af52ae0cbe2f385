from __future__ import annotations

from server.commands.failure import FAILED, Failure


def test_cause_and_repair_are_two_lines() -> None:
    failure = Failure("it broke", "mend it")
    assert str(failure) == "it broke\n  repair: mend it"
    assert failure.code == FAILED
    assert str(Failure("only a cause", code=2)) == "only a cause"
