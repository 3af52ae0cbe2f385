"""What a retrain needs from the rest of the server, and how a stage may end.

RetrainError
├── StageFailed     a stage cannot be done; the message is shown to whoever started the run
├── Declined        "should we tune?" was answered with no
└── StopAsked       somebody stopped the run
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

from server.routes import Principal

Verdict = Literal["promote", "reject", "not_enough_evidence"]
Stage = Literal["export", "advise", "prepare", "train", "check", "evaluate", "gate", "candidate"]
STAGES: tuple[Stage, ...] = ("export", "advise", "prepare", "train", "check", "evaluate", "gate", "candidate")
SUBJECTS = ("base", "live", "candidate")  # what the evaluation asks, in this order


class RetrainError(Exception):
    """Root of everything that ends a run early."""


class StageFailed(RetrainError):
    """A stage cannot be done; the message says what happened and what to do."""


class Declined(RetrainError):
    """There is a better thing to do than to train; the message says what."""


class StopAsked(RetrainError):
    """Somebody stopped the run."""


class Adapter(Protocol):
    """A checked adapter in the registry."""

    @property
    def name(self) -> str:
        """What it is served as."""
        ...

    @property
    def digest(self) -> str:
        """Its content's digest in hex."""
        ...

    @property
    def manifest(self) -> Mapping[str, Any]:
        """What it was made of."""
        ...


class Registry(Protocol):
    """Adapters on disk; its methods read files and are called in a thread."""

    def put(self, source: Path, tenant: str) -> Adapter:
        """Check an adapter and take it in; the same one again is the same. Raises an error that says every fault."""
        ...


class Bundle(Protocol):
    """The part of a release that an evaluation needs."""

    @property
    def model(self) -> str:
        """The base model's served name."""
        ...

    @property
    def adapter(self) -> str | None:
        """The adapter that answers by default."""
        ...


class Releases(Protocol):
    """Bundles and what names them."""

    @property
    def live(self) -> str:
        """The id of the live one, empty while there is none."""
        ...

    async def get(self, release_id: str) -> Bundle:
        """One bundle; raises LookupError."""
        ...

    async def candidate(self, adapter: str, *, by: Principal, run: str | None, dataset: str | None) -> str:
        """The live bundle with another adapter; returns its id."""
        ...

    async def judge(self, release_id: str, verdict: Verdict, report: Mapping[str, Any]) -> None:
        """Keep what the gate said of it."""
        ...


class ModelServers(Protocol):
    """The model servers of this process."""

    async def ensure(self, names: Collection[str], timeout_s: float) -> None:
        """Have adapters loaded and proved on every one; raises an error that says what is missing."""
        ...


@dataclass(frozen=True, slots=True)
class Doorway:
    """Where the evaluating child asks: an address ending in /v1, and the key it must show."""

    url: str
    key: str


class Opens(Protocol):
    """Lets a child ask the model for a while."""

    def open(self) -> AbstractAsyncContextManager[Doorway]:
        """A private address until the block ends."""
        ...


@dataclass(frozen=True, slots=True)
class Machine:
    """What of this machine a retrain uses: weights of the base model and their served name, threads, suites."""

    base: Path
    base_name: str
    threads: int
    suites: tuple[Path, ...]
