"""How much each person's thumbs count: everybody has one voice, however often they press."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from server.store.contract import Row

STAFF = 3.0  # a person of the shop knows the right answer
VERIFIED = 1.0
ANONYMOUS = 0.5  # anybody can open another browser


@dataclass(frozen=True, slots=True)
class Thumbs:
    """Voices of a time: ``good`` and ``bad`` are sums of weights, ``givers`` how many people they are."""

    good: float = 0.0
    bad: float = 0.0
    givers: int = 0

    @property
    def total(self) -> float:
        """All voices together."""
        return self.good + self.bad

    @property
    def bad_share(self) -> float:
        """The part of the voices that were bad, 0 where nobody spoke."""
        return self.bad / self.total if self.total else 0.0


def weigh(givers: Iterable[Row]) -> Thumbs:
    """Put together what each giver pressed; rows have giver_kind, verified, up and down.

    Somebody who pressed five hundred times has the same one voice as somebody who pressed once, split as they pressed.
    """
    good = bad = 0.0
    count = 0
    for row in givers:
        pressed = row["up"] + row["down"]
        if pressed <= 0:
            continue
        voice = STAFF if row["giver_kind"] != "customer" else VERIFIED if row["verified"] else ANONYMOUS
        good += voice * row["up"] / pressed
        bad += voice * row["down"] / pressed
        count += 1
    return Thumbs(good, bad, count)
