"""``python -m training prepare``: approved examples in, a masked, split and balanced data set out.

The same examples, recipe and earlier data sets give the same bytes.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from training.curation import read_curation
from training.dataset import curate, write
from training.errors import TrainingError
from training.manifest import heldout_beside, read_parent
from training.rows import Row, read, sha256

EXIT_UNUSABLE = 2


def parser() -> argparse.ArgumentParser:
    """The command's options."""
    made = argparse.ArgumentParser(prog="python -m training prepare", description=__doc__)
    made.add_argument("--examples", type=Path, required=True, help="JSON lines of approved rows")
    made.add_argument("--out", type=Path, required=True, help="folder of the data set; replaced as a whole")
    made.add_argument("--recipe", type=Path, help='JSON; its part "prepare" holds the choices of this step')
    made.add_argument(
        "--earlier", type=Path, action="append", default=[], metavar="MANIFEST",
        help="manifest of an earlier data set: what it held out never trains; may be given several times",
    )  # fmt: skip
    made.add_argument("--replay", type=Path, help="JSON lines of general rows; instead of the recipe's")
    return made


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; 0 done, 2 when examples, recipe or an earlier manifest cannot be used."""
    given = parser().parse_args(argv)
    return prepare(given.examples, given.out, given.recipe, given.earlier, replay=given.replay)


def prepare(
    examples: Path, out: Path, recipe: Path | None, earlier: Sequence[Path], *, replay: Path | None = None
) -> int:
    """Make the data set; on any fault nothing is written and the faults are told by line number."""
    try:
        made = prepared(examples, out, recipe, earlier, replay=replay)
    except (TrainingError, ValueError) as error:
        sys.stderr.write(f"prepare: {error}\n")
        return EXIT_UNUSABLE
    except OSError as error:
        sys.stderr.write(f"prepare: {error.filename}: {error.strerror}; check the path and its rights\n")
        return EXIT_UNUSABLE
    sys.stdout.write(summary(made))
    return 0


def prepared(
    examples: Path, out: Path, recipe: Path | None, earlier: Sequence[Path], *, replay: Path | None = None
) -> Mapping[str, Any]:
    """Make the data set and return its manifest. Raises TrainingError, ValueError, OSError."""
    curation = read_curation(recipe)
    parents = [read_parent(path) for path in earlier]
    anchors = {row.id: row for path in earlier for row in heldout_beside(path)}
    rows = read(examples)
    if not rows:
        raise TrainingError(f"{examples.name} has no rows; approve examples first")
    general = replay or curation.replay
    replayed: list[Row] = read(general) if general else []
    curated = curate(rows, replayed, curation, parents, list(anchors.values()))
    if not curated.parts.train:
        reasons = ", ".join(f"{count} {reason}" for reason, count in curated.account.left_out.items()) or "all held out"
        raise TrainingError(f"no row is left to train on ({reasons}); approve more examples")
    curated.account.examples_sha256 = sha256(examples.read_bytes())
    curated.account.replay_sha256 = sha256(general.read_bytes()) if general else ""
    out.parent.mkdir(parents=True, exist_ok=True)
    return write(out, curated, curation, parents)


def summary(manifest: Mapping[str, Any]) -> str:
    """The manifest's figures in a few lines."""
    counts, left = manifest["counts"], manifest["left_out"]
    made = f"{counts['train']} rows to train, {counts['heldout']} held out, {counts['preferences']} pairs"
    lines = [
        f"data set {manifest['dataset_sha256'][:12]}: {made}",
        *(f"  left out {number}: {reason}" for reason, number in left.items()),
        *(f"  warning: {text}" for text in manifest["warnings"]),
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    raise SystemExit(main())
