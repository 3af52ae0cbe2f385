"""The model being trained: a frozen base with a LoRA adapter of PEFT, float32 adapter weights on a bfloat16 base."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import peft
import torch
import transformers
from peft import LoraConfig, PeftModel
from peft.utils import set_peft_model_state_dict

from training.attention import register
from training.batches import Encoded
from training.errors import MissingLibrary, RecipeError, TrainingError
from training.fused import FusedLoraLinear
from training.loss import sequence_sums, token_logprobs
from training.recipe import Recipe


@dataclass(frozen=True, slots=True)
class Machine:
    """What a run computes on; ``threads`` of the CPU also when a GPU does the arithmetic."""

    device: str
    dtype: torch.dtype
    threads: int


def machine(recipe: Recipe, threads: int | None = None, nice: int = 0) -> Machine:
    """Choose device and precision, and take no more of the machine than told.

    ``threads`` None takes all cores but one. ``nice`` is added to the process's own niceness, so that a chat served
    beside the run goes first. Raises RecipeError for a precision this machine would emulate.
    """
    wanted = threads or max(1, (os.cpu_count() or 2) - 1)
    torch.set_num_threads(wanted)
    if nice:
        os.nice(nice)
    if torch.cuda.is_available():
        device, fast_bf16 = "cuda", torch.cuda.is_bf16_supported()
    else:
        device, fast_bf16 = "cpu", bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())  # noqa: SLF001 - no public name
    if recipe.precision == "auto":
        dtype = torch.bfloat16 if fast_bf16 else torch.float32
    else:
        dtype = torch.bfloat16 if recipe.precision == "bf16" else torch.float32
    if recipe.quantize != "none" and device != "cuda":
        raise RecipeError("recipe.quantize 4bit needs a CUDA GPU (a CPU manages 12 tokens/s with it); set it to none")
    return Machine(device, dtype, wanted)


def open_base(weights: Path, recipe: Recipe, on: Machine, attention: str | None = None) -> transformers.PreTrainedModel:
    """The base model from a folder, frozen; never asks a network. Raises TrainingError when it cannot be read.

    ``attention`` names another implementation than the one for joined sequences.
    """
    options: dict[str, Any] = {"local_files_only": True, "dtype": on.dtype}
    options["attn_implementation"] = attention or register()
    if recipe.quantize == "4bit":
        make: Any = transformers.BitsAndBytesConfig
        try:
            options["quantization_config"] = make(
                load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_compute_dtype=on.dtype
            )
        except ImportError as error:
            raise MissingLibrary("recipe.quantize 4bit needs bitsandbytes: pip install bitsandbytes") from error
    try:
        model: Any = transformers.AutoModelForCausalLM.from_pretrained(str(weights), **options)
    except (OSError, ValueError) as error:
        raise TrainingError(f"cannot open the base model in {weights}: {error}") from error
    if recipe.quantize == "none":
        model.to(on.device)
    for weight in model.parameters():
        weight.requires_grad = False
    base: transformers.PreTrainedModel = model.eval()
    return base


def lora_config(recipe: Recipe) -> LoraConfig:
    """The adapter's shape in PEFT's terms; plain LoRA without dropout, bias or variants, so that it can be served."""
    targets = recipe.targets if recipe.targets == "all-linear" else recipe.targets.split(",")
    return LoraConfig(
        r=recipe.rank, lora_alpha=recipe.alpha, target_modules=targets, lora_dropout=0.0, bias="none",
        task_type="CAUSAL_LM",
    )  # fmt: skip


class LoraTrainee:
    """A base with one adapter, which knows how likely it makes an answer."""

    def __init__(self, base: transformers.PreTrainedModel, recipe: Recipe, on: Machine) -> None:
        torch.manual_seed(recipe.seed)
        config = lora_config(recipe)
        if recipe.quantize == "none":
            config._register_custom_module({torch.nn.Linear: FusedLoraLinear})  # noqa: SLF001 - PEFT's door for own layers
        self.peft: PeftModel = peft.get_peft_model(base, config)
        self.machine = on
        untyped: Any = base
        self._body: Any = untyped.get_decoder()
        self._head: torch.Tensor = untyped.get_output_embeddings().weight
        named = [(name, p) for name, p in self.peft.named_parameters() if p.requires_grad]
        self.names = [name for name, _ in named]
        self.weights = [p for _, p in named]
        for weight in self.weights:
            weight.data = weight.data.float()

    def sums(self, items: Sequence[Encoded]) -> torch.Tensor:
        """Summed log-probability of each item's answer, float32 (items,); the items form one micro-batch."""
        device = self.machine.device
        lengths = tuple(item.tokens for item in items)
        ids = torch.tensor([t for item in items for t in item.ids], device=device)
        positions = torch.tensor([p for length in lengths for p in range(length)], device=device)
        places: list[int] = []
        owners: list[int] = []
        start = 0
        for i, item in enumerate(items):
            end = start + item.tokens
            places += range(end - item.answer_tokens, end)
            owners += [i] * item.answer_tokens
            start = end
        at = torch.tensor(places, device=device)
        hidden = self._body(
            input_ids=ids[None], position_ids=positions[None], use_cache=False, lengths=lengths
        ).last_hidden_state[0]
        logprobs = token_logprobs(hidden[at - 1], self._head, ids[at])
        return sequence_sums(logprobs, torch.tensor(owners, device=device), len(items))

    @contextlib.contextmanager
    def as_base(self) -> Iterator[None]:
        """Within the block the adapter is off and no gradient is kept: the reference of preference training."""
        with self.peft.disable_adapter(), torch.no_grad():
            yield

    def state(self) -> dict[str, torch.Tensor]:
        """A copy of the adapter's weights on the CPU, by parameter name."""
        return {n: w.detach().to("cpu", copy=True) for n, w in zip(self.names, self.weights, strict=True)}

    def load(self, state: dict[str, torch.Tensor]) -> None:
        """Put back weights that ``state`` gave."""
        with torch.no_grad():
            for name, weight in zip(self.names, self.weights, strict=True):
                weight.copy_(state[name])

    def load_adapter(self, tensors: dict[str, torch.Tensor]) -> None:
        """Take over the weights of a saved adapter of the same shape."""
        set_peft_model_state_dict(self.peft, tensors)

    def save(self, folder: Path, base_name: str) -> None:
        """Write PEFT's two files into ``folder``, naming the base as it is served."""
        save_peft(self.peft, folder, base_name)


def save_peft(model: PeftModel, folder: Path, base_name: str) -> None:
    """Write an adapter's config and weights, the same bytes for the same weights."""
    config: Any = model.peft_config["default"]
    config.base_model_name_or_path = base_name
    config.inference_mode = True
    options: dict[str, Any] = {"safe_serialization": True, "save_embedding_layers": False}
    model.save_pretrained(str(folder), selected_adapters=["default"], **options)  # preference trainers add a reference
    (folder / "README.md").unlink(missing_ok=True)
    path = folder / "adapter_config.json"
    settings = json.loads(path.read_text(encoding="utf-8"))
    settings["target_modules"] = sorted(settings["target_modules"])  # a set in memory: the file must not vary
    path.write_text(json.dumps(settings, indent=2, sort_keys=True) + "\n", encoding="utf-8")
