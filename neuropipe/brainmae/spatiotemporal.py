"""ROIs filled in from all visible samples of their segment: the linear spatio-temporal predictor.

A stationary Gaussian process leaves nothing more to a linear model of one segment: its conditional
mean is the ceiling of all that do not look beyond the segment.

Axis legend: r runs, k segments, n ROIs, l samples of a segment, v visible ROIs, s segments that
share a mask.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar, Self

import numpy as np

from neuropipe.brainmae.gaussian_imputation import inner_splits, masks_of_ratios
from neuropipe.brainmae.imputation import (
    centred,
    check_segments,
    filled,
    training_mean,
)

__all__ = [
    "SpatioTemporalWiener",
    "block_toeplitz",
    "lagged_covariance",
    "segment_conditional_mean",
    "shrunk_to_separable",
]

_SHRINKAGES = (0.0, 0.25, 0.5, 0.75, 1.0)
#: Candidate penalties in units of the mean variance of the ROIs.
_PENALTIES = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0)
_TUNING_RATIOS = (0.2, 0.5, 0.8)
_TUNING_SEGMENTS = 400
_ENOUGH_RUNS = 8  # left-out runs on which the parameters are chosen


class SpatioTemporalWiener:
    """Conditional mean of a segment's hidden ROIs given all samples of its visible ROIs.

    The lagged covariances are averaged over all positions of the runs (stationarity), then shrunk
    towards a separable covariance (space times time), and a penalty is added to the variances.
    Without both, hundreds of lagged covariances a ROI are too many for tens of runs.

    Parameters
    ----------
    shrinkage : float, optional
        Weight of the separable covariance, in [0, 1]; by default chosen by the masked R2 on
        left-out training runs.
    penalty : float, optional
        In units of the mean variance of the ROIs; chosen likewise.
    n_folds : int
        Folds over training runs. Folds are left out in turn until 8 runs were.
    seed : int
        Of folds and masks.

    Notes
    -----
    A mask costs one Cholesky factor of size n_visible * n_samples: about 20 ms for 50 ROIs of 16
    samples. Segments with the same mask share it.
    """

    name: ClassVar[str] = "spatio-temporal Wiener"
    slow: ClassVar[bool] = True

    mean_: np.ndarray
    covariance_: np.ndarray
    shrinkage_: float
    penalty_: float

    def __init__(
        self,
        shrinkage: float | None = None,
        penalty: float | None = None,
        *,
        n_folds: int = 4,
        seed: int = 0,
    ) -> None:
        self.shrinkage = shrinkage
        self.penalty = penalty
        self.n_folds = n_folds
        self.seed = seed

    def fit(self, x: np.ndarray, present: np.ndarray) -> Self:
        """Learn from training segments; see `imputation.Predictor`."""
        self.mean_ = training_mean(x, present)
        lagged = lagged_covariance(x, present, self.mean_)
        self.shrinkage_, penalty = self._chosen(x, present)
        self.covariance_ = shrunk_to_separable(lagged, self.shrinkage_)
        self.penalty_ = penalty * _mean_variance(lagged)
        return self

    def predict(self, x: np.ndarray, visible: np.ndarray) -> np.ndarray:
        """Fill in what is not visible; see `imputation.Predictor`."""
        check_segments(x, visible)
        z = centred(x, visible, self.mean_).reshape(-1, *x.shape[2:])
        masks, pattern = np.unique(visible.reshape(len(z), -1), axis=0, return_inverse=True)
        deviation = np.zeros(z.shape)
        for number, mask in enumerate(masks):
            rows = pattern == number
            deviation[rows] = segment_conditional_mean(
                self.covariance_, z[rows], mask, self.penalty_
            )
        return filled(x, visible, self.mean_, deviation.reshape(x.shape))

    def _chosen(self, x: np.ndarray, present: np.ndarray) -> tuple[float, float]:
        """Shrinkage and penalty: each in turn, since they hardly trade off."""
        shrinkages = _SHRINKAGES if self.shrinkage is None else (self.shrinkage,)
        penalties = _PENALTIES if self.penalty is None else (self.penalty,)
        shrinkage, penalty = shrinkages[len(shrinkages) // 2], penalties[len(penalties) // 2]
        if len(shrinkages) == len(penalties) == 1:
            return shrinkage, penalty
        parts = list(self._tuning_parts(x, present))
        known: dict[tuple[float, float], float] = {}

        def error(s: float, p: float) -> float:
            if (s, p) not in known:
                known[s, p] = sum(_tuning_error(*part, s, p) for part in parts)
            return known[s, p]

        for _ in range(2):
            penalty = min(penalties, key=lambda p, s=shrinkage: error(s, p))
            shrinkage = min(shrinkages, key=lambda s, p=penalty: error(s, p))
        return shrinkage, penalty

    def _tuning_parts(
        self, x: np.ndarray, present: np.ndarray
    ) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        """Lagged covariances, left-out segments, and the masks they are hidden by."""
        rng = np.random.default_rng(self.seed)
        tested = 0
        for train, test in inner_splits(len(x), self.n_folds, rng):
            mean = training_mean(x[train], present[train])
            lagged = lagged_covariance(x[train], present[train], mean)
            z = centred(x[test], present[test], mean).reshape(-1, *x.shape[2:])
            known = present[test].reshape(len(z), -1)
            # Segments that miss the same ROIs share the factor of a mask.
            kinds, kind, count = np.unique(known, axis=0, return_inverse=True, return_counts=True)
            common = int(np.argmax(count * kinds.sum(axis=1)))
            rows = rng.permutation(np.flatnonzero(kind == common))[:_TUNING_SEGMENTS]
            kept = np.flatnonzero(kinds[common])
            masks = masks_of_ratios(rng, len(_TUNING_RATIOS), len(kept), _TUNING_RATIOS)
            yield lagged[:, kept[:, None], kept], z[rows][:, kept], masks
            tested += len(test)
            if tested >= _ENOUGH_RUNS:
                return


def lagged_covariance(x: np.ndarray, present: np.ndarray, mean: np.ndarray) -> np.ndarray:
    """Covariances between ROIs at the lags that a segment has, pooled over runs.

    Parameters
    ----------
    x : array of shape (n_runs, n_segments, n_rois, n_samples)
        The segments of a run follow each other without gaps.
    present : array of bool of shape (n_runs, n_segments, n_rois)
    mean : array of shape (n_rois,)

    Returns
    -------
    array of shape (n_samples, n_rois, n_rois)
        Entry (m, i, j) is the mean of ``x_i(t) x_j(t + m)`` over all t at which both are present.
    """
    n_rois, n_samples = x.shape[2:]
    total = np.zeros((n_samples, n_rois, n_rois))
    pairs = np.zeros((n_samples, n_rois, n_rois))
    for run, known in zip(x, present, strict=True):
        z = np.where(known[..., None], run - mean[:, None], 0.0)
        series = z.transpose(0, 2, 1).reshape(-1, n_rois)
        there = np.repeat(known, n_samples, axis=0).astype(float)
        complete = bool(known.all())
        for lag in range(n_samples):
            stop = len(series) - lag
            total[lag] += series[:stop].T @ series[lag:]
            pairs[lag] += stop if complete else there[:stop].T @ there[lag:]
    return np.asarray(total / np.maximum(pairs, 1))


def shrunk_to_separable(lagged: np.ndarray, shrinkage: float) -> np.ndarray:
    """Mix lagged covariances with the product of one spatial and one temporal covariance.

    Parameters
    ----------
    lagged : array of shape (n_lags, n_rois, n_rois)
    shrinkage : float
        Weight of the separable part, in [0, 1].

    Returns
    -------
    array of shape (n_lags, n_rois, n_rois)
        The separable part is the covariance at lag 0 times the mean autocorrelation of the ROIs.
    """
    variance = np.trace(lagged[0])
    course = np.trace(lagged, axis1=1, axis2=2) / (variance or 1.0)
    separable = course[:, None, None] * lagged[0]
    return np.asarray((1 - shrinkage) * lagged + shrinkage * separable)


def block_toeplitz(lagged: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Covariance between all samples of some ROIs and all samples of others.

    Parameters
    ----------
    lagged : array of shape (n_samples, n_rois, n_rois)
        See `lagged_covariance`.
    rows, columns : array of int
        ROIs.

    Returns
    -------
    array of shape (n_samples * n_rows, n_samples * n_columns)
        Sample l of ROI i stands at ``l * n_rois + i``.
    """
    n = len(lagged)
    forward = lagged[:, rows[:, None], columns]
    backward = lagged[:, columns[:, None], rows].transpose(0, 2, 1)
    found = np.empty((n, len(rows), n, len(columns)))
    for early in range(n):
        found[early, :, early] = forward[0]
        for late in range(early + 1, n):
            found[early, :, late] = forward[late - early]
            found[late, :, early] = backward[late - early]
    return found.reshape(n * len(rows), n * len(columns))


