"""The staff channel of a workspace: a thread for each conversation, words only one person sees, and who somebody is.

Every message carries its own id in the metadata, like an answer's parts, so that an unknown outcome is looked up.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from channels.base import Outgoing, Refused, Unknown, Unreachable
from channels.slack.api import Api
from channels.slack.history import PART_EVENT, History
from channels.slack.parts import LABEL_CHARACTERS, VALUE_CHARACTERS, Block, sections

Buttons = Sequence[Mapping[str, str]]
STYLES: Final = frozenset({"primary", "danger"})


class Room:
    """What staff work with in Slack; every call is one try and raises SendError."""

    def __init__(self, api: Api, history: History) -> None:
        self._api = api
        self._history = history

    async def post(self, out: Outgoing) -> str:
        """Post a message (into ``route['thread_ts']`` where there is one) and return its ts.

        ``payload`` has ``text`` (Slack's own markup), ``buttons`` ({label, value or url, style}) and ``broadcast``.
        """
        where: dict[str, Any] = {"channel": out.route["channel"], "unfurl_links": False, "unfurl_media": False}
        if thread := out.route.get("thread_ts"):
            where |= {"thread_ts": thread, "reply_broadcast": bool(out.payload.get("broadcast"))}
        metadata = {"event_type": PART_EVENT, "event_payload": {"id": out.id}}
        answer = await self._api.call("chat_postMessage", **where, **_shown(out.payload), metadata=metadata)
        if not answer.get("ts"):
            raise Unknown("no_ts", "Slack did not say which message it became")
        return str(answer["ts"])

    async def find(self, out: Outgoing) -> str:
        """The ts of a message that may have been posted, "" when Slack surely has none."""
        return (await self._history.find_part(out)).rpartition(":")[2]

    async def edit(self, channel: str, ts: str, payload: Mapping[str, Any]) -> None:
        """Make a message of ours say something else; done twice it is the same."""
        await self._api.call("chat_update", channel=channel, ts=ts, **_shown(payload))

    async def whisper(self, channel: str, thread: str, user: str, text: str) -> None:
        """Tell one person something in the thread that nobody else sees."""
        await self._api.call("chat_postEphemeral", channel=channel, thread_ts=thread, user=user, text=text)

    async def person(self, user: str) -> Mapping[str, str]:
        """``email`` and ``name`` of a full member of the workspace; empty for guests, programs and strangers.

        Raises Refused where the token lacks ``users:read.email``.
        """
        try:
            answer = await self._api.read("users_info", user=user)
        except Unreachable:
            return {}
        found = answer.get("user")
        if not isinstance(found, Mapping):
            raise Refused("user_not_found", "Slack does not know this person")
        outside = ("deleted", "is_bot", "is_restricted", "is_ultra_restricted", "is_stranger", "is_invited_user")
        if any(found.get(each) for each in outside) or found.get("is_email_confirmed") is False:
            return {}
        profile = found.get("profile")
        email = profile.get("email") if isinstance(profile, Mapping) else None
        return {"email": str(email or "").strip().lower(), "name": str(found.get("real_name") or "")}


def _shown(payload: Mapping[str, Any]) -> dict[str, Any]:
    """Text for notifications, and blocks with the buttons below."""
    text, buttons = str(payload["text"]), payload.get("buttons") or ()
    rows: list[Block] = [{"type": "actions", "elements": [_button(*each) for each in enumerate(buttons)]}]
    return {"text": text, "blocks": [*sections(text), *(rows if buttons else [])]}


def _button(number: int, button: Mapping[str, str]) -> Block:
    text = {"type": "plain_text", "text": button["label"][:LABEL_CHARACTERS], "emoji": True}
    made: Block = {"type": "button", "action_id": f"frontdesk_staff_{number}", "text": text}
    made |= {"url": button["url"]} if button.get("url") else {"value": button["value"][:VALUE_CHARACTERS]}
    return made | ({"style": button["style"]} if button.get("style") in STYLES else {})
