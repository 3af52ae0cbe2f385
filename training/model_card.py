"""The README of an adapter: what it is, what it learnt from, what was measured, and what that does not show."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

HEAD = """---
library_name: peft
base_model: {base}
tags: [lora, {method}]
---

# Adapter for {base}

A LoRA adapter of rank {rank} (alpha {alpha}), trained by `python -m training train` on approved replies of one desk.
It shapes tone, format and tool syntax. Facts belong in the desk's knowledge, not in an adapter.
"""

LIMITS = """
## What the figures do not show

The held-out loss chose the checkpoint, so it is no evidence that the adapter answers better. That is decided by the
gate (`report.json` of the run). The adapter is only valid on exactly the base, tokenizer and chat template named above;
the server refuses it on any other.
"""


def model_card(manifest: Mapping[str, Any], warnings: Sequence[str] = ()) -> str:
    """Markdown with the front matter that model hubs read; holds no row of the data."""
    base, recipe, metrics = manifest["base"], manifest["recipe"], manifest["metrics"]
    parts = [HEAD.format(base=base["name"], method=recipe["method"], rank=manifest["rank"], alpha=manifest["alpha"])]
    parts.append(_table("Made from", _origin(manifest)))
    parts.append(_table("Recipe", recipe))
    parts.append(_table("Measured while training", {k: v for k, v in metrics.items() if not isinstance(v, list)}))
    curve = metrics.get("heldout") or []
    if curve:
        rows = "\n".join(f"| {point['stage']} | {point['step']} | {point['loss']:.4f} |" for point in curve)
        parts.append(f"\n## Held-out loss\n\n| stage | step | loss |\n|---|---|---|\n{rows}\n")
    if warnings:
        parts.append("\n## Unusual about this run\n\n" + "\n".join(f"- {text}" for text in warnings) + "\n")
    return "".join([*parts, LIMITS])


def _origin(manifest: Mapping[str, Any]) -> dict[str, Any]:
    base = manifest["base"]
    return {
        "base weights sha256": base["weights_sha256"],
        "tokenizer sha256": base["tokenizer_sha256"],
        "chat template sha256": base["template_sha256"],
        "data set sha256": manifest["dataset_sha256"],
        "created": datetime.fromtimestamp(manifest["created_at"], UTC).isoformat(timespec="seconds"),
        "parents": ", ".join(manifest["parents"]) or "none",
    }


def _table(title: str, values: Mapping[str, Any]) -> str:
    rows = "\n".join(f"| {name} | {value} |" for name, value in values.items())
    return f"\n## {title}\n\n| | |\n|---|---|\n{rows}\n"
