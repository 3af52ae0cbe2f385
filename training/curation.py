"""What ``prepare`` may choose: the part ``prepare`` of a recipe, with the figures of the first measurements."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from training.errors import RecipeError
from training.rows import faults_of, sha256

Share = Annotated[float, Field(ge=0, le=1)]
Format = Literal["instruction", "messages", "prompt_completion", "preference"]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Cap(_Section):
    """How much of a dataset may come from one hand: a share of the rows, but never fewer rows than the floor."""

    share: Share = 0.05
    floor: Annotated[int, Field(ge=1)] = 10  # rows


class Quotas(_Section):
    """Shares of behaviours in the training part."""

    refusal_least: Share = 0.15  # of grounded rows and refusals; at 10 % a small model never refuses
    refusal_most: Share = 0.20  # at 28-33 % it refuses everything
    handoff_most: Share = 0.10  # of all rows but replay
    call_most: Share = 0.45  # of turns that call or ask; above it never asks
    call_floor: Annotated[int, Field(ge=0)] = 20  # rows with a call that are kept whatever the share
    replay_least: Share = 0.10  # of all rows
    replay_most: Share = 0.20

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.refusal_least > self.refusal_most or self.replay_least > self.replay_most:
            raise ValueError("the least share is above the most; swap them")
        if max(self.refusal_most, self.handoff_most, self.call_most, self.replay_most) >= 1:
            raise ValueError("a share of 1 leaves no room for anything else; use less")
        return self


class Exclude(_Section):
    """What must not be used: erased customers, poisoned samples."""

    customers: frozenset[str] = frozenset()
    conversations: frozenset[str] = frozenset()
    messages: frozenset[str] = frozenset()
    rows: frozenset[str] = frozenset()
    people: frozenset[str] = frozenset()


class Curation(_Section):
    """The choices of one ``prepare``."""

    seed: int = 0
    languages: tuple[str, ...] = ("en", "de", "es", "fr", "it", "ar")  # two-letter codes that customers write in
    regions: tuple[str, ...] = ("US", "GB", "DE", "ES", "FR", "IT")  # where phone numbers without +.. may come from
    keep: tuple[str, ...] = (r"[A-Z]{1,5}-?\d{3,12}(?:-\d{1,6})?",)  # order ids and the like: never masked
    public: tuple[str, ...] = ()  # the shop's own addresses and numbers: never masked
    heldout_share: Share = 0.2
    split_by: Literal["conversation", "customer"] = "conversation"
    similar_question: Share = 0.7  # shared 4-character pieces from which on two questions count as the same
    similar_target: Share = 0.6  # and their answers
    per_cluster: Annotated[int, Field(ge=1)] = 5  # near-duplicates that are kept for training
    agreeing: Annotated[int, Field(ge=2)] = 3  # customers whose thumbs replace a staff member's approval
    customer_cap: Cap = Cap(share=0.05, floor=10)
    person_cap: Cap = Cap(share=0.05, floor=50)
    quotas: Quotas = Quotas()
    exclude: Exclude = Exclude()
    replay: Path | None = None  # a file of rows that keep general ability; relative to the recipe
    exports: tuple[Format, ...] = ()  # further formats under exports/

    @property
    def sha256(self) -> str:
        """The digest of every choice, defaults included; the replay file counts by its content, elsewhere."""
        return sha256(json.dumps(self.model_dump(exclude={"replay"}), sort_keys=True, default=sorted).encode())


def read_curation(path: Path | None) -> Curation:
    """The curation of a recipe file; the defaults without one. Raises RecipeError."""
    if path is None:
        return Curation()
    try:
        found: Any = json.loads(path.read_text(encoding="utf-8"))
        section = found.get("prepare", {}) if isinstance(found, dict) else found
        curation = Curation.model_validate(section)
    except ValidationError as error:
        raise RecipeError(f"{path.name}: {faults_of(error)}") from error
    except (OSError, ValueError) as error:
        raise RecipeError(f"{path.name}: {type(error).__name__}; give a JSON file that can be read") from error
    if curation.replay is not None and not curation.replay.is_absolute():
        return curation.model_copy(update={"replay": path.parent / curation.replay})
    return curation
