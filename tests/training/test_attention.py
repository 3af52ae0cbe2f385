from __future__ import annotations

import pytest
import torch
from torch import nn

from training.attention import joined_attention


def attend(lengths: tuple[int, ...] | None, *parts: torch.Tensor, **options: object) -> torch.Tensor:
    out, weights = joined_attention(nn.Module(), *parts, None, scaling=0.5, lengths=lengths, **options)
    assert weights is None
    return out


def test_sequences_end_to_end_see_only_themselves() -> None:
    torch.manual_seed(0)
    query, key, value = torch.randn(1, 4, 9, 8), torch.randn(1, 2, 9, 8), torch.randn(1, 2, 9, 8)
    joined = attend((4, 5), query, key, value)
    alone = [attend(None, query[:, :, s], key[:, :, s], value[:, :, s]) for s in (slice(0, 4), slice(4, 9))]
    assert joined.shape == (1, 9, 4, 8)
    assert torch.allclose(joined, torch.cat(alone, dim=1), atol=1e-6)


def test_a_window_shorter_than_a_sequence_is_refused() -> None:
    part = torch.randn(1, 2, 9, 8)
    assert attend((4, 5), part, part, part, sliding_window=5).shape == (1, 9, 2, 8)
    with pytest.raises(ValueError, match="window of 4"):
        attend((4, 5), part, part, part, sliding_window=4)
