"""From rows to token batches: rendered by the product's own template, supervised on the target's tokens alone.

A micro-batch holds whole sequences laid end to end without padding; attention keeps them apart (``attention.py``).
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from tokenizers import Tokenizer

from models.chat import ChatMessage, ToolCall, ToolSpec
from models.prompt import Template
from training.errors import BadRow

END_OF_TURN = "<|im_end|>"


@dataclass(frozen=True, slots=True)
class Encoded:
    """One sequence in tokens; the last ``answer_tokens`` of ``ids`` are the target with its end of turn."""

    id: str
    ids: tuple[int, ...]
    answer_tokens: int
    weight: float = 1.0

    @property
    def tokens(self) -> int:
        """Length of the whole sequence."""
        return len(self.ids)


@dataclass(frozen=True, slots=True)
class Pair:
    """A preference in tokens: the same prompt answered well and badly."""

    chosen: Encoded
    rejected: Encoded

    @property
    def id(self) -> str:
        """The row both answers come from."""
        return self.chosen.id

    @property
    def tokens(self) -> int:
        """Length of both sequences together."""
        return self.chosen.tokens + self.rejected.tokens


Item = TypeVar("Item")
Sized = TypeVar("Sized", Encoded, Pair)


@dataclass(slots=True)
class Left:
    """Rows that were left out: longer than the limit, or unlike what is served; reported, never cut."""

    too_long: list[str] = field(default_factory=list)
    faulty: dict[str, str] = field(default_factory=dict)  # row id -> what is wrong

    @property
    def count(self) -> int:
        """How many rows do not take part."""
        return len(self.too_long) + len(self.faulty)


class Encoder:
    """Renders and tokenizes rows exactly as the model server does with its prompts and answers."""

    def __init__(self, tokenizer_path: Path, *, max_tokens: int, template: Template | None = None) -> None:
        self._tokenizer = Tokenizer.from_file(str(tokenizer_path))
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()
        self._template = template or Template()
        self.max_tokens = max_tokens

    def texts(self, row: Mapping[str, Any], target: Mapping[str, Any]) -> tuple[str, str]:
        """The prompt as it is served and the target's text up to its end of turn.

        Raises BadRow when prompt and target do not add up to the conversation as later turns will show it.
        """
        messages = [message_of(m) for m in row["messages"]]
        tools = [ToolSpec(t["name"], t.get("description", ""), t.get("parameters", {})) for t in row.get("tools") or ()]
        prompt = self._template.render(messages, tools)
        answer = message_of({"role": "assistant", **target})
        if not answer.content and not answer.tool_calls:
            raise BadRow("its target says nothing")
        whole = self._template.render([*messages, answer], tools, answer_follows=False)
        end = whole.rfind(END_OF_TURN)
        if not whole.startswith(prompt) or end < len(prompt):
            raise BadRow("prompt and target do not render to the served conversation")
        return prompt, whole[len(prompt) : end + len(END_OF_TURN)]

    def encode(self, row: Mapping[str, Any], target: Mapping[str, Any]) -> Encoded:
        """One row with one of its answers; raises BadRow. The prompt is tokenized alone, as the server does."""
        prompt, answer = self.texts(row, target)
        head = self._tokenizer.encode(prompt, add_special_tokens=False).ids
        tail = self._tokenizer.encode(answer, add_special_tokens=False).ids
        return Encoded(str(row["id"]), (*head, *tail), len(tail), float(row.get("weight") or 1.0))

    def rows(self, rows: Sequence[Mapping[str, Any]]) -> tuple[list[Encoded], Left]:
        """Every row that fits, in its order, and those that do not."""
        kept: list[Encoded] = []
        left = Left()
        for row in rows:
            one = self._guarded(row, left, "target")
            if one is not None:
                kept.append(one)
        return kept, left

    def pairs(self, rows: Sequence[Mapping[str, Any]]) -> tuple[list[Pair], Left]:
        """Every preference whose two answers fit, in its order, and those that do not."""
        kept: list[Pair] = []
        left = Left()
        for row in rows:
            chosen = self._guarded(row, left, "target")
            rejected = self._guarded(row, left, "rejected") if chosen else None
            if chosen and rejected:
                kept.append(Pair(chosen, rejected))
        return kept, left

    def _guarded(self, row: Mapping[str, Any], left: Left, which: str) -> Encoded | None:
        try:
            one = self.encode(row, row[which])
        except (BadRow, KeyError, TypeError, AttributeError) as error:
            left.faulty[str(row.get("id"))] = str(error) or type(error).__name__
            return None
        if one.tokens > self.max_tokens:
            left.too_long.append(one.id)
            return None
        return one


def message_of(raw: Mapping[str, Any]) -> ChatMessage:
    """A message of a row; tool calls may stand in the row's short form or in the shape of a chat request."""
    calls = []
    for i, call in enumerate(raw.get("tool_calls") or ()):
        function = call.get("function", call)
        arguments = function.get("arguments", {})
        text = arguments if isinstance(arguments, str) else json.dumps(arguments, ensure_ascii=False)
        calls.append(ToolCall(str(call.get("id", f"call-{i}")), str(function["name"]), text))
    return ChatMessage(raw["role"], raw.get("content") or "", tuple(calls), raw.get("tool_call_id"))


def read_rows(path: Path) -> list[dict[str, Any]]:
    """The rows of a JSONL file in their order; a missing file holds none. Raises BadRow with the line's number."""
    if not path.is_file():
        return []
    rows = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError as error:
            raise BadRow(f"{path}:{number} is not JSON; run prepare again") from error
        if not isinstance(row, dict):
            raise BadRow(f"{path}:{number} is not an object; run prepare again")
        rows.append(row)
    return rows


def order(count: int, seed: int, epoch: int) -> list[int]:
    """The order of an epoch's items: the same for the same seed on any machine."""
    shuffled = list(range(count))
    random.Random(f"{seed}/{epoch}").shuffle(shuffled)  # noqa: S311 - an order, not a secret
    return shuffled


def step_items(items: Sequence[Item], effective_batch: int, seed: int, epochs: int) -> Iterator[list[Item]]:
    """The items of each step over all epochs; the last step of an epoch may be smaller."""
    for epoch in range(epochs):
        shuffled = order(len(items), seed, epoch)
        for start in range(0, len(shuffled), effective_batch):
            yield [items[i] for i in shuffled[start : start + effective_batch]]


def steps_of(count: int, effective_batch: int, epochs: int) -> int:
    """How many steps ``step_items`` yields."""
    return epochs * -(-count // effective_batch)


def micro_batches(items: Sequence[Sized], token_budget: int) -> list[list[Sized]]:
    """Spread one step's items over as few micro-batches as the budget allows, of nearly equal token counts.

    Longest first, each into the emptiest bin: no bin waits for another, and a single item longer than the budget
    stands alone.
    """
    if not items:
        return []
    bins_wanted = -(-sum(item.tokens for item in items) // token_budget)
    while True:
        bins: list[list[Sized]] = [[] for _ in range(bins_wanted)]
        sizes = [0] * bins_wanted
        for item in sorted(items, key=lambda one: (-one.tokens, one.id)):
            emptiest = sizes.index(min(sizes))
            bins[emptiest].append(item)
            sizes[emptiest] += item.tokens
        fits = all(size <= token_budget or len(members) == 1 for size, members in zip(sizes, bins, strict=True))
        if fits or bins_wanted >= len(items):
            return [members for members in bins if members]
        bins_wanted += 1
