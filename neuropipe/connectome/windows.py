"""What a factorization says of a stretch of time: affinities, and what of them is structure."""

from __future__ import annotations

import numpy as np

from neuropipe.connectome.affinity import pair_index

__all__ = ["refold", "residual", "window_affinity", "window_doubt"]


def refold(pairs: np.ndarray, n_units: int) -> np.ndarray:
    """Put values of pairs into symmetric matrices.

    Parameters
    ----------
    pairs : array of shape (n_pairs, ...)
    n_units : int

    Returns
    -------
    array of shape (..., n_units, n_units)
        0 on the diagonal.
    """
    first, second = pair_index(n_units)
    matrices = np.zeros((*pairs.shape[1:], n_units, n_units), dtype=pairs.dtype)
    matrices[..., first, second] = np.moveaxis(pairs, 0, -1)
    matrices[..., second, first] = np.moveaxis(pairs, 0, -1)
    return matrices


def window_affinity(
    pairs: np.ndarray, activity: np.ndarray, n_units: int, window: slice | np.ndarray
) -> np.ndarray:
    """Affinity of all pairs in a stretch of time, mean over its samples and over animals.

    Parameters
    ----------
    pairs : array of shape (n_pairs, rank)
        NaN where a component's weight is not identified.
    activity : array of shape (n_animals, n_samples, rank)
        Weights included; see `Factors.activity`.
    n_units : int
    window : slice or array of int or bool
        Samples of the tensor.

    Returns
    -------
    array of shape (n_units, n_units)
        NaN where no component that is active in the window identifies the pair.
    """
    level = activity[:, window].mean(axis=(0, 1))
    known = np.isfinite(pairs) @ (level > 0)
    return refold(np.where(known, np.nan_to_num(pairs) @ level, np.nan), n_units)


def window_doubt(
    evidence: np.ndarray, activity: np.ndarray, n_units: int, window: slice | np.ndarray
) -> np.ndarray:
    """Standard error of the pairs' affinities in a window, over that of the surest pair.

    Parameters
    ----------
    evidence : array of shape (n_pairs, rank)
        See `Factors`.
    activity : array of shape (n_animals, n_samples, rank)
    n_units : int
    window : slice or array of int or bool

    Returns
    -------
    array of shape (n_units, n_units)
        1 or more; 0 on the diagonal.
    """
    level = activity[:, window].mean(axis=(0, 1))
    variance = np.where(evidence > 0, level**2 / np.maximum(evidence, 1e-12), 0).sum(axis=1)
    least = variance[variance > 0].min(initial=np.inf)
    return refold(np.sqrt(np.maximum(variance / least, 1.0)), n_units)


def residual(affinity: np.ndarray, doubt: np.ndarray | None = None) -> np.ndarray:
    """Affinity above what the units' total strengths lead to expect.

    Parameters
    ----------
    affinity : array of shape (n_units, n_units)
        Symmetric, nonnegative; NaN where nothing is known.
    doubt : array of shape (n_units, n_units), optional
        Relative standard errors, by which residuals are divided: pairs that few animals have
        scatter more, and would make blocks of the units that are often absent.

    Returns
    -------
    array of shape (n_units, n_units)
        ``max(0, S_ij - s_i s_j / sum(s))`` with s the row sums, scaled up where pairs are unknown;
        NaN stays.

    Notes
    -----
    Raw affinities have a positive baseline, beside which a community's contrast is small; the
    configuration model's expectation takes it away (Newman 2004, doi:10.1103/PhysRevE.70.056131).
    """
    n_units = len(affinity)
    known = np.isfinite(affinity)
    n_known = np.maximum(known.sum(axis=1) - 1, 1)  # but the diagonal
    strength = np.nansum(affinity, axis=1) * (n_units - 1) / n_known
    total = strength.sum()
    expected = np.outer(strength, strength) / total if total > 0 else 0.0
    above = np.where(known, np.maximum(affinity - expected, 0), np.nan)
    if doubt is not None:
        above = above / np.where(doubt > 0, doubt, 1.0)
    np.fill_diagonal(above, 0)
    return above
