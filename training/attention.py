"""Attention over sequences laid end to end: each sees itself only, and not one position is spent on padding."""

from __future__ import annotations

from typing import Any

import torch
from torch.nn import functional
from transformers import AttentionInterface
from transformers.masking_utils import AttentionMaskInterface

NAME = "joined_sequences"


def joined_attention(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    *,
    scaling: float | None = None,
    dropout: float = 0.0,
    lengths: tuple[int, ...] | None = None,
    sliding_window: int | None = None,
    **_: Any,
) -> tuple[torch.Tensor, None]:
    """Causal attention within each of ``lengths``; query (1, heads, tokens, dim), key and value with their own heads.

    Returns (1, tokens, heads, dim). Raises ValueError where a model attends through a window shorter than a sequence.
    """
    del module, attention_mask
    parts = list(lengths or (query.shape[2],))
    if sliding_window is not None and max(parts) > sliding_window:
        raise ValueError(f"a sequence of {max(parts)} tokens exceeds the model's window of {sliding_window}")
    out = [
        functional.scaled_dot_product_attention(
            q, k, v, is_causal=True, scale=scaling, dropout_p=dropout, enable_gqa=q.shape[1] != k.shape[1]
        )
        for q, k, v in zip(*(torch.split(whole, parts, dim=2) for whole in (query, key, value)), strict=True)
    ]
    joined = out[0] if len(out) == 1 else torch.cat(out, dim=2)
    return joined.transpose(1, 2).contiguous(), None


def _no_mask(*_: Any, **__: Any) -> None:
    """The lengths say everything a mask would."""


def register() -> str:
    """Make the function known to transformers; returns the name for ``attn_implementation``."""
    AttentionInterface.register(NAME, joined_attention)
    AttentionMaskInterface.register(NAME, _no_mask)
    return NAME
