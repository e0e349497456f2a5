"""Geo-topological transforms: which distances of an RDM count as near, far, or in between.

Every RDM is transformed by itself: thresholds are quantiles of its own ranks, so that the overall
scale of its dissimilarities plays no part. Axes: k cells (pairs of thresholds), m RDMs, e pairs.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from neuropipe.errors import InputError, SettingsError

if TYPE_CHECKING:
    import torch

__all__ = [
    "cell_chunks",
    "geotopological",
    "geotopological_cells",
    "normalised_ranks",
    "rank_quantiles",
    "sigmoid_transform",
]

#: Two ranks of an RDM differ by more than this unless they are tied (n_pairs < 10^12).
_NARROWEST = 1e-13


def normalised_ranks(dissimilarities: np.ndarray) -> np.ndarray:
    """Rank the pairs of every RDM and bring the ranks to [0, 1].

    Parameters
    ----------
    dissimilarities : array of shape (..., n_pairs)
        NaN where a pair is unknown: it stays NaN and takes no rank.

    Returns
    -------
    array of shape (..., n_pairs)
        Tied pairs share their mean rank; the smallest is 0 and the largest 1. All 0 where all
        pairs are tied: none is farther than another.

    Raises
    ------
    InputError
        If a dissimilarity is infinite.

    Notes
    -----
    Lin & Kriegeskorte 2024, the first step of their transform.
    """
    from scipy.stats import rankdata

    values = np.asarray(dissimilarities, dtype=np.float64)
    if np.isinf(values).any():
        raise InputError("an infinite dissimilarity", "numbers, or NaN", "leave the pair out")
    if values.size == 0:
        return values.copy()
    ranks = rankdata(values, axis=-1, nan_policy="omit").astype(np.float64)
    unknown = np.isnan(values)
    low = np.where(unknown, np.inf, ranks).min(axis=-1, keepdims=True)
    high = np.where(unknown, -np.inf, ranks).max(axis=-1, keepdims=True)
    span = np.where(high > low, high - low, 1.0)
    return np.where(unknown, np.nan, (ranks - np.where(np.isinf(low), 0.0, low)) / span)


def rank_quantiles(ranks: np.ndarray, quantiles: np.ndarray) -> np.ndarray:
    """Quantiles of each RDM's own ranks.

    Parameters
    ----------
    ranks : array of shape (..., n_pairs)
        NaN where a pair is unknown.
    quantiles : array of shape (k,)
        In [0, 1].

    Returns
    -------
    array of shape (k, ...)
        Interpolated linearly between ranks, as `numpy.quantile` does; a quantile that falls on a
        rank is that rank exactly, whatever the rounding of ``quantile * (n - 1)``. NaN without a
        known pair.
    """
    ordered = np.sort(np.asarray(ranks, dtype=np.float64), axis=-1)  # NaN come last
    n_known = np.isfinite(ordered).sum(axis=-1)
    shape = (len(quantiles), *(1 for _ in n_known.shape))
    # Rounding to 9 digits: 0.1 * 1890 is 189.00000000000003 in binary, yet pair 189 is meant.
    position = np.round(np.reshape(quantiles, shape) * np.maximum(n_known - 1, 0), 9)
    below = np.floor(position).astype(np.int64)
    above = np.minimum(below + 1, np.maximum(n_known - 1, 0))
    share = position - below

    def at(place: np.ndarray) -> np.ndarray:
        return np.stack([np.take_along_axis(ordered, k[..., None], -1)[..., 0] for k in place])

    low, high = at(below), at(above)
    return np.asarray(low + (high - low) * share)


def geotopological(
    dissimilarities: np.ndarray, lower: float, upper: float, *, ranked: bool = False
) -> np.ndarray:
    """Turn RDMs into geo-topological matrices (RGTM).

    Parameters
    ----------
    dissimilarities : array of shape (..., n_pairs)
        NaN where a pair is unknown.
    lower, upper : float
        Quantiles of each RDM's own ranks, ``0 <= lower <= upper <= 1``. Pairs up to the lower are
        glued together (0), pairs from the upper on are apart (1), ranks in between are stretched
        to [0, 1]. Cell (0, 1) is the rank RDM.
    ranked : bool
        Whether the dissimilarities are `normalised_ranks` already.

    Returns
    -------
    array of shape (..., n_pairs)
        In [0, 1]; NaN stays NaN.

    Raises
    ------
    SettingsError
        If the thresholds are out of order.

    Notes
    -----
    Lin & Kriegeskorte 2024: ``(r - g_l) / (g_u - g_l)``, cut off at 0 and 1. Where both
    quantiles coincide (``lower == upper``, or ties) that is 0/0; here it is the limit from above:
    0 up to the quantile, 1 beyond it. A pair that lies on the quantile is near.
    """
    _check_cells(np.array([[lower, upper]], dtype=np.float64))
    ranks = np.asarray(dissimilarities, float) if ranked else normalised_ranks(dissimilarities)
    low, high = rank_quantiles(ranks, np.array([lower, upper], dtype=np.float64))[..., None]
    gap = high - low
    stretched = np.clip((ranks - low) / np.where(gap > 0, gap, 1.0), 0.0, 1.0)
    split = np.where(np.isnan(ranks), np.nan, (ranks > low).astype(np.float64))
    return np.asarray(np.where(gap > 0, stretched, split))


def cell_chunks(
    ranks: np.ndarray,
    cells: np.ndarray,
    *,
    dtype: torch.dtype | None = None,
    device: str | torch.device = "cpu",
    max_bytes: int = 2**26,
) -> Iterator[tuple[slice, torch.Tensor]]:
    """Transform ranks by many cells, a few cells at a time.

    Parameters
    ----------
    ranks : array of shape (m, n_pairs)
        From `normalised_ranks`.
    cells : array of shape (k, 2)
        Lower and upper quantile of each cell.
    dtype : torch.dtype, optional
        Of the answer; float64 by default.
    device : str or torch.device
    max_bytes : int
        Size that a chunk shall not exceed, unless one cell does.

    Yields
    ------
    places : slice
        Of the cells.
    values : tensor of shape (len(places), m, n_pairs)
        As `geotopological` gives for each cell. Overwritten by the next chunk.

    Raises
    ------
    SettingsError
        If thresholds are out of order.
    """
    import torch

    pairs = np.asarray(cells, dtype=np.float64).reshape(-1, 2)
    if not len(pairs):
        return
    _check_cells(pairs)
    kind = torch.float64 if dtype is None else dtype
    values = torch.as_tensor(np.ascontiguousarray(ranks), dtype=kind, device=device)
    unique, place = np.unique(pairs, return_inverse=True)
    bounds = rank_quantiles(ranks, unique)[place.reshape(pairs.shape)]  # (k, 2, m)
    low = torch.as_tensor(bounds[:, 0], dtype=kind, device=device)[..., None]
    # A gap of nothing becomes one that no two different ranks fit into: the split of 0/0.
    gap = np.maximum(bounds[:, 1] - bounds[:, 0], _NARROWEST)
    slope = torch.as_tensor(1 / gap, dtype=kind, device=device)[..., None]
    step = max(1, max_bytes // max(1, values.numel() * values.element_size()))
    buffer = values.new_empty((min(step, len(pairs)), *values.shape))
    for start in range(0, len(pairs), step):
        places = slice(start, min(start + step, len(pairs)))
        chunk = buffer[: places.stop - start]
        torch.sub(values, low[places], out=chunk)
        yield places, chunk.mul_(slope[places]).clamp_(0, 1)


def geotopological_cells(
    ranks: np.ndarray,
    cells: np.ndarray,
    *,
    dtype: torch.dtype | None = None,
    device: str | torch.device = "cpu",
    max_bytes: int = 2**26,
) -> torch.Tensor:
    """Transform ranks by many cells at once.

    Parameters
    ----------
    ranks, cells, dtype, device, max_bytes
        See `cell_chunks`, which needs less memory.

    Returns
    -------
    tensor of shape (k, m, n_pairs)
    """
    import torch

    kind = torch.float64 if dtype is None else dtype
    whole = torch.empty((len(cells), *np.shape(ranks)), dtype=kind, device=device)
    for places, values in cell_chunks(
        ranks, cells, dtype=dtype, device=device, max_bytes=max_bytes
    ):
        whole[places] = values
    return whole


def sigmoid_transform(
    dissimilarities: np.ndarray, *, alpha: float = 10.0, beta: float = 0.5
) -> np.ndarray:
    """Bend ranks by a logistic curve, a soft form of the geo-topological transform.

    Parameters
    ----------
    dissimilarities : array of shape (..., n_pairs)
        NaN where a pair is unknown.
    alpha : float
        Steepness, above 0.
    beta : float
        Rank in [0, 1] that is mapped to one half.

    Returns
    -------
    array of shape (..., n_pairs)
        ``1 / (1 + exp(-alpha (r - beta)))`` of the normalised ranks r.
    """
    from scipy.special import expit

    return np.asarray(expit(alpha * (normalised_ranks(dissimilarities) - beta)))


def _check_cells(cells: np.ndarray) -> None:
    """Refuse thresholds outside ``0 <= lower <= upper <= 1``."""
    good = (cells[:, 0] >= 0) & (cells[:, 0] <= cells[:, 1]) & (cells[:, 1] <= 1)
    if not good.all():
        lower, upper = cells[~good][0]
        raise SettingsError(
            f"thresholds {lower:g} and {upper:g}", "0 <= lower <= upper <= 1", "correct them"
        )
