"""Candidates for training: what each kind is made of, and the one place where they enter the store.

Nothing enters that must not train: the ground of a candidate is that of its message's account, and every message of
its prompt must have one. Similar questions share a cluster, so that a reviewer sees them together.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from server.ids import new_id
from server.snapshot import Told
from server.store.contract import Row, Tx
from server.store.text import clean

Origin = Literal["correction", "staff_reply", "confirmed", "tool_call", "refusal", "handoff", "import"]
Behaviour = Literal["grounded", "refusal", "handoff", "tool_call", "tool_ask", "chat", "style", "general"]
ORIGINS: tuple[str, ...] = get_args(Origin)
BEHAVIOURS: tuple[str, ...] = get_args(Behaviour)
HANDOFF = "handoff_to_staff"

WEIGHTS: Mapping[str, float] = {
    "correction": 1.0,
    "staff_reply": 1.0,
    "confirmed": 0.5,
    "tool_call": 0.5,
    "refusal": 0.5,
    "handoff": 1.0,
    "import": 1.0,
}
"""How much an example counts in training: what staff wrote counts in full, what the assistant said itself in half."""
QUESTION_CHARACTERS = 2_000  # kept for lists; the whole question stands in the prompt
WORDS_OF_CLUSTER = 40
WORD = re.compile(r"\w+", re.UNICODE)
NUMBER = re.compile(r"\d+")


@dataclass(frozen=True, slots=True)
class Target:
    """What the assistant should have said or called; ``calls`` are {name, arguments}."""

    content: str
    calls: tuple[Mapping[str, Any], ...] = ()

    @classmethod
    def read(cls, text: str) -> Target:
        """A target as it is stored."""
        body = json.loads(text)
        return cls(str(body.get("content", "")), tuple(body.get("tool_calls", ())))

    def text(self) -> str:
        """The canonical JSON that is stored, and whose digest is approved."""
        body = {"content": clean(self.content), "tool_calls": [dict(call) for call in self.calls]}
        return json.dumps(body, ensure_ascii=False, sort_keys=True, separators=(",", ":"))

    @property
    def empty(self) -> bool:
        """Whether there is nothing to learn from it."""
        return not self.content.strip() and not self.calls


@dataclass(frozen=True, slots=True)
class Candidate:
    """Something that may become an example; ``source`` names what it came from, ``message`` is the row it is about."""

    source: str
    origin: Origin
    behaviour: Behaviour
    told: Told
    target: Target
    message: Row
    rejected: Target | None = None
    person: str = ""
    weight: float = field(default=0.0)


def digest_of(target: str) -> str:
    """The sha256 of a stored target in hex: what an approval is about."""
    return hashlib.sha256(target.encode()).hexdigest()


def cluster_of(question: str) -> str:
    """A name that questions with the same words share; numbers count as one word."""
    words = sorted({NUMBER.sub("0", word) for word in WORD.findall(question.lower())})[:WORDS_OF_CLUSTER]
    return hashlib.sha256(" ".join(words).encode()).hexdigest()[:12]


def behaviour_of(target: Target, *, cited: bool, style: bool = False) -> Behaviour:
    """What a target teaches, as far as its shape says."""
    if any(call.get("name") == HANDOFF for call in target.calls):
        return "handoff"
    if target.calls:
        return "tool_call"
    if style:
        return "style"
    return "grounded" if cited else "chat"


def unfit(behaviour: str, calls: Sequence[Mapping[str, Any]], tools: Sequence[Mapping[str, Any]]) -> str:
    """Why the trainer would refuse such a row together with its whole file, "" if it would not."""
    offered = {tool.get("name") for tool in tools}
    missing = sorted({str(call.get("name")) for call in calls} - {str(name) for name in offered})
    if missing:
        return f"its target calls {', '.join(missing)}, which the prompt did not offer"
    if behaviour == "tool_call" and not calls:
        return "an example of a call needs a call in its target"
    if behaviour == "handoff" and HANDOFF not in offered:
        return f"an example of a handoff needs {HANDOFF} among the tools of its prompt"
    return ""


async def propose(tx: Tx, candidate: Candidate, *, renew: bool = False) -> str | None:
    """Store a candidate unless its messages must not train; returns its id, None where it did not become one.

    ``renew`` lets an example that nobody judged yet follow what its source says now.
    """
    message, told = candidate.message, candidate.told
    if candidate.target.empty or message["trainable"] == "no":
        return None
    barred = await tx.row(
        "loop.barred", conversation_id=message["conversation_id"], from_seq=told.from_seq, seq=message["seq"]
    )
    if barred is None or barred["barred"]:
        return None
    values = _content(candidate)
    await tx.run(
        "loop.add_example",
        id=new_id(),
        tenant=message["tenant"],
        source=candidate.source,
        origin=candidate.origin,
        language=message["language"] or "en",
        channel=message["channel"],
        account=message["account"],
        conversation_id=message["conversation_id"],
        customer_id=message["customer_id"],
        message_id=message["id"],
        turn_id=message["turn_id"],
        release_id=message["release_id"],
        basis=message["trainable"],
        weight=candidate.weight or WEIGHTS[candidate.origin],
        now=tx.now_s,
        **values,
    )
    if renew:
        await tx.run("loop.renew_example", tenant=message["tenant"], source=candidate.source, now=tx.now_s, **values)
    row = await tx.row("loop.example_of_source", tenant=message["tenant"], source=candidate.source)
    return str(row["id"]) if row is not None else None


def _content(candidate: Candidate) -> dict[str, Any]:
    told = candidate.told
    return {
        "kind": "pair" if candidate.rejected is not None else "sft",
        "behaviour": candidate.behaviour,
        "prompt": _json(told.messages),
        "exact": int(told.exact),
        "question": told.question[:QUESTION_CHARACTERS],
        "target": candidate.target.text(),
        "rejected": candidate.rejected.text() if candidate.rejected is not None else None,
        "tools": _json(told.tools),
        "sources": _json(told.sources),
        "person": candidate.person,
        "cluster": cluster_of(told.question),
    }


def _json(value: Sequence[Mapping[str, Any]]) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
