"""A ROI filled in from its own past and future: autoregressive processes, in closed form.

Axis legend: n ROIs, p lags, h lags, m samples that are given, l samples of a hidden segment.
"""

from __future__ import annotations

from typing import ClassVar, Self

import numpy as np

from neuropipe.brainmae.imputation import (
    centred,
    check_segments,
    filled,
    neighbours,
    training_mean,
)

__all__ = [
    "Autoregressive",
    "autocovariance",
    "conditional_weights",
    "extended_autocovariance",
    "yule_walker",
]

_JITTER = 1e-9  # of the variance: keeps the solve of a noiseless process finite
_CHUNK = 20_000  # hidden segments that are filled in at once


class Autoregressive:
    """Best linear prediction of a hidden segment by an AR process of the same ROI.

    The process of every ROI is fitted to the training runs; a hidden segment is the Gaussian
    conditional mean given the nearest visible segment before and the nearest after it. An AR(p)
    process is Markov of order p, so that of each only the p samples next to the gap count.

    Parameters
    ----------
    max_order : int
        Largest p; Akaike's criterion chooses for every ROI.
    """

    name: ClassVar[str] = "AR"
    slow: ClassVar[bool] = False

    mean_: np.ndarray
    autocovariance_: np.ndarray
    coefficients_: np.ndarray
    order_: np.ndarray

    def __init__(self, max_order: int = 8) -> None:
        self.max_order = max_order

    def fit(self, x: np.ndarray, present: np.ndarray) -> Self:
        """Learn from training segments; see `imputation.Predictor`."""
        self.mean_ = training_mean(x, present)
        z = centred(x, present, self.mean_)
        sample, count = autocovariance(z, present, self.max_order)
        self.coefficients_, self.order_ = yule_walker(sample, count)
        self.autocovariance_ = sample
        return self

    def predict(self, x: np.ndarray, visible: np.ndarray) -> np.ndarray:
        """Fill in what is not visible; see `imputation.Predictor`."""
        check_segments(x, visible)
        z = centred(x, visible, self.mean_)
        _, n_segments, _, n_samples = x.shape
        lags = extended_autocovariance(
            self.autocovariance_, self.coefficients_, self.order_, n_segments * n_samples
        )
        before, after = neighbours(visible)
        index = np.arange(n_segments)[:, None]
        # Distance in segments to what is visible, 0 where nothing is.
        back = np.where(before >= 0, index - before, 0)
        ahead = np.where(after >= 0, after - index, 0)
        deviation = np.zeros(z.shape)
        code = np.where(visible, 0, back * n_segments + ahead)
        depth = min(self.max_order, n_samples)
        for found in np.unique(code[code > 0]):
            b, a = divmod(int(found), n_segments)
            past = np.arange(-depth, 0) - (b - 1) * n_samples if b else np.empty(0, int)
            future = np.arange(depth) + a * n_samples if a else np.empty(0, int)
            weights = conditional_weights(
                lags, np.concatenate([past, future]), np.arange(n_samples)
            )
            places = np.argwhere(code == found)
            for start in range(0, len(places), _CHUNK):
                r, k, n = places[start : start + _CHUNK].T
                given = []
                if b:
                    given.append(z[r, k - b, n, n_samples - depth :])
                if a:
                    given.append(z[r, k + a, n, :depth])
                context = np.concatenate(given, axis=1)
                deviation[r, k, n] = np.einsum("em,eml->el", context, weights[n])
        return filled(x, visible, self.mean_, deviation)


def autocovariance(
    z: np.ndarray, present: np.ndarray, max_lag: int
) -> tuple[np.ndarray, np.ndarray]:
    """Autocovariance of each ROI, pooled over runs.

    Parameters
    ----------
    z : array of shape (n_runs, n_segments, n_rois, n_samples)
        Centred, 0 where it is missing; the segments of a run follow each other without gaps.
    present : array of bool of shape (n_runs, n_segments, n_rois)
    max_lag : int
        In samples.

    Returns
    -------
    autocovariance : array of shape (n_rois, max_lag + 1)
        Mean over the pairs of present samples; 0 at lags no pair has.
    count : array of shape (n_rois,)
        Number of present samples.
    """
    series = z.transpose(2, 0, 1, 3).reshape(z.shape[2], len(z), -1)
    known = np.repeat(present.transpose(2, 0, 1), z.shape[3], axis=2).astype(float)
    length = series.shape[2]
    found = np.zeros((len(series), max_lag + 1))
    for lag in range(min(max_lag, length - 1) + 1):
        early, late = slice(0, length - lag), slice(lag, length)
        total = np.einsum("nrt,nrt->n", series[..., early], series[..., late])
        pairs = np.einsum("nrt,nrt->n", known[..., early], known[..., late])
        found[:, lag] = total / np.maximum(pairs, 1)
    return found, known.sum(axis=(1, 2))


