"""``python -m training train``: data set and base in, adapter out; started again, it goes on where it stopped."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FrameType

EXIT_STOPPED = 75  # EX_TEMPFAIL: the state is on disk, start the same command again

os.environ["HF_HUB_OFFLINE"] = "1"  # before the libraries are imported: a run asks no network
os.environ["TRANSFORMERS_OFFLINE"] = "1"
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

from training import recipe as recipes  # noqa: E402 - after the environment is set
from training.errors import Stopped, TrainingError  # noqa: E402
from training.order import CHECKPOINT_EVERY_S, Order  # noqa: E402
from training.runner import probe, train  # noqa: E402


def parser() -> argparse.ArgumentParser:
    """The command's options."""
    made = argparse.ArgumentParser(prog="python -m training train", description=__doc__)
    made.add_argument("--dataset", type=Path, required=True, help="folder that prepare wrote")
    made.add_argument("--base", type=Path, required=True, help="folder of the base model's weights")
    made.add_argument("--out", type=Path, required=True, help="run folder; adapter/ appears in it when all is done")
    made.add_argument("--recipe", type=Path, help="JSON of settings; default: recipe.json in --out, else the defaults")
    made.add_argument("--base-name", help="name the base is served under (default: what its folder says)")
    made.add_argument("--threads", type=int, help="CPU threads (default: all cores but one; 1 beside a served chat)")
    made.add_argument("--nice", type=int, default=0, help="added to the process's niceness (0-19)")
    made.add_argument("--export", action="append", default=[], help="console, jsonl, mlflow, wandb or module:Class")
    made.add_argument("--parent", action="append", default=[], help="digest of an adapter this one follows")
    made.add_argument("--sign-key-env", help="environment variable with the key that signs the manifest")
    made.add_argument("--checkpoint-every", type=float, default=CHECKPOINT_EVERY_S, metavar="SECONDS")
    made.add_argument("--probe", action="store_true", help="time the first 20 steps, print the estimate, keep nothing")
    return made


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command, whose last line is the adapter's folder.

    0 done, 75 stopped by SIGTERM with its state saved, 2 cannot train.
    """
    given = parser().parse_args(argv)
    asked = False

    def stop(signum: int, frame: FrameType | None) -> None:
        nonlocal asked
        del signum, frame
        asked = True

    signal.signal(signal.SIGTERM, stop)
    try:
        order = order_of(given, lambda: asked)
        if given.probe:
            estimate = probe(order)
            sys.stdout.write(
                f"about {estimate.seconds / 60:.1f} minutes at {estimate.tokens_per_s:.0f} tokens/s "
                f"({estimate.low_s / 60:.1f}-{estimate.high_s / 60:.1f}, from {estimate.steps_timed} steps)\n"
            )
            return 0
        done = train(order)
    except Stopped as error:
        sys.stderr.write(f"train: {error}\n")
        return EXIT_STOPPED
    except TrainingError as error:
        sys.stderr.write(f"train: {error}\n")
        return 2
    sys.stdout.write(f"{done.adapter}\n")
    return 0


def order_of(given: argparse.Namespace, stop: Callable[[], bool]) -> Order:
    """The run the options describe; raises TrainingError for a recipe or key that cannot be used."""
    kept = given.out / "recipe.json"
    path = given.recipe or (kept if kept.is_file() else None)
    key = None
    if given.sign_key_env:
        if not os.environ.get(given.sign_key_env):
            raise TrainingError(f"the environment variable {given.sign_key_env} is empty; set it or leave out signing")
        key = os.environ[given.sign_key_env].encode()
    return Order(
        given.dataset, given.base, given.out, recipes.read(path), base_name=given.base_name, threads=given.threads,
        nice=given.nice, exporters=tuple(given.export), parents=tuple(given.parent), key=key,
        checkpoint_every_s=given.checkpoint_every, stop=stop,
    )  # fmt: skip
