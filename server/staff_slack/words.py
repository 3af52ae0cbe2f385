"""What stands in the staff channel: a root message with the state, and a thread with all that was said. PURE.

What customers wrote is shown as text: nothing in it is markup, a link or a mention.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from server.conversation import Status
from server.store.contract import Row

JOINER: Final = "\u2060"
TEXT_CHARACTERS: Final = 2_500  # of one message as it is mirrored
POST_CHARACTERS: Final = 9_000  # of one post, so that it stays below what Slack takes
LOST: Final = frozenset({"failed", "parked", "expired"})
HELP: Final = (
    "Words in this thread are notes for colleagues. `!send …` sends them to the customer (claim first), "
    "`!correct …` says what the assistant's last answer should have been."
)
WHY: Mapping[str, str] = {
    "contradicts": "a passage says something else", "figures": "new figures", "names": "new names",
    "negated": "it says the opposite", "unsupported": "no passage says that",
    "taken_out": "a passage says what was taken out",
    "passage_says_it": "a passage says it already", "tools": "other tools", "tone": "same facts, other tone",
    "format": "other format", "signature": "greeting or signature", "shorter": "shorter", "longer": "longer",
    "left_out": "leaves out what no passage says",
}  # fmt: skip
_STATES: Mapping[str, str] = {
    "waiting": ":large_orange_circle: *Waiting for a person*",
    "claimed": ":large_green_circle: *Claimed by {owner}*",
    "bot": ":robot_face: *With the assistant*",
    "closed": ":white_check_mark: *Closed*",
}
_CLAIM = {"label": "Claim", "value": "claim", "style": "primary"}
_RETURN = {"label": "Hand back", "value": "return"}
_CLOSE = {"label": "Close", "value": "close"}
_CORRECT = {"label": "Correct", "value": "correct"}
_TURNS: Mapping[str, str] = {
    "claimed": ":large_green_circle: a person has the conversation",
    "bot": ":robot_face: the assistant has the conversation again",
    "closed": ":white_check_mark: closed",
}
_BUTTONS: Mapping[str, tuple[Mapping[str, str], ...]] = {
    "waiting": (_CLAIM, _RETURN, _CORRECT, _CLOSE),
    "claimed": (_RETURN, _CORRECT, _CLOSE),
    "bot": (_CLAIM, _CORRECT),
    "closed": (),
}

_THUMB = ":thumbsdown: an answer of the assistant got a thumb down"
_EDITED = ":pencil2: _the customer changed a message:_"
_LOST = ":warning: a message did not arrive; see the console"

Names = Callable[[str | None], str]
Payload = dict[str, Any]


def inert(text: str, most: int = TEXT_CHARACTERS) -> str:
    """Somebody's words as Slack shows them: no markup, nobody rung, cut where they are very long."""
    cut = text if len(text) <= most else f"{text[:most]} … (the rest is in the console)"
    plain = cut.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return "".join(f"{JOINER}{one}{JOINER}" if one in "*_~`" else f"@{JOINER}" if one == "@" else one for one in plain)


def root(row: Row, names: Names, url: str) -> Payload:
    """The root message of a conversation's row (with ``customer_name``)."""
    status = str(row["status"])
    head = _STATES.get(status, status).format(owner=inert(names(row["owner"]), 80))
    who = inert(row["customer_name"] or "A customer", 80)
    lines = [f"{head} · {who} on {row['channel']}"]
    if status == Status.WAITING.value and row["waiting_since"]:
        at = int(row["waiting_since"])
        since = f"<!date^{at}^since {{date_short_pretty}} {{time}}|since {at}>"
        lines.append(f"{str(row['reason'] or '').replace('_', ' ')} · {since}")
    link = [{"label": "Open in the console", "url": url}] if url else []
    return {"text": "\n".join(lines), "buttons": [*_BUTTONS.get(status, ()), *link]}


def digest(payload: Payload) -> str:
    """Names what a root message says."""
    return hashlib.sha256(json.dumps(payload, sort_keys=True).encode()).hexdigest()[:16]


