"""The network: ROIs of a segment to a state, states of a run to a reconstruction.

Axis legend: b runs, k segments, n ROIs, l points of a segment, d width, h heads.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from neuropipe.brainmae.attention import SelfAttentionBlock, StaticGraphBlock
from neuropipe.brainmae.settings import ModelSettings

__all__ = ["BrainMAE", "Encoded", "sinusoids"]

_PERIODS = (10.0, 10_000.0)  # s, or ROIs: shortest and longest period of a position code
_EMBEDDED = ("sg", "ag", "fdg")  # variants that learn ROI embeddings


@dataclass(frozen=True)
class Encoded:
    """What the encoder makes of runs.

    Parameters
    ----------
    run : tensor of shape (b, d)
        State of the token that stands for the run.
    segments : tensor of shape (b, k, d)
        Latent state of every segment, in the context of the others.
    rois : tensor of shape (b, k, n, d)
        State of every ROI in every segment, without that context.
    states : tensor of shape (b, k, d)
        Read-out of each segment alone.
    """

    run: Tensor
    segments: Tensor
    rois: Tensor
    states: Tensor


class BrainMAE(nn.Module):
    """Region-aware masked autoencoder of ROI time series.

    Parameters
    ----------
    settings : ModelSettings
    n_rois, n_points : int
        N and L.

    Notes
    -----
    Yang, Mao, Liu & Liu 2024, arXiv:2406.17086. Widths, depths, read-out and head are choices of
    this implementation; docs/brainmae.md tells which.
    """

    def __init__(self, settings: ModelSettings, n_rois: int, n_points: int) -> None:
        super().__init__()
        self.settings, self.n_rois, self.n_points = settings, n_rois, n_points
        d = settings.width
        if settings.variant in _EMBEDDED:
            self.embedding = nn.Parameter(settings.embedding_sd * torch.randn(n_rois, d))
        else:
            code = sinusoids(torch.arange(n_rois, dtype=torch.float32), d)
            self.register_buffer("embedding", settings.embedding_sd * math.sqrt(2) * code)
        self.encoder = SegmentEncoder(settings, n_rois, n_points)
        self.temporal = TemporalModel(settings)
        self.head = ReconstructionHead(settings, n_points)

    def encode(self, x: Tensor, given: Tensor, valid: Tensor, start: Tensor) -> Encoded:
        """Encode runs of which some ROIs are hidden.

        Parameters
        ----------
        x : tensor of shape (b, k, n, l)
        given : tensor of bool of shape (b, k, n)
            ROIs that may be looked at; hidden and missing ones may not.
        valid : tensor of bool of shape (b, k)
            Segments that are no padding.
        start : tensor of shape (b, k)
            Start of the segments in s.
        """
        b, k, n, _ = x.shape
        rois = self.encoder.mix(x.flatten(0, 1), given.flatten(0, 1), self.embedding)
        states = self.encoder.read_out(rois, self.embedding).view(b, k, -1)
        run, segments = self.temporal.encode(states, valid, start)
        return Encoded(run, segments, rois.view(b, k, n, -1), states)

    def forward(self, x: Tensor, given: Tensor, valid: Tensor, start: Tensor) -> Tensor:
        """Reconstruct all ROIs; arguments as in `encode`.

        Returns
        -------
        tensor of shape (b, k, n, l)
        """
        encoded = self.encode(x, given, valid, start)
        decoded = self.temporal.decode(encoded.run, encoded.segments, valid, start)
        out: Tensor = self.head(decoded, encoded.rois, self.embedding)
        return out

    def graph_attention(self) -> Tensor:
        """Attention of the static blocks, shape (n_static_blocks, h, n, n)."""
        blocks = [b for b in self.encoder.blocks if isinstance(b, StaticGraphBlock)]
        if not blocks:
            return torch.empty(0, self.settings.n_heads, self.n_rois, self.n_rois)
        return torch.stack([block.graph(self.embedding) for block in blocks])


class SegmentEncoder(nn.Module):
    """Transient state encoder: mixes the ROIs of one segment and reads them out.

    Parameters
    ----------
    settings : ModelSettings
    n_rois, n_points : int
    """

    def __init__(self, settings: ModelSettings, n_rois: int, n_points: int) -> None:
        super().__init__()
        d = settings.width
        self.input = nn.Linear(n_points, d)
        self.hidden = nn.Parameter(0.02 * torch.randn(d))
        n_static = {"sg": settings.n_blocks, "possg": settings.n_blocks, "ag": 1}
        static = n_static.get(settings.variant, 0)
        sizes = (d, settings.n_heads, settings.ffn_factor, settings.dropout)
        graph = {"qk_proj": settings.qk_proj, "self_loops": settings.self_loops}
        self.blocks = nn.ModuleList(
            StaticGraphBlock(*sizes, **graph) if i < static else SelfAttentionBlock(*sizes)
            for i in range(settings.n_blocks)
        )
        self.norm = nn.LayerNorm(d)
        self.readout: nn.Module = (
            FlattenReadout(n_rois, d) if settings.readout == "flatten" else PoolReadout(d)
        )

    def mix(self, x: Tensor, given: Tensor, embedding: Tensor) -> Tensor:
        """States of the ROIs.

        Parameters
        ----------
        x : tensor of shape (m, n, l)
        given : tensor of bool of shape (m, n)
            A ROI that is not given is replaced before anything looks at it.
        embedding : tensor of shape (n, d)

        Returns
        -------
        tensor of shape (m, n, d)
        """
        h = torch.where(given[..., None], self.input(x), self.hidden.to(x.dtype)) + embedding
        for block in self.blocks:
            if isinstance(block, StaticGraphBlock):
                h = block(h, block.graph(embedding))
            else:
                h = block(h)
        return h

    def read_out(self, rois: Tensor, embedding: Tensor) -> Tensor:
        """One state of shape (m, d) from ROIs of shape (m, n, d)."""
        out: Tensor = self.readout(self.norm(rois), embedding)
        return out


class FlattenReadout(nn.Module):
    """One linear map from all ROIs to a segment's state.

    Parameters
    ----------
    n_rois, width : int
    """

    def __init__(self, n_rois: int, width: int) -> None:
        super().__init__()
        self.linear = nn.Linear(n_rois * width, width)

    def forward(self, h: Tensor, embedding: Tensor) -> Tensor:  # noqa: ARG002
        """Map (m, n, d) to (m, d)."""
        out: Tensor = self.linear(h.flatten(1))
        return out


class PoolReadout(nn.Module):
    """Attention pooling: s = sum_i softmax_i(w . tanh(W [h_i; e_i])) (h_i W_o).

    Parameters
    ----------
    width : int
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.of_state = nn.Linear(width, width)
        self.of_roi = nn.Linear(width, width, bias=False)
        self.score = nn.Linear(width, 1, bias=False)
        self.out = nn.Linear(width, width)

    def forward(self, h: Tensor, embedding: Tensor) -> Tensor:
        """Map (m, n, d) to (m, d)."""
        scores = self.score(torch.tanh(self.of_state(h) + self.of_roi(embedding)))
        weights = scores.float().softmax(dim=1).to(h.dtype)
        out: Tensor = (weights * self.out(h)).sum(dim=1)
        return out


