"""What is left of an answer once it has been held against its passages."""

from __future__ import annotations

from dataclasses import dataclass

from server.knowledge.contract import Passage


@dataclass(frozen=True, slots=True)
class Cited:
    """A footnote: ``[number]`` in the text stands for this passage, which was in the prompt."""

    number: int
    passage: Passage


@dataclass(frozen=True, slots=True)
class Grounded:
    """An answer as it may be shown.

    ``citations`` are numbered from 1 in the order of their marks in ``text``; ``removed`` counts marks of the model
    that named no passage of the prompt or one that does not say this; ``withheld`` counts sentences left out because
    of a figure or address found neither in the passages nor in the question; ``links`` counts addresses that were
    made plain text. ``support`` (0 to 1) is how much of what is said the passages say too.
    """

    text: str
    citations: tuple[Cited, ...] = ()
    removed: int = 0
    support: float = 0.0
    supported: bool = False
    withheld: int = 0
    links: int = 0


@dataclass(frozen=True, slots=True)
class HandOver:
    """The policy's word that a person answers instead."""

    reason: str = "low_confidence"
