"""LoRA training beside the naive PEFT loop and TRL: the same rows, base, rank and schedule, one machine, one run.

    python -m benchmarks.training --base WEIGHTS --rows train.jsonl --heldout dev.jsonl --out DIR [--threads 2]

Rows come from ``python -m benchmarks.public_rows``. Every variant sees every row once, in steps of eight rows, in a
process of its own (so its peak memory is its own), or as many steps as fit into --cap-s. Useful tokens are tokens of
rows, not padding. The held-out loss of every adapter is measured afterwards by one evaluator in float32; for a
variant that was cut short, ours is also measured after as many steps. CPU seconds are given beside wall seconds:
on a machine that others use, their ratio between variants is the steadier figure.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["TRANSFORMERS_VERBOSITY"] = "error"
os.environ["TQDM_DISABLE"] = "1"

RANK, ALPHA, LR, BATCH, SEED = 16, 32, 7e-4, 8, 7
VARIANTS = {
    "naive": "PEFT loop, fp32, padded to 512, gradient checkpointing",
    "longest": "PEFT loop, fp32, padded to the longest of the batch",
    "trl": "TRL SFTTrainer, its defaults (fp32 weights, bf16 autocast, gradient checkpointing)",
    "trl-bf16": "TRL, bf16 weights, no checkpointing",
    "trl-packing": "TRL, bf16 weights, no checkpointing, packing to 1024",
    "ours": "this trainer",
}


def encoded(base: Path, rows: Path) -> list[Any]:
    from training.batches import Encoder, read_rows  # noqa: PLC0415

    kept, left = Encoder(base / "tokenizer.json", max_tokens=512).rows(read_rows(rows))
    if left.count:
        print(f"{left.count} rows longer than 512 tokens left out of {rows.name}", file=sys.stderr)
    return kept


def steps(items: list[Any]) -> list[list[Any]]:
    from training.batches import step_items  # noqa: PLC0415

    whole = len(items) - len(items) % BATCH
    return list(step_items(items[:whole], BATCH, SEED, 1))


def plain_model(base: Path, dtype: Any) -> Any:
    import peft  # noqa: PLC0415
    import torch  # noqa: PLC0415
    import transformers  # noqa: PLC0415

    model = transformers.AutoModelForCausalLM.from_pretrained(str(base), dtype=dtype, local_files_only=True)
    torch.manual_seed(SEED)
    config = peft.LoraConfig(r=RANK, lora_alpha=ALPHA, target_modules="all-linear", task_type="CAUSAL_LM")
    return peft.get_peft_model(model, config)


class Clock:
    """Wall and CPU seconds of the steps alone; the cap ends a variant between steps."""

    def __init__(self, cap_s: float) -> None:
        self.cap_s, self.wall, self.cpu, self.steps = cap_s, 0.0, 0.0, 0
        self._from = (0.0, 0.0)

    def start(self) -> None:
        self._from = (time.monotonic(), time.process_time())

    def stop(self) -> None:
        self.wall += time.monotonic() - self._from[0]
        self.cpu += time.process_time() - self._from[1]
        self.steps += 1

    @property
    def over(self) -> bool:
        return self.wall >= self.cap_s


def padded_steps(items: list[Any], pad_to: int | None) -> Iterator[tuple[Any, Any, Any]]:
    import torch  # noqa: PLC0415

    for step in steps(items):
        width = pad_to or max(item.tokens for item in step)
        ids = torch.zeros(len(step), width, dtype=torch.long)
        mask, labels = torch.zeros_like(ids), torch.full_like(ids, -100)
        for i, item in enumerate(step):
            ids[i, : item.tokens] = torch.tensor(item.ids)
            mask[i, : item.tokens] = 1
            labels[i, item.tokens - item.answer_tokens : item.tokens] = ids[
                i, item.tokens - item.answer_tokens : item.tokens
            ]
        yield ids, mask, labels


def run_loop(base: Path, items: list[Any], clock: Clock, pad_to: int | None, checkpointing: bool) -> Any:  # noqa: FBT001
    import torch  # noqa: PLC0415

    from training.fit import learning_rate  # noqa: PLC0415

    model = plain_model(base, torch.float32)
    model.train()
    if checkpointing:
        model.enable_input_require_grads()
        model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
    weights = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(weights, lr=LR, betas=(0.9, 0.99), weight_decay=0.0)
    count = len(steps(items))
    for number, (ids, mask, labels) in enumerate(padded_steps(items, pad_to)):
        clock.start()
        model(input_ids=ids, attention_mask=mask, labels=labels, use_cache=False).loss.backward()
        torch.nn.utils.clip_grad_norm_(weights, 1.0)
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(number, count, LR, 0.05)
        optimizer.step()
        optimizer.zero_grad()
        clock.stop()
        if clock.over:
            break
    return model


def run_trl(
    base: Path, items: list[Any], clock: Clock, out: Path, *, bf16: bool, packing: bool
) -> tuple[Any, int, int]:
    import datasets  # noqa: PLC0415
    import torch  # noqa: PLC0415
    import transformers  # noqa: PLC0415
    import trl  # noqa: PLC0415

    class Timer(transformers.TrainerCallback):  # type: ignore[misc]
        def on_step_begin(self, *_: Any, **__: Any) -> None:
            clock.start()

        def on_step_end(self, _args: Any, _state: Any, control: Any, **_: Any) -> None:
            clock.stop()
            control.should_training_stop = control.should_training_stop or clock.over

    ordered = [item for step in steps(items) for item in step]
    rows = [
        {"input_ids": list(i.ids), "completion_mask": [0] * (i.tokens - i.answer_tokens) + [1] * i.answer_tokens}
        for i in ordered
    ]
    extra: dict[str, Any] = {} if not bf16 else {"gradient_checkpointing": False}
    if packing:
        extra |= {"packing": True, "per_device_train_batch_size": 1, "gradient_accumulation_steps": 2}
    args = trl.SFTConfig(
        output_dir=str(out), learning_rate=LR, num_train_epochs=1, lr_scheduler_type="cosine", warmup_steps=1,
        adam_beta2=0.99, use_cpu=True, save_strategy="no", report_to="none", seed=SEED, logging_steps=1000,
        train_sampling_strategy="sequential", disable_tqdm=True,
        **({"per_device_train_batch_size": BATCH} | extra),
    )  # fmt: skip
    trainer = trl.SFTTrainer(
        model=plain_model(base, torch.bfloat16 if bf16 else torch.float32), args=args,
        train_dataset=datasets.Dataset.from_list(rows), callbacks=[Timer()],
        processing_class=transformers.AutoTokenizer.from_pretrained(str(base), local_files_only=True),
    )  # fmt: skip
    trainer.train()
    useful = trainer._total_train_tokens
    share = sum(i.answer_tokens for i in ordered) / sum(i.tokens for i in ordered)
    return trainer.model, useful, round(useful * share)


def run_ours(base: Path, items: list[Any], clock: Clock, snapshot: Callable[[Any, int], None]) -> Any:
    import torch  # noqa: PLC0415

    from training.fit import learning_rate  # noqa: PLC0415
    from training.lora import LoraTrainee, machine, open_base  # noqa: PLC0415
    from training.recipe import Recipe  # noqa: PLC0415
    from training.stages import AnswerStage  # noqa: PLC0415

    recipe = Recipe(rank=RANK, alpha=ALPHA, lr=LR, effective_batch=BATCH, seed=SEED)
    on = machine(recipe, torch.get_num_threads())
    model = LoraTrainee(open_base(base, recipe, on), recipe, on)
    stage = AnswerStage(items, [], recipe)
    optimizer = torch.optim.AdamW(model.weights, lr=LR, betas=(0.9, 0.99), weight_decay=0.0, fused=True)
    every = steps(items)
    for number, step in enumerate(every):
        clock.start()
        for batch in stage.batches(step):
            (stage.losses(model, batch) / stage.weight(step)).backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(model.weights, recipe.clip_norm)
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(number, len(every), LR, 0.05)
        optimizer.step()
        optimizer.zero_grad()
        clock.stop()
        snapshot(model.peft, number + 1)
    return model.peft


def child(given: argparse.Namespace) -> None:
    import torch  # noqa: PLC0415
    from peft import get_peft_model_state_dict  # noqa: PLC0415
    from safetensors.torch import save_file  # noqa: PLC0415

    torch.set_num_threads(given.threads)
    items, clock = encoded(given.base, given.rows), Clock(given.cap_s)
    out: Path = given.out / given.variant
    out.mkdir(parents=True, exist_ok=True)

    def keep(model: Any, step: int) -> None:
        state = {n: w.detach().float().contiguous().clone() for n, w in get_peft_model_state_dict(model).items()}
        save_file(state, str(out / f"step-{step:03}.safetensors"))

    counted: tuple[int, int] | None = None
    if given.variant == "naive":
        model = run_loop(given.base, items, clock, 512, checkpointing=True)
    elif given.variant == "longest":
        model = run_loop(given.base, items, clock, None, checkpointing=False)
    elif given.variant.startswith("trl"):
        packing = given.variant == "trl-packing"
        model, *both = run_trl(given.base, items, clock, out, bf16=given.variant != "trl", packing=packing)
        counted = (both[0], both[1])
    else:
        model = run_ours(given.base, items, clock, keep)
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    if given.variant != "ours":
        keep(model, clock.steps)
    if counted is None:
        seen = [item for step in steps(items)[: clock.steps] for item in step]
        counted = sum(item.tokens for item in seen), sum(item.answer_tokens for item in seen)
    result = {
        "variant": given.variant, "steps": clock.steps, "tokens": counted[0], "answer_tokens": counted[1],
        "wall_s": round(clock.wall, 1), "cpu_s": round(clock.cpu, 1), "peak_mb": round(peak_mb),
        "load": round(os.getloadavg()[0], 1), "cut": clock.over,
    }  # fmt: skip
    (out / "result.json").write_text(json.dumps(result) + "\n", encoding="utf-8")


def heldout_losses(given: argparse.Namespace) -> dict[str, dict[str, float]]:
    """Mean over held-out rows of each row's mean loss, per variant and step, by one float32 model."""
    import torch  # noqa: PLC0415
    from peft import set_peft_model_state_dict  # noqa: PLC0415
    from safetensors.torch import load_file  # noqa: PLC0415

    torch.set_num_threads(given.threads)
    items = encoded(given.base, given.heldout)
    model = plain_model(given.base, torch.float32).eval()
    wanted = {int(json.loads((given.out / v / "result.json").read_text())["steps"]) for v in given.variants}
    found: dict[str, dict[str, float]] = {}
    for variant in given.variants:
        for path in sorted((given.out / variant).glob("step-*.safetensors")):
            step = int(path.stem.split("-")[1])
            if step not in wanted:
                continue
            set_peft_model_state_dict(model, load_file(str(path)))
            with torch.no_grad():
                losses = [row_loss(model, item) for item in items]
            found.setdefault(variant, {})[str(step)] = round(sum(losses) / len(losses), 4)
    return found


