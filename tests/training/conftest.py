"""Tests of the trainer need its libraries; where they are not installed, the rest of the folder still runs."""

from __future__ import annotations

from importlib.util import find_spec

TRAINER = (
    "all", "attention", "batches", "checkpoints", "exporters", "fit", "fused", "lora", "loss", "order", "output",
    "progress", "runner", "stages", "train",
)  # fmt: skip

collect_ignore = [] if find_spec("torch") and find_spec("peft") else [f"test_{name}.py" for name in TRAINER]
if collect_ignore or not find_spec("trl"):
    collect_ignore.append("test_trl_backend.py")
