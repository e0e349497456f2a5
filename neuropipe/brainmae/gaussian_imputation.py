"""ROIs filled in from the other ROIs of the same sample: Gaussian conditional means.

All three predictors are ``E[x_h | x_v] = S_hv (S_vv + a I)^-1 x_v`` with a covariance S of the
training samples: the sample covariance (`Wiener`), the same with a penalty a (`Ridge`), or that of
a probabilistic principal component analysis (`Pca`).

Axis legend: r runs, k segments, n ROIs, l samples of a segment, b segments of all runs.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import ClassVar, Self

import numpy as np

from neuropipe.brainmae.imputation import (
    centred,
    check_segments,
    draw_masks,
    filled,
    training_mean,
)

__all__ = [
    "PENALTIES",
    "Pca",
    "Ridge",
    "Wiener",
    "conditional_means",
    "covariance",
    "inner_splits",
    "masks_of_ratios",
    "ppca_covariance",
    "ppca_log_likelihoods",
]

#: Candidate penalties in units of the mean variance of the ROIs.
PENALTIES = np.logspace(-4, 1, 11)
_JITTER = 1e-9
_TUNING_RATIOS = (0.2, 0.5, 0.8)
_TUNING_SEGMENTS = 150  # held-out segments on which a penalty is chosen, each with its own mask
_CHUNK_BYTES = 64 * 2**20


class Wiener:
    """Gaussian conditional mean with the covariance of the training samples."""

    name: ClassVar[str] = "Wiener"
    slow: ClassVar[bool] = False

    mean_: np.ndarray
    covariance_: np.ndarray
    penalty_: float

    def fit(self, x: np.ndarray, present: np.ndarray) -> Self:
        """Learn from training segments; see `imputation.Predictor`."""
        self.mean_, self.covariance_ = covariance(x, present)
        self.penalty_ = _JITTER * _mean_variance(self.covariance_)
        return self

    @classmethod
    def of(cls, mean: np.ndarray, covariance: np.ndarray) -> Self:
        """The filter of a known mean (n_rois,) and covariance (n_rois, n_rois)."""
        made = cls()
        made.mean_, made.covariance_ = mean, covariance
        made.penalty_ = _JITTER * _mean_variance(covariance)
        return made

    def predict(self, x: np.ndarray, visible: np.ndarray) -> np.ndarray:
        """Fill in what is not visible; see `imputation.Predictor`."""
        check_segments(x, visible)
        n_rois, n_samples = x.shape[2:]
        z = centred(x, visible, self.mean_).reshape(-1, n_rois, n_samples)
        rows = visible.reshape(-1, n_rois)
        deviation = conditional_means(self.covariance_, z, rows, self.penalty_)
        return filled(x, visible, self.mean_, deviation.reshape(x.shape))


class Ridge(Wiener):
    """Ridge regression from the visible to the hidden ROIs, one for every mask.

    Parameters
    ----------
    penalty : float, optional
        In units of the mean variance of the ROIs. By default it is chosen from `PENALTIES` by the
        masked R2 on left-out training runs.
    n_folds : int
        Folds over training runs.
    seed : int
        Of folds and masks.

    Notes
    -----
    The same as sklearn's `Ridge` with ``alpha = penalty * mean variance * n_training_samples``.
    """

    name: ClassVar[str] = "ridge"

    def __init__(self, penalty: float | None = None, *, n_folds: int = 3, seed: int = 0) -> None:
        self.penalty = penalty
        self.n_folds = n_folds
        self.seed = seed

    def fit(self, x: np.ndarray, present: np.ndarray) -> Self:
        """Learn from training segments; see `imputation.Predictor`."""
        self.mean_, self.covariance_ = covariance(x, present)
        chosen = self._chosen(x, present) if self.penalty is None else self.penalty
        self.penalty_ = max(chosen, _JITTER) * _mean_variance(self.covariance_)
        return self

    def _chosen(self, x: np.ndarray, present: np.ndarray) -> float:
        rng = np.random.default_rng(self.seed)
        error = np.zeros(len(PENALTIES))
        for train, test in inner_splits(len(x), self.n_folds, rng):
            mean, fitted = covariance(x[train], present[train])
            z, seen, hidden = _tuning_segments(x[test], present[test], mean, rng)
            unit = _mean_variance(fitted)
            for i, penalty in enumerate(PENALTIES):
                guess = conditional_means(fitted, z * seen[..., None], seen, penalty * unit)
                error[i] += ((z - guess)[hidden] ** 2).sum()
        return float(PENALTIES[int(np.argmin(error))])


class Pca(Wiener):
    """Conditional mean of probabilistic PCA (Tipping & Bishop 1999).

    Parameters
    ----------
    n_components : int, optional
        By default chosen by the likelihood of left-out training runs.
    n_folds : int
        Folds over training runs.
    seed : int
        Of the folds.
    """

    name: ClassVar[str] = "PCA"

    n_components_: int

    def __init__(self, n_components: int | None = None, *, n_folds: int = 3, seed: int = 0) -> None:
        self.n_components = n_components
        self.n_folds = n_folds
        self.seed = seed

    def fit(self, x: np.ndarray, present: np.ndarray) -> Self:
        """Learn from training segments; see `imputation.Predictor`."""
        self.mean_, sample = covariance(x, present)
        chosen = self._chosen(x, present) if self.n_components is None else self.n_components
        self.n_components_ = min(chosen, len(sample) - 1)
        self.covariance_ = ppca_covariance(sample, self.n_components_)
        self.penalty_ = _JITTER * _mean_variance(self.covariance_)
        return self

    def _chosen(self, x: np.ndarray, present: np.ndarray) -> int:
        total = np.zeros(x.shape[2])
        rng = np.random.default_rng(self.seed)
        for train, test in inner_splits(len(x), self.n_folds, rng):
            mean, fitted = covariance(x[train], present[train])
            _, left_out = covariance(x[test], present[test], mean)
            total += present[test].sum() * ppca_log_likelihoods(fitted, left_out)
        return int(np.argmax(total))


def covariance(
    x: np.ndarray, present: np.ndarray, mean: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Covariance of the ROIs at one moment, pooled over runs.

    Parameters
    ----------
    x : array of shape (n_runs, n_segments, n_rois, n_samples)
    present : array of bool of shape (n_runs, n_segments, n_rois)
    mean : array of shape (n_rois,), optional
        About which it is taken; the mean of the present samples by default.

    Returns
    -------
    mean : array of shape (n_rois,)
    covariance : array of shape (n_rois, n_rois)
        Mean product over the samples in which both ROIs are present. Where these differ between
        pairs, negative eigenvalues are set to 0.
    """
    mean = training_mean(x, present) if mean is None else mean
    n_rois, n_samples = x.shape[2:]
    products, count = np.zeros((n_rois, n_rois)), np.zeros((n_rois, n_rois))
    for run, known in zip(x, present, strict=True):  # one at a time: it fits the cache
        z = np.where(known[..., None], run - mean[:, None], 0.0)
        rows = z.transpose(0, 2, 1).reshape(-1, n_rois)
        products += rows.T @ rows
        count += n_samples * (known.astype(float).T @ known)
    found = products / np.maximum(count, 1)
    if count.min() < count.max():
        values, vectors = np.linalg.eigh(found)
        found = (vectors * np.maximum(values, 0)) @ vectors.T
    return mean, found


