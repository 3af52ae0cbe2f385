"""Where personal data stands in a text: patterns with checksums, phone numbers by numbering plan.

A text is read through its shadow: the same length, compatibility forms and foreign digits as ASCII, so that
full-width or Arabic digits hide nothing and every position still fits the original.
"""

from __future__ import annotations

import ipaddress
import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import phonenumbers

INVISIBLE = re.compile("[\u00ad\u200b\u2060\ufeff\u180e]")  # written into an address to break it up
FEWEST_PHONE_DIGITS = 7
CARD_DIGITS = (14, 19)
BEFORE = 32  # characters before a number that may say it is no phone number
_EMAIL = re.compile(
    r"(?<![\w.+%'-])[\w.+%'-]{1,64}(?:@|%40)(?:[\w-]{1,63}\.){1,8}[\w-]{2,63}(?![\w-])"
    r"|[\w.+-]{1,64} ?(?:\(at\)|\[at\]|\{at\}) ?[\w-]{1,63}(?: ?(?:\.|\(dot\)|\[dot\]|\{dot\}) ?[\w-]{2,63}){1,4}",
    re.IGNORECASE,
)
_CARD = re.compile(r"(?<!\d)(?=([2-6](?:[ .-]?\d){13,18}))")  # every start is tried: an order number may stand before
_IBAN = re.compile(r"(?<![A-Z0-9])(?=(([A-Z]{2})\d{2}(?:[ -]?[A-Z0-9]){11,30}))", re.IGNORECASE)
_IPV4 = re.compile(r"(?<![\d.])(?:\d{1,3}\.){3}\d{1,3}(?![\d]|\.\d)")
_IPV6 = re.compile(
    r"(?<![\w:.])(?=[0-9a-f:.]*\d)[0-9a-f]{0,4}(?::[0-9a-f]{0,4}){2,7}(?:\d{0,3}(?:\.\d{1,3}){3})?(?![\w:])",
    re.IGNORECASE,
)
_ID_BEFORE = re.compile(
    r"(?:\b(?:part|article|item|sku|ean|gtin|isbn|serial|model|order|invoice|tracking|reference|ref|batch|lot|case|"
    r"ticket|product|artikel|teile?|bestell|auftrags|rechnungs|serien|kunden|pedido|factura|art[ií]culo|referencia)"
    r"[ -]?(?:number|numbers|nummer|num|no|nr|n[uú]mero|id|code)?s?[.:#]?\s*(?:is|ist|es|n[.ºo°]{1,2})?\s*[:#]?\s*"
    r"|#\s?)$",
    re.IGNORECASE,
)  # fmt: skip
_PHONE_BEFORE = re.compile(
    r"\b(?:tele(?:ph|f)one?|phone|tel|call|mobile|whatsapp|number is|handy|telefon|fon|móvil|llam)\W*\w{0,8}\W*$",
    re.IGNORECASE,
)
_PHONE_START = re.compile(r"(?<![\w.,])(?:\+|\(|0\d{1,4}[ /-])[\d ()./-]{6,28}\d")
IBAN_LENGTHS = {
    code: int(length)
    for code, length in re.findall(
        r"([A-Z]{2})(\d{2})",
        "AD24AE23AL28AT20AZ28BA20BE16BG22BH22BR29BY28CH21CR22CY28CZ24DE22DK18DO28EE20EG29ES24FI18FO18FR27GB22GE22GI23"
        "GL18GR27GT28HR21HU28IE22IL23IQ23IS26IT27JO30KW30KZ20LB28LC32LI21LT20LU20LV21LY25MC27MD24ME22MK19MR27MT31MU30"
        "NL18NO15PK24PL28PS29PT25QA29RO24RS22SA24SC31SD18SE24SI19SK24SM27ST25SV28TL23TN24TR26UA29VA22VG24XK20",
    )
}


@dataclass(frozen=True, slots=True)
class Found:
    """Personal data at ``start:end`` of a text; equal ``value`` means the same address or number."""

    start: int
    end: int
    kind: str
    value: str


def visible(text: str) -> str:
    """The text composed, without characters that only serve to break words up."""
    return unicodedata.normalize("NFC", INVISIBLE.sub("", text))


def shadow(text: str) -> str:
    """The text of the same length with digits and compatibility characters as the patterns know them."""
    return text if text.isascii() else "".join(_plain(letter) for letter in text)


@lru_cache(maxsize=4096)
def _plain(letter: str) -> str:
    digit = unicodedata.digit(letter, None) if letter.isdigit() else None
    if digit is not None:
        return str(digit)
    if letter.isspace():
        return letter if letter == "\n" else " "
    if unicodedata.category(letter) == "Pd":
        return "-"
    compatible = unicodedata.normalize("NFKC", letter)
    return compatible if len(compatible) == 1 else letter


