"""The dataset card: what is in a dataset, for people, out of its manifest alone."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any


def card(manifest: Mapping[str, Any]) -> str:
    """Markdown with the front matter that dataset viewers read."""
    counts = manifest["counts"]
    parts = [
        _front(manifest),
        f"# Dataset {manifest['dataset_sha256'][:12]}",
        "Approved examples of a support desk, without personal data, split by conversation and near-duplicate cluster.",
        "## Files\n\n"
        + _table(("file", "sha256"), [(name, digest[:16]) for name, digest in manifest["files"].items()]),
        "## Counts\n\n" + _table(("part", "rows"), list(counts.items())),
        *(_slices(kind, manifest) for kind in manifest["slices"]["train"]),
        "## Left out\n\n" + (_table(("reason", "rows"), list(manifest["left_out"].items())) or "Nothing."),
        "## Masked\n\n" + (_table(("kind", "places"), list(manifest["scrubber"]["masked"].items())) or "Nothing."),
        "## Hands\n\n"
        + _table(
            ("who", "how many", "largest share"),
            [(who, found["count"], f"{found['largest_share']:.1%}") for who, found in manifest["hands"].items()],
        ),
        "## Warnings\n\n" + ("\n".join(f"- {text}" for text in manifest["warnings"]) or "None."),
        _origin(manifest),
    ]
    return "\n\n".join(parts) + "\n"


def _front(manifest: Mapping[str, Any]) -> str:
    languages = [name for name in manifest["slices"]["train"]["language"] if name != "unknown"]
    lines = [
        "---",
        f"language: {json.dumps(languages)}",
        "task_categories: [text-generation]",
        "configs:",
        "- config_name: default",
        "  data_files: [{split: train, path: train.parquet}]",
        "---",
    ]
    return "\n".join(lines)


def _slices(kind: str, manifest: Mapping[str, Any]) -> str:
    train, heldout = manifest["slices"]["train"][kind], manifest["slices"]["heldout"][kind]
    total = sum(train.values()) or 1
    rows = [
        (name, train.get(name, 0), f"{train.get(name, 0) / total:.1%}", heldout.get(name, 0))
        for name in sorted({*train, *heldout})
    ]
    return f"## By {kind}\n\n" + _table((kind, "train", "share", "held out"), rows)


def _origin(manifest: Mapping[str, Any]) -> str:
    parents = ", ".join(parent[:12] for parent in manifest["parents"]) or "none"
    return (
        f"## Origin\n\nRecipe {manifest['recipe_sha256'][:12]}, scrubber {manifest['scrubber']['version']}, examples "
        f"{manifest['examples_sha256'][:12]}, earlier datasets: {parents}. The manifest names every row and the "
        "messages it came from.\n\n"
        "What customers wrote is theirs: keep this dataset as the messages themselves are kept, and prepare it again "
        "after an erasure."
    )


def _table(head: tuple[str, ...], rows: list[tuple[Any, ...]]) -> str:
    if not rows:
        return ""
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join("| " + " | ".join(str(cell).replace("|", "\\|") for cell in line) + " |" for line in lines)
