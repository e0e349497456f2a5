"""Joint-embedding prediction: states of hidden tokens are predicted, not their signals.

Axis legend: b runs, k segments, n ROIs, l points, d width.
"""

from __future__ import annotations

import copy
from typing import Any, Self, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from neuropipe.brainmae.data import Runs
from neuropipe.brainmae.peers.patch_mae import PatchMAE, PatchTask
from neuropipe.brainmae.peers.tokens import mean_state
from neuropipe.brainmae.pretraining import Batch
from neuropipe.brainmae.segments import Segments
from neuropipe.brainmae.settings import BrainmaeSettings, ModelSettings

__all__ = ["JepaTask", "TokenJepa"]

_MOMENTUM = 0.996  # of the target encoder at the first step; 1 at the last


class TokenJepa(nn.Module):
    """Encoder and predictor, and a target encoder that is the first one's moving average.

    Parameters
    ----------
    settings : ModelSettings
        Of encoders and predictor, which are those of `PatchMAE`.
    n_rois, n_points : int
        N and L.

    Notes
    -----
    Brain-JEPA (Dong et al. 2024), with a learned code a ROI in place of its gradient position, and
    a predictor as wide as the encoder: narrow ones of so small a network learned next to nothing.
    """

    def __init__(self, settings: ModelSettings, n_rois: int, n_points: int) -> None:
        super().__init__()
        self.predictor = PatchMAE(settings, n_rois, n_points, n_outputs=settings.width)
        self.target = copy.deepcopy(self.predictor.encoder).requires_grad_(requires_grad=False)

    def train(self, mode: bool = True) -> Self:
        """Switch dropout on or off; targets never have it."""
        super().train(mode)
        self.target.eval()
        return self

    def forward(self, x: Tensor, given: Tensor, valid: Tensor, start: Tensor) -> Tensor:
        """Predict the states of all tokens from those that are given, shape (b, k, n, d).

        Arguments as in `neuropipe.brainmae.model.BrainMAE.encode`.
        """
        out: Tensor = self.predictor(x, given, valid, start)
        return out

    @torch.no_grad()
    def targets(self, x: Tensor, present: Tensor, start: Tensor) -> Tensor:
        """States that the target encoder gives with everything in view, each of mean 0 and sd 1.

        Returns
        -------
        tensor of shape (b, k, n, d)
            0 where nothing was measured.
        """
        states = self.target.states(x, present, start).float()
        return functional.layer_norm(states, states.shape[-1:])

    @torch.no_grad()
    def follow(self, momentum: float) -> None:
        """Move the target encoder towards the context encoder.

        Parameters
        ----------
        momentum : float
            Weight of what it was.
        """
        context = self.predictor.encoder
        for slow, fast in zip(self.target.parameters(), context.parameters(), strict=True):
            slow.lerp_(fast, 1 - momentum)

    def features(self, segments: Segments, size: int | None = None) -> Tensor:
        """Features of runs, shape (b, d), see `mean_state`; of the target encoder."""
        return mean_state(self.target, segments, size)


class JepaTask(PatchTask):
    """Predict the states of hidden tokens of random crops.

    Parameters
    ----------
    model : TokenJepa
    runs, settings
        See `PretrainTask`.

    Notes
    -----
    Tokens are hidden as for BrainMAE. Brain-JEPA looks at a block of ROIs and adjacent segments and
    predicts what lies outside; where little of that can be told from the block, the states learned
    to carry position alone.

    The target encoder follows after each optimiser step and lies among the weights, so that an
    interrupted training goes on exactly.
    """

    def __init__(self, model: TokenJepa, runs: Runs, settings: BrainmaeSettings) -> None:
        super().__init__(model, runs, settings)

    @property
    def jepa(self) -> TokenJepa:
        """The network."""
        return cast("TokenJepa", self.model)

    def loss(self, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        """Smooth L1 distance to the target states of hidden tokens.

        Their spread over the runs of the batch is 0 where all runs collapse to the same states.
        """
        segments = batch.segments
        given = segments.present & ~batch.hidden
        scored = segments.present & batch.hidden
        targets = self.jepa.targets(segments.x, segments.present, segments.start)
        predicted = self.jepa(segments.x, given, segments.valid, segments.start)
        error = functional.smooth_l1_loss(predicted.float(), targets, reduction="none").mean(-1)
        loss = (error * scored).sum() / scored.sum().clamp_min(1)
        return loss, {"spread": targets.std(0, correction=0).mean()}

    def validate(self) -> dict[str, float]:
        """Nothing: the distance to one's own states is no measure of their worth."""
        return {}

    def optimizer_step(self, *args: Any, **kwargs: Any) -> None:
        """Let the target encoder follow the step."""
        super().optimizer_step(*args, **kwargs)
        done = min(self.global_step / self.optimisation.max_steps, 1.0)
        self.jepa.follow(1 - (1 - _MOMENTUM) * (1 - done))
