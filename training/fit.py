"""The training loop: steps of accumulated micro-batches, held-out loss, early end, checkpoints; deterministic."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import structlog
import torch

from training.batches import step_items, steps_of
from training.checkpoints import Checkpoints
from training.errors import Stopped, TrainingError
from training.exporters import Exporter
from training.lora import LoraTrainee
from training.order import CHECKPOINT_EVERY_S, never
from training.probe import Pace
from training.progress import Point, Progress
from training.recipe import Recipe
from training.stages import Stage

log = structlog.get_logger()


@dataclass(slots=True)
class Position:
    """Where a run is; everything but weights and optimizer that a resumed run must know."""

    stage: int = 0
    step: int = 0  # within the stage
    done: int = 0  # steps over all stages
    tokens: int = 0
    supervised: int = 0
    seconds: float = 0.0
    best_loss: float | None = None  # of this stage
    best_step: int = 0
    worse: int = 0  # evaluations since the best
    curve: list[dict[str, Any]] = field(default_factory=list)  # held-out losses: stage, step, loss


@dataclass(frozen=True, slots=True)
class Fitted:
    """What came out: the adapter in the trainee has the best weights of the last stage."""

    steps: int
    tokens: int
    supervised_tokens: int
    seconds: float
    heldout: list[dict[str, Any]]
    ended_early: bool


def learning_rate(step: int, steps: int, highest: float, warmup_share: float) -> float:
    """Linear warm-up to ``highest``, then a half cosine to zero; ``step`` counts from 0."""
    warmup = max(1, round(steps * warmup_share))
    if step < warmup:
        return highest * (step + 1) / warmup
    return highest * 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(1, steps - warmup)))


class Fit:
    """One run over its stages; ``stop`` is asked between micro-batches."""

    def __init__(
        self,
        model: LoraTrainee,
        stages: list[Stage[Any]],
        recipe: Recipe,
        checkpoints: Checkpoints,
        progress: Progress,
        *,
        exporters: list[Exporter] | None = None,
        stop: Callable[[], bool] = never,
        checkpoint_every_s: float = CHECKPOINT_EVERY_S,
    ) -> None:
        self.model = model
        self.stages = stages
        self.recipe = recipe
        self._checkpoints = checkpoints
        self._progress = progress
        self._exporters = exporters or []
        self._stop = stop
        self._every_s = checkpoint_every_s
        self._optimizer = self._new_optimizer()
        self._best: dict[str, torch.Tensor] | None = None
        self._saved_at = time.monotonic()
        self._counts = [steps_of(len(stage.items), recipe.effective_batch, stage.epochs) for stage in stages]
        whole = sum(item.tokens * stage.epochs for stage in stages for item in stage.items)
        self.pace = Pace(sum(self._counts), whole)
        self._ended_early = False
        self.at = Position()

    def run(self) -> Fitted:
        """Train to the end, from the newest checkpoint if there is one.

        Raises Stopped after saving when asked to stop, TrainingError when the loss is no longer a number.
        """
        self._resume()
        while self.at.stage < len(self.stages):
            self._stage(self.stages[self.at.stage])
            self.at.stage += 1
            self.at.step, self.at.best_loss, self.at.worse = 0, None, 0
            self._optimizer, self._best = self._new_optimizer(), None
            self._save()
        at = self.at
        return Fitted(at.done, at.tokens, at.supervised, at.seconds, at.curve, self._ended_early)

    def _new_optimizer(self) -> torch.optim.Optimizer:
        decay = self.recipe.weight_decay
        return torch.optim.AdamW(self.model.weights, lr=0.0, betas=(0.9, 0.99), weight_decay=decay, fused=True)

    def _stage(self, stage: Stage[Any]) -> None:
        recipe, steps = self.recipe, self._counts[self.at.stage]
        self._progress.state("training", stage=stage.name, step=self.at.done, steps=sum(self._counts))
        stage.prepare(self.model)
        every = max(1, steps // recipe.evaluations) if recipe.evaluations and stage.heldout_items else 0
        if every and self.at.best_loss is None:
            self._evaluate(stage)
        for number, items in enumerate(step_items(stage.items, recipe.effective_batch, recipe.seed, stage.epochs)):
            if number < self.at.step:
                continue
            if recipe.patience and self.at.worse >= recipe.patience:
                self._ended_early = True
                break
            self._step(stage, items, steps)
            if every and (self.at.step % every == 0 or self.at.step == steps):
                self._evaluate(stage)
            if time.monotonic() - self._saved_at >= self._every_s:
                self._save()
        if self._best is not None:
            self.model.load(self._best)

    def _step(self, stage: Stage[Any], items: list[Any], steps: int) -> None:
        started = time.monotonic()
        rate = learning_rate(self.at.step, steps, stage.lr, self.recipe.warmup_share)
        whole = stage.weight(items)
        total = 0.0
        for batch in stage.batches(items):
            if self._stop():
                self._optimizer.zero_grad()
                self._save()
                self._progress.state("stopped")
                raise Stopped(f"stopped at step {self.at.done}; the same command goes on from there")
            loss = stage.losses(self.model, batch) / whole
            loss.backward()  # type: ignore[no-untyped-call]
            total += float(loss.detach())
        if not math.isfinite(total):
            raise TrainingError(f"the loss at step {self.at.done + 1} is not a number; lower the learning rate")
        torch.nn.utils.clip_grad_norm_(self.model.weights, self.recipe.clip_norm)
        for group in self._optimizer.param_groups:
            group["lr"] = rate
        self._optimizer.step()
        self._optimizer.zero_grad()
        at, spent = self.at, time.monotonic() - started
        tokens = sum(item.tokens for item in items)
        at.step, at.done, at.tokens, at.seconds = at.step + 1, at.done + 1, at.tokens + tokens, at.seconds + spent
        at.supervised += sum(supervised(item) for item in items)
        self.pace.step(tokens, spent)
        self._tell(stage, total, None, rate)

    def _evaluate(self, stage: Stage[Any]) -> None:
        """Measure the held-out loss and keep the weights when it is the best so far."""
        self._progress.state("evaluating")
        started = time.monotonic()
        loss = stage.heldout(self.model)
        assert loss is not None, "only called with held-out items"
        at = self.at
        at.curve.append({"stage": stage.name, "step": at.done, "loss": round(loss, 6)})
        if at.best_loss is None or loss < at.best_loss:
            at.best_loss, at.best_step, at.worse = loss, at.done, 0
            self._best = self.model.state()
        else:
            at.worse += 1
        spent = time.monotonic() - started
        at.seconds += spent
        self.pace.evaluation(spent, self.recipe.evaluations * len(self.stages) - len(at.curve) + 1)
        self._tell(stage, None, loss, 0.0)
        self._progress.state("training", heldout_loss=loss)
        self._save()

    def _tell(self, stage: Stage[Any], loss: float | None, heldout: float | None, rate: float) -> None:
        at = self.at
        point = Point(
            stage.name, at.done, sum(self._counts), loss, heldout, rate, at.tokens, round(self.pace.tokens_per_s, 1)
        )
        self._progress.point(point, self.pace.left_s(at.done))
        for exporter in self._exporters:
            exporter.point(point)

    def _save(self) -> None:
        state = {
            "position": {name: getattr(self.at, name) for name in Position.__slots__},
            "weights": self.model.state(),
            "best": self._best,
            "optimizer": self._optimizer.state_dict(),
            "rng": torch.get_rng_state(),
        }
        self._checkpoints.save(self.at.done * 10 + self.at.stage, state)
        self._saved_at = time.monotonic()

    def _resume(self) -> None:
        state = self._checkpoints.latest()
        if state is None:
            return
        self.at = Position(**state["position"])
        self.model.load(state["weights"])
        self._best = state["best"]
        self._optimizer.load_state_dict(state["optimizer"])
        torch.set_rng_state(state["rng"])
        self._progress.rewind(self.at.done)
        log.info("run_resumed", step=self.at.done, steps=sum(self._counts))


def supervised(item: Any) -> int:
    """Answer tokens of a row or of both answers of a pair."""
    if hasattr(item, "chosen"):
        return int(item.chosen.answer_tokens + item.rejected.answer_tokens)
    return int(item.answer_tokens)
