"""What a dataset is made of: counts, digests, parents, lineage, and what was left out and why.

Nothing in it depends on when or where it was made: the same rows, recipe and parents give the same bytes.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from training.curation import Curation
from training.errors import TrainingError
from training.rows import BadRows, Row, faults_of, read, sha256, tally
from training.scrub import VERSION
from training.split import Earlier

FORMAT = 1
FEWEST_ROWS = 100  # a run on fewer is allowed with a warning
RECOMMENDED_ROWS = 500
FEWEST_PAIRS = 100
FEWEST_SLICE = 20  # held-out rows a slice needs before its figure says anything
LENGTHS = ((60, "short"), (240, "medium"))  # characters of the question; above: long


class BadManifest(TrainingError):
    """An earlier dataset's manifest cannot be used; its held-out rows would be lost without it."""


class Parent(BaseModel):
    """The part of an earlier manifest that later datasets have to keep to."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    format: int
    dataset_sha256: str
    heldout_conversations: frozenset[str]
    trained_conversations: frozenset[str]
    heldout_customers: frozenset[str] = frozenset()
    trained_customers: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Parts:
    """The rows of a dataset by file."""

    train: Sequence[Row]
    heldout: Sequence[Row]
    preferences: Sequence[Row]
    preferences_heldout: Sequence[Row]


@dataclass(slots=True)
class Account:
    """What happened to the rows on the way."""

    read: int = 0
    replay_read: int = 0
    examples_sha256: str = ""
    replay_sha256: str = ""
    masked: Counter[str] = field(default_factory=Counter)
    left_out: Counter[str] = field(default_factory=Counter)
    clusters: Mapping[str, int] = field(default_factory=dict)
    other_language: int = 0
    warnings: list[str] = field(default_factory=list)


def read_parent(path: Path) -> Parent:
    """An earlier manifest, given by its path or its folder. Raises BadManifest."""
    file = path / "manifest.json" if path.is_dir() else path
    try:
        parent = Parent.model_validate_json(file.read_bytes())
    except OSError as error:
        raise BadManifest(f"{file}: {error.strerror}; name the manifest.json of the earlier dataset") from error
    except ValidationError as error:
        raise BadManifest(f"{file}: {faults_of(error)}; name the manifest.json of the earlier dataset") from error
    if parent.format != FORMAT:
        raise BadManifest(f"{file}: format {parent.format} is not {FORMAT}; prepare it again with this version")
    return parent


def heldout_beside(path: Path) -> list[Row]:
    """The held-out rows that still lie beside an earlier manifest; their near-duplicates must not train either.

    Raises BadManifest.
    """
    file = (path if path.is_dir() else path.parent) / "heldout.jsonl"
    try:
        return read(file) if file.is_file() else []
    except BadRows as error:
        raise BadManifest(str(error)) from error


def earlier_of(parents: Sequence[Parent]) -> Earlier:
    """What all parents together decided."""
    held = frozenset[str]().union(*(parent.heldout_conversations for parent in parents))
    customers = frozenset[str]().union(*(parent.heldout_customers for parent in parents))
    return Earlier(
        heldout=held,
        trained=frozenset[str]().union(*(parent.trained_conversations for parent in parents)) - held,
        heldout_customers=customers,
        trained_customers=frozenset[str]().union(*(parent.trained_customers for parent in parents)) - customers,
    )


def length_of(row: Row) -> str:
    """How long the question is: short, medium or long."""
    return next((name for most, name in LENGTHS if len(row.question) < most), "long")


def slices(rows: Sequence[Row]) -> dict[str, Mapping[str, int]]:
    """Counts by everything that a result is looked at by."""
    return {
        "behaviour": tally(row.behaviour for row in rows),
        "origin": tally(row.origin for row in rows),
        "language": tally(row.language or "unknown" for row in rows),
        "channel": tally(row.channel or "unknown" for row in rows),
        "length": tally(length_of(row) for row in rows),
    }


def warnings_of(parts: Parts) -> list[str]:
    """What the sizes do not allow to conclude."""
    found = []
    rows, pairs = len(parts.train), len(parts.preferences)
    if rows < FEWEST_ROWS:
        found.append(f"{rows} training rows are under {FEWEST_ROWS}: expect no visible gain; approve more examples")
    elif rows < RECOMMENDED_ROWS:
        found.append(f"{rows} training rows are under the recommended {RECOMMENDED_ROWS}")
    if 0 < pairs < FEWEST_PAIRS:
        found.append(f"{pairs} preference pairs are under {FEWEST_PAIRS}: train on answers only")
    if not parts.heldout:
        found.append("no row is held out: the gate cannot judge; approve examples from more conversations")
    thin = [
        f"{kind} {name} ({count})"
        for kind, counts in slices(parts.heldout).items()
        if kind != "origin"
        for name, count in counts.items()
        if count < FEWEST_SLICE
    ]
    if thin:
        found.append(f"held-out slices under {FEWEST_SLICE} rows, too few to judge: {', '.join(thin)}")
    return found


def hands(rows: Sequence[Row]) -> dict[str, Any]:
    """How concentrated the rows are: the number of hands and the largest share, without names."""
    found: dict[str, Any] = {}
    for name, counts in {
        "customers": tally(row.customer or row.conversation for row in rows if row.origin != "replay"),
        "people": tally(row.person for row in rows if row.origin not in {"replay", "import"}),
    }.items():
        total = sum(counts.values())
        largest = round(max(counts.values()) / total, 4) if total else 0.0
        found[name] = {"count": len(counts), "largest_share": largest}
    return found


def dataset_sha256(files: Mapping[str, str]) -> str:
    """One digest over all files' digests."""
    return sha256("".join(f"{name} {digest}\n" for name, digest in sorted(files.items())).encode())


