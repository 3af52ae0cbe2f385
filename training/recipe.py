"""How an adapter is trained: one typed recipe, with defaults by model size and warnings outside the usual ranges."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args, get_type_hints

from training.errors import RecipeError

Method = Literal["sft", "dpo", "sft+dpo"]
Precision = Literal["auto", "bf16", "fp32"]
Backend = Literal["own", "trl"]
Quantize = Literal["none", "4bit"]

SMALL_PARAMETERS = 500_000_000
MEDIUM_PARAMETERS = 3_000_000_000
RANKS = (8, 64)
EPOCHS = (1, 5)
BATCHES = (2, 64)
BETAS = (0.05, 0.5)
FEWEST_ROWS = 100  # below, a run is allowed with a warning
FEWEST_PAIRS = 100


@dataclass(frozen=True, slots=True)
class Rates:
    """Learning rates that are usual for a class of model sizes; ``low`` and ``high`` bound what passes unwarned."""

    low: float
    usual: float
    high: float


def rates(parameters: int, stage: str = "sft") -> Rates:
    """The usual learning rates of LoRA for a base of this many parameters; preference training takes a tenth."""
    if parameters < SMALL_PARAMETERS:
        found = Rates(2e-4, 7e-4, 1.5e-3)
    elif parameters < MEDIUM_PARAMETERS:
        found = Rates(5e-5, 2e-4, 4e-4)
    else:
        found = Rates(2e-5, 1e-4, 2e-4)
    return found if stage == "sft" else Rates(found.low / 10, found.usual / 10, found.high / 10)


@dataclass(frozen=True, slots=True)
class Recipe:
    """Everything that decides the weights of an adapter, given data and base; part of its manifest.

    Learning rates of 0 mean "the usual one for the model's size" until ``sized`` has filled them in.
    """

    method: Method = "sft"
    rank: int = 16
    alpha: int = 32
    targets: str = "all-linear"  # or module names joined by commas
    lr: float = 0.0
    dpo_lr: float = 0.0
    epochs: int = 2
    dpo_epochs: int = 1
    effective_batch: int = 8  # rows per step; pairs per step in preference training
    warmup_share: float = 0.05  # of all steps
    clip_norm: float = 1.0
    weight_decay: float = 0.0
    seed: int = 7
    beta: float = 0.1  # how far preference training may leave the base
    chosen_nll: float = 0.2  # share of the plain loss on the chosen answer that keeps preference training in place
    token_budget: int = 1024  # tokens per micro-batch
    max_tokens: int = 2048  # a longer row is left out and reported
    evaluations: int = 6  # of the held-out loss, spread over a stage
    heldout_rows: int = 48  # rows of the held-out set each of them reads
    patience: int = 2  # evaluations without a better held-out loss before a stage ends; 0 never ends early
    precision: Precision = "auto"
    quantize: Quantize = "none"
    backend: Backend = "own"

    def __post_init__(self) -> None:
        for name in ("rank", "alpha", "epochs", "dpo_epochs", "effective_batch", "token_budget", "max_tokens"):
            if getattr(self, name) < 1:
                raise RecipeError(f"recipe.{name} must be at least 1, not {getattr(self, name)}")
        for name in ("lr", "dpo_lr", "weight_decay", "chosen_nll", "patience", "evaluations", "heldout_rows"):
            if getattr(self, name) < 0:
                raise RecipeError(f"recipe.{name} must not be negative")
        if not 0 <= self.warmup_share < 1:
            raise RecipeError("recipe.warmup_share is a share of the steps: at least 0 and below 1")
        if self.clip_norm <= 0 or self.beta <= 0:
            raise RecipeError("recipe.clip_norm and recipe.beta must be above 0")

    @property
    def stages(self) -> tuple[str, ...]:
        """The stages in their order: ``sft``, ``dpo``, or both."""
        return tuple(self.method.split("+"))

    def sized(self, parameters: int) -> Recipe:
        """The same recipe with the usual learning rates of a base of this size where none was given."""
        return dataclasses.replace(
            self,
            lr=self.lr or rates(parameters).usual,
            dpo_lr=self.dpo_lr or rates(parameters, "dpo").usual,
        )

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return dataclasses.asdict(self)


def from_dict(values: Mapping[str, object]) -> Recipe:
    """A recipe out of JSON; raises RecipeError for unknown names, wrong types and impossible values."""
    hints = get_type_hints(Recipe)
    unknown = sorted(set(values) - set(hints))
    if unknown:
        raise RecipeError(f"unknown in the recipe: {', '.join(unknown)}; known are {', '.join(hints)}")
    return Recipe(**{name: _typed(name, value, hints[name]) for name, value in values.items()})


def _typed(name: str, value: object, kind: Any) -> Any:
    choices = get_args(kind)
    if choices:
        if value not in choices:
            raise RecipeError(f"recipe.{name} must be one of {', '.join(choices)}, not {value!r}")
        return value
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if not isinstance(value, kind) or isinstance(value, bool):
        raise RecipeError(f"recipe.{name} must be {kind.__name__}, not {value!r}")
    return value


def read(path: Path | None) -> Recipe:
    """The recipe in a JSON file, or the defaults when there is none; keys that start with ``_`` are notes.

    ``prepare`` keeps its own settings in the same file under ``"prepare"``.
    """
    if path is None:
        return Recipe()
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise RecipeError(f"cannot read the recipe {path}: {error.strerror}") from error
    except ValueError as error:
        raise RecipeError(f"the recipe {path} is not JSON: {error}") from error
    if not isinstance(values, dict):
        raise RecipeError(f"the recipe {path} must hold one JSON object")
    inner = values.get("train", values)
    return from_dict({name: v for name, v in inner.items() if not name.startswith("_") and name != "prepare"})


def warnings(recipe: Recipe, parameters: int, rows: int, pairs: int = 0) -> list[str]:
    """What is unusual about a recipe for this base and this much data, each with the reason it matters."""
    found = []
    if not RANKS[0] <= recipe.rank <= RANKS[1]:
        found.append(
            f"rank {recipe.rank} is outside {RANKS[0]}-{RANKS[1]}: below it learns too little, above it costs memory "
            "in every served request and rarely gains"
        )
    if not recipe.rank <= recipe.alpha <= 4 * recipe.rank:
        found.append(f"alpha {recipe.alpha} is not 1-4 times the rank {recipe.rank}: the step size is no longer usual")
    if not BATCHES[0] <= recipe.effective_batch <= BATCHES[1]:
        found.append(f"an effective batch of {recipe.effective_batch} is outside {BATCHES[0]}-{BATCHES[1]} rows")
    for stage in recipe.stages:
        found += _stage_warnings(recipe, stage, parameters)
    if "sft" in recipe.stages and rows < FEWEST_ROWS:
        found.append(f"{rows} rows are under {FEWEST_ROWS}: expect the gate to find not enough evidence")
    if "dpo" in recipe.stages and pairs < FEWEST_PAIRS:
        found.append(f"{pairs} pairs are under {FEWEST_PAIRS}: preferences of so few pairs are mostly noise")
    if recipe.method == "dpo":
        found.append("dpo alone starts from the base: answers the base never gives cannot be preferred into it")
    return found


def _stage_warnings(recipe: Recipe, stage: str, parameters: int) -> list[str]:
    found = []
    usual = rates(parameters, stage)
    lr, epochs = (recipe.lr, recipe.epochs) if stage == "sft" else (recipe.dpo_lr, recipe.dpo_epochs)
    if lr and not usual.low <= lr <= usual.high:
        found.append(
            f"{stage} learning rate {lr:g} is outside {usual.low:g}-{usual.high:g} for {parameters / 1e6:.0f}M "
            f"parameters: {'below it hardly moves' if lr < usual.low else 'above it forgets and turns unstable'}"
        )
    if not EPOCHS[0] <= epochs <= EPOCHS[1]:
        found.append(f"{epochs} {stage} epochs are over {EPOCHS[1]}: the rows get learnt by heart")
    if stage == "dpo" and not BETAS[0] <= recipe.beta <= BETAS[1]:
        found.append(f"beta {recipe.beta:g} is outside {BETAS[0]}-{BETAS[1]}: answers drift, or nothing is learnt")
    return found