def conditional_means(
    covariance: np.ndarray, z: np.ndarray, visible: np.ndarray, penalty: float = 0.0
) -> np.ndarray:
    """Conditional means of many segments, each with its own mask.

    Parameters
    ----------
    covariance : array of shape (n_rois, n_rois)
    z : array of shape (n_segments, n_rois, n_samples)
        Centred.
    visible : array of bool of shape (n_segments, n_rois)
        Values of `z` that are not visible are not looked at.
    penalty : float
        Added to the variances of the visible ROIs.

    Returns
    -------
    array of shape (n_segments, n_rois, n_samples)
        0 where nothing is visible.
    """
    found = np.zeros(z.shape)
    count = visible.sum(axis=1)
    for size in np.unique(count[count > 0]):
        step = max(1, int(_CHUNK_BYTES / (8 * size * len(covariance))))
        same = np.flatnonzero(count == size)
        for rows in np.split(same, np.arange(step, len(same), step)):
            given = np.argsort(~visible[rows], axis=1, kind="stable")[:, :size]
            inner = covariance[given[:, :, None], given[:, None, :]] + penalty * np.eye(size)
            values = np.take_along_axis(z[rows], given[:, :, None], axis=1)
            found[rows] = covariance[given].transpose(0, 2, 1) @ np.linalg.solve(inner, values)
    return found


