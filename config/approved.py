"""Messages a platform has approved for use outside its window of free text, as the shop writes them down. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

LONGEST_VALUE = 500  # characters of one variable
_LINE = re.compile(
    r"(?P<key>[A-Za-z0-9_-]+)\s+(?P<language>[A-Za-z]{2,3}(?:_[A-Za-z]{2,4})?):\s*(?P<text>\S.*)", re.DOTALL
)
_VARIABLE = re.compile(r"\{\{\s*(.*?)\s*\}\}")


@dataclass(frozen=True, slots=True)
class Approved:
    """One approved message: the platform's name for it, its language, and its words with ``{{1}}``, ``{{2}}``, ….

    ``key`` is a content SID at Twilio and a template's name at Meta. ``text`` is "" where only the platform knows it.
    """

    key: str
    language: str
    text: str

    @property
    def variables(self) -> int:
        """How many values it takes."""
        return len(set(_VARIABLE.findall(self.text)))

    def filled(self, values: Sequence[str]) -> str:
        """Its words with the values put in, the first one for ``{{1}}``; the key where the words are not known."""
        return _VARIABLE.sub(lambda found: values[int(found[1]) - 1], self.text) or self.key


def approved(line: str) -> Approved:
    """Read a line such as ``order_ready en_US: Hello {{1}}, your order is ready.``; raises ValueError."""
    match = _LINE.fullmatch(line.strip())
    if match is None:
        message = f"{line!r} is not like 'order_ready en: Hello {{{{1}}}}, your order is ready.'"
        raise ValueError(message)
    found = Approved(match["key"], match["language"], match["text"])
    numbers = set(_VARIABLE.findall(found.text))
    if numbers != {str(number) for number in range(1, len(numbers) + 1)}:
        message = f"the variables of {found.key} must be numbered {{{{1}}}}, {{{{2}}}}, … without a gap"
        raise ValueError(message)
    return found
