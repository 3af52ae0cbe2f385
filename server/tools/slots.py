"""What a message tells besides its words: order numbers, addresses, codes, services, days, times, people. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date

from server.tools.dates import NUMBERS, Day, TimeOfDay, fold, mend, read_day, read_time

CODE_DIGITS = 6
MOST_PEOPLE_READ = 60
LOWER_CASE_NAME = 2  # words: "ana garcia" is a name, "hm" and "what does it cost" are none

_EMAIL = re.compile(r"(?<![\w.+-])[\w.+-]{1,64}@[\w-]+(?:\.[\w-]+)+")
_PHONE = re.compile(r"(?<![\w-])(?:\+|00)?\d[\d ()/-]{6,18}\d\b")
_CODE = re.compile(r"(?<![\d-])(\d{3})[\s-]?(\d{3})(?![\d-])")
_UNIT = (
    r"(?!\s?(?:euros?|eur|€|£|\$|points?|punkte|puntos|km|kilomet\w*|followers|lumens?|kelvin|watt|people|"
    r"hours|mm|cm|kg|g|ml)\b)"
)
_ZIP = (
    r"(?<!zip )(?<!zip code )(?<!postcode )(?<!post code )(?<!plz )(?<!postal )(?<!postleitzahl )"
    r"(?<!in )(?<!nach )(?<!d-)"
)
_COUNT = rf"(?P<count>\d{{1,2}}|{'|'.join(sorted(NUMBERS, key=len, reverse=True))})"
_FOLK = (
    r"(?:people|persons?|persona?s|personen|adults?|adultos|erwachsene|guests?|gaste|leute|visitors?|seats?|places?|"
    r"platze|plazas|pax|heads|tickets?|karten|entradas)"
)
_PEOPLE = [
    re.compile(rf"\b{_COUNT} (?:\w+ )?{_FOLK}\b"),
    re.compile(rf"\b{_COUNT} of (?:us|them)\b"),
    re.compile(rf"\b(?:party|group|gruppe|grupo) (?:of|von|de) {_COUNT}\b"),
    re.compile(
        rf"\b(?:there (?:will be|are)|we are|we're|we will be|we'll be|wir sind|wir waren|somos|seremos|"
        rf"seriamos) {_COUNT}\b"
    ),
    re.compile(
        rf"\b(?:for|fur|para|mit|with) {_COUNT}(?= ?(?:$|[.,;!?)]|please|bitte|por favor|on|at|am|um|el|a las))"
    ),
]
_GERMAN_GROUP = {
    "zu zweit": 2,
    "zu dritt": 3,
    "zu viert": 4,
    "zu funft": 5,
    "zu sechst": 6,
    "zu siebt": 7,
    "zu acht": 8,
}
_COUPLE = re.compile(
    r"\b(?:me and my|my \w+ and (?:i|me)|with my (?:wife|husband|partner|friend|mother|mum|mom|sister|brother|son|"
    r"daughter)|"
    r"(?:meine frau|mein mann|mein freund|meine freundin) und ich|mi (?:mujer|marido|pareja) y yo|the two of us|"
    r"both of us)\b"
)
_ALONE = re.compile(r"\b(?:just me|only me|by myself|alone|on my own|nur ich|allein|solo yo|yo solo)\b")


@dataclass(frozen=True, slots=True)
class Service:
    """A bookable service: its names by language, the words customers use for it, its usual starts (``HH:MM``)."""

    id: str
    names: tuple[tuple[str, str], ...] = ()
    words: tuple[str, ...] = ()
    starts: tuple[str, ...] = ()
    most_people: int = 0

    def name(self, language: str) -> str:
        """What the service is called; a language without a name gets the English one."""
        names = dict(self.names)
        return names.get(language.partition("-")[0]) or names.get("en") or self.id.replace("_", " ")


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """What this shop's order numbers look like, what can be booked, and the time zone of its days."""

    prefix: str = "MP"
    digits: int = 5
    services: tuple[Service, ...] = ()
    time_zone: str = "UTC"

    @property
    def example(self) -> str:
        """What an order number looks like; a made-up one, since everybody is told it."""
        return f"{self.prefix}-{'12345678'[: self.digits]}"

    def service(self, service_id: str) -> Service | None:
        """The service with this id."""
        return next((service for service in self.services if service.id == service_id), None)

    def starts(self, service_id: str) -> tuple[str, ...]:
        """The usual starts of a service, or of all of them while none is chosen."""
        chosen = self.service(service_id)
        return chosen.starts if chosen else tuple(sorted({start for each in self.services for start in each.starts}))


