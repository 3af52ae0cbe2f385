"""``python -m training all``: prepare and train, and with a serving address also evaluate and gate.

The server at ``--url`` finds the new adapter under ``--publish``, the folder its resolver loads adapters from.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from models.adapters import Adapters, BadAdapter
from models.base_identity import BaseIdentity
from training.commands import evaluate, gate, prepare, train

MAX_RANK = 64


def parser() -> argparse.ArgumentParser:
    """The command's options."""
    made = argparse.ArgumentParser(prog="python -m training all", description=__doc__)
    made.add_argument("--examples", type=Path, required=True, help="JSON lines of approved rows")
    made.add_argument("--base", type=Path, required=True, help="folder of the base model's weights")
    made.add_argument("--out", type=Path, required=True, help="run folder")
    made.add_argument("--recipe", type=Path, help="JSON of settings for prepare and train")
    made.add_argument("--earlier", action="append", default=[], metavar="MANIFEST", help="of an earlier data set")
    made.add_argument("--base-name", help="name the base is served under (default: what its folder says)")
    made.add_argument("--threads", help="CPU threads of the training")
    made.add_argument("--nice", help="added to the process's niceness while training")
    made.add_argument("--url", help="OpenAI-compatible address ending in /v1; without it the run ends after training")
    made.add_argument("--key-env", help="environment variable with that server's key")
    made.add_argument("--live", help="name of what is live there (default: the base)")
    made.add_argument("--publish", type=Path, help="folder the server resolves adapters from; needed with --url")
    made.add_argument("--tenant", default="desk", help="first part of the adapter's served name")
    made.add_argument("--suite", action="append", default=[], help="a frozen suite, or a folder of them")
    return made


def main(argv: Sequence[str] | None = None) -> int:
    """Run the commands one after the other; the status of the first that fails, or the gate's."""
    given = parser().parse_args(argv)
    if given.url and not given.publish:
        sys.stderr.write("all: --url needs --publish, the folder that server loads adapters from\n")
        return 2
    recipe = [] if given.recipe is None else ["--recipe", str(given.recipe)]
    earlier = [part for path in given.earlier for part in ("--earlier", path)]
    dataset = given.out / "dataset"
    status = prepare.main(["--examples", str(given.examples), "--out", str(dataset), *recipe, *earlier])
    if status:
        return status
    options = [(f"--{name}", getattr(given, name.replace("-", "_"))) for name in ("base-name", "threads", "nice")]
    chosen = [part for name, value in options if value is not None for part in (name, value)]
    status = train.main(
        ["--dataset", str(dataset), "--base", str(given.base), "--out", str(given.out), *recipe, *chosen]
    )
    if status or not given.url:
        return status
    try:
        base = BaseIdentity.of(given.base, given.base_name or "")
        candidate = Adapters(given.publish, base, max_rank=MAX_RANK).put(given.out / "adapter", given.tenant).name
    except (BadAdapter, OSError) as error:
        sys.stderr.write(f"all: the adapter was not published: {error}\n")
        return 2
    return _judge(given, base.name, candidate)


def _judge(given: argparse.Namespace, base: str, candidate: str) -> int:
    """Evaluate the three subjects and ask the gate; what is live is evaluated once when it is the base."""
    folder = given.out / "evaluation"
    subjects = {"base": base, "live": given.live or base, "candidate": candidate}
    suites = [part for path in given.suite for part in ("--suite", path)]
    key = [] if given.key_env is None else ["--key-env", given.key_env]
    files = {}
    for subject, model in subjects.items():
        same = subject == "live" and model == base
        files[subject] = folder / f"{'base' if same else subject}.jsonl"
        if same:
            continue
        status = evaluate.main(
            [
                "--rows",
                str(given.out / "dataset" / "heldout.jsonl"),
                *suites,
                "--url",
                given.url,
                *key,
                "--model",
                model,
                "--out",
                str(files[subject]),
            ]
        )
        if status:
            return status
    named = [part for subject, path in files.items() for part in (f"--{subject}", str(path))]
    return gate.main([*named, "--out", str(given.out / "report.json")])
