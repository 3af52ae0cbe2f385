"""Telegram updates as facts; pure, on plain dicts (an update of an unknown kind, or a broken one, gives none)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import structlog

from channels.message import Blocked, Consent, Echoed, Edited, Fact, Inbound, Moved, Pressed, Reacted
from channels.telegram.commands import GREETING, PERSON, Command, Me, command_of, is_for, phrase, without_mention
from channels.telegram.contents import attachments_of
from channels.telegram.places import Place, place_of

CHANNEL = "telegram"
THUMBS: dict[str, Literal["up", "down"]] = {"👍": "up", "👎": "down"}
SKIN_TONES = frozenset(map(chr, range(0x1F3FB, 0x1F400)))
GONE = frozenset({"kicked", "left"})  # what a bot is in a chat that it cannot write to

log = structlog.get_logger()
Message = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Reading:
    """What is known besides the update: the channel account, the bot itself, and the time (epoch seconds)."""

    account: str
    me: Me
    now_s: float


def facts_of(update: Mapping[str, Any], reading: Reading) -> Sequence[Fact]:
    """The facts of one update, in order."""
    kind = next((name for name in READERS if update.get(name)), "")
    if not kind:
        return ()
    try:
        return READERS[kind](update[kind], reading)
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        log.warning("telegram_update_not_understood", kind=kind, account=reading.account, error=type(error).__name__)
        return ()


def _message(message: Message, reading: Reading) -> Sequence[Fact]:
    chat = message["chat"]
    if moved := _moved(message, reading):
        return moved
    sender = message.get("from") or {}
    if chat["type"] == "channel" or not sender or _automatic(message, sender, reading.me):
        return ()
    text = str(message.get("text") or message.get("caption") or "")
    if chat["type"] != "private" and not is_for(reading.me, message, text):
        return ()
    command = command_of(text)
    inbound = _inbound(message, reading, text)
    if command is not None and command.name in COMMANDS:
        return COMMANDS[command.name](inbound, command)
    return (inbound,) if inbound.text or inbound.attachments else ()


def _business_message(message: Message, reading: Reading) -> Sequence[Fact]:
    """A message in a chat of a person who connected us to their account; what they write themselves is an echo."""
    sender = message.get("from") or {}
    if message.get("sender_business_bot") or not sender or _automatic(message, sender, reading.me):
        return ()
    inbound = _inbound(message, reading, str(message.get("text") or message.get("caption") or ""))
    if sender["id"] != message["chat"]["id"]:
        return (Echoed(CHANNEL, reading.account, inbound.address, inbound.external_id, inbound.text, inbound.sent_at),)
    return (inbound,) if inbound.text or inbound.attachments else ()


def _edited(message: Message, reading: Reading) -> Sequence[Fact]:
    """A changed text; live locations also come as edits and say nothing new in words."""
    sender = message.get("from") or {}
    text = str(message.get("text") or message.get("caption") or "")
    business = message.get("business_connection_id")
    ours = business and sender.get("id") != message["chat"]["id"]
    if not sender or not text or ours or _automatic(message, sender, reading.me):
        return ()
    place = place_of(message)
    at = float(message.get("edit_date") or reading.now_s)
    plain = without_mention(reading.me, text)
    return (Edited(CHANNEL, reading.account, place.address, place.key(message["message_id"]), plain, at),)


def _pressed(query: Message, reading: Reading) -> Sequence[Fact]:
    message = query.get("message")
    if not message or (query.get("from") or {}).get("is_bot"):
        return ()  # a button of an inline result: we send none
    place = place_of(message)
    payload = str(query.get("data") or "")
    return (
        Pressed(
            channel=CHANNEL,
            account=reading.account,
            address=place.address,
            giver=str(query["from"]["id"]),
            payload=payload,
            external_id=f"callback:{query['id']}",
            at=reading.now_s,
            label=_label(message, payload),
            route={**place.route, "callback": str(query["id"])},
        ),
    )


def _reacted(reaction: Message, reading: Reading) -> Sequence[Fact]:
    new, old = _thumb(reaction.get("new_reaction")), _thumb(reaction.get("old_reaction"))
    giver = reaction.get("user") or reaction.get("actor_chat") or {}
    if new == old or giver.get("is_bot"):
        return ()
    place = Place(str(int(reaction["chat"]["id"])))
    provider_id = place.key(reaction["message_id"])
    return (Reacted(CHANNEL, reading.account, place.address, str(giver.get("id", "")), provider_id, new),)


def _membership(change: Message, reading: Reading) -> Sequence[Fact]:
    new, old = change["new_chat_member"]["status"], change["old_chat_member"]["status"]
    if change["chat"]["type"] == "channel" or (new in GONE) == (old in GONE):
        return ()  # rights changed, which decides nothing here
    place = Place(str(int(change["chat"]["id"])))
    return (Blocked(CHANNEL, reading.account, place.address, blocked=new in GONE),)


def _moved(message: Message, reading: Reading) -> Sequence[Fact]:
    """Both ends of a group's upgrade tell of it; either may come first."""
    here = str(int(message["chat"]["id"]))
    to, since = message.get("migrate_to_chat_id"), message.get("migrate_from_chat_id")
    old, new = (here, str(to)) if to else (str(since or ""), here)
    if not to and not since:
        return ()
    return (Moved(CHANNEL, reading.account, Place(old).address, Place(new).address, Place(new).route),)