def segment_conditional_mean(
    lagged: np.ndarray, z: np.ndarray, visible: np.ndarray, penalty: float
) -> np.ndarray:
    """Conditional mean of segments that share a mask.

    Parameters
    ----------
    lagged : array of shape (n_samples, n_rois, n_rois)
        See `lagged_covariance`.
    z : array of shape (n_segments, n_rois, n_samples)
        Centred; what is not visible is not looked at.
    visible : array of bool of shape (n_rois,)
    penalty : float
        Added to the variances; raised tenfold until the covariance is positive definite.

    Returns
    -------
    array of shape (n_segments, n_rois, n_samples)
        Defined for hidden ROIs; 0 for visible ones, and where nothing is visible.
    """
    from scipy.linalg import LinAlgError, cho_factor, cho_solve

    found = np.zeros(z.shape)
    given, wanted = np.flatnonzero(visible), np.flatnonzero(~visible)
    if not len(given) or not len(wanted):
        return found
    inner = block_toeplitz(lagged, given, given)
    values = z[:, given].transpose(2, 1, 0).reshape(len(inner), -1)
    diagonal = inner.diagonal().copy()
    floor = max(penalty, 1e-9 * _mean_variance(lagged))
    while True:
        inner.flat[:: len(inner) + 1] = diagonal + floor
        try:
            factor = cho_factor(inner, lower=True, check_finite=False)
            break
        except LinAlgError:
            floor *= 10
    solved = cho_solve(factor, values, check_finite=False)
    guess = block_toeplitz(lagged, wanted, given) @ solved
    found[:, wanted] = guess.reshape(z.shape[2], len(wanted), -1).transpose(2, 1, 0)
    return found


def _tuning_error(
    lagged: np.ndarray, z: np.ndarray, masks: np.ndarray, shrinkage: float, penalty: float
) -> float:
    shrunk = shrunk_to_separable(lagged, shrinkage)
    total = 0.0
    for mask in masks:
        guess = segment_conditional_mean(shrunk, z, mask, penalty * _mean_variance(lagged))
        total += float(((z - guess)[:, ~mask] ** 2).sum())
    return total


def _mean_variance(lagged: np.ndarray) -> float:
    return float(np.trace(lagged[0])) / lagged.shape[1] or 1.0
