"""Kernels of noisy trials without the bias of their noise.

Axes: r repeats, n conditions, p units. Products of different repeats are unbiased, because noise is
independent between repeats; products of a repeat with itself are not.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from neuropipe.errors import UnfitRecordingError
from neuropipe.trsa.geometry.arrays import complete, condition_means
from neuropipe.trsa.geometry.kernels import hsic, linear_kernel

__all__ = [
    "KernelEstimate",
    "crossvalidated_kernel",
    "independent_kernels",
    "kernel_of",
    "split_half_kernel",
]


def crossvalidated_kernel(values: np.ndarray) -> np.ndarray:
    """Unbiased kernel of the expected patterns: mean product over all pairs of different repeats.

    Parameters
    ----------
    values : array of shape (n_repeats, n_conditions, n_units)
        NaN as in `complete`.

    Returns
    -------
    array of shape (n_conditions, n_conditions)
        Symmetric; its diagonal may be negative where there is no signal.

    Raises
    ------
    UnfitRecordingError
        If two conditions (or one with itself) do not occur in two different repeats.

    Notes
    -----
    (S S' - sum_r X_r X_r') / (R (R - 1)) with S the sum over repeats, each entry divided by its
    own number of pairs where trials are missing. Noise must be independent between repeats; within
    a repeat conditions may share noise.
    """
    trials = complete(values)
    present = np.isfinite(trials[:, :, 0]).astype(float)
    filled = np.nan_to_num(trials)
    total = filled.sum(axis=0)
    beside = np.moveaxis(filled, 1, 0).reshape(trials.shape[1], -1)
    n_pairs = np.outer(present.sum(axis=0), present.sum(axis=0)) - present.T @ present
    if (n_pairs < 0.5).any():
        lacking = int(np.argwhere(n_pairs < 0.5)[0][0])
        raise UnfitRecordingError(
            f"condition {lacking} that never meets another repeat",
            "at least two repeats of every condition",
            "leave conditions out that were shown once",
        )
    return np.asarray((total @ total.T - beside @ beside.T) / n_pairs)


def split_half_kernel(values: np.ndarray, *, n_splits: int = 20, seed: int = 0) -> np.ndarray:
    """Kernel between the mean patterns of two disjoint halves of the repeats, over random splits.

    Parameters
    ----------
    values : array of shape (n_repeats, n_conditions, n_units)
    n_splits : int
    seed : int

    Returns
    -------
    array of shape (n_conditions, n_conditions)
        Symmetrised. Unbiased as `crossvalidated_kernel`, which is its limit for many splits.

    Raises
    ------
    UnfitRecordingError
        If no split leaves every condition in both halves.
    """
    trials = complete(values)
    kernels = []
    for halves in _splits(trials, n_splits, seed, least=1):
        one, two = (np.nanmean(trials[half], axis=0) for half in halves)
        kernels.append((one @ two.T + two @ one.T) / 2)
    return np.asarray(np.mean(kernels, axis=0))


def independent_kernels(values: np.ndarray, *, n_splits: int = 20, seed: int = 0) -> np.ndarray:
    """Unbiased kernels of both halves of the repeats, over random splits.

    Products of the two are unbiased for products of the true kernel, whose norm a single noisy
    kernel overestimates.

    Parameters
    ----------
    values : array of shape (n_repeats, n_conditions, n_units)
    n_splits : int
    seed : int

    Returns
    -------
    array of shape (n_splits, 2, n_conditions, n_conditions)

    Raises
    ------
    UnfitRecordingError
        If no split leaves every condition in two repeats of both halves (four repeats at least).
    """
    trials = complete(values)
    return np.array(
        [
            [crossvalidated_kernel(trials[half]) for half in halves]
            for halves in _splits(trials, n_splits, seed, least=2)
        ]
    )


@dataclass(frozen=True, eq=False)
class KernelEstimate:
    """A kernel and what is needed to know its norm.

    Parameters
    ----------
    matrix : array of shape (n_conditions, n_conditions)
    halves : array of shape (n_splits, 2, n_conditions, n_conditions), optional
        Kernels whose noise is independent; None where the kernel is taken as it is.
    """

    matrix: np.ndarray
    halves: np.ndarray | None = None

    def norm(self, weights: np.ndarray | None = None, *, unbiased: bool = True) -> np.ndarray:
        """Squared norm of the centred kernel, shape (...); see `hsic`."""
        if self.halves is None:
            return hsic(self.matrix, self.matrix, weights, unbiased=unbiased)
        products = [hsic(a, b, weights, unbiased=unbiased) for a, b in self.halves]
        return np.asarray(np.mean(products, axis=0))

    def align(
        self,
        other: KernelEstimate,
        weights: np.ndarray | None = None,
        *,
        unbiased: bool = True,
    ) -> np.ndarray:
        """CKA with another kernel whose noise is independent, shape (...).

        NaN where a norm is not positive: there is no signal to align.
        """
        both = hsic(self.matrix, other.matrix, weights, unbiased=unbiased)
        norms = self.norm(weights, unbiased=unbiased), other.norm(weights, unbiased=unbiased)
        known = (norms[0] > 0) & (norms[1] > 0)
        size = np.sqrt(np.where(known, norms[0] * norms[1], np.nan))
        return np.asarray(both / size)


def kernel_of(values: np.ndarray, *, n_splits: int = 20, seed: int = 0) -> KernelEstimate:
    """Best kernel the repeats allow.

    Parameters
    ----------
    values : array of shape (n_conditions, n_units) or (n_repeats, n_conditions, n_units)
    n_splits, seed
        See `independent_kernels`.

    Returns
    -------
    KernelEstimate
        One repeat: the plain kernel. Two or three: crossvalidated, its norm overestimated by
        noise. Four or more: crossvalidated, with halves.
    """
    trials = complete(values)
    n_repeats = np.isfinite(trials[:, :, 0]).sum(axis=0).min()
    if n_repeats < 2:
        return KernelEstimate(linear_kernel(condition_means(trials)))
    halves = None
    if n_repeats >= 4:
        halves = independent_kernels(trials, n_splits=n_splits, seed=seed)
    return KernelEstimate(crossvalidated_kernel(trials), halves)


def _splits(
    trials: np.ndarray, n_splits: int, seed: int, *, least: int
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Draw halves of the repeats that each hold every pair of conditions often enough."""
    present = np.isfinite(trials[:, :, 0]).astype(float)
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(n_splits):
        order = rng.permutation(len(trials))
        halves = order[: len(order) // 2], order[len(order) // 2 :]
        if all(_enough(present[half], least) for half in halves):
            found.append(halves)
    if not found:
        raise UnfitRecordingError(
            f"{len(trials)} repeats that cannot be halved",
            f"every condition {least} times in both halves",
            "record more repeats, or leave rare conditions out",
        )
    return found


def _enough(present: np.ndarray, least: int) -> bool:
    counts = present.sum(axis=0)
    if least == 1:
        return bool((counts >= 1).all())
    return bool((np.outer(counts, counts) - present.T @ present > 0.5).all())
