"""The two ways an adapter learns: from answers (``sft``) and from preferences between answers (``dpo``)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Generic, TypeVar

import torch

from training.batches import Encoded, Pair, micro_batches
from training.lora import LoraTrainee
from training.loss import answer_loss, preference_loss
from training.recipe import Recipe

Item = TypeVar("Item", Encoded, Pair)


class Stage(ABC, Generic[Item]):
    """What the loop needs to know of a stage; a step counts its batch in items."""

    name: str

    def __init__(self, items: Sequence[Item], heldout: Sequence[Item], recipe: Recipe) -> None:
        self.items: Sequence[Item] = items
        self.recipe = recipe
        self.heldout_items: Sequence[Item] = heldout[: recipe.heldout_rows]

    @property
    @abstractmethod
    def lr(self) -> float:
        """The highest learning rate of the schedule."""

    @property
    @abstractmethod
    def epochs(self) -> int:
        """How often every item is seen."""

    @abstractmethod
    def prepare(self, model: LoraTrainee) -> None:
        """Compute what the whole stage needs once."""

    @abstractmethod
    def losses(self, model: LoraTrainee, batch: Sequence[Item]) -> torch.Tensor:
        """Weighted sum of the items' losses."""

    @abstractmethod
    def weight(self, batch: Sequence[Item]) -> float:
        """What the loss of these items is divided by."""

    def batches(self, items: Sequence[Item]) -> list[list[Item]]:
        """The items in the pieces that go through the model together."""
        return micro_batches(items, self.recipe.token_budget)

    def heldout(self, model: LoraTrainee) -> float | None:
        """Mean loss over the held-out items; None when there are none."""
        if not self.heldout_items:
            return None
        with torch.no_grad():
            total = sum(float(self.losses(model, batch)) for batch in self.batches(self.heldout_items))
        return total / self.weight(self.heldout_items)


class AnswerStage(Stage[Encoded]):
    """Makes the targets likely; every row counts by its weight, whatever its length."""

    name = "sft"

    @property
    def lr(self) -> float:
        """The highest learning rate of the schedule."""
        return self.recipe.lr

    @property
    def epochs(self) -> int:
        """How often every row is seen."""
        return self.recipe.epochs

    def prepare(self, model: LoraTrainee) -> None:
        """Nothing is needed beforehand."""

    def losses(self, model: LoraTrainee, batch: Sequence[Encoded]) -> torch.Tensor:
        """Weighted sum of each row's mean negative log-likelihood."""
        sums = model.sums(batch)
        counts = torch.tensor([float(item.answer_tokens) for item in batch], device=sums.device)
        weights = torch.tensor([item.weight for item in batch], device=sums.device)
        return answer_loss(sums, counts, weights)

    def weight(self, batch: Sequence[Encoded]) -> float:
        """The rows' weights together."""
        return sum(item.weight for item in batch)


class PreferenceStage(Stage[Pair]):
    """Makes the chosen answer likelier than the rejected one, measured against the base without its adapter."""

    name = "dpo"

    def __init__(self, items: Sequence[Pair], heldout: Sequence[Pair], recipe: Recipe) -> None:
        super().__init__(items, heldout, recipe)
        self._base: dict[str, tuple[float, float]] = {}

    @property
    def lr(self) -> float:
        """The highest learning rate of the schedule."""
        return self.recipe.dpo_lr

    @property
    def epochs(self) -> int:
        """How often every pair is seen."""
        return self.recipe.dpo_epochs

    def prepare(self, model: LoraTrainee) -> None:
        """Ask the base once how likely each answer is; it never changes."""
        with model.as_base():
            for batch in self.batches([*self.items, *self.heldout_items]):
                sums = model.sums(_both(batch)).tolist()
                for i, pair in enumerate(batch):
                    self._base[pair.id] = (sums[i], sums[len(batch) + i])

    def losses(self, model: LoraTrainee, batch: Sequence[Pair]) -> torch.Tensor:
        """Weighted sum of the preference losses, plus a share of the plain loss on the chosen answers."""
        sums = model.sums(_both(batch))
        chosen, rejected = sums[: len(batch)], sums[len(batch) :]
        base = torch.tensor([self._base[pair.id] for pair in batch], device=sums.device)
        weights = torch.tensor([pair.chosen.weight for pair in batch], device=sums.device)
        loss = (preference_loss(chosen, rejected, base[:, 0], base[:, 1], self.recipe.beta) * weights).sum()
        if self.recipe.chosen_nll:
            counts = torch.tensor([float(pair.chosen.answer_tokens) for pair in batch], device=sums.device)
            loss = loss + self.recipe.chosen_nll * answer_loss(chosen, counts, weights)
        return loss

    def weight(self, batch: Sequence[Pair]) -> float:
        """The pairs' weights together."""
        return sum(pair.chosen.weight for pair in batch)


def _both(batch: Sequence[Pair]) -> list[Encoded]:
    return [pair.chosen for pair in batch] + [pair.rejected for pair in batch]
