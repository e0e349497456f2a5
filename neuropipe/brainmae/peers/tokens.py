"""A plain Transformer over tokens of one ROI in one segment, of which it sees the given ones only.

Axis legend: b runs, k segments, n ROIs, l points, t = k n tokens (segment by segment), v tokens
that are looked at, d width.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn import functional

from neuropipe.brainmae.inference import parts_of
from neuropipe.brainmae.model import sinusoids
from neuropipe.brainmae.segments import Segments
from neuropipe.brainmae.settings import ModelSettings

__all__ = ["TokenEncoder", "Tokens", "mean_state", "run_layers", "transformer"]


class Tokens:
    """Which tokens of each run are looked at.

    Runs may have different numbers of them; the shorter lists are filled up with tokens that
    nothing attends to.

    Parameters
    ----------
    given : tensor of bool of shape (b, k, n)

    Attributes
    ----------
    index : tensor of int of shape (b, v)
        Positions of the tokens; given ones first.
    real : tensor of bool of shape (b, v)
        False for what fills up.
    """

    def __init__(self, given: Tensor) -> None:
        flat = given.flatten(1)
        longest = int(flat.sum(1).max())
        order = flat.to(torch.uint8).argsort(dim=1, descending=True, stable=True)
        self.index = order[:, :longest]
        self.real = flat.gather(1, self.index)

    def of(self, values: Tensor) -> Tensor:
        """Take values of shape (b, t, ...) at the tokens: (b, v, ...)."""
        rows = torch.arange(len(values), device=values.device)[:, None]
        return values[rows, self.index]

    def into(self, values: Tensor, base: Tensor) -> Tensor:
        """Put values of shape (b, v, d) into a copy of a base of shape (b, t, d)."""
        kept = torch.where(self.real[..., None], values, self.of(base))
        index = self.index[..., None].expand(-1, -1, values.shape[-1])
        return base.scatter(1, index, kept)


class TokenEncoder(nn.Module):
    """Linear patches with codes of ROI and time, then a Transformer over what is given.

    Parameters
    ----------
    settings : ModelSettings
        As many layers as BrainMAE's encoder has blocks over ROIs and layers over segments.
    n_rois, n_points : int
    """

    def __init__(self, settings: ModelSettings, n_rois: int, n_points: int) -> None:
        super().__init__()
        d = settings.width
        self.patch = nn.Linear(n_points, d)
        self.roi = nn.Parameter(settings.embedding_sd * torch.randn(n_rois, d))
        self.run = nn.Parameter(0.02 * torch.randn(d))
        self.layers = transformer(settings, d, settings.n_blocks + settings.n_encoder)

    def position(self, start: Tensor) -> Tensor:
        """Code of each token's ROI and time.

        Parameters
        ----------
        start : tensor of shape (b, k)
            In s.

        Returns
        -------
        tensor of shape (b, t, d)
        """
        time = sinusoids(start, self.roi.shape[1])
        return (time[:, :, None] + self.roi).flatten(1, 2)

    def forward(self, x: Tensor, tokens: Tokens, start: Tensor) -> Tensor:
        """States of the run's own token and of the tokens that are given.

        Parameters
        ----------
        x : tensor of shape (b, k, n, l)
        tokens : Tokens
        start : tensor of shape (b, k)

        Returns
        -------
        tensor of shape (b, 1 + v, d)
        """
        h = self.patch(tokens.of(x.flatten(1, 2))) + tokens.of(self.position(start))
        h = torch.cat([self.run.to(h.dtype).expand(len(h), 1, -1), h], dim=1)
        return run_layers(self.layers, h, tokens.real)

    def states(self, x: Tensor, present: Tensor, start: Tensor) -> Tensor:
        """States of all tokens with everything in view.

        Parameters
        ----------
        x : tensor of shape (b, k, n, l)
        present : tensor of bool of shape (b, k, n)
        start : tensor of shape (b, k)

        Returns
        -------
        tensor of shape (b, k, n, d)
            0 where nothing was measured.
        """
        tokens = Tokens(present)
        h = self(x, tokens, start)[:, 1:]
        base = h.new_zeros(len(x), present[0].numel(), h.shape[-1])
        return tokens.into(h, base).view(*present.shape, -1)


@torch.no_grad()
def mean_state(encoder: TokenEncoder, segments: Segments, size: int | None = None) -> Tensor:
    """Mean state of all tokens of runs that were measured: features for a probe.

    Parameters
    ----------
    encoder : TokenEncoder
        In evaluation mode.
    segments : Segments
        Of whole runs, on the encoder's device.
    size : int, optional
        K, segments of a window; all by default.

    Returns
    -------
    tensor of shape (b, d)
    """
    found, measured = [], []
    for part, _, new in parts_of(segments, size or segments.x.shape[1]):
        found.append(encoder.states(part.x, part.present, part.start)[:, new].float().sum((1, 2)))
        measured.append(part.present[:, new].sum((1, 2)))
    count = torch.stack(measured).sum(0).clamp_min(1)
    return torch.stack(found).sum(0) / count[:, None]


def transformer(settings: ModelSettings, width: int, n_layers: int) -> nn.TransformerEncoder:
    """Torch's own pre-norm Transformer with heads, hidden units and dropout as the settings say."""

    def layer() -> nn.TransformerEncoderLayer:
        return nn.TransformerEncoderLayer(
            width,
            settings.n_heads,
            settings.ffn_factor * width,
            settings.dropout,
            "gelu",
            batch_first=True,
            norm_first=True,
        )

    stack = nn.TransformerEncoder(
        layer(), n_layers, nn.LayerNorm(width), enable_nested_tensor=False
    )
    # Torch copies the first layer, weights and all.
    stack.layers = nn.ModuleList(layer() for _ in range(n_layers))
    return stack


def run_layers(layers: nn.TransformerEncoder, h: Tensor, real: Tensor) -> Tensor:
    """Apply a Transformer to a run's own token and to others, of which some may be filler.

    Parameters
    ----------
    layers : nn.TransformerEncoder
    h : tensor of shape (b, 1 + v, d)
    real : tensor of bool of shape (b, v)
        Tokens that may be attended to. Where all may, torch needs no mask and is faster.

    Returns
    -------
    tensor of shape (b, 1 + v, d)
    """
    mask = None if bool(real.all()) else functional.pad(~real, (1, 0), value=False)
    with _fused_attention():
        out: Tensor = layers(h, src_key_padding_mask=mask)
    return out


@contextmanager
def _fused_attention() -> Iterator[None]:
    """Switch off torch's shortcut for inference: at 2000 tokens it takes four times as long."""
    before = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        yield
    finally:
        torch.backends.mha.set_fastpath_enabled(before)
