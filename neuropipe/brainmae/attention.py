"""Blocks that mix ROIs or segments: static graph, adaptive (self-)attention, feed-forward.

Axis legend: m samples (batch times segments), n nodes (ROIs, or segments), d width, h heads.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

__all__ = ["FeedForward", "SelfAttentionBlock", "StaticGraph", "StaticGraphBlock"]


class FeedForward(nn.Module):
    """Two linear layers with GELU between.

    Parameters
    ----------
    width : int
    factor : int
        Hidden units over `width`.
    dropout : float
        Of the hidden units.
    """

    def __init__(self, width: int, factor: int, dropout: float) -> None:
        super().__init__()
        self.inner = nn.Linear(width, factor * width)
        self.outer = nn.Linear(factor * width, width)
        self.dropout = dropout

    def forward(self, h: Tensor) -> Tensor:
        """Map (..., d) to (..., d)."""
        hidden = functional.gelu(self.inner(h))
        out: Tensor = self.outer(functional.dropout(hidden, self.dropout, self.training))
        return out


class StaticGraph(nn.Module):
    """Attention between ROIs that depends on their embeddings alone.

    Parameters
    ----------
    width : int
        Of the embeddings.
    n_heads : int
    qk_proj : bool
        Whether each layer projects the embeddings first; the paper's form is disputed.
    self_loops : bool
        Whether a ROI may attend to itself; without, a masked ROI must be told by the others.
    """

    def __init__(self, width: int, n_heads: int, *, qk_proj: bool, self_loops: bool) -> None:
        super().__init__()
        self.n_heads, self.self_loops = n_heads, self_loops
        self.query = nn.Linear(width, width, bias=False) if qk_proj else nn.Identity()
        self.key = nn.Linear(width, width, bias=False) if qk_proj else nn.Identity()

    def forward(self, embedding: Tensor) -> Tensor:
        """Attention of every head.

        Parameters
        ----------
        embedding : tensor of shape (n, d)

        Returns
        -------
        tensor of shape (h, n, n)
            Rows sum to 1; the same for every sample, so that a step computes it once.
        """
        n, d = embedding.shape
        size = d // self.n_heads
        q = self.query(embedding).view(n, self.n_heads, size).transpose(0, 1)
        k = self.key(embedding).view(n, self.n_heads, size).transpose(0, 1)
        scores = (q @ k.transpose(1, 2)).float() / size**0.5
        if not self.self_loops:
            own = torch.eye(n, dtype=torch.bool, device=scores.device)
            scores = scores.masked_fill(own, float("-inf"))
        weights: Tensor = scores.softmax(dim=-1)
        return weights


class StaticGraphBlock(nn.Module):
    """One region-aware block: H' = H + A (LN(H) W_V) W_O; H'' = H' + FFN(LN(H')).

    Parameters
    ----------
    width, n_heads, factor : int
        See `FeedForward` for `factor`.
    dropout : float
    qk_proj, self_loops : bool
        See `StaticGraph`.
    """

    def __init__(
        self,
        width: int,
        n_heads: int,
        factor: int,
        dropout: float,
        *,
        qk_proj: bool,
        self_loops: bool,
    ) -> None:
        super().__init__()
        self.graph = StaticGraph(width, n_heads, qk_proj=qk_proj, self_loops=self_loops)
        self.norm, self.ffn_norm = nn.LayerNorm(width), nn.LayerNorm(width)
        self.value = nn.Linear(width, width)
        self.out = nn.Linear(width, width)
        self.ffn = FeedForward(width, factor, dropout)

    def forward(self, h: Tensor, attention: Tensor) -> Tensor:
        """Mix the ROIs of every sample.

        Parameters
        ----------
        h : tensor of shape (m, n, d)
        attention : tensor of shape (h, n, n)
            Of this block's `graph`.

        Returns
        -------
        tensor of shape (m, n, d)
        """
        h = h + self.out(mix(self.value(self.norm(h)), attention))
        out: Tensor = h + self.ffn(self.ffn_norm(h))
        return out


def mix(values: Tensor, attention: Tensor) -> Tensor:
    """Apply one attention matrix a head to all samples, as one matrix product a head.

    Parameters
    ----------
    values : tensor of shape (m, n, d)
    attention : tensor of shape (h, n, n)

    Returns
    -------
    tensor of shape (m, n, d)
    """
    m, n, d = values.shape
    heads = attention.shape[0]
    size = d // heads
    by_head = values.view(m, n, heads, size).permute(2, 1, 0, 3).reshape(heads, n, m * size)
    mixed = torch.bmm(attention.to(values.dtype), by_head)
    return mixed.view(heads, n, m, size).permute(2, 1, 0, 3).reshape(m, n, d)


class SelfAttentionBlock(nn.Module):
    """An ordinary pre-norm Transformer block, over ROIs (adaptive graph) or over segments.

    Parameters
    ----------
    width, n_heads, factor : int
    dropout : float
        Of attention outputs and hidden units.
    """

    def __init__(self, width: int, n_heads: int, factor: int, dropout: float) -> None:
        super().__init__()
        self.n_heads, self.dropout = n_heads, dropout
        self.norm, self.ffn_norm = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)
        self.ffn = FeedForward(width, factor, dropout)

    def forward(self, h: Tensor, allowed: Tensor | None = None) -> Tensor:
        """Mix the nodes of every sample by attention.

        Parameters
        ----------
        h : tensor of shape (m, n, d)
        allowed : tensor of bool of shape (m, n), optional
            Nodes that may be attended to; all by default.

        Returns
        -------
        tensor of shape (m, n, d)
        """
        q, k, v = self._qkv(h)
        mask = None if allowed is None else allowed[:, None, None, :]
        mixed = functional.scaled_dot_product_attention(q, k, v, attn_mask=mask)
        mixed = self.out(mixed.transpose(1, 2).reshape(h.shape))
        h = h + functional.dropout(mixed, self.dropout, self.training)
        out: Tensor = h + self.ffn(self.ffn_norm(h))
        return out

    def attention(self, h: Tensor, allowed: Tensor | None = None) -> Tensor:
        """Attention weights of every sample, shape (m, h, n, n); arguments as in `forward`."""
        q, k, _ = self._qkv(h)
        scores = (q @ k.transpose(-1, -2)).float() / q.shape[-1] ** 0.5
        if allowed is not None:
            scores = scores.masked_fill(~allowed[:, None, None, :], float("-inf"))
        weights: Tensor = scores.softmax(dim=-1)
        return weights

    def _qkv(self, h: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        m, n, d = h.shape
        parts = self.qkv(self.norm(h)).view(m, n, 3, self.n_heads, d // self.n_heads)
        q, k, v = parts.permute(2, 0, 3, 1, 4)
        return q, k, v
