"""Base, base with examples in its prompt, and an adapter over the public dev sets: one table with 95 % intervals.

    python -m benchmarks.public_rows --split dev --out dev.jsonl --limit 600
    python -m benchmarks.public_rows --split train --out train.jsonl --limit 1000
    python -m benchmarks.loop_public --rows dev.jsonl --train train.jsonl --url http://127.0.0.1:8000/v1 --key-env KEY \
        --base BASE --adapter default-0123456789ab --out run/public

Answers are kept in ``--out`` and asked only once: started again, it goes on. With ``--table`` nothing is asked, the
table is made of what is there. The columns sft1 and sft2 are the first measurements (November 2026, other held-out
rows of the same sets, n = 16-60), told for comparison.
"""

from __future__ import annotations

import argparse
import asyncio
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from training.bootstrap import codes, paired
from training.client import Asking, Client
from training.evaluate import Task, evaluate, read, tasks
from training.fewshot import SHOTS, shown
from training.scoring import score
from training.suites import folder, load_rows

SUITES = Path(__file__).parent.parent / "config/demo/suites"
SEED = 20_261_121
FEWEST = 5  # rows; fewer are shown without an interval

Entry = Mapping[str, Any]


@dataclass(frozen=True)
class Line:
    """A row of the table: a figure over the generations that ``of`` takes; ``lower`` when less is better."""

    title: str
    metric: str
    of: Callable[[Entry], bool]
    sft1: float | None = None
    sft2: float | None = None
    lower: bool = False


def public(prefix: str, behaviour: str) -> Callable[[Entry], bool]:
    """Rows of one public set and behaviour."""
    return lambda entry: (
        entry["suite"] == "heldout" and entry["id"].startswith(prefix) and entry["row"]["behaviour"] == behaviour
    )


def suite(name: str) -> Callable[[Entry], bool]:
    """Rows of one frozen suite."""
    return lambda entry: entry["suite"] == name


LINES = (
    Line("desk: F1 with the human answer", "f1", public("dstc11/", "grounded"), 0.157, 0.226),
    Line("desk: cites anything", "cites", public("dstc11/", "grounded"), 0.30, 0.975),
    Line("desk: cites only right sources", "cites_right", public("dstc11/", "grounded"), 0.0, 0.375),
    Line("desk: wrongly refuses", "false_refusal", public("dstc11/", "grounded"), 0.70, 0.05, lower=True),
    Line("desk: refuses when it should", "refuses", public("dstc11/", "refusal"), 0.90, 0.0),
    Line("SQuAD: F1", "f1", public("squad2/", "grounded"), 0.217, 0.294),
    Line("SQuAD: answer contained", "contains", public("squad2/", "grounded"), 0.206, 0.294),
    Line("SQuAD: cites only right sources", "cites_right", public("squad2/", "grounded"), 0.706, 0.853),
    Line("SQuAD: wrongly refuses", "false_refusal", public("squad2/", "grounded"), lower=True),
    Line("SQuAD: refuses when it should", "refuses", public("squad2/", "refusal"), 0.31, 0.0),
    Line("handoff called when asked (public openings)", "handoff", public("handoff/", "handoff"), 0.90, 0.05),
    Line("tools, one shop: right name", "tool_name", public("sgdn/", "tool_call"), None, 0.32),
    Line("tools, one shop: exact arguments", "tool_exact", public("sgdn/", "tool_call"), None, 0.16),
    Line("tools, one shop: argument F1", "tool_args", public("sgdn/", "tool_call"), None, 0.24),
    Line("tools, several services: right name", "tool_name", public("sgd/", "tool_call"), 0.38),
    Line("tools, several services: exact arguments", "tool_exact", public("sgd/", "tool_call"), 0.04),
    Line("tools, several services: argument F1", "tool_args", public("sgd/", "tool_call"), 0.15),
    Line("does not call when a question is due", "no_false_call", public("sgd", "tool_ask"), 0.0, 0.567),
    Line("suite general: passes", "quality", suite("general")),
    Line("suite must_pass: passes", "quality", suite("must_pass")),
    Line("suite safety: passes", "quality", suite("safety")),
    Line("suite refusal: refuses when it should", "refuses", suite("refusal")),
    Line("suite refusal: wrongly refuses", "false_refusal", suite("refusal"), lower=True),
    Line("suite handoff: called when asked", "handoff", suite("handoff")),
    Line("suite handoff: not called otherwise", "no_false_call", suite("handoff")),
    Line("suite tools: exact arguments", "tool_exact", suite("tools")),
    Line("all: invalid tool call", "invalid_tool", lambda _: True, lower=True),
    Line("all: personal data told", "pii_echo", lambda _: True, lower=True),
)


