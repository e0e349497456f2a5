"""Intrinsic dimension of a cloud of patterns from distances to nearest neighbours."""

from __future__ import annotations

import numpy as np

from neuropipe.errors import UnfitRecordingError

__all__ = ["levina_bickel_dimension", "two_nn_dimension"]


def two_nn_dimension(patterns: np.ndarray, *, discarded: float = 0.1) -> float:
    """Dimension from the ratio of the distances to the second and the first neighbour.

    Parameters
    ----------
    patterns : array of shape (n_patterns, n_units)
        Finite. Repeated patterns count once.
    discarded : float
        Share of the largest ratios that is left out of the fit: boundary and outliers.

    Returns
    -------
    float
        Number of dimensions. Noise of the trials adds dimensions at the scale of nearest
        neighbours: give condition means or denoised patterns.

    Raises
    ------
    UnfitRecordingError
        If there are fewer than 10 distinct patterns.

    Notes
    -----
    Facco et al. 2017: -log(1 - F(mu)) = d log(mu), line through the origin.
    """
    near = _neighbours(patterns, 2)
    ratios = np.sort(near[:, 1] / near[:, 0])
    kept = max(2, round(len(ratios) * (1 - discarded)))
    x = np.log(ratios[:kept])
    y = -np.log1p(-np.arange(1, kept + 1) / (len(ratios) + 1))
    return float(x @ y / (x @ x)) if x.any() else float("nan")


def levina_bickel_dimension(
    patterns: np.ndarray, *, n_neighbours: tuple[int, int] = (5, 10)
) -> float:
    """Maximum-likelihood dimension from the growth of the number of neighbours with distance.

    Parameters
    ----------
    patterns : array of shape (n_patterns, n_units)
        Finite. Repeated patterns count once.
    n_neighbours : (first, last)
        Numbers of neighbours k to average the estimate over, at least 3.

    Returns
    -------
    float

    Raises
    ------
    UnfitRecordingError
        If there are fewer than 10 distinct patterns, or not more than neighbours.

    Notes
    -----
    Levina & Bickel 2005, eq. 8, with patterns averaged as inverse dimensions (MacKay & Ghahramani
    2005), which needs no correction for small k.
    """
    first, last = n_neighbours
    logs = np.log(_neighbours(patterns, last))
    found = []
    for k in range(max(3, first), last + 1):
        growth = (logs[:, k - 1 : k] - logs[:, : k - 1]).sum(axis=1)
        found.append((k - 1) / growth.mean() if growth.mean() > 0 else np.nan)
    return float(np.mean(found))


def _neighbours(patterns: np.ndarray, k: int) -> np.ndarray:
    """Distances to the k nearest other patterns, ascending, shape (n_distinct, k)."""
    from sklearn.neighbors import NearestNeighbors

    distinct = np.unique(np.asarray(patterns, dtype=np.float64), axis=0)
    if len(distinct) < max(10, k + 2):
        raise UnfitRecordingError(
            f"{len(distinct)} distinct patterns",
            f"at least {max(10, k + 2)}",
            "show more stimuli: few points have no measurable dimension",
        )
    near: np.ndarray = NearestNeighbors(n_neighbors=k).fit(distinct).kneighbors()[0]
    return near