@dataclass(frozen=True, slots=True)
class Said:
    """Everything one message tells; ``text`` is its folded form, ``rest`` what is left without figures read."""

    text: str
    order: str = ""
    sure_order: bool = False
    part_order: bool = False
    email: str = ""
    phone: str = ""
    code: str = ""
    services: tuple[str, ...] = ()
    day: Day | None = None
    time: TimeOfDay | None = None
    people: int = 0
    rest: str = ""

    @property
    def when(self) -> bool:
        """Whether a day or a time of day was named."""
        return self.day is not None or self.time is not None


def listen(question: str, vocabulary: Vocabulary, today: date) -> Said:
    """Read a message once; each figure counts for one thing only, addresses and order numbers first."""
    text = fold(question)
    email = _EMAIL.search(question)
    rest = _EMAIL.sub(" ; ", text)
    order, sure, part, rest = _order(rest, vocabulary)
    code = _CODE.search(rest)
    phone = "" if code and code.group() == rest.strip() else _phone(rest)
    rest = mend(_PHONE.sub(" ; ", rest) if phone else rest)
    people, rest = _people(rest)
    day, rest = read_day(rest, today)
    time, rest = read_time(rest)
    return Said(
        text=text,
        order=order,
        sure_order=sure,
        part_order=part,
        email=email.group().rstrip(".") if email else "",
        phone=phone,
        code="".join(code.groups()) if code else "",
        services=tuple(_services(mend(text), vocabulary)),
        day=day,
        time=time,
        people=people,
        rest=rest,
    )


def _order(text: str, vocabulary: Vocabulary) -> tuple[str, bool, bool, str]:
    """(number, whether it is surely one, whether it is a piece of one, text without it)."""
    first, last = re.escape(vocabulary.prefix[:1].lower()), re.escape(vocabulary.prefix[-1:].lower())
    letters = rf"(?<![a-z])(?:{first}[\s.]?{last}|{last}{first}|{first}[a-z]?|{first}{last}[a-z])"
    lead = rf"{letters}[\s._:#/-]*(?:no\.?|nr\.?|number)?[\s._:#/-]*"
    digit = r"[\doil]"
    whole = re.search(rf"{lead}(?P<digits>(?:{digit}[\s.-]?){{{vocabulary.digits - 1}}}{digit})(?![\w])", text)
    if whole and sum(letter.isdigit() for letter in whole["digits"]) >= vocabulary.digits - 1:
        return _spelled(whole["digits"], vocabulary), True, False, _without(text, whole)
    bare = re.search(
        rf"{_ZIP}(?<![\d.,@€£$+-])\b(?P<digits>\d(?:[\s-]?\d){{{vocabulary.digits - 1}}})\b(?![.,]\d|-\d|"
        rf"\s\d{{2}})(?!\s?[%€]){_UNIT}",
        text,
    )
    if bare:
        marked = re.search(
            r"(?:#|no\.?|nr\.?|number|numero|nummer|order|bestellung|pedido)\s*:?\s*$", text[: bare.start()]
        )
        return _spelled(bare["digits"], vocabulary), bool(marked), False, _without(text, bare)
    prefix = re.escape(vocabulary.prefix.lower())
    part = re.search(
        rf"\b{prefix}[\s._#-]*\d{{1,{vocabulary.digits - 1}}}\b|\b{prefix}[\s._#-]*\d{{{vocabulary.digits + 1},}}\b",
        text,
    )
    return "", False, bool(part), _without(text, part) if part else text


def _spelled(digits: str, vocabulary: Vocabulary) -> str:
    plain = re.sub(r"[^\doil]", "", digits).translate(str.maketrans("oil", "011"))
    return f"{vocabulary.prefix}-{plain}"


def _without(text: str, match: re.Match[str]) -> str:
    return f"{text[: match.start()]} ; {text[match.end() :]}"


def _phone(text: str) -> str:
    for match in _PHONE.finditer(text):
        number = match.group().strip()
        digits = re.sub(r"\D", "", number)
        dated = re.match(r"20\d\d-\d\d-\d\d|\d{1,2}/\d{1,2}/20\d\d|\d{1,2}-\d{1,2}-20\d\d", number)
        if 8 <= len(digits) <= 15 and not dated:  # noqa: PLR2004 - E.164 allows 15, shorter ones are something else
            return number
    return ""