def figure(line: Line, generations: Mapping[str, Entry]) -> tuple[float, float, float, int] | None:
    """Mean, both ends of its interval (conversations resampled), rows; None without rows."""
    taken = [entry for entry in generations.values() if line.of(entry)]
    scored = [(entry, score(entry["row"], entry["answer"]).get(line.metric)) for entry in taken]
    known = [(entry["row"]["conversation"], value) for entry, value in scored if value is not None]
    if not known:
        return None
    values = np.array([[value] for _, value in known])
    found = paired(values, codes([name for name, _ in known]), seed=SEED)
    return float(found.mean[0]), float(found.low[0]), float(found.high[0]), len(known)


def table(subjects: Mapping[str, Mapping[str, Entry]]) -> str:
    """The table in Markdown."""
    head = ["figure", "n", *subjects, "sft1", "sft2"]
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    for line in LINES:
        found = [figure(line, generations) for generations in subjects.values()]
        rows = max((each[3] for each in found if each), default=0)
        if rows:
            earlier = [f"{each:.3f}" if each is not None else "-" for each in (line.sft1, line.sft2)]
            title = f"{line.title} (less is better)" if line.lower else line.title
            lines.append(f"| {' | '.join([title, str(rows), *map(cell, found), *earlier])} |")
    words = [words_of(generations) for generations in subjects.values()]
    lines.append(f"| {' | '.join(['mean words of a grounded answer', '', *words, '-', '10.4'])} |")
    return "\n".join(lines)


def cell(found: tuple[float, float, float, int] | None) -> str:
    """One figure with its interval."""
    if found is None:
        return "-"
    mean, low, high, rows = found
    return f"{mean:.3f} ({low:.2f}-{high:.2f})" if rows >= FEWEST else f"{mean:.3f}"


def words_of(generations: Mapping[str, Entry]) -> str:
    """Mean length of answers to what the passages answer."""
    answered = [entry for entry in generations.values() if entry["answer"] and entry["row"]["behaviour"] == "grounded"]
    sizes = [len(entry["answer"]["content"].split()) for entry in answered]
    return f"{sum(sizes) / len(sizes):.1f}" if sizes else "-"


def told(name: str) -> Callable[[int, int], None]:
    """Prints how far a subject is."""
    return lambda done, total: print(f"{name}: {done} of {total}", flush=True) if done % 50 == 0 else None


async def ask(options: argparse.Namespace, subjects: Sequence[tuple[str, str, list[Task]]]) -> None:
    """Ask every subject what is missing of its answers."""
    client = Client(options.url, os.environ.get(options.key_env, ""), Asking(max_tokens=options.max_tokens))
    for name, model, wanted in subjects:
        out = options.out / f"{name}.jsonl"
        await evaluate(wanted, client, model, out, parallel=options.parallel, tell=told(name))


def main() -> None:
    """Ask where needed, then print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rows", type=Path, required=True)
    parser.add_argument(
        "--train", type=Path, help="rows whose targets are shown as examples; none = no few-shot column"
    )
    parser.add_argument("--url", default="")
    parser.add_argument("--key-env", default="")
    parser.add_argument("--base", default="")
    parser.add_argument("--adapter", action="append", default=[], help="served name; repeatable")
    parser.add_argument("--shots", type=int, default=SHOTS)
    parser.add_argument("--limit", type=int)
    parser.add_argument("--parallel", type=int, default=4)
    parser.add_argument("--max-tokens", type=int, default=128)
    parser.add_argument("--no-suites", action="store_true")
    parser.add_argument("--table", action="store_true", help="ask nothing, only print what is there")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    wanted = tasks(load_rows(options.rows)[: options.limit], [] if options.no_suites else folder(SUITES))
    subjects = [("base", options.base, wanted)]
    if options.train:
        examples = load_rows(options.train)
        with_examples = [Task(task.suite, shown(task.row, examples, options.shots)) for task in wanted]
        subjects.append(("few-shot", options.base, with_examples))
    subjects += [(name, name, wanted) for name in options.adapter]
    if not options.table:
        asyncio.run(ask(options, subjects))
    files = {name: options.out / f"{name}.jsonl" for name, _, _ in subjects}
    print(table({name: read(path) for name, path in files.items() if path.is_file()}))


if __name__ == "__main__":
    main()
