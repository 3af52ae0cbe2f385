"""What Slack's events and button presses mean, without any io.

The same message may come as ``app_mention`` and as ``message``, and again from the history: all have one key,
``channel:ts``. In channels only mentions open a conversation; a reply in a thread is a follow-up, which counts when its
thread is a conversation already. Whatever a program wrote, ourselves included, is never answered.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from channels.message import Attachment, Edited, Fact, Inbound, Kind, Pressed, Reacted, Revoked, StaffActed, Stopped
from channels.slack import sdk, words
from channels.slack.route import Spot, provider_id, seconds, spot

CHANNEL = "slack"
SPOKEN = frozenset({"", "file_share", "thread_broadcast"})  # subtypes in which somebody says something
SLACKBOT = "USLACKBOT"
STOPS = frozenset({"agent_session_stopped", "stopped_by_user"})  # the platform's own stop button
FORWARDED_MAX = 10
_VOTES: Mapping[str, Literal["up", "down"]] = {"+1": "up", "thumbsup": "up", "-1": "down", "thumbsdown": "down"}
_KINDS: Mapping[str, Kind] = {"image": "image", "audio": "audio", "video": "video"}


@dataclass(frozen=True, slots=True)
class Desk:
    """Which accounts may be meant; ``bot_user`` is our own user id where an event does not name it itself."""

    accounts: Mapping[str, str]  # team id -> account, of accounts that share this one's app
    fallback: str  # the account of any other team, "" when it must be one of those
    bot_user: str = ""
    rooms: Mapping[str, str] = field(default_factory=dict)  # account -> its staff channel

    def account(self, team: str) -> str:
        """The account of a workspace, "" when it is none of ours."""
        return self.accounts.get(team) or self.fallback


@dataclass(frozen=True, slots=True)
class Scene:
    """What the envelope says about an event."""

    account: str
    team: str
    bot_user: str
    actor_team: str  # "" when Slack Connect hides it


Reading = Callable[[Scene, Mapping[str, Any]], Sequence[Fact]]


def facts(payload: Mapping[str, Any], desk: Desk) -> Sequence[Fact]:
    """The facts in a verified payload (an event callback or an interaction); unknown kinds give none."""
    who = sdk.actors(payload)
    team = who.get("team_id") or _text(payload, "team_id") or _text(_mapping(payload, "team"), "id")
    account = desk.account(str(team or ""))
    if not account:
        return ()
    actor_team = str(who.get("actor_team_id") or "")
    scene = Scene(account, str(team or ""), _bot_user(payload) or desk.bot_user, actor_team)
    event, room = _mapping(payload, "event"), desk.rooms.get(account, "")
    if room and room in _places(payload, event):  # nobody is a customer there
        return _staff(scene, room, payload, event)
    if payload.get("type") == "block_actions":
        return _pressed(scene, payload)
    reading = _READINGS.get(_text(event, "type"))
    return reading(scene, event) if reading and payload.get("type") == "event_callback" else ()


def _message(scene: Scene, event: Mapping[str, Any]) -> Sequence[Fact]:
    if event.get("subtype") == "message_changed":
        return _edited(scene, event)
    mentioned = words.mentions(_text(event, "text"), scene.bot_user)
    if not (_direct(event) or mentioned or _text(event, "thread_ts") not in {"", _text(event, "ts")}):
        return ()  # others talk to each other
    return _inbound(scene, event, mentioned=mentioned)


def _mention(scene: Scene, event: Mapping[str, Any]) -> Sequence[Fact]:
    return _inbound(scene, event, mentioned=True)


def _inbound(scene: Scene, event: Mapping[str, Any], *, mentioned: bool) -> Sequence[Fact]:
    where = _spot(scene, event)
    if where is None or not _human(event, scene.bot_user):
        return ()
    text, files = _said(scene, event, mentioned=mentioned), attachments(event)
    if not text and not files:
        return ()
    user, verified = _text(event, "user"), _of_our_team(scene, event)
    user_team = scene.actor_team or _text(event, "user_team") or _text(event, "team")
    profile = {"user": user, "team": user_team} | ({} if verified else {"external": "1"})
    return (
        Inbound(
            channel=CHANNEL,
            account=scene.account,
            address=where.address,
            external_id=where.key,
            text=text,
            sent_at=seconds(where.ts),
            name=_name(event),
            verified=verified,
            attachments=files,
            profile={name: value for name, value in profile.items() if value},
            route=where.route(user, user_team),
            follow_up=not _direct(event) and not mentioned,
        ),
    )


def _places(payload: Mapping[str, Any], event: Mapping[str, Any]) -> set[str]:
    """Every channel that an event or a press may be in."""
    container, channel = _mapping(payload, "container"), _mapping(payload, "channel")
    item = _mapping(event, "item")
    return {_text(event, "channel"), _text(item, "channel"), _text(container, "channel_id"), _text(channel, "id")}


def _staff(scene: Scene, room: str, payload: Mapping[str, Any], event: Mapping[str, Any]) -> Sequence[Fact]:
    """What people do in threads of the staff channel; what programs say there, ourselves first, is nothing."""
    if payload.get("type") == "block_actions":
        return [
            StaffActed(
                CHANNEL, scene.account, room, pressed.route.get("thread_ts") or pressed.route["ts"], pressed.giver,
                pressed.external_id, pressed.at, action=pressed.payload,
                ours=pressed.route["recipient_team"] == scene.team,
            )
            for pressed in _pressed(scene, payload)
            if isinstance(pressed, Pressed)
        ]  # fmt: skip
    where = _spot(scene, event)
    said = _text(event, "type") in {"message", "app_mention"} and _human(event, scene.bot_user)
    if where is None or not said or _text(event, "thread_ts") in {"", where.ts}:
        return ()
    text = _said(scene, event, mentioned=words.mentions(_text(event, "text"), scene.bot_user))
    names = [f"[{_text(file, 'name') or 'file'}]" for file in event.get("files") or () if isinstance(file, Mapping)]
    whole = "\n".join(filter(None, (text, *names)))
    return (
        StaffActed(
            CHANNEL, scene.account, room, _text(event, "thread_ts"), _text(event, "user"), where.key,
            seconds(where.ts), text=whole, ours=_of_our_team(scene, event),
        ),
    ) if whole else ()  # fmt: skip


def _edited(scene: Scene, event: Mapping[str, Any]) -> Sequence[Fact]:
    """A person changed their words; previews that Slack adds to a message come as changes too."""
    message = {**_mapping(event, "message"), "channel": event.get("channel"), "channel_type": event.get("channel_type")}
    where = _spot(scene, message)
    unchanged = _text(_mapping(event, "previous_message"), "text") == _text(message, "text")
    if where is None or unchanged or not _human(message, scene.bot_user):
        return ()
    edited_at = _text(_mapping(message, "edited"), "ts") or _text(event, "event_ts") or where.ts
    text = _said(scene, message, mentioned=words.mentions(_text(message, "text"), scene.bot_user))
    return (Edited(CHANNEL, scene.account, where.address, where.key, text, seconds(edited_at)),)


def _reacted(scene: Scene, event: Mapping[str, Any]) -> Sequence[Fact]:
    item, giver = _mapping(event, "item"), _text(event, "user")
    vote = _VOTES.get(_text(event, "reaction").partition("::")[0])  # without the skin tone
    ours = not scene.bot_user or _text(event, "item_user") in {"", scene.bot_user}
    channel, ts = _text(item, "channel"), _text(item, "ts")
    if vote is None or not ours or not giver or giver == scene.bot_user or not channel or not ts:
        return ()
    value = vote if event.get("type") == "reaction_added" else None
    address = spot(scene.team, channel, ts, "", direct=True).address  # the thread is not told: the message says it
    return (Reacted(CHANNEL, scene.account, address, giver, provider_id(channel, ts), value),)


def _pressed(scene: Scene, payload: Mapping[str, Any]) -> Sequence[Fact]:
    message, container = _mapping(payload, "message"), _mapping(payload, "container")
    giver = _mapping(payload, "user")
    place = {
        "channel": _text(container, "channel_id") or _text(_mapping(payload, "channel"), "id"),
        "ts": _text(container, "message_ts") or _text(message, "ts"),
        "thread_ts": _text(container, "thread_ts") or _text(message, "thread_ts"),
    }
    where, user = _spot(scene, place), _text(giver, "id")
    actions = payload.get("actions")
    if where is None or not user or not isinstance(actions, list):
        return ()
    return [
        Pressed(
            channel=CHANNEL,
            account=scene.account,
            address=where.address,
            giver=user,
            payload=_text(action, "value"),
            external_id=f"{where.key}:{user}:{_text(action, 'action_ts')}",
            at=seconds(_text(action, "action_ts")) or seconds(where.ts),
            label=words.storable(_text(_mapping(action, "text"), "text")),
            route=where.route(user, _text(giver, "team_id")),
        )
        for action in actions
        if isinstance(action, Mapping) and _text(action, "value")
    ]


def _stopped(scene: Scene, event: Mapping[str, Any]) -> Sequence[Fact]:
    thread = _text(event, "thread_ts")
    where = _spot(scene, {**event, "ts": thread or _text(event, "event_ts"), "thread_ts": ""})
    if where is None:
        return ()
    # a thread's first message stands for the thread; without one it is the plain stream of a direct message
    address = f"{scene.team}/{where.channel}/{thread}" if thread else where.address
    return (Stopped(CHANNEL, scene.account, address),)


def _uninstalled(scene: Scene, _event: Mapping[str, Any]) -> Sequence[Fact]:
    return (Revoked(CHANNEL, scene.account, "the app was uninstalled from the workspace: install it again"),)


def _tokens_revoked(scene: Scene, event: Mapping[str, Any]) -> Sequence[Fact]:
    if not _mapping(event, "tokens").get("bot"):
        return ()  # only tokens of single users, which we have none of
    return (Revoked(CHANNEL, scene.account, "the bot token was revoked: install the app again and set the new token"),)


_READINGS: Mapping[str, Reading] = {
    "message": _message,
    "app_mention": _mention,
    "reaction_added": _reacted,
    "reaction_removed": _reacted,
    "app_uninstalled": _uninstalled,
    "tokens_revoked": _tokens_revoked,
    **dict.fromkeys(STOPS, _stopped),
}


def attachments(event: Mapping[str, Any]) -> tuple[Attachment, ...]:
    """The files of a message; ``ref`` is Slack's file id, for files that name no address (Slack Connect)."""
    files = event.get("files")
    return tuple(
        Attachment(
            kind=_KINDS.get(_text(file, "mimetype").partition("/")[0], "file"),
            url=_text(file, "url_private") or _text(file, "url_private_download"),
            name=words.storable(_text(file, "name") or _text(file, "title")),
            mime=_text(file, "mimetype"),
            size_bytes=file["size"] if isinstance(file.get("size"), int) else None,
            ref=_text(file, "id"),
            voice=file.get("subtype") == "slack_audio",
        )
        for file in (files if isinstance(files, list) else ())
        if isinstance(file, Mapping) and file.get("mode") not in {"tombstone", "hidden_by_limit"}
    )


