"""What is said instead when no passage answers, or when the model's answer rests on none."""

from __future__ import annotations

from collections.abc import Sequence

from config.knowledge import Policy
from server.grounding.answer import Cited, Grounded, HandOver
from server.grounding.links import Allowed
from server.knowledge.contract import Passage, Retrieved
from server.knowledge.figures import figures
from server.knowledge.glossary import expanded
from server.knowledge.sentences import split
from server.knowledge.wording import content

ENGLISH = "en"
QUOTED_CHARS = (280, 200)  # of the best passage and of the next one: two short paragraphs on a telephone
STOPS = (".", "!", "?", ":", ";", ",", "…", "؟", "。", '"', "”", ")")
NEAREST_WORTH = 1.0  # added to the sentence that retrieval found nearest to the question
FIGURE_WORTH = 0.3  # added to a sentence with a figure where the question asks for one
ASKS_FIGURE = frozenset(content("much long cost price often far fast old late size weight height width days percent"))

SAY_SO = {
    "en": "I could not find an answer to that in our documents. I can pass your question on to a person.",
    "de": "Dazu habe ich in unseren Unterlagen keine Antwort gefunden. Ich kann Ihre Frage an einen Menschen "
    "weitergeben.",
    "es": "No he encontrado una respuesta a eso en nuestra documentación. Puedo pasar su pregunta a una persona.",
    "ar": "لم أجد إجابة عن ذلك في وثائقنا. يمكنني تحويل سؤالك إلى أحد الموظفين.",
}
ASK_BACK = {
    "en": "I am not sure that I understood you. Could you ask in other words, or name the product or order that you "
    "mean?",
    "de": "Ich bin nicht sicher, ob ich Sie richtig verstanden habe. Können Sie die Frage anders stellen oder das "
    "Produkt oder die Bestellung nennen, um die es geht?",
    "es": "No estoy seguro de haberle entendido. ¿Puede preguntarlo con otras palabras o decir de qué producto o "
    "pedido se trata?",
    "ar": "لست متأكدًا من أنني فهمت سؤالك. هل يمكنك صياغته بكلمات أخرى أو ذكر المنتج أو الطلب المقصود؟",
}
LEAD = {
    "en": "This is what our documents say:",
    "de": "Das steht in unseren Unterlagen:",
    "es": "Esto es lo que dice nuestra documentación:",
    "ar": "هذا ما ورد في وثائقنا:",
}


def fallback(policy: Policy, retrieved: Retrieved, language: str, question: str = "") -> Grounded | HandOver:
    """What a policy says; without anything to quote, ``quote`` says so too."""
    if policy == "hand_over":
        return HandOver()
    if policy == "quote" and retrieved.passages:
        return quote(retrieved.passages, language, question)
    return Grounded(_in(ASK_BACK if policy == "ask_back" else SAY_SO, language))


def quote(passages: Sequence[Passage], language: str, question: str = "") -> Grounded:
    """The parts of the best passages that fit the question, under a lead, each with its footnote.

    Two short parts hold the answer more often than one sentence does (``docs/measurements/knowledge.md``).
    """
    asked = frozenset(content(expanded(question)))
    paragraphs: list[str] = []
    cited: list[Cited] = []
    plain = 0
    for passage, most_chars in zip(passages, QUOTED_CHARS, strict=False):
        allowed = Allowed.of([passage], ())
        said = allowed.inert(_joined(_part(passage, asked, most_chars)))
        if said and not any(said in before for before in paragraphs):
            cited.append(Cited(len(cited) + 1, passage))
            paragraphs.append(f"{said} [{len(cited)}]")
            plain += allowed.made_plain
    if not paragraphs:
        return Grounded(_in(SAY_SO, language))
    text = "\n\n".join((_in(LEAD, language), *paragraphs))
    return Grounded(text, tuple(cited), support=1.0, supported=True, links=plain)


def _part(passage: Passage, asked: frozenset[str], most_chars: int) -> list[str]:
    """The piece that fits best with what stands around it, as far as it goes into ``most_chars``; a table row alone."""
    pieces = split(passage.chunk.text)
    if not pieces:
        return []
    scores = [_score(piece, asked, passage.nearest) for piece in pieces]
    first = last = scores.index(max(scores))
    size, row = len(pieces[first]), _is_row(pieces[first])
    grown = not row
    while grown:
        grown = False
        for place in (last + 1, first - 1):  # what follows explains more often than what stands before
            if 0 <= place < len(pieces) and not _is_row(pieces[place]) and size + len(pieces[place]) < most_chars:
                first, last, size = min(first, place), max(last, place), size + 1 + len(pieces[place])
                grown = True
    return pieces[first : last + 1]


def _joined(pieces: Sequence[str]) -> str:
    """One line; points of a list, which end without a stop, are parted by semicolons."""
    ends = [" " if piece.endswith(STOPS) else "; " for piece in pieces[:-1]]
    return "".join(f"{piece}{end}" for piece, end in zip(pieces, [*ends, ""], strict=True))


def _is_row(piece: str) -> bool:
    """Whether a piece was a row of a table."""
    return "; " in piece and ": " in piece


def _score(piece: str, asked: frozenset[str], nearest: str) -> float:
    score = _common(piece, asked) + (NEAREST_WORTH if piece == nearest else 0.0)
    return score + (FIGURE_WORTH if asked & ASKS_FIGURE and figures(piece) else 0.0)


def _common(piece: str, asked: frozenset[str]) -> float:
    return len(asked.intersection(content(piece))) / (1 + len(asked))


def _in(texts: dict[str, str], language: str) -> str:
    return texts.get(language.partition("-")[0].lower(), texts[ENGLISH])