def _start(inbound: Inbound, command: Command) -> Sequence[Fact]:
    """Opening the chat allows messages, and greets; the token of a deep link is kept aside, it is not speech.

    The command itself is stored with the consent, so that a repeated delivery of it does not undo a later /stop.
    """
    token = {"start": command.rest[:64]} if command.rest else {}
    greeting = phrase(GREETING, inbound.profile.get("locale", ""))
    hello = replace(
        inbound,
        external_id=f"{inbound.external_id}:hello",
        text=greeting,
        profile={**inbound.profile, **token},
    )
    return (Consent(CHANNEL, inbound.account, inbound.address, allowed=True, inbound=inbound), hello)


def _stop(inbound: Inbound, _command: Command) -> Sequence[Fact]:
    return (Consent(CHANNEL, inbound.account, inbound.address, allowed=False, inbound=inbound),)


def _human(inbound: Inbound, command: Command) -> Sequence[Fact]:
    words = command.rest or phrase(PERSON, inbound.profile.get("locale", ""))
    return (replace(inbound, text=words, wants_person=True),)


def _inbound(message: Message, reading: Reading, text: str) -> Inbound:
    sender = message["from"]
    place = place_of(message)
    profile = {"locale": sender.get("language_code"), "username": sender.get("username")}
    return Inbound(
        channel=CHANNEL,
        account=reading.account,
        address=place.address,
        external_id=place.key(message["message_id"]),
        text=without_mention(reading.me, text),
        sent_at=float(message.get("date") or reading.now_s),
        name=" ".join(filter(None, (sender.get("first_name"), sender.get("last_name")))),
        attachments=attachments_of(message),
        profile={name: str(value) for name, value in profile.items() if value},
        route=place.route,
    )


def _automatic(message: Message, sender: Message, me: Me) -> bool:
    """Whether nobody typed it for us: bots (we among them), and what a linked channel posts into its group."""
    return bool(sender.get("is_bot") or sender.get("id") == me.id or message.get("is_automatic_forward"))


def _thumb(reactions: Any) -> Literal["up", "down"] | None:
    """The last thumb among reactions, whatever its skin; all other emoji are no rating."""
    found: Literal["up", "down"] | None = None
    for reaction in reactions or ():
        emoji = "".join(sign for sign in str(reaction.get("emoji") or "") if sign not in SKIN_TONES)
        found = THUMBS.get(emoji.rstrip("\ufe0f"), found)
    return found


def _label(message: Message, payload: str) -> str:
    rows = (message.get("reply_markup") or {}).get("inline_keyboard") or ()
    return next((str(button["text"]) for row in rows for button in row if button.get("callback_data") == payload), "")


COMMANDS: dict[str, Callable[[Inbound, Command], Sequence[Fact]]] = {"start": _start, "stop": _stop, "human": _human}
READERS: dict[str, Callable[[Message, Reading], Sequence[Fact]]] = {
    "message": _message,
    "edited_message": _edited,
    "business_message": _business_message,
    "edited_business_message": _edited,
    "callback_query": _pressed,
    "message_reaction": _reacted,
    "my_chat_member": _membership,
}
WANTED = tuple(READERS)
"""The kinds of updates to ask Telegram for (allowed_updates); it leaves out reactions unless they are named."""
