"""From approved examples to a dataset: mask, tell languages, find near-duplicates, split, balance, write.

Pure functions of the rows, the recipe and the earlier datasets; only ``write`` touches the disk, and a dataset appears
whole or not at all.
"""

from __future__ import annotations

import json
import os
import shutil
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from training import formats
from training.card import card
from training.clusters import clusters, normal
from training.curation import Curation, Exclude
from training.language import with_languages
from training.manifest import Account, Parent, Parts, earlier_of, manifest
from training.quotas import Kept, agreed, balanced, best, capped, customer_of, own_thumb, person_of
from training.rows import Row, changed, dump, sha256, tally, write_bytes
from training.scrub import Scrubber
from training.split import Side, components, parted, sides


@dataclass(frozen=True, slots=True)
class Curated:
    """The rows by file and what happened on the way."""

    parts: Parts
    account: Account


def curate(
    rows: Sequence[Row], replay: Sequence[Row], curation: Curation, parents: Sequence[Parent], anchors: Sequence[Row]
) -> Curated:
    """The dataset these rows make. ``anchors`` are held-out rows of earlier datasets: read only for near-duplicates.

    Raises ValueError when the settings cannot be used.
    """
    account = Account(read=len(rows), replay_read=len(replay))
    kept = Kept([*rows, *(changed(row, origin="replay") for row in replay if row.id not in {r.id for r in rows})])
    kept.keep([row for row in kept.rows if not excluded(row, curation.exclude)], "excluded by the recipe")
    kept.rows = _scrubbed(kept.rows, curation, account)
    kept.rows, account.other_language = with_languages(kept.rows, curation.languages)
    _approved(kept, curation)
    here = {row.id for row in kept.rows}
    held_before = [row for row in anchors if row.id not in here]
    every = sorted([*kept.rows, *held_before], key=lambda row: row.id)
    names = clusters(every, curation.similar_question, curation.similar_target)
    account.clusters = cluster_counts(names)
    by_customer = curation.split_by == "customer"
    whole = components(every, names, by_customer=by_customer)
    found = sides(every, whole, curation.heldout_share, earlier_of(parents), by_customer=by_customer)
    cluster_of = {row.id: name for row, name in zip(every, names, strict=True)}
    parts = parted(every, found)
    gone = {row.id for row in parts[Side.NEITHER]} | {row.id for row in held_before}
    kept.left_out["trained on earlier and near a held-out row"] += len(parts[Side.NEITHER])
    kept.rows = [row for row in kept.rows if row.id not in gone]
    train, heldout = _limited(kept, parts, cluster_of, curation)
    account.left_out = +kept.left_out
    account.warnings = kept.warnings
    return Curated(_parts(train, heldout), account)


def excluded(row: Row, exclude: Exclude) -> bool:
    """Whether the recipe forbids a row, its conversation, its message or one of its people."""
    return (
        row.id in exclude.rows
        or row.customer in exclude.customers
        or row.conversation in exclude.conversations
        or row.message in exclude.messages
        or row.person in exclude.people
    )


def cluster_counts(names: Sequence[str]) -> Mapping[str, int]:
    """How many clusters there are, how many have several rows, and the size of the largest."""
    sizes = tally(names).values()
    return {"all": len(sizes), "of_several": sum(size > 1 for size in sizes), "largest": max(sizes, default=0)}


def _scrubbed(rows: Sequence[Row], curation: Curation, account: Account) -> list[Row]:
    scrubber = Scrubber(curation.regions, curation.keep, curation.public)
    clean = []
    for row in rows:
        masked, counts = scrubber.row(row)
        account.masked += counts
        clean.append(masked)
    return clean


def _approved(kept: Kept, curation: Curation) -> None:
    """Leave out what nobody but the rater stands behind, before anything is counted: it must change nothing."""
    if not any(own_thumb(row) for row in kept.rows):
        return
    names = clusters(kept.rows, curation.similar_question, curation.similar_target)
    stands = agreed(kept.rows, names, curation.agreeing)
    kept.keep([row for row, good in zip(kept.rows, stands, strict=True) if good], "rated by the customer alone")


