"""Connectivity matrices: correlation, partial correlation and their tangent space.

The same numbers as nilearn's `ConnectivityMeasure` on standardised series (tested to 1e-6), without
the second of CPU time that importing nilearn costs each recording.

Axis legend: t frames, n units, s subjects, e edges (the upper triangle, row by row).
"""

from __future__ import annotations

import numpy as np

__all__ = [
    "correlation",
    "edges",
    "expm",
    "fisher_z",
    "inverse_fisher_z",
    "ledoit_wolf",
    "logm",
    "mean_correlation",
    "partial_correlation",
    "square",
    "standardise",
    "tangent_vectors",
    "varying",
]

_LARGEST_R = 1 - 1e-7  # Fisher's z of 1 is infinite


def standardise(values: np.ndarray) -> np.ndarray:
    """Bring every column to mean 0 and standard deviation 1.

    Parameters
    ----------
    values : array of shape (n_times, n_units)
        Finite; no column is constant.
    """
    centred = values - values.mean(axis=0)
    scaled: np.ndarray = centred / centred.std(axis=0)
    return scaled


def varying(values: np.ndarray) -> np.ndarray:
    """Tell which columns vary by more than rounding of float32.

    Parameters
    ----------
    values : array of shape (n_times, n_units)
        NaN is missing.

    Returns
    -------
    array of bool of shape (n_units,)
        False for a column without two values.
    """
    known = np.isfinite(values)
    count = np.maximum(known.sum(axis=0), 1)
    mean = np.where(known, values, 0.0).sum(axis=0) / count
    deviation = np.where(known, values - mean, 0.0)
    largest = np.abs(np.where(known, values, 0.0)).max(axis=0, initial=0.0)
    varies: np.ndarray = np.sqrt(np.sum(deviation**2, axis=0) / count) > 1e-6 * largest
    return varies


def correlation(values: np.ndarray) -> np.ndarray:
    """Pearson correlation between units.

    Parameters
    ----------
    values : array of shape (n_times, n_units)

    Returns
    -------
    array of shape (n_units, n_units)
        In [-1, 1] with ones on the diagonal.
    """
    z = standardise(values)
    matrix: np.ndarray = np.clip(z.T @ z / len(z), -1.0, 1.0)
    np.fill_diagonal(matrix, 1.0)
    return matrix


def mean_correlation(traces: np.ndarray) -> np.ndarray:
    """Correlation of every pair of units, mean over the animals that have both.

    Parameters
    ----------
    traces : array of shape (n_animals, n_units, n_samples)
        NaN where the animal lacks the unit.

    Returns
    -------
    array of shape (n_units, n_units)
        0 on the diagonal and for pairs that no animal has.
    """
    present = np.isfinite(traces).all(axis=-1)
    centred = np.where(present[..., None], traces, 0).astype(float)
    centred -= centred.mean(axis=-1, keepdims=True)
    norm = np.linalg.norm(centred, axis=-1, keepdims=True)
    scaled = centred / np.where(norm > 0, norm, 1)
    total = np.einsum("wit,wjt->ij", scaled, scaled, optimize=True)
    count = present.T.astype(float) @ present
    mean = np.where(count > 0, total / np.maximum(count, 1), 0)
    np.fill_diagonal(mean, 0)
    return np.asarray(mean)


def ledoit_wolf(values: np.ndarray) -> tuple[np.ndarray, float]:
    """Covariance shrunk towards a multiple of the identity.

    Parameters
    ----------
    values : array of shape (n_times, n_units)

    Returns
    -------
    covariance : array of shape (n_units, n_units)
    shrinkage : float
        In [0, 1].

    Notes
    -----
    Ledoit & Wolf 2004: ``(1 - d) S + d mu I`` with ``mu = tr(S) / n`` and d the share
    of the squared distance of S from ``mu I`` that is sampling error.
    """
    x = values - values.mean(axis=0)
    n_times, n_units = x.shape
    sample = x.T @ x / n_times
    mu = float(np.trace(sample)) / n_units
    distance = float(np.sum(sample**2)) - n_units * mu**2
    # sum over frames of ||x_t x_t' - S||^2, without forming any outer product
    fourth = float(np.sum(np.sum(x**2, axis=1) ** 2))
    error = (fourth / n_times - float(np.sum(sample**2))) / n_times
    shrinkage = 0.0 if distance <= 0 else min(max(error, 0.0) / distance, 1.0)
    shrunk = (1 - shrinkage) * sample
    shrunk.flat[:: n_units + 1] += shrinkage * mu
    return shrunk, shrinkage


