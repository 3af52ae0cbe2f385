"""Losses that look only where an answer stands: the head never sees the prompt's positions.

Of a desk's tokens about a tenth are answers, and the head is a fifth of a small model's arithmetic.
"""

from __future__ import annotations

from typing import Any

import torch
from torch.nn import functional

CHUNK_TOKENS = 256  # positions whose logits exist at one time: 256 x 49,152 x 4 bytes = 50 MB


class _TokenLogprobs(torch.autograd.Function):
    """Log-probability of each target under a frozen head, with its gradient computed on the way forward.

    The gradient of one position's log-probability does not depend on what the loss does with it, so it is computed
    while that position's logits exist, and the logits of no more than CHUNK_TOKENS positions ever do.
    """

    @staticmethod
    def forward(ctx: Any, hidden: torch.Tensor, head: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """Hidden (S, d), head (V, d) and int64 targets (S,) give float32 log-probabilities (S,)."""
        wanted = ctx.needs_input_grad[0]
        out = torch.empty(hidden.shape[0], dtype=torch.float32, device=hidden.device)
        slopes = torch.empty_like(hidden) if wanted else None
        for start in range(0, hidden.shape[0], CHUNK_TOKENS):
            part = slice(start, start + CHUNK_TOKENS)
            logits = (hidden[part] @ head.t()).float()
            picked = targets[part, None]
            logits -= logits.logsumexp(dim=1, keepdim=True)
            out[part] = logits.gather(1, picked)[:, 0]
            if slopes is not None:
                pull = logits.exp_().neg_()
                pull.scatter_add_(1, picked, torch.ones_like(picked, dtype=pull.dtype))
                slopes[part] = pull.to(head.dtype) @ head
        ctx.save_for_backward(slopes)
        return out

    @staticmethod
    def backward(ctx: Any, *grads: torch.Tensor) -> tuple[torch.Tensor, None, None]:
        """Each position's slope times what the loss makes of it."""
        (slopes,) = ctx.saved_tensors
        return (slopes.float() * grads[0][:, None]).to(slopes.dtype), None, None


def token_logprobs(hidden: torch.Tensor, head: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Log-probability of every target token: hidden (S, d), frozen head (V, d), targets (S,) → float32 (S,)."""
    result: torch.Tensor = _TokenLogprobs.apply(hidden, head, targets)  # type: ignore[no-untyped-call]
    return result


def sequence_sums(logprobs: torch.Tensor, owners: torch.Tensor, count: int) -> torch.Tensor:
    """Sum token log-probabilities (S,) per sequence; ``owners`` (S,) says which of ``count`` sequences each is of."""
    return torch.zeros(count, dtype=logprobs.dtype, device=logprobs.device).index_add(0, owners, logprobs)


def answer_loss(sums: torch.Tensor, answer_tokens: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """Weighted sum over examples of each one's mean negative log-likelihood: a long answer counts no more than a short.

    All three are (count,); the caller divides by the step's total weight.
    """
    return -(sums / answer_tokens * weights).sum()


def preference_loss(
    chosen: torch.Tensor, rejected: torch.Tensor, base_chosen: torch.Tensor, base_rejected: torch.Tensor, beta: float
) -> torch.Tensor:
    """Direct preference optimisation per pair, (pairs,): all inputs are summed log-probabilities of whole answers."""
    return -functional.logsigmoid(beta * ((chosen - base_chosen) - (rejected - base_rejected)))
