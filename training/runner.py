"""One training run over a run folder: data and base in, adapter out, resumable at any point in between."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog

from training import recipe as recipes
from training import trl_backend
from training.batches import Encoder, Left, read_rows
from training.checkpoints import Checkpoints, write_whole
from training.errors import Stopped, TrainingError
from training.exporters import open_exporters
from training.fit import Fit
from training.lora import LoraTrainee, machine, open_base
from training.order import Order, Trained, finish
from training.output import base_identity, dataset_digest
from training.probe import PROBE_STEPS, Estimate
from training.progress import Progress
from training.recipe import Recipe
from training.stages import AnswerStage, PreferenceStage, Stage

log = structlog.get_logger()


@dataclass(slots=True)
class Ready:
    """A run with everything loaded."""

    model: LoraTrainee
    stages: list[Stage[Any]]
    recipe: Recipe
    warnings: list[str]
    left: int


def train(order: Order) -> Trained:
    """Run to the end and write ``adapter/``; a run that was interrupted goes on from its checkpoint.

    Raises the errors of ``training.errors``; Stopped when ``order.stop`` said so.
    """
    progress = Progress(order.out)
    progress.state("starting")
    try:
        return _train(order, progress)
    except Stopped:
        raise
    except TrainingError as error:
        progress.state("failed", reason=str(error))
        raise


def probe(order: Order) -> Estimate:
    """Time the first PROBE_STEPS steps of the run and estimate the whole; nothing of them is kept."""
    ready = load(order)
    aside = order.out / "probe"
    fit: Fit
    checkpoints = Checkpoints(aside, "probe")
    checkpoints.clear()
    fit = Fit(
        ready.model, ready.stages, ready.recipe, checkpoints, Progress(aside),
        stop=lambda: fit.at.done >= PROBE_STEPS,
    )  # fmt: skip
    try:
        fit.run()
    except Stopped:
        log.info("probe_done", steps=fit.at.done)
    checkpoints.clear()
    estimate = fit.pace.estimate(len(ready.stages) * ready.recipe.evaluations)
    if estimate is None:
        raise TrainingError("too few steps to estimate from; a run this small takes seconds")
    write_whole(order.out / "probe.json", json.dumps(dataclasses.asdict(estimate)) + "\n")
    return estimate


def load(order: Order) -> Ready:
    """Read, render and tokenize the data, open the base and attach an adapter; raises TrainingError."""
    on = machine(order.recipe, order.threads, order.nice)
    base = open_base(order.base, order.recipe, on)
    parameters = base.num_parameters()
    recipe = order.recipe.sized(parameters)
    encoder = Encoder(order.base / "tokenizer.json", max_tokens=recipe.max_tokens)
    stages: list[Stage[Any]] = []
    left = 0
    for name in recipe.stages:
        stage, missed = _stage(name, order.dataset, encoder, recipe)
        stages.append(stage)
        left += missed.count
    rows, pairs = (sum(len(s.items) for s in stages if s.name == name) for name in ("sft", "dpo"))
    warnings = recipes.warnings(recipe, parameters, rows, pairs)
    if left:
        warnings.append(f"{left} rows were left out: too long for max_tokens, or unlike what is served")
    for text in warnings:
        log.warning("recipe_unusual", reason=text)
    log.info(
        "run_loaded", rows=rows, pairs=pairs, device=on.device, precision=str(on.dtype), threads=on.threads,
        parameters=parameters, lr=recipe.lr,
    )  # fmt: skip
    return Ready(LoraTrainee(base, recipe, on), stages, recipe, warnings, left)


def _stage(name: str, dataset: Path, encoder: Encoder, recipe: Recipe) -> tuple[Stage[Any], Left]:
    stage: Stage[Any]
    if name == "sft":
        rows, left = encoder.rows(read_rows(dataset / "train.jsonl"))
        heldout, _ = encoder.rows(read_rows(dataset / "heldout.jsonl"))
        stage = AnswerStage(rows, heldout, recipe)
    else:
        pairs, left = encoder.pairs(read_rows(dataset / "preferences.jsonl"))
        heldout_pairs, _ = encoder.pairs(read_rows(dataset / "preferences_heldout.jsonl"))
        stage = PreferenceStage(pairs, heldout_pairs, recipe)
    for row in left.too_long:
        log.warning("row_left_out", row=row, reason="longer than recipe.max_tokens")
    for row, reason in left.faulty.items():
        log.warning("row_left_out", row=row, reason=reason)
    if not stage.items:
        raise TrainingError(f"{dataset} holds nothing to train {name} on; run prepare, or change recipe.method")
    return stage, left


def _train(order: Order, progress: Progress) -> Trained:
    identity = base_identity(order.base, order.base_name)
    data = dataset_digest(order.dataset)
    if order.recipe.backend == "trl":
        return trl_backend.train(order, identity, data, progress)
    ready = load(order)
    recipe = ready.recipe
    mark = json.dumps([identity, data, recipe.as_dict()], sort_keys=True)
    checkpoints = Checkpoints(order.out / "checkpoints", hashlib.sha256(mark.encode()).hexdigest())
    exporters = open_exporters(list(order.exporters), order.out)
    for exporter in exporters:
        exporter.start({**recipe.as_dict(), "base": identity["name"], "dataset_sha256": data})
    fit = Fit(
        ready.model, ready.stages, recipe, checkpoints, progress,
        exporters=exporters, stop=order.stop, checkpoint_every_s=order.checkpoint_every_s,
    )  # fmt: skip
    fitted = fit.run()
    progress.state("writing")
    metrics = {**dataclasses.asdict(fitted), "rows_left_out": ready.left}
    adapter = finish(order, identity, data, recipe, metrics, ready.warnings, ready.model.save)
    for exporter in exporters:
        exporter.finish({k: v for k, v in metrics.items() if k != "heldout"})
    progress.state("done", left_s=0.0)
    checkpoints.clear()
    return Trained(adapter, metrics, ready.warnings)
