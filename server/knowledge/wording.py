"""Words that carry meaning, in the form in which questions, sentences and passages are compared. PURE."""

from __future__ import annotations

import re
from functools import lru_cache

from server.knowledge.glossary import fold

WORD = re.compile(r"[^\W_]+(?:['\u2019][^\W_]+)*")
SHORTEST_STEM = 3
ENDINGS = ("ingly", "edly", "ments", "ment", "ings", "ing", "ies", "ied", "ers", "er", "ed", "es", "s", "ly", "e", "y")
SMALL_WORDS = (
    # English
    "a an the is are was were be been being am i you he she it we they my your his its our their me him us them of to "
    "in on at for from with by and or but not no nor do does did done can could would should will shall may might must "
    "have has had having what which who whom whose when where why how that this these those there here so if then than "
    "as about into onto out up down over under again any some all more most such very just also too only own same both "
    "each other please thank thanks hello hi yes ok okay get got let us it's i'm don't doesn't can't won't i'd i'll "
    "i've you're we're that's what's there's one ones thing things way need want like know tell make use "
    # German
    "der die das den dem des ein eine einen einem einer eines und oder aber nicht kein keine ist sind war waren sein "
    "ich du er sie es wir ihr mich mir dich dir uns euch ihnen mein meine dein deine unser unsere euer eure zu zum zur "
    "von vom mit bei beim für auf an am in im aus nach über unter als wie was wer wo wann warum welche welcher welches "
    "kann können könnt darf dürfen muss müssen soll hat habe haben habt wird werden auch noch nur schon so dass wenn "
    "dann da hier bitte danke ja nein man mehr sehr "
    # Spanish
    "el la los las un una unos unas y o pero no es son era ser estar está están yo tú él ella nosotros vosotros ellos "
    "me te se nos os le les lo mi mis tu tus su sus de del a al en con por para sin sobre que qué quién cómo cuándo "
    "dónde cuál cuánto cuánta puedo puede podéis pueden hay he ha han tengo tiene si sí muy más también ya este esta "
    "esto ese esa gracias favor hola"
)
_SMALL = frozenset(fold(word) for word in SMALL_WORDS.split())


@lru_cache(maxsize=20_000)
def stem(word: str) -> str:
    """A word's common part of its forms (``returned``, ``returns`` -> ``return``); ``word`` is folded."""
    for ending in ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= SHORTEST_STEM:
            return word.removesuffix(ending)
    return word


def words(text: str) -> list[str]:
    """Every word, folded, in order."""
    return [fold(word) for word in WORD.findall(text)]


def content(text: str) -> list[str]:
    """The stems of words that carry meaning, in order, repetitions kept."""
    return [stem(word) for word in words(text) if word not in _SMALL and (len(word) > 1 or word.isdigit())]