def _said(scene: Scene, event: Mapping[str, Any], *, mentioned: bool) -> str:
    """The words meant for us; a bare mention stays as it is, because calling somebody is a message too."""
    raw = _text(event, "text")
    known = scene.bot_user or mentioned
    text = words.readable(words.without_mention(raw, scene.bot_user) if known else raw)
    shared = event.get("attachments")
    quotes = [
        "> " + words.readable(_text(part, "text")).replace("\n", "\n> ")
        for part in (shared if isinstance(shared, list) else ())[:FORWARDED_MAX]
        if isinstance(part, Mapping) and part.get("is_share") and _text(part, "text")
    ]
    whole = "\n\n".join(filter(None, (text.strip(), *quotes)))
    bare = not whole and mentioned and not event.get("files")
    return words.storable(words.readable(raw).strip() if bare else whole)


def _human(event: Mapping[str, Any], bot_user: str) -> bool:
    """Whether a person says something here: never answer a program, least of all ourselves."""
    user, subtype = _text(event, "user"), event.get("subtype") or ""
    machine = event.get("bot_id") or event.get("bot_profile") or event.get("hidden")
    said = isinstance(subtype, str) and subtype in SPOKEN
    return bool(user) and user not in {bot_user, SLACKBOT} and not machine and said


def _of_our_team(scene: Scene, event: Mapping[str, Any]) -> bool:
    """Whether the author belongs to the workspace itself, and not to a company it shares a channel with."""
    told = {_text(event, name) for name in ("user_team", "source_team")}
    return scene.actor_team == scene.team and all(team == scene.team for team in told if team.startswith("T"))


def _bot_user(payload: Mapping[str, Any]) -> str:
    """Our own user id, as the envelope's authorizations name it."""
    granted = payload.get("authorizations")
    for each in granted if isinstance(granted, list) else ():
        if isinstance(each, Mapping) and each.get("is_bot", True):
            return _text(each, "user_id")
    return ""


def _spot(scene: Scene, event: Mapping[str, Any]) -> Spot | None:
    channel, ts = _text(event, "channel"), _text(event, "ts")
    if not channel or not seconds(ts):
        return None
    return spot(scene.team, channel, ts, _text(event, "thread_ts"), direct=_direct(event))


def _direct(event: Mapping[str, Any]) -> bool:
    return event.get("channel_type") == "im" or _text(event, "channel").startswith("D")


def _name(event: Mapping[str, Any]) -> str:
    profile = _mapping(event, "user_profile")
    return words.storable(_text(profile, "display_name") or _text(profile, "real_name"))


def _text(source: Mapping[str, Any], name: str) -> str:
    value = source.get(name)
    return value if isinstance(value, str) else ""


def _mapping(source: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = source.get(name)
    return value if isinstance(value, Mapping) else {}
