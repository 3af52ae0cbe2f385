"""What live and candidate answered to the same prompts, from the files of a run: texts side by side for people."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from server.retrain.folder import Folder, read_rows

LONGEST_TEXT = 4_000  # characters of an answer that are shown


@dataclass(frozen=True, slots=True)
class Pair:
    """One prompt with both answers as text; ``wanted`` is the reviewed target, ``example`` its id in the queue."""

    key: str
    suite: str
    behaviour: str
    question: str
    wanted: str
    live: str
    candidate: str
    example: str

    @property
    def differs(self) -> bool:
        """Whether there is anything to prefer."""
        return self.live.strip() != self.candidate.strip()


def pairs(folder: Folder) -> dict[str, Pair]:
    """Pairs over equal prompts by their key, in the order of live's file; empty where the files are not here.

    Reads files: call it in a thread.
    """
    live = {_key(entry): entry for entry in read_rows(folder.answers("live"))}
    candidate = {_key(entry): entry for entry in read_rows(folder.answers("candidate"))}
    return {
        key: _pair(key, entry, candidate[key])
        for key, entry in live.items()
        if key in candidate and candidate[key].get("prompt") == entry.get("prompt")
    }


def said(answer: Mapping[str, Any] | None) -> str:
    """An answer as people read it: its words, then its calls."""
    if not answer:
        return ""
    calls = [f"→ {call.get('name')}({_arguments(call.get('arguments'))})" for call in answer.get("tool_calls") or ()]
    return "\n".join([*filter(None, [answer.get("content") or ""]), *calls])[:LONGEST_TEXT]


def _key(entry: Mapping[str, Any]) -> str:
    return f"{entry.get('suite')}/{entry.get('id')}"


def _pair(key: str, live: Mapping[str, Any], candidate: Mapping[str, Any]) -> Pair:
    row = live.get("row") or {}
    suite = str(live.get("suite", ""))
    return Pair(
        key=key,
        suite=suite,
        behaviour=str(row.get("behaviour", "")),
        question=_question(row),
        wanted=said(row.get("target")),
        live=said(live.get("answer")),
        candidate=said(candidate.get("answer")),
        example=str(row.get("id", "")).partition("#")[0] if suite == "heldout" else "",
    )


def _question(row: Mapping[str, Any]) -> str:
    asked = [message.get("content") for message in row.get("messages") or () if message.get("role") == "user"]
    return str(asked[-1] or "")[:LONGEST_TEXT] if asked else ""


def _arguments(arguments: object) -> str:
    return arguments if isinstance(arguments, str) else json.dumps(arguments, ensure_ascii=False)
