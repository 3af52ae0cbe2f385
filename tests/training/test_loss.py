from __future__ import annotations

import math

import pytest
import torch

from training.loss import CHUNK_TOKENS, answer_loss, preference_loss, sequence_sums, token_logprobs


@pytest.mark.parametrize("positions", [1, 7, CHUNK_TOKENS + 3])
def test_log_probabilities_and_their_gradient_equal_the_plain_ones(positions: int) -> None:
    torch.manual_seed(0)
    hidden = torch.randn(positions, 8, dtype=torch.float64, requires_grad=True)
    head, targets = torch.randn(20, 8, dtype=torch.float64), torch.randint(0, 20, (positions,))
    pull = torch.randn(positions)
    found = token_logprobs(hidden, head, targets)
    (found * pull).sum().backward()
    plain = hidden.detach().clone().requires_grad_()
    wanted = torch.log_softmax(plain @ head.t(), dim=1).gather(1, targets[:, None])[:, 0]
    (wanted * pull).sum().backward()
    assert torch.allclose(found, wanted.float(), atol=1e-5)
    assert torch.allclose(hidden.grad, plain.grad, atol=1e-5)


def test_no_slope_is_kept_where_none_is_wanted() -> None:
    hidden = torch.randn(3, 8)
    assert not token_logprobs(hidden, torch.randn(20, 8), torch.tensor([1, 2, 3])).requires_grad


def test_a_long_answer_counts_no_more_than_a_short_one() -> None:
    logprobs = torch.tensor([-1.0] * 30 + [-3.0] * 2)
    sums = sequence_sums(logprobs, torch.tensor([0] * 30 + [1] * 2), 2)
    assert sums.tolist() == [-30.0, -6.0]
    loss = answer_loss(sums, torch.tensor([30.0, 2.0]), torch.tensor([1.0, 2.0]))
    assert float(loss) == pytest.approx(1.0 + 2 * 3.0)


def test_preferences_start_undecided_and_fall_as_the_chosen_answer_gains() -> None:
    at = torch.tensor([-5.0])
    assert float(preference_loss(at, at, at, at, 0.1)) == pytest.approx(math.log(2))
    assert float(preference_loss(at + 2, at - 2, at, at, 0.1)) < math.log(2)
    assert float(preference_loss(at + 2, at + 2, at, at, 0.1)) == pytest.approx(math.log(2))
