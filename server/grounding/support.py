"""How far passages say what a sentence says: words in common, and no figure of its own."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from server.knowledge.contract import Passage
from server.knowledge.figures import figures, known
from server.knowledge.glossary import expanded
from server.knowledge.wording import content

FEWEST_WORDS = 2  # that carry meaning; a shorter sentence claims nothing ("You're welcome!")
ATTRIBUTED = 0.4  # share of a sentence's words that a passage must hold to be named as its source
CONFIRMED = 0.25  # the same where the model itself named the passage
FIGURE_WORTH = 3  # words; a figure in common says more than a word
COURTESY = frozenset(
    content(
        "help glad happy question questions ask feel free sorry welcome assist assistance anything else contact let "
        "know hope day great wonderful sure course thanks team customer support service understand apologize "
        "hello hi dear good morning afternoon evening kind warm best regards wishes sincerely yours cheers "
        "hallo liebe gruesse grüße grüßen freundlichen herzlichen viele hola buenos buenas saludos cordiales "
        "helfen gern gerne frage fragen leid melden freuen team kundenservice ayudar gusto pregunta preguntas duda "
        "dudas siento encantado servicio cliente"
    )
)


@dataclass(frozen=True, slots=True)
class Source:
    """A passage as the set of its words and figures."""

    passage: Passage
    words: frozenset[str]
    figures: frozenset[str]


class Sources:
    """The passages of one prompt, numbered from 1 as there."""

    def __init__(self, passages: Sequence[Passage], question: str) -> None:
        self._sources = [_source(passage) for passage in passages]
        self._asked = frozenset(content(expanded(question)))
        self.figures = frozenset(known(question)).union(*(source.figures for source in self._sources))

    def __len__(self) -> int:
        return len(self._sources)

    def passage(self, number: int) -> Passage:
        """The passage with this number in the prompt."""
        return self._sources[number - 1].passage

    def claims(self, sentence: str) -> bool:
        """Whether a sentence says something that can be true or false of the shop."""
        said = [word for word in content(sentence) if word not in COURTESY]
        return len(said) >= FEWEST_WORDS and not sentence.rstrip().endswith(("?", "؟"))

    def shares(self, sentence: str) -> list[float]:
        """For each passage, the share (0 to 1) of the sentence's words that it holds.

        Words of the question count only where the sentence has no others: repeating them proves nothing.
        """
        said = frozenset(content(expanded(sentence))) - COURTESY
        own = (said - self._asked) or said
        numbers = frozenset(reading for figure in figures(sentence) for reading in figure)
        if not own and not numbers:
            return [0.0] * len(self._sources)
        worth = len(own) + (FIGURE_WORTH if numbers else 0)
        return [
            (len(own & source.words) + (FIGURE_WORTH if numbers & source.figures else 0)) / worth
            for source in self._sources
        ]

    def best(self, shares: Sequence[float]) -> int:
        """The number of the passage that says most of it, 0 when none says enough; the first of equals."""
        if not shares or max(shares) < ATTRIBUTED:
            return 0
        return shares.index(max(shares)) + 1

    def confirmed(self, numbers: Iterable[int], shares: Sequence[float]) -> list[int]:
        """Those of the model's numbers that are passages which say it too, each once."""
        return [
            number
            for number in dict.fromkeys(numbers)
            if 0 < number <= len(self._sources) and shares[number - 1] >= CONFIRMED
        ]


def _source(passage: Passage) -> Source:
    chunk = passage.chunk
    text = f"{chunk.title} {chunk.heading}\n{chunk.text}"
    return Source(passage, frozenset(content(text)), known(text))
