"""Who looks, and at which inboxes: what lists need to leave out the rows of other teams."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Sight:
    """A person and their scope as :mod:`server.teams` writes it; by itself everything."""

    person: str = ""
    scope: str = ""

    def values(self) -> dict[str, str]:
        """As queries with ``{within c}`` or ``{of x.column}`` take it (:mod:`server.store.statements`)."""
        return {"person": self.person, "scope": self.scope}


ALL: Final = Sight()
