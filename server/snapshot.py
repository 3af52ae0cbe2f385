"""What the model was told: kept with each turn by reference, and put together again exactly for training.

A turn keeps, for each call of the model: digests of the system text (rules and passages) and of the offered tools,
which are stored once each; how many messages of the history fitted; the question; the steps before the call. History
itself stays where it is, in the conversation, so erasing a message erases it here. The digest of the whole prompt says
afterwards whether what was put together is what the model read.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from models.chat import ToolSpec
from models.prompt import Prompt, wire_messages
from server.grounding import prompt_block
from server.knowledge.contract import Chunk, Passage, Retrieved
from server.store.contract import Row, Tx, Value
from server.store.text import clean, dump

VERSION = 1
DIGEST_DIGITS = 32
_ROLES = {"customer": "user", "assistant": "assistant", "staff": "assistant"}

Messages = list[dict[str, Any]]


class Reads(Protocol):
    """A store or an open transaction: both can read."""

    async def rows(self, query: str, /, **values: Value) -> Sequence[Row]:
        """All rows of a named query."""

    async def row(self, query: str, /, **values: Value) -> Row | None:
        """The first row of a named query, or None."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One call of the model: its prompt, the tools it was offered, and the one it had to fill in ('' = none)."""

    prompt: Prompt
    tools: tuple[ToolSpec, ...]
    forced: str = ""


@dataclass(frozen=True, slots=True)
class Told:
    """A prompt put together again; ``exact`` says that its digest is the one stored when it was sent.

    ``messages`` are in the shape of a chat request, ``tools`` are {name, description, parameters}, ``from_seq`` is the
    conversation's sequence its oldest message has.
    """

    messages: Messages
    tools: list[dict[str, Any]]
    sources: list[dict[str, str]]
    question: str
    from_seq: int
    exact: bool


def capture(tenant: str, turn: str, history: int, rounds: Sequence[Asked]) -> Callable[[Tx], Awaitable[None]]:
    """What a turn's commit stores of its prompts; ``history`` is how many messages were there to choose from."""
    parts: dict[str, str] = {}
    entries = []
    question, steps = "", []
    for asked in rounds:
        wire = wire_messages(asked.prompt.messages)
        kept = max(0, history - asked.prompt.dropped)
        question, steps = str(wire[1 + kept]["content"]), wire[2 + kept :]
        tools = [_tool(spec) for spec in asked.tools]
        entries.append(
            {
                "system": _part(parts, str(wire[0]["content"])),
                "tools": _part(parts, _canonical(tools)) if tools else "",
                "forced": asked.forced,
                "kept": kept,
                "steps": len(steps),
                "sha": digest_of(wire, tools),
            }
        )
    made = dump({"v": VERSION, "rounds": entries, "question": question, "steps": steps})

    async def unit(tx: Tx) -> None:
        for digest in sorted(parts):
            await tx.run("loop.keep_part", tenant=tenant, digest=digest, body=parts[digest], now=tx.now_s)
        await tx.run("loop.keep_made", id=turn, made=made)

    return unit


async def recall(reads: Reads, turn: Row, *, number: int = -1) -> Told | None:
    """The prompt of one round of a stored turn (the last one unless told); None where parts of it are gone.

    ``turn`` is a row with tenant, conversation_id, first_seq, made, grounding and message_seq.
    """
    made = json.loads(turn["made"]) if turn["made"] else None
    if made is None or not made["rounds"]:
        return None
    one = made["rounds"][number]
    system = await reads.row("loop.part", tenant=turn["tenant"], digest=one["system"])
    tools = await reads.row("loop.part", tenant=turn["tenant"], digest=one["tools"]) if one["tools"] else None
    if system is None or (one["tools"] and tools is None):
        return None
    talk, from_seq = await history_before(
        reads, turn["conversation_id"], turn["message_seq"], one["kept"], first_seq=turn["first_seq"]
    )
    offered = json.loads(tools["body"]) if tools is not None else []
    messages = [
        {"role": "system", "content": system["body"]},
        *talk,
        {"role": "user", "content": made["question"]},
        *made["steps"][: one["steps"]],
    ]
    exact = len(talk) == one["kept"] and digest_of(messages, offered) == one["sha"]
    sources = sources_of(turn["grounding"], system["body"])
    return Told(messages, offered, sources, made["question"], from_seq or turn["message_seq"], exact)


