"""Losses, gradient norms and other numbers of an epoch's steps, checked to be finite."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping

import torch
from torch import Tensor

from neuropipe.training.errors import TrainingError


class Ledger:
    """Numbers of the steps of an epoch, left on their device until somebody asks.

    Parameters
    ----------
    check_every : int
        Steps between checks that losses and norms are finite. A check waits for a GPU's queue, so
        that there it is done now and then; what was trained in between is thrown away anyway.
    """

    def __init__(self, check_every: int = 1) -> None:
        self.check_every = check_every
        self._numbers: dict[str, list[Tensor | float]] = defaultdict(list)
        self._losses: list[tuple[int, Tensor]] = []
        self._norms: list[tuple[int, Tensor]] = []

    def add_loss(self, step: int, loss: Tensor, numbers: Mapping[str, Tensor | float]) -> None:
        """Note a micro-batch's loss and numbers (scalars)."""
        self._losses.append((step, loss.detach()))
        self._numbers["train_loss"].append(loss.detach())
        for name, value in numbers.items():
            kept = value.detach() if isinstance(value, Tensor) else float(value)
            self._numbers[f"train_{name}"].append(kept)

    def add_norm(self, step: int, norm: Tensor) -> None:
        """Note the gradient's norm before clipping, and check when it is time.

        Raises
        ------
        TrainingError
            See `check`.
        """
        self._norms.append((step, norm.detach()))
        self._numbers["gradient_norm"].append(norm.detach())
        if len(self._norms) >= self.check_every:
            self.check()

    def check(self) -> None:
        """Check all that was noted since the last check.

        Raises
        ------
        TrainingError
            If a loss or a norm is NaN or infinite.
        """
        for noted, what in ((self._losses, "loss"), (self._norms, "norm of the gradient")):
            for step, value in zip((step for step, _ in noted), _floats(noted), strict=True):
                if not math.isfinite(value):
                    raise TrainingError(
                        f"the {what} of step {step} is {value}",
                        "a finite number",
                        "lower learning_rate or clip, lengthen the warm-up, or set precision: 32",
                    )
            noted.clear()

    def means(self) -> dict[str, float]:
        """Mean of each number since the last call, in one copy from the device."""
        names = list(self._numbers)
        if not names:
            return {}
        means = [
            torch.stack([torch.as_tensor(v).float() for v in self._numbers[name]]).mean().cpu()
            for name in names
        ]
        self._numbers.clear()
        return dict(zip(names, torch.stack(means).tolist(), strict=True))


def _floats(noted: list[tuple[int, Tensor]]) -> list[float]:
    """Numbers of scalar tensors, in one copy from the device."""
    if len(noted) < 2:
        return [float(value) for _, value in noted]
    return [float(v) for v in torch.stack([value.float() for _, value in noted]).tolist()]