def digits_of(text: str) -> str:
    """Its digits alone."""
    return re.sub(r"\D", "", text)


def luhn(digits: str) -> bool:
    """Whether the last digit is the check digit of the others."""
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit) * (1 + place % 2)
        total += value - 9 if value > 9 else value  # noqa: PLR2004 - the digit sum of a two-digit number
    return total % 10 == 0


def mod97(iban: str) -> bool:
    """Whether an IBAN without blanks has its check digits right."""
    turned = iban[4:] + iban[:4]
    return int("".join(str(int(letter, 36)) for letter in turned)) % 97 == 1


def emails(text: str) -> Iterator[Found]:
    """E-mail addresses, also written with (at)."""
    for match in _EMAIL.finditer(text):
        value = re.sub(r" ?[(\[{]at[)\]}] ?|%40", "@", match[0].lower())
        yield Found(match.start(), match.end(), "email", re.sub(r" ?[(\[{]dot[)\]}] ?", ".", value).replace(" ", ""))


def cards(text: str) -> Iterator[Found]:
    """Payment cards: 14 to 19 digits of a card's range with the right check digit."""
    for match in _CARD.finditer(text):
        for length in range(len(match[1]), CARD_DIGITS[0] - 1, -1):
            digits, after = digits_of(match[1][:length]), text[match.start() + length : match.start() + length + 1]
            if (
                match[1][length - 1].isdigit()
                and not after.isdigit()
                and len(digits) >= CARD_DIGITS[0]
                and luhn(digits)
            ):
                yield Found(match.start(), match.start() + length, "card", digits)
                break


def ibans(text: str) -> Iterator[Found]:
    """Bank accounts: a country's length and the right check digits."""
    for match in _IBAN.finditer(text):
        wanted = IBAN_LENGTHS.get(match[2].upper(), 0)
        found = ""
        for place, letter in enumerate(match[1]):
            if letter.isalnum():
                found += letter.upper()
            if wanted and len(found) == wanted:
                end = match.start() + place + 1
                if found.isascii() and mod97(found) and not text[end : end + 1].isalnum():
                    yield Found(match.start(), end, "iban", found)
                break


def addresses(text: str) -> Iterator[Found]:
    """Internet addresses of both versions."""
    for pattern in (_IPV4, _IPV6):
        for match in pattern.finditer(text):
            try:
                value = str(ipaddress.ip_address(match[0]))
            except ValueError:
                continue
            yield Found(match.start(), match.end(), "ip", value)


@lru_cache(maxsize=65_536)
def _phones(text: str, regions: tuple[str, ...]) -> tuple[Found, ...]:
    found: dict[tuple[int, int], Found] = {}
    for region in regions or ("ZZ",):
        for match in phonenumbers.PhoneNumberMatcher(text, region, leniency=phonenumbers.Leniency.VALID):
            place = (match.start, match.end)
            value = phonenumbers.format_number(match.number, phonenumbers.PhoneNumberFormat.E164)
            if place not in found and _is_phone(text, match.start, match.end):
                found[place] = Found(*place, "phone", value)
    for run in _PHONE_START.finditer(text):
        if all(run.start() >= end or run.end() <= start for start, end in found):
            found |= {(one.start, one.end): one for one in _shortened(text, run, regions)}
    return tuple(found.values())


def _shortened(text: str, match: re.Match[str], regions: tuple[str, ...]) -> Iterator[Found]:
    """A number that other figures follow: the longest beginning of the run that is valid."""
    for end in range(match.end(), match.start() + FEWEST_PHONE_DIGITS, -1):
        if not text[end - 1].isdigit() or text[end : end + 1].isdigit():
            continue
        for region in regions or (None,):
            try:
                number = phonenumbers.parse(text[match.start() : end], region)
            except phonenumbers.NumberParseException:
                continue
            if phonenumbers.is_valid_number(number) and _is_phone(text, match.start(), end):
                value = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
                yield Found(match.start(), end, "phone", value)
                return


def _is_phone(text: str, start: int, end: int) -> bool:
    """Whether a number that fits a numbering plan is one: not part of an id, not named as one."""
    before = text[max(0, start - BEFORE) : start]
    if text[start] == "+" or "(" in text[start:end]:
        return True
    if _ID_BEFORE.search(before):
        return False
    if _PHONE_BEFORE.search(before):
        return True
    return not re.search(r"[\w/_-]", text[max(0, start - 1) : start] + text[end : end + 1])


def phones(text: str, regions: Sequence[str]) -> Iterator[Found]:
    """Numbers that are valid in one of the regions (ISO codes) or international; not those named as part or order."""
    if sum(letter.isdigit() for letter in text) >= FEWEST_PHONE_DIGITS:
        yield from _phones(text, tuple(regions))