class TemporalModel(nn.Module):
    """Transformer over the segments of a run, and the decoder that pretraining adds.

    Parameters
    ----------
    settings : ModelSettings
    """

    def __init__(self, settings: ModelSettings) -> None:
        super().__init__()
        self.width = d = settings.width
        self.run = nn.Parameter(0.02 * torch.randn(d))
        sizes = (d, settings.n_heads, settings.ffn_factor, settings.dropout)
        self.layers = nn.ModuleList(SelfAttentionBlock(*sizes) for _ in range(settings.n_encoder))
        self.norm = nn.LayerNorm(d)
        self.decoder = nn.ModuleList(SelfAttentionBlock(*sizes) for _ in range(settings.n_decoder))
        self.decoder_norm = nn.LayerNorm(d)

    def tokens(self, states: Tensor, valid: Tensor, start: Tensor) -> tuple[Tensor, Tensor]:
        """Put the run's token before the segments and add the time code.

        Returns
        -------
        tokens : tensor of shape (b, 1 + k, d)
        allowed : tensor of bool of shape (b, 1 + k)
        """
        timed = states + sinusoids(start, self.width).to(states.dtype)
        tokens = torch.cat([self.run.to(states.dtype).expand(len(states), 1, -1), timed], dim=1)
        return tokens, functional.pad(valid, (1, 0), value=True)

    def encode(self, states: Tensor, valid: Tensor, start: Tensor) -> tuple[Tensor, Tensor]:
        """Latent states of the run (b, d) and of its segments (b, k, d)."""
        h, allowed = self.tokens(states, valid, start)
        for layer in self.layers:
            h = layer(h, allowed)
        h = self.norm(h)
        return h[:, 0], h[:, 1:]

    def attention(self, states: Tensor, valid: Tensor, start: Tensor) -> Tensor:
        """Attention weights of the encoder's layers, shape (n_layers, b, h, 1 + k, 1 + k)."""
        h, allowed = self.tokens(states, valid, start)
        found = []
        for layer in self.layers:
            assert isinstance(layer, SelfAttentionBlock)
            found.append(layer.attention(h, allowed))
            h = layer(h, allowed)
        return torch.stack(found)

    def rollout(self, states: Tensor, valid: Tensor, start: Tensor) -> Tensor:
        """How much of the run's token flows from each segment (Abnar & Zuidema 2020).

        Returns
        -------
        tensor of shape (b, k)
            Product over layers of (attention averaged over heads + identity) / 2; rows of the
            token over segments, scaled to sum to 1.
        """
        maps = self.attention(states, valid, start).mean(dim=2)
        own = torch.eye(maps.shape[-1], device=maps.device)
        flow = own.expand(maps.shape[1:])
        for layer in maps:
            flow = (layer + own) / 2 @ flow
        share = flow[:, 0, 1:]
        return share / share.sum(-1, keepdim=True).clamp_min(1e-12)

    def decode(self, run: Tensor, segments: Tensor, valid: Tensor, start: Tensor) -> Tensor:
        """States to reconstruct from, shape (b, k, d)."""
        timed = segments + sinusoids(start, self.width).to(segments.dtype)
        h = torch.cat([run[:, None], timed], dim=1)
        allowed = functional.pad(valid, (1, 0), value=True)
        for layer in self.decoder:
            h = layer(h, allowed)
        out: Tensor = self.decoder_norm(h)[:, 1:]
        return out


