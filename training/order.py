"""What a run is asked to do, and how its outcome is put on disk, whichever back end does the arithmetic."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from training.output import write_adapter
from training.recipe import Recipe

CHECKPOINT_EVERY_S = 60.0


def never() -> bool:
    """The answer of a run nobody can stop."""
    return False


@dataclass(frozen=True, slots=True)
class Order:
    """What a run is asked to do; ``threads`` None means all cores but one."""

    dataset: Path
    base: Path
    out: Path
    recipe: Recipe
    base_name: str | None = None
    threads: int | None = None
    nice: int = 0
    exporters: tuple[str, ...] = ()
    parents: tuple[str, ...] = ()
    key: bytes | None = None
    checkpoint_every_s: float = CHECKPOINT_EVERY_S
    stop: Callable[[], bool] = never


@dataclass(frozen=True, slots=True)
class Trained:
    """The outcome of a run."""

    adapter: Path
    metrics: Mapping[str, Any]
    warnings: Sequence[str]


def finish(
    order: Order,
    identity: Mapping[str, str],
    data: str,
    recipe: Recipe,
    metrics: Mapping[str, Any],
    warnings: Sequence[str],
    save: Callable[[Path, str], None],
) -> Path:
    """Write the adapter's folder; ``save`` gets the folder and the served name of the base."""
    manifest = {
        "base": dict(identity), "dataset_sha256": data, "recipe": recipe.as_dict(), "rank": recipe.rank,
        "alpha": recipe.alpha, "metrics": dict(metrics), "parents": list(order.parents),
    }  # fmt: skip
    target = order.out / "adapter"
    return write_adapter(
        target, lambda folder: save(folder, identity["name"]), manifest, warnings=warnings, key=order.key
    )
