"""TRL as the trainer of large runs: the same recipe and rows in, the same adapter layout out.

Rows are rendered and tokenized by this project's own encoder first, so TRL never applies a template of its own.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import peft
import torch
import transformers

from training.batches import Encoded, Encoder, read_rows
from training.errors import Stopped, TrainingError
from training.exporters import load_library
from training.lora import Machine, lora_config, machine, open_base, save_peft
from training.order import Order, Trained, finish
from training.progress import Point, Progress
from training.recipe import Recipe, warnings

PACKAGES = "'trl>=1.16' datasets"


def train(order: Order, identity: dict[str, str], data: str, progress: Progress) -> Trained:
    """Run one recipe through TRL's SFT and DPO trainers; raises MissingLibrary without TRL.

    TRL knows no weight per row: rows count alike, and the model card says so. A run that was stopped begins anew.
    """
    trl, datasets = load_library("trl", PACKAGES), load_library("datasets", PACKAGES)
    on = machine(order.recipe, order.threads, order.nice)
    base = open_base(order.base, order.recipe, on, attention="sdpa")
    recipe = order.recipe.sized(base.num_parameters())
    encoder = Encoder(order.base / "tokenizer.json", max_tokens=recipe.max_tokens)
    tokenizer = transformers.AutoTokenizer.from_pretrained(str(order.base), local_files_only=True)
    torch.manual_seed(recipe.seed)
    model: Any = peft.get_peft_model(base, lora_config(recipe))
    started, steps, left, counts = time.monotonic(), 0, 0, {"sft": 0, "dpo": 0}
    for stage in recipe.stages:
        columns, missed = _columns(stage, order, encoder)
        left, counts[stage] = left + missed, len(columns)
        shared = arguments(order, recipe, on, stage)
        make = trl.SFTTrainer if stage == "sft" else trl.DPOTrainer
        settings = trl.SFTConfig(**shared) if stage == "sft" else trl.DPOConfig(**shared, beta=recipe.beta)
        trainer = make(
            model=model, args=settings, train_dataset=datasets.Dataset.from_list(columns),
            processing_class=tokenizer, callbacks=[Follower(progress, stage, order)],
        )  # fmt: skip
        trainer.train()
        if order.stop():
            progress.state("stopped")
            raise Stopped("stopped; a run of the TRL back end begins anew when it is started again")
        model, steps = trainer.model, steps + int(trainer.state.global_step)
    progress.state("writing")
    unusual = warnings(recipe, base.num_parameters(), counts["sft"], counts["dpo"])
    unusual.append("trained by TRL: every row counted alike, whatever its weight")
    metrics = {"seconds": round(time.monotonic() - started, 1), "steps": steps, "rows_left_out": left}
    adapter = finish(
        order, identity, data, recipe, metrics, unusual, lambda folder, name: save_peft(model, folder, name)
    )
    progress.state("done", left_s=0.0)
    return Trained(adapter, metrics, unusual)


def arguments(order: Order, recipe: Recipe, on: Machine, stage: str) -> dict[str, Any]:
    """The recipe in the words of TRL's configurations; what goes anywhere but the run folder is off."""
    return {
        "output_dir": str(order.out / "trl"),
        "learning_rate": recipe.lr if stage == "sft" else recipe.dpo_lr,
        "num_train_epochs": recipe.epochs if stage == "sft" else recipe.dpo_epochs,
        "per_device_train_batch_size": recipe.effective_batch,
        "lr_scheduler_type": "cosine",
        "warmup_steps": recipe.warmup_share,
        "max_grad_norm": recipe.clip_norm,
        "weight_decay": recipe.weight_decay,
        "seed": recipe.seed,
        "max_length": recipe.max_tokens,
        "bf16": on.dtype == torch.bfloat16,
        "use_cpu": on.device == "cpu",
        "gradient_checkpointing": False,
        "report_to": "none",
        "save_strategy": "no",
        "logging_steps": 1,
        "disable_tqdm": True,
        "push_to_hub": False,
    }


class Follower(transformers.TrainerCallback):
    """Writes the run's progress and ends it between steps when asked to stop."""

    def __init__(self, progress: Progress, stage: str, order: Order) -> None:
        self._progress = progress
        self._stage = stage
        self._order = order
        self._started = time.monotonic()

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
        """One step's figures."""
        del args, control
        if logs and "loss" in logs:
            done, steps = int(state.global_step), int(state.max_steps)
            spent = time.monotonic() - self._started
            tokens = int(state.num_input_tokens_seen or 0)
            rate = float(logs.get("learning_rate", 0.0))
            point = Point(self._stage, done, steps, float(logs["loss"]), None, rate, tokens, round(tokens / spent, 1))
            self._progress.state("training")
            self._progress.point(point, (steps - done) * spent / max(1, done))

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Stop where stopping was asked for."""
        del args, state
        if self._order.stop():
            control.should_training_stop = True


def _columns(stage: str, order: Order, encoder: Encoder) -> tuple[list[dict[str, Any]], int]:
    """What TRL trains a stage on, and how many rows were left out."""
    if stage == "sft":
        kept, left = encoder.rows(read_rows(order.dataset / "train.jsonl"))
        columns: list[dict[str, Any]] = [answer_columns(row) for row in kept]
        missed = left.count
    else:
        rows = read_rows(order.dataset / "preferences.jsonl")
        pairs, left = encoder.pairs(rows)
        fitting = {pair.id for pair in pairs}
        columns = [preference_columns(encoder, row) for row in rows if str(row.get("id")) in fitting]
        missed = left.count
    if not columns:
        raise TrainingError(f"{order.dataset} holds nothing to train {stage} on; run prepare, or change recipe.method")
    return columns, missed


def answer_columns(row: Encoded) -> dict[str, list[int]]:
    """A row as TRL reads tokenized data: everything but the answer is masked."""
    masked = row.tokens - row.answer_tokens
    return {"input_ids": list(row.ids), "completion_mask": [0] * masked + [1] * row.answer_tokens}


def preference_columns(encoder: Encoder, row: Mapping[str, Any]) -> dict[str, str]:
    """A pair as TRL reads plain text, rendered here; both answers end with the end of turn, so TRL adds nothing."""
    prompt, chosen = encoder.texts(row, row["target"])
    return {"prompt": prompt, "chosen": chosen, "rejected": encoder.texts(row, row["rejected"])[1]}