class ReconstructionHead(nn.Module):
    """Points of a ROI from the segment's state, the ROI's own state and its embedding.

    Parameters
    ----------
    settings : ModelSettings
    n_points : int
    """

    def __init__(self, settings: ModelSettings, n_points: int) -> None:
        super().__init__()
        d, kind = settings.width, settings.head
        self.kind = kind
        hidden = 2 * d if kind == "gated" else d
        self.of_segment = nn.Linear(d, hidden)
        self.of_roi = nn.Linear(d, hidden, bias=False) if kind != "segment" else None
        self.of_embedding = nn.Linear(d, hidden, bias=False)
        self.out = nn.Linear(d, n_points)
        rank = settings.bilinear_rank
        self.by_embedding = nn.Linear(d, rank) if rank else None
        self.by_segment = nn.Linear(d, rank * n_points) if rank else None

    def forward(self, segments: Tensor, rois: Tensor, embedding: Tensor) -> Tensor:
        """Reconstruct.

        Parameters
        ----------
        segments : tensor of shape (b, k, d)
        rois : tensor of shape (b, k, n, d)
        embedding : tensor of shape (n, d)

        Returns
        -------
        tensor of shape (b, k, n, l)
        """
        hidden = self.of_segment(segments)[:, :, None] + self.of_embedding(embedding)
        if self.of_roi is not None:
            hidden = hidden + self.of_roi(rois)
        if self.kind == "gated":
            gate, value = hidden.chunk(2, dim=-1)
            hidden = functional.gelu(gate) * value
        else:
            hidden = functional.gelu(hidden)
        out: Tensor = self.out(hidden)
        if self.by_embedding is not None and self.by_segment is not None:
            series = self.by_segment(segments).unflatten(-1, (self.by_embedding.out_features, -1))
            out = out + torch.einsum("nr,bkrl->bknl", self.by_embedding(embedding), series)
        return out


def sinusoids(position: Tensor, width: int) -> Tensor:
    """Sine and cosine code of positions.

    Parameters
    ----------
    position : tensor of shape (...)
        In s (segments) or a number (ROIs).
    width : int
        Even.

    Returns
    -------
    tensor of shape (..., width)
    """
    low, high = _PERIODS
    exponent = torch.linspace(0, 1, width // 2, device=position.device)
    rate = 2 * math.pi / (low * (high / low) ** exponent)
    angle = position.float()[..., None] * rate
    return torch.cat([angle.sin(), angle.cos()], dim=-1)
