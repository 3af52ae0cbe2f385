"""Tells from an answer's words whether it says "I do not know" instead of answering. Pure.

The phrases are those the product itself says when nothing is found, and the ways a model puts the same thing, in
English, German, Spanish, French, Italian and Arabic.
"""

from __future__ import annotations

import re
from typing import Final

from training.words import folded

OPENING_SENTENCES: Final = 2  # a refusal says so at once; later it only limits what was answered
SENTENCE_END: Final = re.compile(r"(?<=[.!?؟])\s+|\n+")
MARKS: Final = re.compile(r"\[\d{1,2}\]")

_WE: Final = r"(?:i|we)(?: am| are|'m|'re)?"
_ENGLISH: Final = (
    (
        rf"\b{_WE} (?:really |honestly |sorry,? (?:but )?(?:i |we )?)?(?:do not|don't|dont) (?:currently |actually )?"
        r"(?:know|have (?:\w+ ){0,3}?(?:information|answer|details|data)|see that)"
    ),
    (
        rf"\b{_WE} (?:could not|couldn't|cannot|can't|can not|was not able to|wasn't able to|unable to|not able to) "
        r"(?:\w+ ){0,2}?(?:find|answer|tell|say|confirm|see|help (?:you )?with (?:that|this))"
    ),
    r"\b(?:i am|i'm|we are|we're) not (?:sure|certain|aware)\b",
    (
        r"\b(?:is|are|was) not (?:\w+ )?(?:mentioned|stated|given|specified|covered|described|listed|provided|"
        r"answered) (?:in|by|anywhere)\b"
    ),
    (
        r"\b(?:sources?|passages?|documents?|documentation|text|context)\b[^.]{0,40}"
        r"\b(?:do(?:es)? not|don't|doesn't|not|never) "
        r"(?:say|mention|answer|state|contain|tell|cover|give|specify|include)"
    ),
    (
        r"\bthere is no (?:information|mention|answer)\b|\bno information (?:about|on|is)\b|\bnot in (?:the|our|my) "
        r"(?:sources|passages|documents)\b"
    ),
)
_GERMAN: Final = (
    (
        r"\b(?:weiss|wissen) (?:ich|wir) (?:das |es |dazu |leider )*nicht\b|\b(?:ich|wir) (?:weiss|wissen) "
        r"(?:das |es |dazu |leider )*nicht\b"
    ),
    r"\b(?:kein\w*) (?:\w+ )?(?:antwort|information\w*|angabe\w*|auskunft|hinweis\w*)\b",
    (
        r"\b(?:kann|konnen|konnte|konnten) (?:ich|wir)\b[^.]{0,40}\bnicht (?:sagen|beantworten|finden|bestatigen)\b|"
        r"\b(?:ich|wir) (?:kann|konnen|konnte|konnten)\b[^.]{0,40}\bnicht (?:sagen|beantworten|finden|bestatigen)\b"
    ),
    r"\b(?:steht|stehen|wird|geht) (?:das |dazu |leider )*nicht in\b|\bnicht (?:angegeben|erwahnt|bekannt|gefunden)\b",
)
_SPANISH: Final = (
    (
        r"\bno (?:lo )?(?:se|sabemos)\b(?! pre)|\bno (?:he|hemos|puedo|podemos|pude) (?:\w+ )?"
        r"(?:encontrado|encontrar|responder|contestar|confirmar|decir\w*)\b"
    ),
    r"\bno (?:tengo|tenemos|dispongo|disponemos|hay) (?:de )?(?:\w+ )?(?:informacion|datos|respuesta)\b",
    r"\bno (?:encuentro|aparece|figura|consta)\b|\bno se (?:menciona|indica|especifica)\b",
)
_FRENCH_ITALIAN: Final = (
    r"\bje ne (?:sais|trouve|peux) (?:\w+ )?pas\b|\bje n'ai pas (?:\w+ )?(?:trouve|information\w*|reponse)\b",
    r"\bnon (?:lo )?so\b|\bnon (?:ho|abbiamo) (?:\w+ )?(?:trovato|informazion\w+|rispost\w+)\b",
    r"\bnon riesco a trovare\b",
)
_ARABIC: Final = tuple(
    map(folded, ("لم أجد", "لم نجد", "لا أعرف", "لا أعلم", "لا توجد", "لا تتوفر", "ليس لدي", "لست متأكد"))
)

REFUSAL: Final = re.compile(
    "|".join(f"(?:{pattern})" for pattern in (*_ENGLISH, *_GERMAN, *_SPANISH, *_FRENCH_ITALIAN, *_ARABIC))
)


def refuses(text: str) -> bool:
    """Whether the first sentences of an answer say that there is no answer; an empty text does not refuse."""
    plain = folded(MARKS.sub("", text))
    opening = " ".join(SENTENCE_END.split(plain.strip())[:OPENING_SENTENCES])
    return bool(REFUSAL.search(opening))
