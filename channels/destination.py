"""A destination that a person types, as the route a platform's sends need. PURE."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

_CHAT = re.compile(r"-?[0-9]{1,20}")
_SLACK = re.compile(r"[CDGU][A-Z0-9]{2,30}")
_NUMBER = re.compile(r"\+[0-9]{6,15}")


def route_to(platform: str, provider: str, destination: str) -> dict[str, str]:
    """The route to a chat id (Telegram), a channel or person id (Slack) or a number (WhatsApp); raises ValueError.

    ``provider`` is WhatsApp's, empty elsewhere.
    """
    reader = _READERS.get(platform)
    if reader is None:
        raise ValueError(f"nothing is sent on {platform}: customers fetch their messages there")
    return reader(destination.strip(), provider)


def _telegram(destination: str, _: str) -> dict[str, str]:
    if not _CHAT.fullmatch(destination):
        raise ValueError("give the number of a chat, such as 123456789 (write /id to @userinfobot to see yours)")
    return {"chat": destination} | ({"group": "1"} if destination.startswith("-") else {})


def _slack(destination: str, _: str) -> dict[str, str]:
    if not _SLACK.fullmatch(destination):
        raise ValueError("give the id of a channel or person, such as C0123ABCD (at the end of Slack's details page)")
    return {"channel": destination}


def _whatsapp(destination: str, provider: str) -> dict[str, str]:
    number = re.sub(r"[\s()./-]", "", destination)
    if not _NUMBER.fullmatch(number):
        raise ValueError("give a number in international form, such as +14155238886")
    return {"to": number.removeprefix("+")} if provider == "meta" else {"to": f"whatsapp:{number}"}


_READERS: Mapping[str, Callable[[str, str], dict[str, str]]] = {
    "telegram": _telegram, "slack": _slack, "whatsapp": _whatsapp,
}  # fmt: skip