def gather(events: Sequence[Row], names: Names, own: frozenset[str]) -> tuple[Payload | None, int]:
    """One post for as many events as fit, None where they show nothing; and the last event's sequence it covers.

    ``own`` are ids of notes that were written in this very thread. A correction has buttons, so it ends its post.
    """
    lines: list[str] = []
    upto, size, loud = 0, 0, False
    for event in events:
        line, buttons = line_of(event, names, own)
        if line and lines and size + len(line) > POST_CHARACTERS:
            break
        upto = int(event["seq"])
        if not line:
            continue
        lines.append(line)
        size += len(line)
        loud = loud or (event["kind"] == "state" and json.loads(event["body"]).get("status") == "waiting")
        if buttons:
            return {"text": "\n".join(lines), "buttons": buttons, "broadcast": loud}, upto
    return ({"text": "\n".join(lines), "broadcast": loud} if lines else None), upto


def line_of(event: Row, names: Names, own: frozenset[str]) -> tuple[str, list[Mapping[str, str]]]:
    """What an event says in the thread, "" for nothing, with buttons below it."""
    kind, body = event["kind"], json.loads(event["body"])
    if kind == "correction":
        return _corrected(event)
    lines: Mapping[str, Callable[[], str]] = {
        "message": lambda: _said(body, names, str(event["author"] or "")),
        "note": lambda: _noted(body, own),
        "state": lambda: _turned(body),
        "feedback": lambda: _THUMB if body.get("value") == "down" else "",
        "message_edited": lambda: f"{_EDITED} {inert(str(body.get('text', '')))}",
        "delivery": lambda: _LOST if body.get("state") in LOST else "",
    }
    return (lines[kind]() if kind in lines else ""), []


def _noted(body: Mapping[str, Any], own: frozenset[str]) -> str:
    """A colleague's note, unless it was written in this thread or is only changed."""
    if str(body.get("id")) in own or body.get("deleted_at") or body.get("edited_at"):
        return ""
    return f":lock: _{inert(body.get('author_name') or 'Staff', 80)}, note:_ {inert(body.get('text', ''))}"


def _said(body: Mapping[str, Any], names: Names, author: str) -> str:
    text, role = inert(str(body.get("text", ""))), body.get("role")
    files = [
        f"[{inert(str(each.get('name') or each.get('kind') or 'file'), 80)}]" for each in body.get("attachments", ())
    ]
    text = " ".join(filter(None, (text, *files)))
    who = {"customer": ":bust_in_silhouette: *Customer:*", "assistant": ":robot_face: *Assistant:*"}.get(str(role), "")
    if role == "staff":
        who = f":outbox_tray: *{inert(names(author), 80)} to the customer:*"
    return f"{who} {text}" if who else f":information_source: {text}"


def _turned(body: Mapping[str, Any]) -> str:
    status = str(body.get("status"))
    if status == Status.WAITING.value:
        return (
            f":large_orange_circle: the customer waits for a person ({str(body.get('reason') or '').replace('_', ' ')})"
        )
    return _TURNS.get(status, "")


def _corrected(event: Row) -> tuple[str, list[Mapping[str, str]]]:
    if not event["correction_id"]:
        return "", []
    why = ", ".join(WHY.get(each, each) for each in str(event["route_reason"] or "").split())
    text = f":memo: *The answer should have been:* {inert(event['correction_text'])}"
    hint = f"This looks like *{'a fact' if event['suggested'] == 'fact' else 'behaviour'}* ({why}). You decide:"
    fact = {"label": "Change the knowledge", "value": f"fact:{event['correction_id']}"}
    behaviour = {"label": "Keep as an example", "value": f"behaviour:{event['correction_id']}"}
    first, second = (fact, behaviour) if event["suggested"] == "fact" else (behaviour, fact)
    return f"{text}\n{hint}", [{**first, "style": "primary"}, second]
