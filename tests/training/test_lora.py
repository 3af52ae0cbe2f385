from __future__ import annotations

import json
from pathlib import Path

import peft
import pytest
import torch
import transformers

from tests.training.tiny import row, tiny_base
from training import lora
from training.batches import Encoded, Encoder
from training.errors import RecipeError, TrainingError
from training.lora import LoraTrainee
from training.recipe import Recipe

FP32 = Recipe(rank=4, alpha=8, precision="fp32")


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_base(tmp_path_factory.mktemp("base"))


@pytest.fixture
def items(base: Path) -> list[Encoded]:
    kept, _ = Encoder(base / "tokenizer.json", max_tokens=1000).rows([row(1), row(2), row(3)])
    return kept


def trainee(base: Path, recipe: Recipe = FP32) -> LoraTrainee:
    on = lora.machine(recipe, threads=1)
    return LoraTrainee(lora.open_base(base, recipe, on), recipe, on)


def stirred(model: LoraTrainee) -> LoraTrainee:
    """Give the adapter something to say: PEFT starts it at zero."""
    torch.manual_seed(5)
    with torch.no_grad():
        for weight in model.weights:
            weight.add_(torch.randn_like(weight) * 0.2)
    return model


def test_answers_are_as_likely_as_the_plain_model_says(base: Path, items: list[Encoded]) -> None:
    model = stirred(trainee(base))
    found = model.sums(items)
    for item, one in zip(items, found.tolist(), strict=True):
        ids = torch.tensor([item.ids])
        logits = model.peft(input_ids=ids, use_cache=False).logits[0].detach().log_softmax(-1)
        places = range(item.tokens - item.answer_tokens, item.tokens)
        assert one == pytest.approx(sum(float(logits[p - 1, item.ids[p]]) for p in places), abs=1e-3)


def test_a_micro_batch_gives_each_item_what_it_gets_alone(base: Path, items: list[Encoded]) -> None:
    model = stirred(trainee(base))
    together = model.sums(items).tolist()
    assert together == pytest.approx([float(model.sums([item]).detach()) for item in items], abs=1e-3)


def test_only_the_adapter_learns_in_float32(base: Path, items: list[Encoded]) -> None:
    model = trainee(base, Recipe(rank=4, alpha=8, precision="bf16"))
    assert {weight.dtype for weight in model.weights} == {torch.float32}
    assert model._head.dtype == torch.bfloat16
    model.sums(items).sum().backward()
    learning = {name for name, p in model.peft.named_parameters() if p.grad is not None}
    assert learning == set(model.names)
    assert all("lora_" in name for name in learning)
    assert len(model.names) == 2 * 2 * 7  # two matrices, two layers, seven linear maps each


def test_the_reference_is_the_base(base: Path, items: list[Encoded]) -> None:
    fresh, model = trainee(base), stirred(trainee(base))
    with model.as_base():
        reference = model.sums(items)
    assert not reference.requires_grad
    assert torch.allclose(reference, fresh.sums(items), atol=1e-4)
    assert not torch.allclose(reference, model.sums(items), atol=1e-2)


def test_the_start_depends_on_the_seed_alone(base: Path) -> None:
    first, same = trainee(base).state(), trainee(base).state()
    other = trainee(base, Recipe(rank=4, alpha=8, precision="fp32", seed=8)).state()
    assert all(torch.equal(first[name], same[name]) for name in first)
    assert not all(torch.equal(first[name], other[name]) for name in first)


def test_state_comes_back(base: Path) -> None:
    model = trainee(base)
    kept = model.state()
    stirred(model).load(kept)
    assert all(torch.equal(kept[name], now) for name, now in model.state().items())


def test_peft_opens_what_is_saved(base: Path, tmp_path: Path, items: list[Encoded]) -> None:
    model = stirred(trainee(base))
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        model.save(tmp_path / folder, "example/served")
    names = {"adapter_config.json", "adapter_model.safetensors"}
    assert {path.name for path in (tmp_path / "a").iterdir()} == names
    assert all((tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes() for name in names)
    config = json.loads((tmp_path / "a" / "adapter_config.json").read_text(encoding="utf-8"))
    assert (config["base_model_name_or_path"], config["r"], config["lora_alpha"]) == ("example/served", 4, 8)
    assert not config["use_dora"]
    plain = transformers.AutoModelForCausalLM.from_pretrained(str(base), dtype=torch.float32)
    opened = peft.PeftModel.from_pretrained(plain, str(tmp_path / "a"))
    ids = torch.tensor([items[0].ids])
    with torch.no_grad():
        wanted = opened(input_ids=ids).logits
        assert torch.allclose(model.peft(input_ids=ids, use_cache=False).logits, wanted, atol=1e-4)


def test_named_layers_only(base: Path) -> None:
    model = trainee(base, Recipe(rank=4, alpha=8, precision="fp32", targets="q_proj,v_proj"))
    assert len(model.names) == 2 * 2 * 2


def test_what_this_machine_cannot_do_is_refused(tmp_path: Path) -> None:
    if not torch.cuda.is_available():
        with pytest.raises(RecipeError, match="CUDA"):
            lora.machine(Recipe(quantize="4bit"), threads=1)
    with pytest.raises(TrainingError, match="cannot open the base"):
        lora.open_base(tmp_path, FP32, lora.machine(FP32, threads=1))
    assert lora.machine(FP32, threads=1).dtype == torch.float32
