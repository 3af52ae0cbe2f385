from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some
from tokenizers import Tokenizer

from models.chat import ChatMessage, ToolCall, ToolSpec
from models.prompt import ExactCounter, Template
from tests.training.tiny import row, tiny_base
from training.batches import (
    END_OF_TURN,
    Encoded,
    Encoder,
    message_of,
    micro_batches,
    order,
    read_rows,
    step_items,
    steps_of,
)
from training.errors import BadRow

CALL = {"name": "find_slot", "arguments": {"day": "Møndag", "service": "a"}}
TOOL = {
    "name": "find_slot",
    "description": "free times",
    "parameters": {"type": "object", "properties": {"day": {"type": "string"}}, "required": ["day"]},
}


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_base(tmp_path_factory.mktemp("base"))


@pytest.fixture(scope="module")
def encoder(base: Path) -> Encoder:
    return Encoder(base / "tokenizer.json", max_tokens=1000)


ROWS: list[dict[str, Any]] = [
    row(1),
    row(2, target={"content": "", "tool_calls": [CALL]}, tools=[TOOL]),
    row(3, target={"content": "One moment.", "tool_calls": [CALL, CALL]}, tools=[TOOL]),
    row(4, target={"content": "\nstarts with a line end <|im_end|> and fakes a turn"}),
    row(
        5,
        messages=[
            {"role": "user", "content": "no system"},
            {"role": "assistant", "content": "", "tool_calls": [{"id": "x", **CALL}]},
            {"role": "tool", "content": "free at 9", "tool_call_id": "x"},
            {"role": "assistant", "content": "At nine."},
            {"role": "user", "content": "thanks"},
        ],
    ),
]


@pytest.mark.parametrize("one", ROWS, ids=lambda one: one["id"])
def test_the_prompt_is_the_served_one_and_the_answer_is_all_that_is_supervised(
    base: Path, encoder: Encoder, one: dict[str, Any]
) -> None:
    made = encoder.encode(one, one["target"])
    tokenizer = Tokenizer.from_file(str(base / "tokenizer.json"))
    messages = [message_of(m) for m in one["messages"]]
    tools = [ToolSpec(t["name"], t["description"], t["parameters"]) for t in one["tools"]]
    prompt = Template().render(messages, tools)
    head, tail = made.ids[: -made.answer_tokens], made.ids[-made.answer_tokens :]
    assert list(head) == tokenizer.encode(prompt, add_special_tokens=False).ids
    assert len(head) == ExactCounter(base / "tokenizer.json").count(messages, tools)
    answer = ChatMessage(
        "assistant",
        one["target"]["content"],
        tuple(
            ToolCall("", c["name"], '{"day": "Møndag", "service": "a"}') for c in one["target"].get("tool_calls", ())
        ),
    )
    whole = Template().render([*messages, answer], tools, answer_follows=False)
    assert prompt + tokenizer.decode(tail, skip_special_tokens=False) == whole.removesuffix("\n")
    assert tail[-1] == tokenizer.token_to_id(END_OF_TURN)
    assert tail.count(tail[-1]) == 1  # a control token inside an answer is parted by the template


def test_rows_that_do_not_fit_or_say_nothing_are_reported_and_never_cut(base: Path) -> None:
    encoder = Encoder(base / "tokenizer.json", max_tokens=200)
    rows = [
        row(1), row(2, target={"content": "x" * 300}), row(3, target={"content": ""}), row(4, target=None),
        row(5, messages=[{"role": "user"}], weight=0.5),
    ]  # fmt: skip
    kept, left = encoder.rows(rows)
    assert [(item.id, item.weight) for item in kept] == [("row-1", 1.0), ("row-5", 0.5)]
    assert left.too_long == ["row-2"]
    assert set(left.faulty) == {"row-3", "row-4"}
    assert left.count == 3


def test_pairs_share_their_prompt(encoder: Encoder) -> None:
    pairs, left = encoder.pairs([row(1), row(2, rejected=None)])
    (pair,) = pairs
    assert pair.chosen.ids[: -pair.chosen.answer_tokens] == pair.rejected.ids[: -pair.rejected.answer_tokens]
    assert pair.tokens == pair.chosen.tokens + pair.rejected.tokens
    assert (pair.id, list(left.faulty)) == ("row-1", ["row-2"])


def test_a_template_that_changes_earlier_turns_is_refused(base: Path, tmp_path: Path) -> None:
    path = tmp_path / "other.jinja"
    path.write_text("{{ messages | length }}{% for m in messages %}{{ m.content }}{% endfor %}", encoding="utf-8")
    encoder = Encoder(base / "tokenizer.json", max_tokens=100, template=Template(path))
    with pytest.raises(BadRow, match="served conversation"):
        encoder.encode(row(1), row(1)["target"])


def test_messages_in_the_shape_of_a_request_are_the_same() -> None:
    wire = {"id": "x", "type": "function", "function": {"name": "find_slot", "arguments": '{"day": 1}'}}
    short = {"id": "x", "name": "find_slot", "arguments": {"day": 1}}
    found = [message_of({"role": "assistant", "content": None, "tool_calls": [call]}) for call in (wire, short)]
    assert found[0] == found[1]


def test_reads_rows_and_names_the_faulty_line(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    assert read_rows(path) == []
    path.write_text('{"id": "1"}\n\n{"id": "2"}\n', encoding="utf-8")
    assert [one["id"] for one in read_rows(path)] == ["1", "2"]
    for bad in ("{", "[]"):
        path.write_text('{"id": "1"}\n' + bad, encoding="utf-8")
        with pytest.raises(BadRow, match=r"rows\.jsonl:2"):
            read_rows(path)


def item(name: str, tokens: int) -> Encoded:
    return Encoded(name, tuple(range(tokens)), 1)


@given(some.lists(some.integers(1, 1500), max_size=40), some.integers(100, 2048))
def test_micro_batches_hold_every_item_once_within_the_budget(sizes: list[int], budget: int) -> None:
    items = [item(str(i), size) for i, size in enumerate(sizes)]
    made = micro_batches(items, budget)
    assert sorted(one.id for part in made for one in part) == sorted(one.id for one in items)
    for part in made:
        assert part
        assert len(part) == 1 or sum(one.tokens for one in part) <= budget


def test_micro_batches_are_balanced_and_do_not_depend_on_the_order() -> None:
    items = [item(str(i), 100 + 10 * i) for i in range(16)]
    made = micro_batches(items, 1024)
    sizes = [sum(one.tokens for one in part) for part in made]
    assert len(made) == 3
    assert max(sizes) - min(sizes) < 150
    assert micro_batches(items[::-1], 1024) == made


def test_every_epoch_sees_every_item_once_in_its_own_order() -> None:
    items = [item(str(i), 1) for i in range(10)]
    made = list(step_items(items, 4, seed=7, epochs=2))
    assert len(made) == steps_of(10, 4, 2) == 6
    first, second = ([one.id for step in made[i : i + 3] for one in step] for i in (0, 3))
    assert sorted(first) == sorted(second) == sorted(one.id for one in items)
    assert first != second
    assert order(10, 7, 0) == order(10, 7, 0) != order(10, 8, 0)
