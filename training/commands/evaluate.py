"""``python -m training evaluate``: rows and suites through a serving address, one line of answers for each."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from training.client import Asking, Client
from training.errors import TrainingError
from training.evaluate import Tell, evaluate, tasks
from training.fewshot import SHOTS, shown
from training.suites import Suite, folder, load, load_rows


def parser() -> argparse.ArgumentParser:
    """The command's options."""
    made = argparse.ArgumentParser(prog="python -m training evaluate", description=__doc__)
    made.add_argument("--rows", type=Path, help="held-out rows (JSONL) of a data set")
    made.add_argument("--suite", type=Path, action="append", default=[], help="a frozen suite, or a folder of them")
    made.add_argument("--url", required=True, help="OpenAI-compatible address ending in /v1")
    made.add_argument("--key-env", default="", help="environment variable with the server's key")
    made.add_argument("--model", required=True, help="name the server knows, raw:NAME or release:ID")
    made.add_argument("--out", type=Path, required=True, help="file the answers are appended to; it resumes from it")
    made.add_argument("--parallel", type=int, default=1, help="prompts asked at the same time (default 1)")
    made.add_argument("--max-tokens", type=int, default=256, help="longest answer, tokens")
    made.add_argument("--temperature", type=float, default=0.0, help="0 always takes the likeliest token")
    made.add_argument("--seed", type=int, help="makes sampling repeatable")
    made.add_argument("--timeout", type=float, default=600.0, metavar="SECONDS", help="longest wait for one answer")
    made.add_argument("--rule", type=Path, help='JSON {"behaviours": [...], "checks": {...}} for held-out rows')
    made.add_argument("--few-shot", type=Path, help="train rows shown as examples in the prompt, for comparison")
    made.add_argument("--shots", type=int, default=SHOTS, help="how many of them")
    made.add_argument("--limit", type=int, help="only so many held-out rows")
    return made


def main(argv: Sequence[str] | None = None, tell: Tell | None = None) -> int:
    """Run the command; 0 done, 2 cannot evaluate (what was answered is kept)."""
    given = parser().parse_args(argv)
    try:
        asked = asyncio.run(run(given, tell or _progress))
    except (TrainingError, OSError) as error:
        sys.stderr.write(f"evaluate: {error}\n")
        return 2
    sys.stdout.write(f"{asked} prompts asked; answers are in {given.out}\n")
    return 0


async def run(given: argparse.Namespace, tell: Tell) -> int:
    """Ask everything that is missing; how many prompts were asked. Raises TrainingError."""
    rows = load_rows(given.rows)[: given.limit] if given.rows else []
    suites = suites_of(given.suite)
    if not rows and not suites:
        raise TrainingError("nothing to ask; give --rows or --suite")
    rule = json.loads(given.rule.read_text(encoding="utf-8")) if given.rule else None
    wanted = tasks(rows, suites, rule)
    if given.few_shot:
        examples = load_rows(given.few_shot)
        wanted = [type(task)(task.suite, shown(task.row, examples, given.shots)) for task in wanted]
    key = os.environ.get(given.key_env, "") if given.key_env else ""
    if given.key_env and not key:
        raise TrainingError(f"the environment variable {given.key_env} is empty; set it or leave out --key-env")
    asking = Asking(given.max_tokens, given.temperature, given.seed, given.timeout)
    given.out.parent.mkdir(parents=True, exist_ok=True)
    client = Client(given.url, key, asking)
    return await evaluate(wanted, client, given.model, given.out, parallel=given.parallel, tell=tell)


def suites_of(paths: Sequence[Path]) -> list[Suite]:
    """The suites of files and folders, in order. Raises BadSuite."""
    return [suite for path in paths for suite in (folder(path) if path.is_dir() else [load(path)])]


def _progress(done: int, total: int) -> None:
    if done == total or done % 20 == 0:
        sys.stderr.write(f"{done} of {total}\n")
