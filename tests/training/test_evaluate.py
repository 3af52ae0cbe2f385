from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.training.subjects import SUITES, heldout, right
from training.client import Answer, EvaluationError, Unanswered, Unreachable
from training.evaluate import Task, evaluate, read, tasks
from training.suites import folder


class Parrot:
    """Answers with the target of the row it was asked; fails where told to."""

    def __init__(self, rows: list[dict[str, Any]], fail_at: int | None = None, mute: str = "") -> None:
        self._answers = {json.dumps(row["messages"]): right(row) for row in rows}
        self._fail_at = fail_at
        self._mute = mute
        self.asked = 0
        self.most_at_once = 0
        self._running = 0

    @asynccontextmanager
    async def running(self) -> Any:
        yield self

    async def ask(self, model: str, messages: Any, tools: Any) -> Answer:
        del model, tools
        if self.asked == self._fail_at:
            raise Unreachable("gone")
        self.asked += 1
        self._running += 1
        self.most_at_once = max(self.most_at_once, self._running)
        await asyncio.sleep(0)
        self._running -= 1
        if self._mute and self._mute in messages[-1]["content"]:
            raise Unanswered("no whole answer")
        answer = self._answers[json.dumps(messages)]
        assert answer is not None
        return Answer(answer["content"], answer["tool_calls"], "stop", 10, 5, 1.0, 2.0)


ROWS = heldout(12)


async def run(parrot: Parrot, out: Path, rows: list[dict[str, Any]] | None = None, **more: Any) -> int:
    return await evaluate(tasks(ROWS if rows is None else rows), parrot, "m", out, **more)  # type: ignore[arg-type]


async def test_every_row_becomes_a_line_with_all_that_scoring_needs(tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    assert await run(Parrot(ROWS), tmp_path / "o.jsonl", tell=lambda done, total: told.append((done, total))) == 12
    found = read(tmp_path / "o.jsonl")
    assert list(found) == [f"heldout/{row['id']}" for row in ROWS]
    first = found["heldout/g0"]
    assert first["row"] == ROWS[0]
    assert first["usage"] == {"prompt_tokens": 10, "completion_tokens": 5}
    assert told[0] == (0, 12)
    assert told[-1] == (12, 12)


async def test_a_second_run_goes_on_where_the_first_was_cut_off(tmp_path: Path) -> None:
    out = tmp_path / "o.jsonl"
    with pytest.raises(Unreachable):
        await run(Parrot(ROWS, fail_at=5), out)
    with out.open("a") as file:
        file.write('{"id": "h7", "sui')  # a kill in the middle of a line
    again = Parrot(ROWS)
    assert await run(again, out) == 7
    assert again.asked == 7
    assert len(read(out)) == 12
    assert await run(Parrot(ROWS, fail_at=0), out) == 0


async def test_rows_without_an_answer_are_asked_again(tmp_path: Path) -> None:
    out = tmp_path / "o.jsonl"
    await run(Parrot(ROWS, mute="thing 4"), out)
    assert read(out)["heldout/g4"]["error"] == "no whole answer"
    assert await run(Parrot(ROWS), out) == 1
    assert read(out)["heldout/g4"]["error"] is None


async def test_a_changed_prompt_is_asked_anew(tmp_path: Path) -> None:
    out = tmp_path / "o.jsonl"
    await run(Parrot(ROWS), out)
    changed = [{**ROWS[0], "messages": [{"role": "user", "content": "Other?"}]}, *ROWS[1:]]
    assert await run(Parrot(changed), out, changed) == 1


async def test_another_models_answers_are_never_mixed_in(tmp_path: Path) -> None:
    out = tmp_path / "o.jsonl"
    await run(Parrot(ROWS), out)
    with pytest.raises(EvaluationError, match="choose another --out"):
        await evaluate(tasks(ROWS), Parrot(ROWS), "other", out)  # type: ignore[arg-type]


async def test_one_at_a_time_unless_told_otherwise(tmp_path: Path) -> None:
    one, three = Parrot(ROWS), Parrot(ROWS)
    await run(one, tmp_path / "1.jsonl")
    await run(three, tmp_path / "3.jsonl", parallel=3)
    assert (one.most_at_once, three.most_at_once) == (1, 3)


def test_a_broken_line_in_the_middle_is_no_kill(tmp_path: Path) -> None:
    path = tmp_path / "o.jsonl"
    path.write_text('{"a\n{"suite": "s", "id": "1"}\n')
    with pytest.raises(EvaluationError, match="line 1"):
        read(path)


def test_a_rule_gives_checks_to_rows_of_its_behaviours() -> None:
    rows = [{**row, "checks": {}} for row in ROWS]
    ruled = tasks(rows, rule={"behaviours": ["style"], "checks": {"must_match": ["x"]}})
    assert [bool(task.row["checks"]) for task in ruled] == [row["behaviour"] == "style" for row in rows]


def test_rows_of_suites_have_keys_of_their_own() -> None:
    suites = folder(SUITES)
    found = tasks(ROWS, suites)
    assert len({task.key for task in found}) == len(ROWS) + sum(len(suite.rows) for suite in suites)
    assert Task("x", ROWS[0]).prompt == Task("y", ROWS[0]).prompt
