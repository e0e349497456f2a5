"""Spectra of connectivity: effective rank, and a low-rank part above a random bulk."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from neuropipe.errors import InputError
from neuropipe.stats.permutation import permutation_p_value
from neuropipe.trsa.geometry.dimensionality import effective_rank

__all__ = ["ConnectivitySpectrum", "connectivity_spectrum"]


@dataclass(frozen=True, eq=False)
class ConnectivitySpectrum:
    """Singular values of a matrix of connections beside those of shuffled ones.

    Parameters
    ----------
    singular_values : array of shape (k,)
        Descending.
    effective_rank, participation_ratio : float
        Of the singular values: exp of the entropy; (sum s^2)^2 / sum s^4.
    null_singular_values : array of shape (n_shuffles, k)
        With the same weights at random places.
    null_effective_ranks : array of shape (n_shuffles,)
    p_low_rank : float
        That a shuffled matrix has as low an effective rank.
    n_outliers : int
        Leading singular values above the 95 % quantile of the largest of a shuffled remainder.
    low_rank : array of the shape of the weights
        Their part of the matrix.
    random : array of the shape of the weights
        The rest.
    """

    singular_values: np.ndarray
    effective_rank: float
    participation_ratio: float
    null_singular_values: np.ndarray
    null_effective_ranks: np.ndarray
    p_low_rank: float
    n_outliers: int
    low_rank: np.ndarray
    random: np.ndarray


def connectivity_spectrum(
    weights: np.ndarray, *, n_shuffles: int = 100, seed: int = 0
) -> ConnectivitySpectrum:
    """Split connectivity into a few strong modes and a random remainder.

    Parameters
    ----------
    weights : array of shape (n_post, n_pre)
        Signed or not, in any unit; zero where there is no connection. Finite.
    n_shuffles : int
        Shuffles of all entries (off the diagonal where a square matrix has none).
    seed : int

    Returns
    -------
    ConnectivitySpectrum

    Raises
    ------
    InputError
        If a weight is missing, or all are zero.

    Notes
    -----
    W = M + random (Mastrogiuseppe & Ostojic 2018). The number of modes is found one by one
    (sequential parallel analysis, Horn 1965): the next one counts while it exceeds what the
    shuffled remainder reaches. The mean weight is a mode like any other.
    """
    matrix = np.asarray(weights, dtype=np.float64)
    if matrix.ndim != 2 or not np.isfinite(matrix).all() or not matrix.any():
        raise InputError(
            f"weights of shape {matrix.shape}", "a finite matrix that is not zero", "fill the gaps"
        )
    rng = np.random.default_rng(seed)
    hollow = matrix.shape[0] == matrix.shape[1] and not np.diag(matrix).any()
    free = ~np.eye(len(matrix), dtype=bool) if hollow else np.ones(matrix.shape, dtype=bool)
    values = np.linalg.svd(matrix, compute_uv=False)
    null = np.array([_shuffled_values(matrix, free, rng) for _ in range(n_shuffles)])
    null_ranks = np.array([effective_rank(row) for row in null])
    rank = effective_rank(values)
    low_rank = np.zeros_like(matrix)
    n_outliers = 0
    while n_outliers < len(values) - 1:
        rest = matrix - low_rank
        left, sizes, right = np.linalg.svd(rest, full_matrices=False)
        # Without their mean: it would be a mode of every shuffled matrix and hide the real one.
        # Modes that were taken out took some of the bulk's variance with them.
        n_free = (rest.shape[0] - n_outliers) * (rest.shape[1] - n_outliers)
        bulk = np.where(free, rest - rest[free].mean(), 0.0) * np.sqrt(rest.size / n_free)
        edge = [_shuffled_values(bulk, free, rng)[0] for _ in range(n_shuffles)]
        if sizes[0] <= max(np.quantile(edge, 0.95), 1e-9 * values[0]):
            break
        low_rank = low_rank + sizes[0] * np.outer(left[:, 0], right[0])
        n_outliers += 1
    return ConnectivitySpectrum(
        singular_values=values,
        effective_rank=rank,
        participation_ratio=float((values**2).sum() ** 2 / (values**4).sum()),
        null_singular_values=null,
        null_effective_ranks=null_ranks,
        p_low_rank=float(permutation_p_value(rank, null_ranks, alternative="less")),
        n_outliers=n_outliers,
        low_rank=low_rank,
        random=matrix - low_rank,
    )


def _shuffled_values(matrix: np.ndarray, free: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    shuffled = np.array(matrix)
    shuffled[free] = rng.permutation(matrix[free])
    return np.linalg.svd(shuffled, compute_uv=False)
