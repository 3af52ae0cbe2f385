"""``python -m training gate``: answers of base, live and candidate in, a verdict and its report out."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from training import report
from training.errors import TrainingError
from training.evaluate import read
from training.floors import Settings
from training.gate import decide_pairs
from training.pairs import pair_up


def parser() -> argparse.ArgumentParser:
    """The command's options."""
    made = argparse.ArgumentParser(prog="python -m training gate", description=__doc__)
    made.add_argument("--base", type=Path, required=True, help="answers of the base model")
    made.add_argument("--live", type=Path, required=True, help="answers of what is live (the base's, if that is live)")
    made.add_argument("--candidate", type=Path, required=True, help="answers of the candidate")
    made.add_argument("--also", action="append", default=[], metavar="NAME=FILE", help="shown in the report only")
    made.add_argument("--out", type=Path, required=True, help="report.json; report.html is written beside it")
    made.add_argument(
        "--target", action="append", default=[], help="slice to beat, such as behaviour:style; repeatable"
    )
    made.add_argument("--seed", type=int, default=Settings().seed, help="of the resampling")
    return made


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; 0 promote, 3 reject, 4 not enough evidence, 2 cannot judge."""
    given = parser().parse_args(argv)
    try:
        subjects = {name: read(path) for name, path in _files(given).items()}
        pairs, left_out = pair_up(subjects["live"], subjects["candidate"])
        settings = Settings(targets=tuple(given.target) or Settings().targets, seed=given.seed)
        decision = decide_pairs(pairs, settings, left_out)
        page = report.write(decision, pairs, subjects, given.out)
    except (TrainingError, OSError) as error:
        sys.stderr.write(f"gate: {error}\n")
        return 2
    sys.stdout.write("\n".join([decision.verdict, *(reason.text for reason in decision.reasons), f"{page}\n"]))
    return decision.exit_code


def _files(given: argparse.Namespace) -> dict[str, Path]:
    files = {"base": given.base, "live": given.live, "candidate": given.candidate}
    for text in given.also:
        name, separator, path = text.partition("=")
        if not separator or name in files:
            raise TrainingError(f"--also {text}: write NAME=FILE with a name of its own")
        files[name] = Path(path)
    return files
