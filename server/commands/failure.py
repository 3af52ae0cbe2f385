"""How a command says that it did not work; imported by every start, so it needs nothing."""

from __future__ import annotations

OK = 0
FAILED = 1  # the work was not done, or doctor found a fault
MISUSED = 2  # wrong usage, or settings that cannot be used
INTERRUPTED = 130  # Ctrl-C before the work was done


class Failure(Exception):
    """One cause and one command or change that repairs it; ``code`` is the exit status."""

    def __init__(self, cause: str, repair: str = "", *, code: int = FAILED) -> None:
        super().__init__(cause)
        self.cause = cause.rstrip()
        self.repair = repair
        self.code = code

    def __str__(self) -> str:
        return f"{self.cause}\n  repair: {self.repair}" if self.repair else self.cause
