"""A tiny network and task that tests train."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from neuropipe.training.settings import OptimisationSettings
from neuropipe.training.task import TrainingTask


class Tiny(TrainingTask):
    """Learn y = x W from noisy samples, with dropout, so that randomness matters."""

    def __init__(self, n_inputs: int = 6, *, dropout: float = 0.1, seed: int = 0) -> None:
        super().__init__()
        torch.manual_seed(seed)
        self.network = nn.Sequential(
            nn.Linear(n_inputs, 16), nn.LayerNorm(16), nn.GELU(), nn.Dropout(dropout),
            nn.Linear(16, 1),
        )  # fmt: skip
        self.truth = torch.linspace(-1, 1, n_inputs)[:, None]
        self.held_out = torch.randn(64, n_inputs, generator=torch.Generator().manual_seed(99))
        self.drawn: list[Tensor] = []

    def draw(self, step: int, size: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        x = torch.randn(size, len(self.truth), generator=generator)
        y = x @ self.truth + 0.1 * torch.randn(size, 1, generator=generator)
        self.drawn.append(x)
        return x.to(self.device), y.to(self.device)

    def loss(self, batch: Any) -> tuple[Tensor, dict[str, Tensor]]:
        x, y = batch
        error = (self.network(x) - y).square().mean()
        return error, {"rmse": error.sqrt()}

    def validate(self) -> dict[str, float]:
        x = self.held_out.to(self.device)
        error = (self.network(x).float() - x @ self.truth.to(self.device)).square().mean()
        return {"fit": -float(error)}


def quick(**changes: Any) -> OptimisationSettings:
    """Settings for a training of a fraction of a second."""
    base = {
        "learning_rate": 1e-2, "batch_size": 16, "max_steps": 60, "steps_per_epoch": 10,
        "device": "cpu", "threads": 1,
    }  # fmt: skip
    return OptimisationSettings.model_validate(base | changes)


def weights(task: TrainingTask) -> dict[str, Tensor]:
    return {name: value.detach().clone() for name, value in task.state_dict().items()}


def same(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[k], other[k]) for k in one)
