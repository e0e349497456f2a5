"""What a network's analysis writes to be trained: draw a batch, give its loss, validate."""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from typing import Any, Self

import lightning.pytorch as pl
import torch
from torch import Tensor, nn
from torch.optim import AdamW
from torch.optim.lr_scheduler import LambdaLR

from neuropipe.training import optimisation
from neuropipe.training.errors import TrainingError
from neuropipe.training.ledger import Ledger
from neuropipe.training.settings import OptimisationSettings

_GPU_CHECKS = 50  # steps between checks for finite losses on a GPU


class TrainingTask(pl.LightningModule, ABC):
    """A network and what it is trained on.

    Subclasses hold their network as sub-modules and their data as plain attributes (not as
    buffers: those are averaged, copied and saved with the weights).

    Attributes
    ----------
    unused_parameters : bool
        Whether some parameters may have no part in a batch's loss; several processes must know.
    """

    unused_parameters = False

    def __init__(self) -> None:
        super().__init__()
        self.optimisation = OptimisationSettings()
        self.seed = 0
        self.monitor: str | None = None
        self.validated: dict[str, float] = {}
        self.ledger = Ledger()
        self._random = torch.Generator()

    @abstractmethod
    def draw(self, step: int, size: int, generator: torch.Generator) -> Any:
        """Make a training batch, on ``self.device``.

        Parameters
        ----------
        step : int
            Number of optimiser steps taken so far.
        size : int
            Samples of the batch.
        generator : torch.Generator
            On the CPU; the only source of randomness, seeded by (seed, step, micro-batch, rank).
        """

    @abstractmethod
    def loss(self, batch: Any) -> tuple[Tensor, dict[str, Tensor]]:
        """Give a batch's loss (a scalar with a gradient) and other scalars to log."""

    @abstractmethod
    def validate(self) -> dict[str, float]:
        """Give numbers of the network as it is; in evaluation mode, without gradients.

        Torch's own generators are seeded the same way before each call. Where several processes
        train, each calls it and the numbers of the first count.
        """

    def parameter_groups(self) -> list[dict[str, Any]]:
        """Give AdamW's groups; each may carry `lr_scale`, a factor of the learning rate.

        The default is `neuropipe.training.optimisation.decay_groups`.
        """
        return optimisation.decay_groups(self)

    def compiled_modules(self) -> Iterable[nn.Module]:
        """Give the modules that ``compile: true`` compiles: those that `loss` calls."""
        return self.children()

    def fingerprint(self) -> str:
        """Describe the data and model, so that only the same training is resumed."""
        return ""

    def prepare(self, settings: OptimisationSettings, seed: int, monitor: str | None) -> None:
        """Set what `neuropipe.training.trainer.train` was called with."""
        self.optimisation, self.seed, self.monitor = settings, seed, monitor
        self.validated = {}

    # Lightning's hooks

    def configure_optimizers(self) -> Any:
        """AdamW, fused, and its schedule by the step."""
        settings = self.optimisation
        groups = optimisation.optimizer_groups(self.parameter_groups(), settings.learning_rate)
        optimizer = AdamW(
            groups,
            lr=settings.learning_rate,
            betas=settings.betas,
            weight_decay=settings.weight_decay,
            fused=self.device.type in ("cpu", "cuda"),
        )

        def scale(step: int) -> float:
            return optimisation.rate_scale(step, settings.max_steps, settings.warmup)

        scheduler = {"scheduler": LambdaLR(optimizer, scale), "interval": "step"}
        return {"optimizer": optimizer, "lr_scheduler": scheduler}

    def train_dataloader(self) -> range:
        """Count the micro-batches of the coming epoch; the last one may be shorter."""
        settings = self.optimisation
        left = settings.max_steps - self.trainer.global_step
        return range(min(settings.steps_per_epoch, max(left, 1)) * settings.accumulate)

    def val_dataloader(self) -> range:
        """One call of `validate`."""
        return range(1)

    def on_train_start(self) -> None:
        """Begin an empty ledger."""
        self.ledger = Ledger(_GPU_CHECKS if self.device.type == "cuda" else 1)

    def training_step(self, batch: int, batch_idx: int) -> Tensor:
        """Draw a micro-batch and give its loss; both depend on seed, step and place alone."""
        del batch
        settings = self.optimisation
        step, micro = self.global_step, batch_idx % settings.accumulate
        draw, layers = optimisation.step_seeds(self.seed, step, micro, self.global_rank)
        self._random.manual_seed(draw)
        optimisation.seed_layers(self.device, layers)
        with torch.autocast(self.device.type, enabled=False):
            drawn = self.draw(step, settings.batch_size, self._random)
        loss, numbers = self.loss(drawn)
        self.ledger.add_loss(step, loss, numbers)
        return loss

    def configure_gradient_clipping(
        self,
        optimizer: torch.optim.Optimizer,
        gradient_clip_val: float | None = None,
        gradient_clip_algorithm: str | None = None,
    ) -> None:
        """Clip here rather than in the Trainer, which drops the norm and refuses fused AdamW."""
        del optimizer, gradient_clip_val, gradient_clip_algorithm
        norm = optimisation.total_norm(list(self.parameters()), self.optimisation.clip)
        self.ledger.add_norm(self.global_step, norm)

    def validation_step(self, batch: int, batch_idx: int) -> None:
        """Validate, and share the first process's numbers.

        Raises
        ------
        TrainingError
            If the number to watch is not among them, or a loss before was not finite.
        """
        del batch, batch_idx
        self.ledger.check()
        optimisation.seed_layers(self.device, self.seed)
        numbers = {name: float(value) for name, value in self.validate().items()}
        numbers = self.trainer.strategy.broadcast(numbers)
        if self.monitor is not None and self.monitor not in numbers:
            raise TrainingError(
                f"the number to watch, {self.monitor}, is not among {', '.join(numbers) or 'none'}",
                "a number that validate() gives",
                "choose one of them as monitor",
            )
        self.validated = numbers
        self.log_dict(numbers, batch_size=1, logger=False)

    def __setattr__(self, name: str, value: Any) -> None:
        """Set Lightning's notes the short way: forty times a step, torch would look for weights."""
        if name == "_current_fx_name":
            object.__setattr__(self, name, value)
        else:
            super().__setattr__(name, value)

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        """Copy the weights and share everything else: averaging must not double the data."""
        memo[id(self)] = twin = type(self).__new__(type(self))
        own: Mapping[str, Any] = self.__getstate__()
        copied = ("_parameters", "_buffers", "_modules")
        twin.__dict__.update(own)
        twin.__dict__.update({name: copy.deepcopy(own[name], memo) for name in copied})
        return twin