def partial_correlation(covariance: np.ndarray) -> np.ndarray:
    """Correlation between two units given all others.

    Parameters
    ----------
    covariance : array of shape (n_units, n_units)
        Positive definite.

    Returns
    -------
    array of shape (n_units, n_units)
        ``-P_ij / sqrt(P_ii P_jj)`` of the precision P, ones on the diagonal.
    """
    precision = np.linalg.inv(covariance)
    scale = 1 / np.sqrt(np.diag(precision))
    scaled = np.clip(-precision * np.outer(scale, scale), -1.0, 1.0)
    partial: np.ndarray = (scaled + scaled.T) / 2
    np.fill_diagonal(partial, 1.0)
    return partial


def fisher_z(r: np.ndarray) -> np.ndarray:
    """Fisher's z of correlations, finite also for r = 1."""
    z: np.ndarray = np.arctanh(np.clip(r, -_LARGEST_R, _LARGEST_R))
    return z


def inverse_fisher_z(z: np.ndarray) -> np.ndarray:
    """Correlations of Fisher's z."""
    r: np.ndarray = np.tanh(z)
    return r


def edges(matrices: np.ndarray) -> np.ndarray:
    """Upper triangle without the diagonal, row by row.

    Parameters
    ----------
    matrices : array of shape (..., n_units, n_units)

    Returns
    -------
    array of shape (..., n_edges)
    """
    rows, columns = np.triu_indices(matrices.shape[-1], k=1)
    vectors: np.ndarray = matrices[..., rows, columns]
    return vectors


def square(vector: np.ndarray, n_units: int, diagonal: float = 1.0) -> np.ndarray:
    """Symmetric matrix from its upper triangle.

    Parameters
    ----------
    vector : array of shape (n_edges,)
    n_units : int
    diagonal : float
    """
    matrix = np.full((n_units, n_units), diagonal, dtype=vector.dtype)
    rows, columns = np.triu_indices(n_units, k=1)
    matrix[rows, columns] = vector
    matrix[columns, rows] = vector
    return matrix


def logm(matrices: np.ndarray) -> np.ndarray:
    """Matrix logarithm of symmetric positive definite matrices (..., n_units, n_units)."""
    values, vectors = np.linalg.eigh(matrices)
    return _recomposed(np.log(np.maximum(values, np.finfo(float).tiny)), vectors)


def expm(matrices: np.ndarray) -> np.ndarray:
    """Matrix exponential of symmetric matrices (..., n_units, n_units)."""
    values, vectors = np.linalg.eigh(matrices)
    return _recomposed(np.exp(values), vectors)


def _recomposed(values: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    product: np.ndarray = (vectors * values[..., None, :]) @ np.swapaxes(vectors, -1, -2)
    return product


def tangent_vectors(covariances: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """Displacement of covariances from a reference, in the tangent space there.

    Parameters
    ----------
    covariances : array of shape (n_subjects, n_units, n_units)
        Positive definite.
    reference : array of shape (n_units, n_units)
        A mean of the training subjects' covariances.

    Returns
    -------
    array of shape (n_subjects, n_units * (n_units + 1) / 2), float32
        Upper triangle of ``log(G^-1/2 C G^-1/2)`` (Varoquaux et al. 2010), entries off the
        diagonal times sqrt(2): the dot product of two vectors is the inner product of the space.
    """
    values, vectors = np.linalg.eigh(reference)
    whitening = _recomposed(1 / np.sqrt(np.maximum(values, np.finfo(float).tiny)), vectors)
    rows, columns = np.triu_indices(len(reference))
    weight = np.where(rows == columns, 1.0, np.sqrt(2.0))
    tangent = np.empty((len(covariances), len(rows)), dtype=np.float32)
    for s, covariance in enumerate(covariances):  # one at a time: they fit the cache
        tangent[s] = logm(whitening @ covariance @ whitening)[rows, columns] * weight
    return tangent
