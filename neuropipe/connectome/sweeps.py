"""Coordinate sweeps over rows of nonnegative least squares: compiled on the CPU, torch elsewhere.

Axis legend: n rows, k starts, r components.
"""

from __future__ import annotations

import numba
import numpy as np
import torch

__all__ = ["N_SWEEPS", "sweep"]

N_SWEEPS = 3  # of one update


def sweep(rows: torch.Tensor, products: torch.Tensor, gram: torch.Tensor) -> None:
    """Improve rows x of ``min x G x / 2 - b x, x >= 0``, one coordinate after the other.

    Parameters
    ----------
    rows : tensor of shape (n, k, r)
        x; changed in place.
    products : tensor of shape (n, k, r)
        b.
    gram : tensor of shape (k, r, r) or (n, k, r, r)
        G, symmetric. Coordinates whose diagonal is 0 stay as they are.

    Notes
    -----
    Hierarchical alternating least squares: Cichocki & Phan 2009 (doi:10.1587/transfun.E92.A.708).
    """
    if rows.device.type == "cpu":
        shared = gram if gram.ndim == 4 else gram[None]
        _compiled(rows.numpy(), products.numpy(), shared.numpy(), N_SWEEPS)
        return
    diagonal = gram.diagonal(dim1=-2, dim2=-1)
    safe = torch.where(diagonal > 0, diagonal, 1.0)
    for _ in range(N_SWEEPS):
        for r in range(rows.shape[-1]):
            slope = products[..., r] - (rows * gram[..., r]).sum(dim=-1)
            step = torch.where(diagonal[..., r] > 0, slope / safe[..., r], 0.0)
            rows[..., r] = (rows[..., r] + step).clamp_min_(0)


@numba.njit(cache=True, nogil=True, fastmath=True)  # type: ignore[untyped-decorator]
def _compiled(rows: np.ndarray, products: np.ndarray, gram: np.ndarray, n_sweeps: int) -> None:
    n_rows, n_starts, rank = rows.shape
    for i in range(n_rows):
        own = i if gram.shape[0] > 1 else 0
        for k in range(n_starts):
            for _ in range(n_sweeps):
                for r in range(rank):
                    diagonal = gram[own, k, r, r]
                    if diagonal <= 0:
                        continue
                    slope = products[i, k, r]
                    for q in range(rank):
                        slope -= gram[own, k, r, q] * rows[i, k, q]
                    rows[i, k, r] = max(rows[i, k, r] + slope / diagonal, 0)
