"""Dissimilarities of response patterns: functions of arrays, over any number of leading axes.

Axes: f folds, n conditions, p channels; pairs of conditions in the order of
``scipy.spatial.distance.pdist``. A fold that lacks a condition has NaN throughout that pattern. All
measures are divided by the number of channels (correlation has no need to be).
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import reduce
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from neuropipe.errors import InputError, UnfitRecordingError
from neuropipe.trsa.noise import Noise

__all__ = [
    "correlation",
    "crossnobis",
    "crossvalidated_poisson",
    "euclidean",
    "mahalanobis",
    "mean_patterns",
    "poisson",
]

Array: TypeAlias = NDArray[np.float64]

#: Prior of the Poisson measures: the rate that is assumed beforehand, and its weight in trials.
PRIOR_RATE, PRIOR_WEIGHT = 1.0, 0.1
_MOST = 1 << 22  # numbers that are centred at once


def mean_patterns(values: np.ndarray, weights: np.ndarray) -> Array:
    """Average patterns over folds.

    Parameters
    ----------
    values : array of shape (..., n_folds, n_conditions, n_channels)
    weights : array of shape (n_folds, n_conditions)
        Such as the number of trials; 0 where a fold lacks a condition.

    Returns
    -------
    array of shape (..., n_conditions, n_channels)
        NaN where no fold has a condition.
    """
    total = np.zeros(values.shape[:-3] + values.shape[-2:])
    for fold, weight in enumerate(weights):
        there = weight > 0
        total[..., there, :] += values[..., fold, there, :] * weight[there, None]
    sums = weights.sum(axis=0)[:, None]
    return np.asarray(total / np.where(sums > 0, sums, np.nan))


def euclidean(values: np.ndarray, weights: np.ndarray) -> Array:
    """Squared Euclidean distance of the patterns averaged over folds.

    Parameters
    ----------
    values : array of shape (..., n_folds, n_conditions, n_channels)
    weights : array of shape (n_folds, n_conditions)

    Returns
    -------
    array of shape (..., n_pairs)
        Its bias is ``2 tr(Sigma) / (n_folds n_channels)`` for noise of covariance Sigma a fold.
    """
    return mahalanobis(values, weights)


def mahalanobis(values: np.ndarray, weights: np.ndarray, noise: Noise | None = None) -> Array:
    """Squared Mahalanobis distance of the patterns averaged over folds.

    Parameters
    ----------
    values : array of shape (..., n_folds, n_conditions, n_channels)
    weights : array of shape (n_folds, n_conditions)
    noise : Noise, optional
        Without it the distance is Euclidean (of patterns that may be whitened already).

    Returns
    -------
    array of shape (..., n_pairs)
    """
    mean = mean_patterns(values, weights)
    n = mean.shape[-2]
    gram = np.zeros((*mean.shape[:-2], n, n))
    for block in _blocks(mean, noise):
        # Distances do not change, and their rounding errors no longer grow with a common offset.
        centred = block - _common(block)
        gram += centred @ np.swapaxes(centred, -1, -2)
    return np.asarray(_distances(gram) / values.shape[-1])


def correlation(values: np.ndarray, weights: np.ndarray) -> Array:
    """One minus Pearson's correlation, over channels, of the patterns averaged over folds.

    Parameters
    ----------
    values : array of shape (..., n_folds, n_conditions, n_channels)
    weights : array of shape (n_folds, n_conditions)

    Returns
    -------
    array of shape (..., n_pairs)
        NaN for pairs with a pattern that is the same in all channels.
    """
    mean = mean_patterns(values, weights)
    largest = np.abs(mean).max(axis=-1, keepdims=True)
    mean -= mean.mean(axis=-1, keepdims=True)
    length = np.sqrt(np.einsum("...p,...p->...", mean, mean))[..., None]
    mean /= np.where(length > 1e-12 * largest, length, np.nan)
    return 1 - _upper(mean @ np.swapaxes(mean, -1, -2))


def crossnobis(values: np.ndarray, weights: np.ndarray, noise: Noise | None = None) -> Array:
    """Crossvalidated squared Mahalanobis distance: unbiased, may be negative.

    Parameters
    ----------
    values : array of shape (..., n_folds, n_conditions, n_channels)
    weights : array of shape (n_folds, n_conditions)
        Only tell which fold has which condition: folds count alike, whatever their trials.
    noise : Noise, optional
        Without it the distance is Euclidean.

    Returns
    -------
    array of shape (..., n_pairs)
        Mean over all pairs of different folds that both have both conditions; NaN where no two
        folds have.

    Raises
    ------
    UnfitRecordingError
        If there are fewer than two folds.

    Notes
    -----
    With the sum S of the patterns B_f over R folds,
    ``G = (S S^T - sum_f B_f B_f^T) / (R (R - 1))`` and ``d_ij = G_ii + G_jj - 2 G_ij``, which is
    the mean over left-out folds of Walther et al. 2016, eq. 8 (O(n^2 p R), no copies of folds).
    Folds that lack conditions are taken pair by pair (O(n^2 p R^2)).
    """
    n_folds, n_conditions = weights.shape
    _need_folds(n_folds)
    present = weights > 0
    rows, columns = np.triu_indices(n_conditions, 1)
    both = present[:, rows] & present[:, columns]
    complete = bool(present.all())
    gram = np.zeros((*values.shape[:-3], n_conditions, n_conditions))
    total = np.zeros((*values.shape[:-3], len(rows)))
    for block in _blocks(values, noise):
        folds = [_centred(block[..., f, :, :], present[f]) for f in range(n_folds)]
        if complete:
            summed = reduce(np.add, folds)
            gram += summed @ np.swapaxes(summed, -1, -2)
            for fold in folds:
                gram -= fold @ np.swapaxes(fold, -1, -2)
            continue
        for f in range(n_folds):
            for g in range(f):
                shared = both[f] & both[g]
                if shared.any():
                    cross = _distances(folds[f] @ np.swapaxes(folds[g], -1, -2))
                    total += 2 * np.where(shared, cross, 0.0)
    count = both.sum(axis=0) * (both.sum(axis=0) - 1)
    if complete:
        total = _distances(gram)
    return np.asarray(total / np.where(count > 0, count, np.nan) / values.shape[-1])


def poisson(values: np.ndarray, weights: np.ndarray) -> Array:
    """Symmetrised Kullback-Leibler divergence of Poisson rates averaged over folds.

    Parameters
    ----------
    values : array of shape (..., n_folds, n_conditions, n_channels)
        Counts or rates, not negative.
    weights : array of shape (n_folds, n_conditions)

    Returns
    -------
    array of shape (..., n_pairs)

    Raises
    ------
    InputError
        If a rate is negative.

    Notes
    -----
    ``sum_p (x_ip - x_jp) (log x_ip - log x_jp)`` with x drawn towards a prior rate of 1 that
    weighs .1 trials (Schuett et al. 2023, appendix).
    """
    rates = _rates(mean_patterns(values, weights))
    return np.asarray(_divergence(rates, rates) / values.shape[-1])


def crossvalidated_poisson(values: np.ndarray, weights: np.ndarray) -> Array:
    """Kullback-Leibler divergence with rates of one fold and logarithms of the others.

    Parameters
    ----------
    values : array of shape (..., n_folds, n_conditions, n_channels)
        Counts or rates, not negative.
    weights : array of shape (n_folds, n_conditions)
        Number of trials: means over the other folds are weighted by it.

    Returns
    -------
    array of shape (..., n_pairs)
        Mean over left-out folds that have both conditions, which other folds have too; NaN where
        there is none. The logarithm is that of the left-out fold.

    Raises
    ------
    InputError
        If a rate is negative.
    UnfitRecordingError
        If there are fewer than two folds.
    """
    n_folds, n_conditions = weights.shape
    _need_folds(n_folds)
    rows, columns = np.triu_indices(n_conditions, 1)
    total = np.zeros((*values.shape[:-3], len(rows)))
    count = np.zeros(len(rows))
    for fold in range(n_folds):
        others = weights.copy()
        others[fold] = 0
        there = (weights[fold] > 0) & (others > 0).any(axis=0)
        shared = there[rows] & there[columns]
        if not shared.any():
            continue
        train = np.where(there[:, None], mean_patterns(values, others), 0.0)
        test = np.where(there[:, None], values[..., fold, :, :], 0.0)
        total += np.where(shared, _divergence(_rates(train), _rates(test)), 0.0)
        count += shared
    return np.asarray(total / np.where(count > 0, count, np.nan) / values.shape[-1])


def _need_folds(n_folds: int) -> None:
    if n_folds < 2:
        raise UnfitRecordingError(
            f"patterns of {n_folds} fold",
            "two folds or more to crossvalidate",
            "split the trials, or choose mahalanobis, euclidean or correlation",
        )


def _blocks(values: np.ndarray, noise: Noise | None) -> Iterator[np.ndarray]:
    """Blocks of channels, whitened where the noise is given."""
    size = max(256, _MOST * values.shape[-1] // max(1, values.size))
    if noise is not None:
        yield from noise.blocks(values, size)
        return
    for start in range(0, values.shape[-1], size):
        yield values[..., start : start + size]


def _centred(fold: np.ndarray, present: np.ndarray) -> np.ndarray:
    """Subtract the mean pattern of a fold; 0 where a condition is absent."""
    if present.all():
        return np.asarray(fold - fold.mean(axis=-2, keepdims=True))
    result = np.zeros_like(fold)
    there = fold[..., present, :]
    if present.any():
        result[..., present, :] = there - there.mean(axis=-2, keepdims=True)
    return result


def _common(patterns: np.ndarray) -> np.ndarray:
    """Mean over the conditions that are there."""
    mean = patterns.mean(axis=-2, keepdims=True)
    if np.isnan(mean).any():
        mean = np.nanmean(patterns, axis=-2, keepdims=True)
    return np.asarray(mean)


def _upper(matrices: np.ndarray) -> np.ndarray:
    rows, columns = np.triu_indices(matrices.shape[-1], 1)
    return np.asarray(matrices[..., rows, columns])


def _distances(gram: np.ndarray) -> np.ndarray:
    """From inner products of patterns, of one or of two kinds, to distances of pairs."""
    rows, columns = np.triu_indices(gram.shape[-1], 1)
    own = np.diagonal(gram, axis1=-2, axis2=-1)
    mutual = gram[..., rows, columns] + gram[..., columns, rows]
    return np.asarray(own[..., rows] + own[..., columns] - mutual)


def _rates(values: np.ndarray) -> np.ndarray:
    lowest = np.nanmin(values)
    if lowest < 0:
        raise InputError(
            f"a firing rate of {lowest:.4g}",
            "counts or rates, 0 or more",
            "give spikes without subtracting a baseline, or choose another dissimilarity",
        )
    return np.asarray((values + PRIOR_RATE * PRIOR_WEIGHT) / (1 + PRIOR_WEIGHT))


def _divergence(rates: np.ndarray, logged: np.ndarray) -> np.ndarray:
    """``sum_p (rates_i - rates_j) (log logged_i - log logged_j)``."""
    logs = np.log(logged)
    left, right = rates - _common(rates), logs - _common(logs)
    return _distances(left @ np.swapaxes(right, -1, -2))