def manifest(
    parts: Parts, account: Account, curation: Curation, parents: Sequence[Parent], files: Mapping[str, str]
) -> dict[str, Any]:
    """The manifest of a dataset whose files have these digests."""
    before = earlier_of(parents)
    by_customer = curation.split_by == "customer"
    trained = _known(row.conversation for row in parts.train)
    held = _known(row.conversation for row in parts.heldout)
    return {
        "format": FORMAT,
        "dataset_sha256": dataset_sha256(files),
        "files": dict(sorted(files.items())),
        "created_at": max((row.created_at for row in (*parts.train, *parts.heldout)), default=0.0),
        "parents": sorted({parent.dataset_sha256 for parent in parents}),
        "examples_sha256": account.examples_sha256,
        "replay_sha256": account.replay_sha256,
        "recipe_sha256": curation.sha256,
        "recipe": json.loads(curation.model_dump_json(exclude={"exclude", "replay"})),
        "scrubber": {"version": VERSION, "masked": dict(sorted(account.masked.items()))},
        "counts": {
            "read": account.read,
            "replay_read": account.replay_read,
            "train": len(parts.train),
            "heldout": len(parts.heldout),
            "preferences": len(parts.preferences),
            "preferences_heldout": len(parts.preferences_heldout),
        },
        "left_out": dict(sorted(account.left_out.items())),
        "clusters": dict(account.clusters),
        "other_language_than_recorded": account.other_language,
        "slices": {"train": slices(parts.train), "heldout": slices(parts.heldout)},
        "hands": hands(parts.train),
        "warnings": [*account.warnings, *warnings_of(parts)],
        "train_ids": [row.id for row in parts.train],
        "heldout_ids": [row.id for row in parts.heldout],
        "train_messages": _known(row.message for row in parts.train),
        "heldout_messages": _known(row.message for row in parts.heldout),
        "trained_conversations": sorted(before.trained | set(trained)),
        "heldout_conversations": sorted(before.heldout | set(held)),
        "trained_customers": sorted(before.trained_customers | _customers(parts.train)) if by_customer else [],
        "heldout_customers": sorted(before.heldout_customers | _customers(parts.heldout)) if by_customer else [],
    }


def _known(names: Iterable[str]) -> list[str]:
    return sorted({name for name in names if name})


def _customers(rows: Sequence[Row]) -> set[str]:
    return {row.customer for row in rows if row.customer}
