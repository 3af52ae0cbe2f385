"""The language an answer is written in, told from its commonest words. Pure.

Enough to see a German question answered in English; rows know the language of their conversation already.
"""

from __future__ import annotations

import re
from typing import Final

from training.words import TOKEN, folded

ARABIC: Final = re.compile(r"[\u0600-\u06ff]")
LETTERS: Final = re.compile(r"[^\W\d_]")
ARABIC_SHARE: Final = 0.3  # of all letters: product names stay Latin
COMMON: Final = {
    "en": "the a an and or of to in is are was it you your we our i this that for with on at as be can will not have "
    "has from by please do does if there my me they which what yes within when please let know",
    "de": "der die das den dem ein eine einen einem und oder ist sind nicht sie ihr ihre ihnen wir unser ich mit auf "
    "zu zum zur fur von bei kann konnen wird werden haben hat es im aus als auch bitte wenn nach ja nein konnten",
    "es": "el la los las un una y o de del que en es son no su sus se por para con al lo como mas puede puedo le "
    "nuestro nuestra si esta este hay ha he gracias usted desde cuando tiene",
    "fr": "le la les un une et ou de des du que qui en est sont ne pas vous votre vos nous notre je pour avec sur dans "
    "au aux ce cette il elle si plus par merci oui",
    "it": "il lo la gli i le un una e o di del della che in sono non suo sua si per con al come piu puo le nostro "
    "nostra questo questa ho ha grazie nel dal",
}
_SETS: Final = {language: frozenset(words.split()) for language, words in COMMON.items()}


def spoken(text: str) -> str:
    """Two letters of the likeliest language, or empty when common words of no language lead."""
    letters = len(LETTERS.findall(text))
    if letters and len(ARABIC.findall(text)) / letters > ARABIC_SHARE:
        return "ar"
    said = TOKEN.findall(folded(text))
    hits = {language: sum(word in words for word in said) for language, words in _SETS.items()}
    best, second = sorted(hits.values(), reverse=True)[:2]
    return max(hits, key=lambda language: hits[language]) if best > second else ""
