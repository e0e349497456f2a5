"""Segment-wise ROI masking, the loss over masked and visible entries, and masked R2.

Axis legend: b runs, k segments, n ROIs, l points.
"""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["draw_hidden", "reconstruction_loss", "squared_errors"]


def draw_hidden(ratio: Tensor, n_segments: int, n_rois: int, generator: torch.Generator) -> Tensor:
    """Draw the ROIs that are hidden in each segment.

    Parameters
    ----------
    ratio : tensor of shape (b,)
        Share of the ROIs to hide, one a run; `draw_ratios` gives the paper's.
    n_segments, n_rois : int
    generator : torch.Generator
        On the CPU.

    Returns
    -------
    tensor of bool of shape (b, k, n)
        Exactly round(ratio n) ROIs of every segment; segments are drawn independently.
    """
    order = torch.rand(len(ratio), n_segments, n_rois, generator=generator).argsort(dim=-1)
    count = torch.round(ratio * n_rois).view(-1, 1, 1)
    return order.argsort(dim=-1) < count


def squared_errors(x: Tensor, predicted: Tensor, entries: Tensor) -> Tensor:
    """Sum of squared errors over the points of chosen segments and ROIs, per run.

    Parameters
    ----------
    x, predicted : tensors of shape (b, k, n, l)
    entries : tensor of bool of shape (b, k, n)

    Returns
    -------
    tensor of shape (b,)
    """
    error = (x.float() - predicted.float()).square().sum(-1)
    return (error * entries).sum((1, 2))


def reconstruction_loss(
    x: Tensor, predicted: Tensor, hidden: Tensor, present: Tensor, weight: float
) -> tuple[Tensor, dict[str, Tensor]]:
    """Mean squared errors of hidden and of visible ROIs, weighted.

    ``weight * MSE(hidden) + (1 - weight) * MSE(visible)``, each over its own count.

    Parameters
    ----------
    x, predicted : tensors of shape (b, k, n, l)
    hidden : tensor of bool of shape (b, k, n)
    present : tensor of bool of shape (b, k, n)
        What was not measured is never scored.
    weight : float
        lambda of the paper.

    Returns
    -------
    loss : tensor of shape ()
        Where nothing is hidden the visible term stands alone, and the other way round.
    parts : dict of str to tensor
        ``mse_masked`` and ``mse_visible`` (0 without entries), and ``n_masked``, ``n_visible``.
    """
    error = (x.float() - predicted.float()).square().mean(-1)
    masked, visible = hidden & present, ~hidden & present
    n_masked, n_visible = masked.sum(), visible.sum()
    mse_masked = (error * masked).sum() / n_masked.clamp_min(1)
    mse_visible = (error * visible).sum() / n_visible.clamp_min(1)
    some_masked, some_visible = (n_masked > 0).float(), (n_visible > 0).float()
    share_masked = weight * some_masked
    share_visible = (1 - weight) * some_visible
    # A term without entries leaves its weight to the other.
    share_masked = torch.where(n_visible > 0, share_masked, some_masked)
    share_visible = torch.where(n_masked > 0, share_visible, some_visible)
    loss = share_masked * mse_masked + share_visible * mse_visible
    return loss, {
        "mse_masked": mse_masked.detach(),
        "mse_visible": mse_visible.detach(),
        "n_masked": n_masked.float(),
        "n_visible": n_visible.float(),
    }
