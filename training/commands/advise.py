"""``python -m training advise``: whether these examples are worth a training run; the answer may be no."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from training.advise import GOAL, advise
from training.errors import TrainingError
from training.evaluate import read
from training.suites import load_rows

EXIT_NO = 3


def parser() -> argparse.ArgumentParser:
    """The command's options."""
    made = argparse.ArgumentParser(prog="python -m training advise", description=__doc__)
    made.add_argument("--examples", type=Path, required=True, help="approved examples (JSONL)")
    made.add_argument("--base", type=Path, help="answers of the base model over them")
    made.add_argument("--few-shot", type=Path, help="answers with examples in the prompt")
    made.add_argument("--goal", type=float, default=GOAL, help="mean quality that is good enough, 0 to 1")
    made.add_argument("--json", action="store_true", help="print JSON")
    return made


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; 0 tune, 3 do not, 2 cannot say."""
    given = parser().parse_args(argv)
    try:
        examples = load_rows(given.examples)
        base = read(given.base) if given.base else None
        few_shot = read(given.few_shot) if given.few_shot else None
    except (TrainingError, OSError) as error:
        sys.stderr.write(f"advise: {error}\n")
        return 2
    found = advise(examples, base, few_shot, given.goal)
    sys.stdout.write((json.dumps(found.as_json(), ensure_ascii=False) if given.json else found.text()) + "\n")
    return 0 if found.tune else EXIT_NO
