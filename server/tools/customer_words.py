"""Arguments that carry what the customer said: code fills them in, no model ever words them. Pure.

A tool's schema marks such a property with ``"x-customer-words": true``. It is not shown to the model, so a small one
cannot write what nobody said.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from models.chat import ToolSpec
from server.tools.dates import fold

MARK = "x-customer-words"
MOST_EARLIER = 2  # messages before the wish, where the wish itself does not say what it is about
MOST_CHARS = 1_000  # of an argument whose schema names no length
_FILLERS = """
a about absolutely again ahead all also an and another any anybody anything are as ask at be but bye can case cheers
complain complaint correct could create do does else exactly file fine for go good great have hello help hey hi how i
i'd i'll i'm i've if in is it its just kindly let like log make matter may maybe me might mine my need new no nope not
now of ok okay on one open our out please problem put raise record report request right say should so some staff start
submit support sure talk team tell thank thanks that that's the them then there these thing this those ticket to try
up us very want was we well what will wish with would yeah yep yes you your aber alles anlegen auch auf aufmachen
aufnehmen bei beschwerde beschweren bitte bitten brauche da danach danke darum das dazu dem den denn der dich die dies
diese dieses doch ein eine einem einen einer einreichen eroffne eroffnen erstelle erstellen es euch eure fall fur
gerne gern guten habe hallo hatte hier hilfe ich ihr ihnen im ist ja jetzt kann konnen konnt konnte konnten konntet
lege legen mach mache machen mal mein meine melden mich mir mit mochte morgen nein noch nun ob oder reklamation
reklamieren sache schon sehr sie tag um und uns vielen von vorgang wegen wir wurde zu zum zur abra abran abre abrid
abrir abro algo ahora ayuda buenas buenos caso con crea crear cree de del dias dejar el ella ello en esa ese eso esta
este esto favor gracias gustaria ha hacer haga hago he hola incidencia la las le les lo los mi mis necesito nos nueva
nuevo para pero poner por porque pueda puede pueden puedes puedo pon problema que queja quejarme quiero quisiera
reclamacion reclamar registrar se si sobre su sus tal tardes te tengo tiene todo tu un una usted ustedes va vale
vosotros y ya yo
"""  # English, German, Spanish: asking, greeting, agreeing, and the names of what is put on record
_EMPTY = frozenset(_FILLERS.split())
_WORD = re.compile(r"[^\W_][\w'-]*")


def marked(parameters: Mapping[str, Any]) -> tuple[str, ...]:
    """The names of the arguments that carry the customer's words."""
    properties = parameters.get("properties")
    entries = properties.items() if isinstance(properties, Mapping) else ()
    return tuple(name for name, entry in entries if isinstance(entry, Mapping) and entry.get(MARK) is True)


def without(spec: ToolSpec) -> ToolSpec:
    """The tool as the model sees it: without what code fills in."""
    names = marked(spec.parameters)
    if not names:
        return spec
    parameters: Mapping[str, Any] = spec.parameters
    properties = {name: entry for name, entry in parameters["properties"].items() if name not in names}
    required = [name for name in parameters.get("required", ()) if name not in names]
    return ToolSpec(spec.name, spec.description, {**parameters, "properties": properties, "required": required})


def fill(spec: ToolSpec, question: str, earlier: Sequence[str]) -> dict[str, str]:
    """Every marked argument with what the customer said, cut to its ``maxLength``; none when nothing was said.

    ``earlier`` are the customer's messages before ``question``, oldest first.
    """
    said = words(question, earlier) or question.strip()
    parameters: Mapping[str, Any] = spec.parameters
    names = marked(parameters) if said else ()
    return {name: shortened(said, parameters["properties"][name].get("maxLength", MOST_CHARS)) for name in names}


def words(question: str, earlier: Sequence[str]) -> str:
    """What a wish is about in the customer's words; empty when neither it nor the messages before it tell anything.

    "Please open a ticket" tells nothing by itself, so the last messages that do are put in its place.
    """
    if tells(question):
        return question.strip()
    return "\n".join([text.strip() for text in earlier if tells(text)][-MOST_EARLIER:])


def tells(text: str) -> bool:
    """Whether a message says more than a greeting, a yes, or that something shall be put on record."""
    return any(word not in _EMPTY for word in _WORD.findall(fold(text)))


def shortened(text: str, most: int) -> str:
    """A text in at most so many characters, with an ellipsis where something was left out."""
    return text if len(text) <= most else f"{text[: most - 1].rstrip()}…"