def _people(text: str) -> tuple[int, str]:
    for words, count in _GERMAN_GROUP.items():
        if re.search(rf"\b{words}\b", text):
            return count, text.replace(words, " ; ")
    for pattern in _PEOPLE:
        if match := pattern.search(text):
            count = int(match["count"]) if match["count"].isdigit() else NUMBERS[match["count"]]
            if 0 < count <= MOST_PEOPLE_READ:
                return count, _without(text, match)
    if _COUPLE.search(text):
        return 2, text
    return (1 if _ALONE.search(text) else 0), text


def _services(text: str, vocabulary: Vocabulary) -> Iterator[str]:
    """Services by how many letters of their words the message has; the best first, equals all."""
    scores: dict[str, int] = {}
    for service in vocabulary.services:
        names = [fold(name) for _, name in service.names]
        hits = {
            word
            for word in (*map(fold, service.words), *names)
            if re.search(rf"(?<!\bmy )(?<!\bour )\b{re.escape(word)}", text)
        }
        longest = {word for word in hits if not any(word != other and word in other for other in hits)}
        if longest:
            scores[service.id] = sum(map(len, longest))
    best = max(scores.values(), default=0)
    yield from (service for service, score in scores.items() if 2 * score > best)


def offers(history: Sequence[str], today: date) -> list[tuple[str, str]]:
    """The (date, time) choices that the latest numbered list of ours named, in order."""
    for text in reversed(history):
        found = []
        for line in re.findall(r"^\s*\d\.\s+(.+)$", text, re.MULTILINE):
            day, rest = read_day(mend(fold(line)), today)
            time, _ = read_time(rest)
            if day and time and time.readings:
                found.append((day.day.isoformat(), time.readings[0]))
        if found:
            return found
    return []


_POSITIONS = (
    r"(?:^|\b(?:number|nr\.?|option|the|die|den|das|la|el|nummer|numero) )(?:1|first|1st|erste[nrs]?|primer[ao]?)\b",
    r"(?:^|\b(?:number|nr\.?|option|the|die|den|das|la|el|nummer|numero) )(?:2|second|2nd|zweite[nrs]?|segund[ao])\b",
    r"(?:^|\b(?:number|nr\.?|option|the|die|den|das|la|el|nummer|numero) )(?:3|third|3rd|dritte[nrs]?|tercer[ao]?)\b",
)


def position(text: str) -> int | None:
    """Which entry of a numbered list a short folded answer means, counted from 0."""
    return next((place for place, pattern in enumerate(_POSITIONS) if re.search(pattern, text)), None)


_NAME_LEAD = re.compile(
    r"(?:(?:my|the) name(?:'s| is| would be)|name|i am|i'm|this is|it's|mein name ist|ich heisse|ich hei(?:ß|ss)e|"
    r"ich bin|me llamo|"
    r"mi nombre es|soy|a nombre de|on the name of|under the name of|auf den namen)\s*:?\s+",
    re.IGNORECASE,
)
_NAME = re.compile(r"[^\W\d_][\w'\u2019.-]*(?:\s+(?:[a-z]{1,3}\s+)?[^\W\d_][\w'\u2019.-]*){0,3}")
_NOT_NAMES = frozenset(
    [
        "yes",
        "no",
        "ok",
        "okay",
        "please",
        "thanks",
        "thank",
        "you",
        "hello",
        "hi",
        "hey",
        "sure",
        "ja",
        "nein",
        "bitte",
        "danke",
        "hallo",
        "si",
        "gracias",
        "hola",
        "and",
        "und",
        "y",
        "my",
        "the",
        "is",
        "mail",
        "email",
        "e-mail",
        "phone",
        "telefon",
        "telefono",
        "address",
        "adresse",
        "correo",
        "number",
        "mobile",
    ]
)


def read_name(question: str, *, only: bool) -> str:
    """A person's name after words such as "my name is"; with ``only`` also a message that is nothing but a name."""
    text = _PHONE.sub(" ", _EMAIL.sub(" ", question))
    lead = _NAME_LEAD.search(text)
    if not lead and not only:
        return ""
    tail = text[lead.end() :] if lead else text
    tail = re.split(r"[,;:!?\n(]|\b(?:and|und|y|my|meine?|mi)\b", tail.strip(" ,.;"), maxsplit=1)[0]
    match = _NAME.match(tail.strip())
    words = match.group().strip(" .-").split() if match else []
    if not words or (len(words) != LOWER_CASE_NAME and not lead and not words[0][0].isupper()):
        return ""
    if any(word.casefold() in _NOT_NAMES for word in words):
        return ""
    return " ".join(words) if lead or (match and match.end() >= len(tail.strip()) - 1) else ""
