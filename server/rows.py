"""An approved example as one row of the training plane's only format, and such rows taken in again.

The server writes plain JSON; what a row may hold is decided by ``training/rows.py``, on the other side of the process.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from server.candidates import BEHAVIOURS, Target, cluster_of
from server.ids import new_id
from server.store.contract import Row, Tx

PHONE = re.compile(r"\+[0-9]{6,15}")
EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
ROLES = frozenset({"system", "user", "assistant", "tool"})


class BadRow(ValueError):
    """A line to be imported is no row; the message says why."""


def row_of(row: Row) -> dict[str, Any]:
    """One row; ``row`` is an example joined with its approval and what is known of its customer."""
    return {
        "id": row["id"],
        "origin": row["origin"],
        "behaviour": row["behaviour"],
        "messages": [_message(message) for message in json.loads(row["prompt"])],
        "target": json.loads(row["target"]),
        "rejected": json.loads(row["rejected"]) if row["rejected"] else None,
        "tools": json.loads(row["tools"]),
        "sources": json.loads(row["sources"]),
        "conversation": row["conversation_id"] or f"{row['origin']}:{row['id']}",
        "customer": row["customer_id"] or "",
        "person": row["person"] or row["approved_by"],
        "language": row["language"],
        "channel": row["channel"],
        "weight": row["weight"],
        "created_at": row["created_at"],
        "message": row["message_id"] or "",
        "release": row["release_id"] or "",
        "known": known(row),
    }


def known(row: Row) -> dict[str, list[str]]:
    """The customer's contact data, for exact masking."""
    profile = json.loads(row["profile"] or "{}")
    values = [str(value) for value in (*profile.values(), row["address"] or "") if value]
    names = [row["customer_name"] or "", *(str(profile[key]) for key in profile if "name" in key.lower())]
    return {
        "names": sorted({name for name in names if name.strip()}),
        "emails": sorted({value for value in values if EMAIL.fullmatch(value)}),
        "phones": sorted({found.group() for value in values if (found := PHONE.search(value))}),
        "addresses": [],
    }


async def take_in(tx: Tx, tenant: str, row: Mapping[str, Any], by: str, basis: str) -> bool:
    """Store a row of somebody else's as an example that waits for review; False when it is there already.

    ``basis`` is on what ground it may train, as whoever imports it states. Raises BadRow.
    """
    target, rejected = checked(row)
    messages = row["messages"]
    question = next(str(message.get("content", "")) for message in reversed(messages) if message["role"] == "user")
    source = f"import:{row['id']}"
    if await tx.row("loop.example_of_source", tenant=tenant, source=source) is not None:
        return False
    await tx.run(
        "loop.add_example",
        id=new_id(),
        tenant=tenant,
        source=source,
        kind="pair" if rejected is not None else "sft",
        origin="import",
        behaviour=row["behaviour"],
        prompt=_json([_wire(message) for message in messages]),
        exact=0,
        question=question[:2_000],
        target=target.text(),
        rejected=rejected.text() if rejected is not None else None,
        tools=_json(row.get("tools") or []),
        sources=_json(row.get("sources") or []),
        language=str(row.get("language") or "en"),
        channel=str(row.get("channel") or "import"),
        account="",
        conversation_id=None,
        customer_id=None,
        message_id=None,
        turn_id=None,
        release_id=None,
        person=by,
        basis=basis,
        cluster=cluster_of(question),
        weight=float(row.get("weight") or 1.0),
        now=tx.now_s,
    )
    return True


def checked(row: Mapping[str, Any]) -> tuple[Target, Target | None]:
    """Target and rejected answer of a row to be imported; raises BadRow with the field at fault."""
    if not isinstance(row.get("id"), str) or not row["id"]:
        raise BadRow("id: every row needs a text of its own")
    if row.get("behaviour") not in BEHAVIOURS:
        raise BadRow(f"behaviour: must be one of {', '.join(BEHAVIOURS)}")
    messages = row.get("messages")
    if not isinstance(messages, list) or any(
        not isinstance(message, dict) or message.get("role") not in ROLES for message in messages
    ):
        raise BadRow("messages: must be a list of {role, content}, with roles system, user, assistant or tool")
    if not any(message["role"] == "user" for message in messages):
        raise BadRow("messages: nobody asks anything")
    target = _target(row.get("target"), "target")
    if target.empty:
        raise BadRow("target: it neither says nor calls anything")
    return target, _target(row["rejected"], "rejected") if row.get("rejected") else None


def _target(value: Any, name: str) -> Target:
    if not isinstance(value, Mapping) or not isinstance(value.get("content", ""), str):
        raise BadRow(f"{name}: must be {{content, tool_calls}}")
    calls = value.get("tool_calls") or []
    if not isinstance(calls, list) or any(
        not isinstance(call, Mapping) or not isinstance(call.get("arguments"), Mapping) or not call.get("name")
        for call in calls
    ):
        raise BadRow(f"{name}.tool_calls: must be a list of {{name, arguments}}")
    return Target(value.get("content", ""), tuple({"name": call["name"], "arguments": call["arguments"]}
                                                  for call in calls))  # fmt: skip


def _message(message: Mapping[str, Any]) -> dict[str, Any]:
    """A chat request's message as a row has it: calls are {name, arguments, id}."""
    plain: dict[str, Any] = {"role": message["role"], "content": message.get("content") or ""}
    if message.get("tool_calls"):
        plain["tool_calls"] = [
            {
                "name": call["function"]["name"],
                "arguments": _object(call["function"]["arguments"]),
                "id": call.get("id", ""),
            }
            for call in message["tool_calls"]
        ]
    if message.get("tool_call_id") is not None:
        plain["tool_call_id"] = message["tool_call_id"]
    return plain


def _wire(message: Mapping[str, Any]) -> dict[str, Any]:
    """The way back: a row's message in the shape of a chat request."""
    wire: dict[str, Any] = {"role": message["role"], "content": str(message.get("content") or "")}
    if message.get("tool_calls"):
        wire["tool_calls"] = [
            {
                "id": str(call.get("id") or ""),
                "type": "function",
                "function": {"name": call["name"], "arguments": _json(call["arguments"])},
            }
            for call in message["tool_calls"]
        ]
    if message.get("tool_call_id") is not None:
        wire["tool_call_id"] = str(message["tool_call_id"])
    return wire


def _object(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text) if text else {}
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def _json(value: Sequence[Any] | Mapping[str, Any]) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