def yule_walker(autocovariance: np.ndarray, count: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Coefficients of stationary AR processes, their orders by Akaike's criterion.

    Parameters
    ----------
    autocovariance : array of shape (n_rois, max_order + 1)
        At lags 0, 1, ...
    count : array of shape (n_rois,)
        Number of samples it rests on.

    Returns
    -------
    coefficients : array of shape (n_rois, max_order)
        ``z_t = sum_j a_j z_{t-j} + e_t``; 0 beyond the order.
    order : array of int of shape (n_rois,)

    Notes
    -----
    Levinson-Durbin recursion; ``AIC(p) = count log(error variance) + 2 p``. Orders from the first
    partial correlation of 1 or more on are left out: with missing samples the autocovariance need
    not be that of a stationary process.
    """
    n_rois, n_lags = autocovariance.shape
    variance = autocovariance[:, 0]
    floor = np.finfo(float).tiny
    error = variance.copy()
    a = np.zeros((n_rois, n_lags - 1))
    sound = variance > 0
    chosen, order = a.copy(), np.zeros(n_rois, dtype=int)
    best = count * np.log(np.maximum(error, floor))
    for p in range(1, n_lags):
        explained = np.einsum("nj,nj->n", a[:, : p - 1], autocovariance[:, p - 1 : 0 : -1])
        partial = (autocovariance[:, p] - explained) / np.where(sound, error, 1.0)
        sound = sound & (np.abs(partial) < 1)
        partial = np.where(sound, partial, 0.0)
        a[:, : p - 1] -= partial[:, None] * a[:, : p - 1][:, ::-1]
        a[:, p - 1] = partial
        error = error * (1 - partial**2)
        score = count * np.log(np.maximum(error, floor)) + 2 * p
        better = sound & (score < best)
        best[better], order[better], chosen[better] = score[better], p, a[better]
    return chosen, order


def extended_autocovariance(
    autocovariance: np.ndarray, coefficients: np.ndarray, order: np.ndarray, max_lag: int
) -> np.ndarray:
    """Autocovariance of AR processes at any lag.

    Parameters
    ----------
    autocovariance : array of shape (n_rois, max_order + 1)
        To which they were fitted: up to its order a process has the very same one.
    coefficients : array of shape (n_rois, max_order)
    order : array of int of shape (n_rois,)
        See `yule_walker`.
    max_lag : int

    Returns
    -------
    array of shape (n_rois, max_lag + 1)
    """
    n_rois, max_order = coefficients.shape
    lags = np.zeros((n_rois, max_lag + 1))
    lags[:, 0] = autocovariance[:, 0]
    for h in range(1, max_lag + 1):
        back = np.abs(h - np.arange(1, max_order + 1))
        back = np.minimum(back, max_lag)  # beyond the order, where coefficients are 0
        lags[:, h] = np.einsum("nj,nj->n", coefficients, lags[:, back])
        if h <= max_order:
            lags[:, h] = np.where(h <= order, autocovariance[:, h], lags[:, h])
    return lags


def conditional_weights(
    autocovariance: np.ndarray, given: np.ndarray, wanted: np.ndarray
) -> np.ndarray:
    """Weights of the best linear prediction of some samples of a process from others.

    Parameters
    ----------
    autocovariance : array of shape (n_rois, n_lags)
    given, wanted : array of int of shape (n_given,) and (n_wanted,)
        Times in samples.

    Returns
    -------
    array of shape (n_rois, n_given, n_wanted)
        ``E[z_wanted | z_given] = z_given @ weights``.
    """
    inner = autocovariance[:, np.abs(given[:, None] - given)]
    outer = autocovariance[:, np.abs(given[:, None] - wanted)]
    scale = np.where(autocovariance[:, 0] > 0, autocovariance[:, 0], 1.0)
    inner = inner + _JITTER * scale[:, None, None] * np.eye(len(given))
    inner[autocovariance[:, 0] <= 0] = np.eye(len(given))
    weights: np.ndarray = np.linalg.solve(inner, outer)
    return weights
