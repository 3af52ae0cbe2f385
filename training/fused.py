"""A LoRA layer whose forward and backward are written out, so that a frozen base costs no more than it must.

PEFT's own layer casts every input to float32 and keeps that copy for the backward pass; here the adapter's two small
matrices are cast instead (their master copies stay float32), one input is kept in the base's precision, and the
gradient of the frozen weight is never considered.
"""

from __future__ import annotations

from typing import Any

import torch
from peft.tuners.lora.layer import Linear as LoraLinear
from torch.nn import functional


class _LowRankLinear(torch.autograd.Function):
    """``x W^T + bias + scale * (x A^T) B^T`` with W frozen; x (tokens, in), W (out, in), A (r, in), B (out, r)."""

    @staticmethod
    def forward(
        ctx: Any,
        x: torch.Tensor,
        weight: torch.Tensor,
        bias: torch.Tensor | None,
        down: torch.Tensor,
        up: torch.Tensor,
        scale: float,
    ) -> torch.Tensor:
        """The layer's output (tokens, out) in the base's precision."""
        small_down, small_up = down.to(x.dtype), up.to(x.dtype) * scale
        inner = functional.linear(x, small_down)
        out = functional.linear(x, weight, bias)
        out.addmm_(inner, small_up.t())
        ctx.save_for_backward(x, weight, small_down, small_up, inner)
        ctx.scale = scale
        return out

    @staticmethod
    def backward(ctx: Any, *grads: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        """Gradients of x, A and B; float32 for the two matrices."""
        (grad,) = grads
        x, weight, small_down, small_up, inner = ctx.saved_tensors
        pulled = grad @ small_up  # (tokens, r), already scaled
        grad_x = None
        if ctx.needs_input_grad[0]:
            grad_x = grad @ weight
            grad_x.addmm_(pulled, small_down)
        grad_down = (pulled.t() @ x).float()
        grad_up = (grad.t() @ inner).float() * ctx.scale
        return grad_x, None, None, grad_down, grad_up, None


class FusedLoraLinear(LoraLinear):
    """PEFT's LoRA layer with the written-out arithmetic; weights, names and saved files are PEFT's own."""

    def forward(self, x: torch.Tensor, *args: Any, **kwargs: Any) -> torch.Tensor:
        """The base layer alone while adapters are off, else base plus the one active adapter."""
        if self.disable_adapters or not self.active_adapters:
            result: torch.Tensor = self.base_layer(x, *args, **kwargs)
            return result
        name = self.active_adapters[0]
        base = self.get_base_layer()
        flat = x.reshape(-1, x.shape[-1])
        out: torch.Tensor = _LowRankLinear.apply(  # type: ignore[no-untyped-call]
            flat, base.weight, base.bias, self.lora_A[name].weight, self.lora_B[name].weight, self.scaling[name]
        )
        return out.view(*x.shape[:-1], out.shape[-1])
