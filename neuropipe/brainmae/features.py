"""Features of runs that labels are told from: fixed functions of the encoder's states.

Axis legend: b runs, k segments, n ROIs, d width, f features, e edges (the upper triangle).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
import torch
from torch import Tensor

__all__ = ["BLOCKS", "Block", "BlockScale", "run_blocks", "state_connectivity", "state_dynamics"]

Block = Literal["token", "dynamics", "connectivity"]
BLOCKS: tuple[Block, ...] = ("token", "dynamics", "connectivity")
_MOST = 0.999999  # correlation that Fisher's z can take


def run_blocks(rois: Tensor, token: Tensor, valid: Tensor) -> dict[Block, Tensor]:
    """Features of runs, block by block.

    Parameters
    ----------
    rois : tensor of shape (b, k, n, d)
        State of every ROI in every segment.
    token : tensor of shape (b, d)
        State of the token that stands for the run.
    valid : tensor of bool of shape (b, k)

    Returns
    -------
    dict of str to tensor of shape (b, f)
        ``token``; ``dynamics``, see `state_dynamics`; ``connectivity``, see `state_connectivity`.
    """
    return {
        "token": token.float(),
        "dynamics": state_dynamics(rois, valid),
        "connectivity": state_connectivity(rois, valid),
    }


def state_dynamics(rois: Tensor, valid: Tensor) -> Tensor:
    """How far the state of every ROI moves from one segment to the next.

    Parameters
    ----------
    rois : tensor of shape (b, k, n, d)
    valid : tensor of bool of shape (b, k)

    Returns
    -------
    tensor of shape (b, n * d)
        Root mean square of the steps; 0 for a run of one segment.
    """
    both = (valid[:, 1:] & valid[:, :-1]).float()[..., None, None]
    steps = (rois[:, 1:] - rois[:, :-1]).float().square() * both
    mean = steps.sum(1) / both.sum(1).clamp_min(1)
    return (mean + 1e-8).sqrt().flatten(1)


def state_connectivity(rois: Tensor, valid: Tensor) -> Tensor:
    """Correlation between the states of ROIs over the segments of a run.

    What all ROIs share within a segment is taken off first, as global signal regression does for
    signals; then each ROI's mean over segments.

    Parameters
    ----------
    rois : tensor of shape (b, k, n, d)
    valid : tensor of bool of shape (b, k)

    Returns
    -------
    tensor of shape (b, e)
        Fisher's z.
    """
    b, k, n, d = rois.shape
    there = valid.float()[..., None, None]
    h = rois.float()
    h = (h - h.mean(dim=2, keepdim=True)) * there
    h = (h - h.sum(1, keepdim=True) / there.sum(1, keepdim=True).clamp_min(1)) * there
    h = h.transpose(1, 2).reshape(b, n, k * d)
    h = h / h.norm(dim=-1, keepdim=True).clamp_min(1e-8)
    row, column = torch.triu_indices(n, n, 1, device=rois.device)
    r = (h @ h.transpose(1, 2))[:, row, column]
    return torch.atanh(r.clamp(-_MOST, _MOST))


class BlockScale:
    """Centre features by training runs and bring every block to the same total variance.

    Parameters
    ----------
    blocks : mapping of str to array of shape (n_runs, f)
        Of the training runs.
    names : sequence of str
        Blocks to use.

    Attributes
    ----------
    mean : array of shape (n_features,)
        Of the blocks, one after another.
    factor : array of shape (n_features,)
    block : array of int of shape (n_features,)
        Position of each feature's block among `names`.
    """

    def __init__(self, blocks: Mapping[Block, np.ndarray], names: Sequence[Block]) -> None:
        self.names = tuple(names)
        means, factors = [], []
        for name in self.names:
            values = np.asarray(blocks[name], dtype=np.float64)
            mean = values.mean(axis=0)
            total = ((values - mean) ** 2).sum(axis=1).mean()
            means.append(mean)
            factors.append(np.full(len(mean), 1 / np.sqrt(total) if total > 0 else 0.0))
        self.mean = np.concatenate(means).astype(np.float32)
        self.factor = np.concatenate(factors).astype(np.float32)
        self.block = np.repeat(np.arange(len(means)), [len(mean) for mean in means])

    def __call__(self, blocks: Mapping[Block, np.ndarray]) -> np.ndarray:
        """Scaled features of any runs, shape (n_runs, n_features)."""
        joined = np.concatenate([blocks[name] for name in self.names], axis=1)
        return np.asarray((joined - self.mean) * self.factor)
