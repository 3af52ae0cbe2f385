from __future__ import annotations

import peft
import torch
from torch import nn

from training.fused import FusedLoraLinear


class Two(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(6, 10), nn.Linear(10, 4, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.second(torch.relu(self.first(x)))


def wrapped(*, fused: bool) -> peft.PeftModel:
    torch.manual_seed(1)
    config = peft.LoraConfig(r=3, lora_alpha=6, target_modules=["first", "second"], init_lora_weights=False)
    if fused:
        config._register_custom_module({nn.Linear: FusedLoraLinear})
    return peft.get_peft_model(Two(), config)


def test_output_and_gradients_equal_those_of_pefts_own_layer() -> None:
    inputs = torch.randn(2, 5, 6)
    outputs, gradients = [], []
    for fused in (False, True):
        model = wrapped(fused=fused)
        x = inputs.clone().requires_grad_()
        out = model(x)
        out.square().sum().backward()
        outputs.append(out)
        gradients.append([x.grad, *(p.grad for p in model.parameters() if p.requires_grad)])
    assert isinstance(model.base_model.model.first, FusedLoraLinear)
    assert torch.allclose(outputs[0], outputs[1], atol=1e-5)
    assert len(gradients[0]) == len(gradients[1]) == 5
    for plain, own in zip(*gradients, strict=True):
        assert torch.allclose(plain, own, atol=1e-4)


def test_without_its_adapter_it_is_the_base() -> None:
    model, x = wrapped(fused=True), torch.randn(3, 6)
    torch.manual_seed(1)
    base = Two()
    with model.disable_adapter():
        assert torch.equal(model(x), base(x))
    assert not torch.equal(model(x), base(x))


def test_saved_files_are_pefts_own() -> None:
    own, plain = (peft.get_peft_model_state_dict(wrapped(fused=fused)) for fused in (True, False))
    assert own.keys() == plain.keys()
    assert all(torch.equal(own[name], plain[name]) for name in own)