def row_loss(model: Any, item: Any) -> float:
    import torch  # noqa: PLC0415

    ids = torch.tensor([item.ids])
    logits = model(input_ids=ids, use_cache=False, logits_to_keep=item.answer_tokens + 1).logits[0, :-1].float()
    return float(torch.nn.functional.cross_entropy(logits, ids[0, -item.answer_tokens :]))


def table(given: argparse.Namespace, losses: dict[str, dict[str, float]]) -> str:
    results = [json.loads((given.out / v / "result.json").read_text()) for v in given.variants]
    lines = [
        "| variant | steps | useful tok/s | answer tok/s | per CPU s | held-out loss (ours there) | peak MB | load |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for r in results:
        step = str(r["steps"])
        loss = losses.get(r["variant"], {}).get(step)
        ours = losses.get("ours", {}).get(step)
        lines.append(
            f"| {r['variant']} ({VARIANTS[r['variant']]}) | {r['steps']}{' (cut)' if r['cut'] else ''} "
            f"| {r['tokens'] / r['wall_s']:.0f} | {r['answer_tokens'] / r['wall_s']:.1f} "
            f"| {r['tokens'] / r['cpu_s']:.0f} | {loss} ({ours}) | {r['peak_mb']} | {r['load']} |"
        )
    return "\n".join(lines)


def main() -> None:
    made = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--base", type=Path, required=True)
    made.add_argument("--rows", type=Path, required=True)
    made.add_argument("--heldout", type=Path, required=True)
    made.add_argument("--out", type=Path, required=True)
    made.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    made.add_argument("--cap-s", type=float, default=150.0, help="seconds of steps per variant")
    made.add_argument("--variants", nargs="+", default=list(VARIANTS), choices=list(VARIANTS))
    made.add_argument("--variant", choices=list(VARIANTS), help=argparse.SUPPRESS)
    made.add_argument("--only-report", action="store_true", help="measure and print what earlier runs left in --out")
    given = made.parse_args()
    if given.variant:
        child(given)
        return
    for variant in [] if given.only_report else given.variants:
        command = [sys.executable, "-W", "ignore", "-m", "benchmarks.training", *sys.argv[1:], "--variant", variant]
        subprocess.run(command, check=True, env={**os.environ, "OMP_NUM_THREADS": str(given.threads)})
        print((given.out / variant / "result.json").read_text().strip(), flush=True)
    losses = heldout_losses(given)
    (given.out / "heldout.json").write_text(json.dumps(losses) + "\n", encoding="utf-8")
    print(table(given, losses))


if __name__ == "__main__":
    main()
