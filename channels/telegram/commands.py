"""Bot commands and mentions: which group messages are meant for the bot, and what a command says; pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

COMMAND = re.compile(r"/([A-Za-z0-9_]{1,32})(?:@([A-Za-z0-9_]{1,64}))?(?=\s|$)\s*")
SOME_BOT = re.compile(r"(?<![\w/@])@([A-Za-z0-9_]*bot)\b", re.IGNORECASE)  # names of bots end so
GREETING = {"en": "Hello", "de": "Hallo", "fr": "Bonjour", "es": "Hola", "it": "Ciao", "pt": "Olá", "nl": "Hallo",
            "ar": "مرحبًا", "tr": "Merhaba", "ru": "Здравствуйте", "uk": "Вітаю", "pl": "Dzień dobry"}  # fmt: skip
PERSON = {
    "en": "I would like to talk to a person.",
    "de": "Ich möchte mit einem Menschen sprechen.",
    "fr": "Je voudrais parler à une personne.",
    "es": "Quiero hablar con una persona.",
    "it": "Vorrei parlare con una persona.",
    "pt": "Quero falar com uma pessoa.",
    "nl": "Ik wil graag met een mens praten.",
    "ar": "أريد التحدث إلى شخص.",
}


@dataclass(frozen=True, slots=True)
class Me:
    """Who the bot is: its user id (the number its token begins with) and its name, empty until getMe told it."""

    id: int
    username: str = ""


@dataclass(frozen=True, slots=True)
class Command:
    """A command at the start of a text: its name, the bot it names (may be empty), and the words after it."""

    name: str
    target: str
    rest: str


def command_of(text: str) -> Command | None:
    """The command a text begins with, if any; names are lower case."""
    found = COMMAND.match(text)
    if found is None:
        return None
    return Command(found[1].lower(), (found[2] or "").lower(), text[found.end() :])


def is_for(me: Me, message: Mapping[str, Any], text: str) -> bool:
    """Whether a group message is meant for the bot: a reply to it, a command, or a mention.

    While the bot's own name is unknown, the mention of any bot counts: in privacy mode Telegram delivers no other.
    """
    replied = message.get("reply_to_message") or {}
    if (replied.get("from") or {}).get("id") == me.id:
        return True
    command = command_of(text)
    if command is not None:
        return command.target in {"", me.username.lower()} or not me.username
    entities = (*(message.get("entities") or ()), *(message.get("caption_entities") or ()))
    if any((entity.get("user") or {}).get("id") == me.id for entity in entities):
        return True
    return _mention(me).search(text) is not None


def without_mention(me: Me, text: str) -> str:
    """A text without the mention it begins with, and a command without the bot it names."""
    found = _mention(me).match(text)
    if found is not None:
        return text[found.end() :].lstrip(" ,:\n") or text
    command = command_of(text)
    if command is not None and command.target:
        return f"/{command.name} {command.rest}".rstrip()
    return text


def phrase(texts: Mapping[str, str], language: str) -> str:
    """The text in the customer's language, English where there is none."""
    return texts.get(language.partition("-")[0].lower(), texts["en"])


def _mention(me: Me) -> re.Pattern[str]:
    if not me.username:
        return SOME_BOT
    return re.compile(rf"(?<![\w/@])@{re.escape(me.username)}\b", re.IGNORECASE)