def _limited(
    kept: Kept, parts: Mapping[Side, Sequence[Row]], cluster_of: Mapping[str, str], curation: Curation
) -> tuple[list[Row], list[Row]]:
    """Both sides under the caps, the training side also without surplus duplicates and with its quotas."""
    held = {row.id for row in parts[Side.HELDOUT]}
    kept.keep([row for row in kept.rows if row.id not in held or row.origin != "replay"], "replay near a held-out row")
    heldout = Kept([row for row in kept.rows if row.id in held], kept.left_out)
    train = Kept([row for row in kept.rows if row.id not in held], kept.left_out, kept.warnings)
    for side, per_cluster in ((heldout, 1), (train, curation.per_cluster)):
        side.keep(_once(side.rows, curation.seed), "the same twice")
        if side is train:
            side.keep(_of_clusters(side.rows, cluster_of, per_cluster, curation.seed), "nearly the same")
        capped(side, customer_of, curation.customer_cap, "more than one customer's share", curation.seed)
        capped(side, person_of, curation.person_cap, "more than one person's share", curation.seed)
    balanced(train, curation.quotas, curation.seed)
    return (
        sorted(train.rows, key=lambda row: row.id),
        sorted(heldout.rows, key=lambda row: row.id),
    )


def _once(rows: Sequence[Row], seed: int) -> list[Row]:
    """One row of each that have the same prompt and answer."""
    same: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        spoken = [f"{message.role} {normal(message.content)}" for message in row.messages]
        calls = [f"{call.name} {json.dumps(call.arguments, sort_keys=True)}" for call in row.target.tool_calls]
        same["\n".join([*spoken, normal(row.target.content), *calls])].append(row)
    return [best(group, 1, seed)[0] for group in same.values()]


def _of_clusters(rows: Sequence[Row], cluster_of: Mapping[str, str], most: int, seed: int) -> list[Row]:
    groups: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        groups[cluster_of[row.id]].append(row)
    return [row for group in groups.values() for row in best(group, most, seed)]


def _parts(train: Sequence[Row], heldout: Sequence[Row]) -> Parts:
    """The files' rows: pairs are told in their own files, so answers alone have no rejected one beside them."""
    return Parts(
        train=[changed(row, rejected=None) for row in train],
        heldout=[changed(row, rejected=None) for row in heldout],
        preferences=[row for row in train if _pair(row)],
        preferences_heldout=[row for row in heldout if _pair(row)],
    )


def _pair(row: Row) -> bool:
    return row.rejected is not None and row.rejected != row.target


def files_of(parts: Parts, curation: Curation) -> dict[str, bytes]:
    """Every data file of a dataset by its path in the folder."""
    files = {
        f"{name}.jsonl": "".join(f"{dump(row)}\n" for row in getattr(parts, name)).encode()
        for name in ("train", "heldout", "preferences", "preferences_heldout")
    }
    files["train.parquet"] = formats.to_parquet(formats.records(parts.train, "messages"), "messages")
    for form in dict.fromkeys(curation.exports):
        rows = parts.preferences if form == "preference" else parts.train
        found = formats.records(rows, form)
        files[f"exports/{form}.jsonl"] = formats.to_jsonl(found)
        files[f"exports/{form}.parquet"] = formats.to_parquet(found, form)
    return files


def write(out: Path, curated: Curated, curation: Curation, parents: Sequence[Parent]) -> dict[str, object]:
    """Write the dataset aside and put it in place of what was there; returns its manifest."""
    files = files_of(curated.parts, curation)
    digests = {name: sha256(data) for name, data in files.items()}
    made = manifest(curated.parts, curated.account, curation, parents, digests)
    files["manifest.json"] = (json.dumps(made, indent=1, ensure_ascii=False, sort_keys=True) + "\n").encode()
    files["card.md"] = card(made).encode()
    put(out, files)
    return made


def put(out: Path, files: Mapping[str, bytes]) -> None:
    """Replace a folder by one with exactly these files; an interruption leaves the old or the new one."""
    aside, old = out.with_name(f"{out.name}.partial"), out.with_name(f"{out.name}.old")
    if old.is_dir() and not out.exists():
        old.rename(out)  # an earlier run stopped between the two renames
    for folder in (aside, old):
        shutil.rmtree(folder, ignore_errors=True)
    for name, data in files.items():
        path = aside / name
        path.parent.mkdir(parents=True, exist_ok=True)
        write_bytes(path, data)
    _sync(aside)
    if out.exists():
        out.rename(old)
    aside.rename(out)
    _sync(out.parent)
    shutil.rmtree(old, ignore_errors=True)


def _sync(folder: Path) -> None:
    """Make a folder's entries durable."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
