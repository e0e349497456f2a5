"""The plain masked autoencoder of ROI time series: one token a ROI and segment (BrainLM's form).

Axis legend: b runs, k segments, n ROIs, l points, t = k n tokens, d width.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor, nn

from neuropipe.brainmae.data import Runs
from neuropipe.brainmae.masking import draw_hidden
from neuropipe.brainmae.peers.tokens import (
    TokenEncoder,
    Tokens,
    mean_state,
    run_layers,
    transformer,
)
from neuropipe.brainmae.pretraining import Batch, PretrainTask
from neuropipe.brainmae.segments import Segments
from neuropipe.brainmae.settings import BrainmaeSettings, ModelSettings

__all__ = ["PatchMAE", "PatchTask"]


class PatchMAE(nn.Module):
    """Masked autoencoder whose encoder sees visible tokens only, all of them in one sequence.

    Parameters
    ----------
    settings : ModelSettings
        Width, heads, hidden units and total depth of BrainMAE.
    n_rois, n_points : int
        N and L.
    n_outputs : int, optional
        Numbers to predict of each token; by default its points.

    Notes
    -----
    He et al. 2022 (asymmetric encoder and decoder) on the tokens of BrainLM (Ortega Caro et al.
    2024), with a learned code a ROI in place of its coordinates.
    """

    def __init__(
        self, settings: ModelSettings, n_rois: int, n_points: int, n_outputs: int | None = None
    ) -> None:
        super().__init__()
        d = settings.width
        self.encoder = TokenEncoder(settings, n_rois, n_points)
        self.hidden = nn.Parameter(0.02 * torch.randn(d))
        self.decoder = transformer(settings, d, settings.n_decoder)
        self.out = nn.Linear(d, n_outputs or n_points)

    def forward(self, x: Tensor, given: Tensor, valid: Tensor, start: Tensor) -> Tensor:
        """Reconstruct all ROIs; arguments as in `neuropipe.brainmae.model.BrainMAE.encode`.

        Returns
        -------
        tensor of shape (b, k, n, l), or (b, k, n, n_outputs)
        """
        tokens = Tokens(given)
        encoded = self.encoder(x, tokens, start)
        base = self.hidden.to(encoded.dtype).expand(len(x), given[0].numel(), -1)
        h = tokens.into(encoded[:, 1:], base) + self.encoder.position(start)
        allowed = valid[:, :, None].expand(given.shape).flatten(1)
        h = torch.cat([encoded[:, :1], h], dim=1)
        decoded = run_layers(self.decoder, h, allowed)
        out: Tensor = self.out(decoded[:, 1:]).view(*given.shape, -1)
        return out

    def features(self, segments: Segments, size: int | None = None) -> Tensor:
        """Features of runs, shape (b, d), see `mean_state`."""
        return mean_state(self.encoder, segments, size)


class PatchTask(PretrainTask):
    """Reconstruct hidden tokens of random crops, as BrainMAE does.

    Parameters
    ----------
    model : nn.Module
        `PatchMAE`, or another network that is called as BrainMAE is.
    runs, settings, validation
        See `PretrainTask`.
    """

    def __init__(
        self,
        model: nn.Module,
        runs: Runs,
        settings: BrainmaeSettings,
        validation: Runs | None = None,
    ) -> None:
        super().__init__(model, runs, settings, validation)  # type: ignore[arg-type]  # called only

    def draw(self, step: int, size: int, generator: torch.Generator) -> Batch:
        """As BrainMAE's, but all runs of a batch hide the same share: no token is filler."""
        batch = super().draw(step, size, generator)
        mask, (_, k, n) = self.settings.mask, batch.hidden.shape
        ratio = mask.low + (mask.high - mask.low) * torch.rand(1, generator=generator)
        hidden = draw_hidden(ratio.expand(size), k, n, generator)
        return replace(batch, hidden=hidden.to(self.device))
