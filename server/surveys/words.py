"""What customers are asked, in their language, and what counts as an answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

Kind = Literal["csat", "nps"]

SCORES: Final[Mapping[Kind, range]] = {"csat": range(1, 6), "nps": range(11)}
FACES: Final[Mapping[str, int]] = {"🙂": 5, "😐": 3, "🙁": 1}
"""Three choices stand for five where a platform takes only three buttons."""


@dataclass(frozen=True, slots=True)
class Words:
    """The question of each kind, what follows the score, and what follows the reason."""

    csat: str
    nps: str
    why: str
    thanks: str


_WORDS: Final[Mapping[str, Words]] = {
    "en": Words(
        "How satisfied are you with our help? Answer with a number from 1 (not at all) to 5 (very).",
        "How likely are you to recommend us? Answer with a number from 0 (not at all) to 10 (very).",
        "Thank you! If you like, tell us why in one message.",
        "Thank you for telling us.",
    ),
    "de": Words(
        "Wie zufrieden sind Sie mit unserer Hilfe? Antworten Sie mit einer Zahl von 1 (gar nicht) bis 5 (sehr).",
        "Wie wahrscheinlich empfehlen Sie uns weiter? Antworten Sie mit einer Zahl von 0 (gar nicht) bis 10 (sehr).",
        "Vielen Dank! Wenn Sie mögen, schreiben Sie uns in einer Nachricht, warum.",
        "Vielen Dank für Ihre Rückmeldung.",
    ),
    "es": Words(
        "¿Qué tan satisfecho está con nuestra ayuda? Responda con un número del 1 (nada) al 5 (mucho).",
        "¿Qué probabilidad hay de que nos recomiende? Responda con un número del 0 (ninguna) al 10 (mucha).",
        "¡Gracias! Si quiere, díganos por qué en un mensaje.",
        "Gracias por decírnoslo.",
    ),
    "ar": Words(
        "ما مدى رضاك عن مساعدتنا؟ أجب برقم من 1 (غير راضٍ) إلى 5 (راضٍ جدًا).",
        "ما احتمال أن توصي بنا؟ أجب برقم من 0 (مستبعد) إلى 10 (مؤكد).",
        "شكرًا لك! إن أحببت فأخبرنا بالسبب في رسالة واحدة.",
        "شكرًا لإخبارنا.",
    ),
}


def words(language: str) -> Words:
    """The words of a language, English where it is not known."""
    return _WORDS.get(language.partition("-")[0].lower(), _WORDS["en"])


def question(kind: Kind, language: str) -> str:
    """The question of one kind."""
    found = words(language)
    return found.csat if kind == "csat" else found.nps


def choices(kind: Kind, channel: str) -> Mapping[str, int]:
    """What the buttons of a channel say, with their scores; none where the figure is typed."""
    if channel == "whatsapp":
        return FACES if kind == "csat" else {}
    return {str(score): score for score in SCORES[kind]}


def typed_score(kind: Kind, text: str) -> int | None:
    """The score that a whole message is, None when it says anything else."""
    said = text.strip().rstrip(".!")
    if kind == "csat" and said in FACES:
        return FACES[said]
    if not said.isascii() or not said.isdigit() or len(said) > 2:  # noqa: PLR2004 - no score has three figures
        return None
    return int(said) if int(said) in SCORES[kind] else None