def inner_splits(
    n_runs: int, n_folds: int, rng: np.random.Generator
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Part training runs for the choice of a parameter; a single run is on both sides.

    Parameters
    ----------
    n_runs, n_folds : int
    rng : numpy.random.Generator

    Yields
    ------
    train, test : array of int
        Positions of runs.
    """
    order = rng.permutation(n_runs)
    if n_runs < 2:
        yield order, order
        return
    for test in np.array_split(order, min(max(n_folds, 2), n_runs)):
        yield np.setdiff1d(order, test), np.sort(test)


def ppca_covariance(sample: np.ndarray, n_components: int) -> np.ndarray:
    """Covariance of probabilistic PCA fitted to a sample covariance.

    Parameters
    ----------
    sample : array of shape (n_rois, n_rois)
    n_components : int
        Below n_rois.

    Returns
    -------
    array of shape (n_rois, n_rois)
        ``W W' + s2 I``: the leading eigenvalues are kept, the others replaced by their mean.

    Notes
    -----
    Tipping & Bishop 1999, eqs. 7 and 8; sklearn's `PCA.get_covariance`.
    """
    values, vectors = np.linalg.eigh(sample)
    n_rest = len(values) - n_components
    values[:n_rest] = values[:n_rest].mean()
    return np.asarray((vectors * values) @ vectors.T)


def ppca_log_likelihoods(sample: np.ndarray, left_out: np.ndarray) -> np.ndarray:
    """Mean log-likelihood of left-out samples under PPCA with 0, 1, ... components.

    Parameters
    ----------
    sample, left_out : array of shape (n_rois, n_rois)
        Covariances of the training and of the left-out samples, about the same mean.

    Returns
    -------
    array of shape (n_rois,)
        Entry q for q components, up to a constant. Samples count as independent.
    """
    values, vectors = np.linalg.eigh(sample)
    values, vectors = np.maximum(values[::-1], 0), vectors[:, ::-1]
    n_rois = len(values)
    spread = np.einsum("ij,ik,kj->j", vectors, left_out, vectors, optimize=True)
    floor = _JITTER * _mean_variance(sample)
    kept = np.maximum(values, floor)
    leading = np.concatenate([[0.0], np.cumsum(np.log(kept) + spread / kept)[:-1]])
    n_rest = n_rois - np.arange(n_rois)
    noise = np.maximum(np.cumsum(values[::-1])[::-1] / n_rest, floor)
    rest = np.cumsum(spread[::-1])[::-1]
    return np.asarray(-(leading + n_rest * np.log(noise) + rest / noise) / 2)


def _tuning_segments(
    x: np.ndarray, present: np.ndarray, mean: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Some segments (centred), what is visible of them and what is hidden, at several ratios."""
    n_rois, n_samples = x.shape[2:]
    chosen = rng.permutation(x.shape[0] * x.shape[1])[:_TUNING_SEGMENTS]
    z = centred(x, present, mean).reshape(-1, n_rois, n_samples)[chosen]
    known = present.reshape(-1, n_rois)[chosen]
    visible = masks_of_ratios(rng, len(chosen), n_rois, _TUNING_RATIOS)
    return z, visible & known, ~visible & known


def masks_of_ratios(
    rng: np.random.Generator, n_masks: int, n_rois: int, ratios: Sequence[float]
) -> np.ndarray:
    """Masks (n_masks, n_rois), True where visible, that take the ratios in turn."""
    drawn = [draw_masks(rng, 1, 1, n_rois, ratios[i % len(ratios)])[0, 0] for i in range(n_masks)]
    return np.array(drawn).reshape(n_masks, n_rois)


def _mean_variance(covariance: np.ndarray) -> float:
    return float(np.trace(covariance)) / len(covariance) or 1.0
