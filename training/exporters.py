"""Where a run's figures go besides its own files: one small contract, back ends loaded by name, nothing sent anywhere.

``console`` and ``jsonl`` come with it; ``mlflow`` and ``wandb`` write to local folders, offline.
"""

from __future__ import annotations

import dataclasses
import importlib
import json
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

from training.errors import MissingLibrary, TrainingError
from training.progress import Point


class Exporter(Protocol):
    """Takes a run's settings, its points, and its end."""

    def start(self, settings: Mapping[str, Any]) -> None:
        """The run begins with these settings."""
        ...

    def point(self, point: Point) -> None:
        """One step or evaluation is done."""
        ...

    def finish(self, metrics: Mapping[str, Any]) -> None:
        """The run has ended well with these figures."""
        ...


class ConsoleExporter:
    """One line per step on the standard error stream."""

    def __init__(self, folder: Path) -> None:
        del folder

    def start(self, settings: Mapping[str, Any]) -> None:
        """Show the settings."""
        sys.stderr.write(f"training: {json.dumps(dict(settings), default=str)}\n")

    def point(self, point: Point) -> None:
        """Show the step."""
        what = f"loss {point.loss:.4f}" if point.loss is not None else f"held-out loss {point.heldout_loss:.4f}"
        sys.stderr.write(f"{point.stage} {point.step}/{point.steps} {what} {point.tokens_per_s:.0f} tokens/s\n")

    def finish(self, metrics: Mapping[str, Any]) -> None:
        """Show the figures."""
        sys.stderr.write(f"trained: {json.dumps(dict(metrics), default=str)}\n")


class JsonlExporter:
    """Everything as lines of ``export.jsonl`` in the run folder."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "export.jsonl"

    def start(self, settings: Mapping[str, Any]) -> None:
        """Write the settings."""
        self._add({"event": "start", "settings": dict(settings)})

    def point(self, point: Point) -> None:
        """Write the step."""
        self._add({"event": "point", **dataclasses.asdict(point)})

    def finish(self, metrics: Mapping[str, Any]) -> None:
        """Write the figures."""
        self._add({"event": "finish", "metrics": dict(metrics)})

    def _add(self, line: Mapping[str, Any]) -> None:
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line, default=str) + "\n")


class MlflowExporter:
    """An MLflow run in ``mlflow.db`` of the run folder."""

    def __init__(self, folder: Path) -> None:
        self._mlflow = load_library("mlflow", "mlflow")
        self._mlflow.set_tracking_uri(f"sqlite:///{(folder / 'mlflow.db').absolute()}")
        self._mlflow.set_experiment("frontdesk")

    def start(self, settings: Mapping[str, Any]) -> None:
        """Open the run with the settings as its parameters."""
        self._mlflow.start_run()
        self._mlflow.log_params({name: str(value)[:500] for name, value in settings.items()})

    def point(self, point: Point) -> None:
        """Log the step's metrics."""
        self._mlflow.log_metrics(_measured(point), step=point.step)

    def finish(self, metrics: Mapping[str, Any]) -> None:
        """Log the figures and close the run."""
        self._mlflow.log_metrics({k: float(v) for k, v in metrics.items() if isinstance(v, int | float)})
        self._mlflow.end_run()


class WandbExporter:
    """A Weights & Biases run kept offline under ``wandb/`` of the run folder."""

    def __init__(self, folder: Path) -> None:
        os.environ["WANDB_MODE"] = "offline"
        self._wandb = load_library("wandb", "wandb")
        self._folder = folder
        self._run: Any = None

    def start(self, settings: Mapping[str, Any]) -> None:
        """Open the run with the settings as its config."""
        self._run = self._wandb.init(
            project="frontdesk", dir=str(self._folder), mode="offline", config=dict(settings), reinit=True
        )

    def point(self, point: Point) -> None:
        """Log the step's metrics."""
        self._run.log(_measured(point), step=point.step)

    def finish(self, metrics: Mapping[str, Any]) -> None:
        """Put the figures into the summary and close the run."""
        self._run.summary.update(dict(metrics))
        self._run.finish()


EXPORTERS: Mapping[str, Callable[[Path], Exporter]] = {
    "console": ConsoleExporter,
    "jsonl": JsonlExporter,
    "mlflow": MlflowExporter,
    "wandb": WandbExporter,
}


def open_exporters(names: list[str], folder: Path) -> list[Exporter]:
    """Make the named exporters: built-in names, or ``module:Class`` of a shop's own.

    Raises MissingLibrary and TrainingError with what to do next.
    """
    return [_maker(name)(folder) for name in names]


def _maker(name: str) -> Callable[[Path], Exporter]:
    if name in EXPORTERS:
        return EXPORTERS[name]
    module, _, attribute = name.partition(":")
    if not attribute:
        raise TrainingError(f"no exporter {name!r}; known are {', '.join(EXPORTERS)}, or module:Class of your own")
    made = getattr(load_library(module, module), attribute, None)
    if made is None:
        raise TrainingError(f"{module} has no {attribute}; check --export")
    found: Callable[[Path], Exporter] = made
    return found


def load_library(module: str, package: str) -> Any:
    """Import an optional library by name; raises MissingLibrary with the command that installs it."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise MissingLibrary(f"{module} is not installed; run: pip install {package}, or leave it out") from error


def _measured(point: Point) -> dict[str, float]:
    found = {"loss": point.loss, "heldout_loss": point.heldout_loss, "lr": point.lr, "tokens_per_s": point.tokens_per_s}
    return {name: value for name, value in found.items() if value is not None}