async def history_before(
    reads: Reads, conversation_id: str, seq: int, count: int, *, first_seq: int = 2**62
) -> tuple[Messages, int]:
    """The last ``count`` messages before a sequence in prompt order, and the sequence of the oldest (0: there is none).

    ``first_seq`` leaves out customer messages from that in-lane sequence on: they are a turn's own question.
    """
    if count <= 0:
        return [], 0
    found = await reads.rows(
        "loop.talk_before", conversation_id=conversation_id, seq=seq, first_seq=first_seq, count=count
    )
    talk: Messages = [{"role": _ROLES[row["role"]], "content": row["text"]} for row in reversed(found)]
    return talk, int(found[-1]["seq"]) if found else 0


async def suppose(
    reads: Reads, message: Row, question: str, seq: int, *, first_seq: int = 2**62, history: int = 40
) -> Told | None:
    """The prompt a model would have been given, where none was asked; None while no release is known.

    ``message`` is a row with tenant, conversation_id, case_id, language and, where passages were found, grounding. Its
    tools are those the same release offered last; ``seq`` is where the turn's own messages begin.
    """
    release = await reads.row("loop.case_release", tenant=message["tenant"], case_id=message["case_id"])
    if release is None:
        return None
    system = str(json.loads(release["body"])["system_prompt"])
    if block := prompt_block(_found(message.get("grounding")), message["language"] or "en"):
        system = f"{system}\n\n{block}"
    talk, from_seq = await history_before(reads, message["conversation_id"], seq, history, first_seq=first_seq)
    messages = [{"role": "system", "content": system}, *talk, {"role": "user", "content": question}]
    tools = await _usual_tools(reads, message["tenant"], release["id"])
    return Told(messages, tools, sources_of(message.get("grounding"), ""), question, from_seq or seq, exact=False)


async def _usual_tools(reads: Reads, tenant: str, release_id: str) -> list[dict[str, Any]]:
    row = await reads.row("loop.usual_prompt", tenant=tenant, release_id=release_id)
    digest = json.loads(row["made"])["rounds"][0]["tools"] if row is not None else ""
    part = await reads.row("loop.part", tenant=tenant, digest=digest) if digest else None
    return list(json.loads(part["body"])) if part is not None else []


def _found(grounding: str | None) -> Retrieved:
    """The passages a turn found, as retrieval gave them."""
    passages = json.loads(grounding).get("passages", []) if grounding else []
    chunks = [Chunk(each["id"], "", each["title"], each["heading"], each["text"], each["url"], "customer")
              for each in passages]  # fmt: skip
    return Retrieved(tuple(Passage(chunk, 0.0) for chunk in chunks))


def sources_of(grounding: str | None, system: str) -> list[dict[str, str]]:
    """The passages of a turn that its prompt held, as rows for training have them."""
    passages = json.loads(grounding).get("passages", []) if grounding else []
    return [
        {"id": passage["id"], "title": passage["title"], "text": passage["text"]}
        for passage in passages
        if not system or _held(passage["text"], system)
    ]


def digest_of(messages: Sequence[Mapping[str, Any]], tools: Sequence[Mapping[str, Any]]) -> str:
    """Name of a prompt: the first 32 hex digits of the sha256 of its messages and tools as canonical JSON."""
    return _digest(clean(_canonical([list(messages), list(tools)])))


def _tool(spec: ToolSpec) -> dict[str, Any]:
    return {"name": spec.name, "description": spec.description, "parameters": dict(spec.parameters)}


def _part(parts: dict[str, str], text: str) -> str:
    digest = _digest(clean(text))
    parts[digest] = text
    return digest


def _canonical(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:DIGEST_DIGITS]


def _held(text: str, system: str) -> bool:
    """Whether a passage stands in a system message; spaces are not counted, the prompt folds them."""
    return "".join(text.split())[:200] in "".join(system.split())
