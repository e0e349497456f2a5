"""RDMs of single trials, whatever their numbers.

Sums over pairs of trials are products of sums over trials, minus the pairs within folds: no pair of
trials is ever visited.
"""

from __future__ import annotations

import numpy as np

from neuropipe.errors import InputError, SettingsError
from neuropipe.trsa.noise import Noise

__all__ = ["crossvalidated_trials", "euclidean_trials", "fold_means"]


def fold_means(
    values: np.ndarray, condition: np.ndarray, fold: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Average trials within folds and conditions.

    Parameters
    ----------
    values : array of shape (n_trials, n_channels)
        NaN where a trial misses a channel.
    condition, fold : array of int of shape (n_trials,)
        Numbers from 0.

    Returns
    -------
    means : array of shape (n_folds, n_conditions, n_channels)
        Over the trials that have the channel; NaN where none has.
    n_trials : array of int of shape (n_folds, n_conditions)
        Trials with any value.

    Raises
    ------
    InputError
        If the parts do not fit each other.
    """
    trials, condition, fold = _checked(values, condition, fold)
    sums, counts = _sums(trials, condition, fold)
    means = np.divide(sums, counts, out=np.full(sums.shape, np.nan), where=counts > 0)
    n_trials = np.zeros(sums.shape[:2], dtype=int)
    np.add.at(n_trials, (fold, condition), np.isfinite(trials).any(axis=1))
    return means, n_trials


def euclidean_trials(values: np.ndarray, condition: np.ndarray) -> np.ndarray:
    """Squared Euclidean distances of the means over trials, per channel.

    Parameters
    ----------
    values : array of shape (n_trials, n_channels)
        NaN where a trial misses a channel.
    condition : array of int of shape (n_trials,)

    Returns
    -------
    array of shape (n_pairs,)
        Inner products of trials are averaged over all pairs of trials and the channels that both
        have. Biased by noise, the more the fewer trials a condition has.

    Raises
    ------
    InputError
        If the parts do not fit each other.
    """
    trials, condition, fold = _checked(values, condition, np.zeros(len(values), dtype=int))
    sums, counts = (part[0] for part in _sums(trials, condition, fold))
    return _distances(sums @ sums.T, counts @ counts.T)


def crossvalidated_trials(
    values: np.ndarray, condition: np.ndarray, fold: np.ndarray, noise: Noise | None = None
) -> np.ndarray:
    """Crossnobis distances of unequal numbers of trials: unbiased, may be negative.

    Parameters
    ----------
    values : array of shape (n_trials, n_channels)
        NaN where a trial misses a channel.
    condition, fold : array of int of shape (n_trials,)
        Numbers from 0. Trials of one fold are never compared; give each trial a fold of its own
        where trials are independent.
    noise : Noise, optional
        Without it the distance is Euclidean.

    Returns
    -------
    array of shape (n_pairs,)
        ``s_ii + s_jj - 2 s_ij`` with the similarity s of two conditions, the mean inner product
        over pairs of trials of different folds and the channels that both have; NaN where no pair
        of folds tells one of the three.

    Raises
    ------
    InputError
        If the parts do not fit each other.
    SettingsError
        If trials miss channels and are to be whitened, which would spread the gaps.

    Notes
    -----
    With sums X_f (n, p) over the trials of a fold and X over all, the numerator is
    ``X X^T - sum_f X_f X_f^T``; the same expression of numbers of trials is the denominator. Every
    pair of trials counts alike, so that folds and conditions with more trials weigh more. Where
    trials are unequal over folds, an offset that all trials share no longer cancels: subtract the
    mean of every fold first if the baseline is large or drifts.
    """
    trials, condition, fold = _checked(values, condition, fold)
    known = np.isfinite(trials)
    if noise is not None:
        if not known.all():
            raise SettingsError(
                f"{int((~known).any(axis=1).sum())} trials that miss channels, and a noise "
                "covariance",
                "complete trials",
                "leave out the trials or the channels",
            )
        trials = noise.whiten(trials)
    sums, counts = _sums(trials, condition, fold)
    return _distances(_between(sums), _between(counts))


def _checked(
    values: np.ndarray, condition: np.ndarray, fold: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    trials = np.asarray(values, dtype=np.float64)
    condition, fold = np.asarray(condition), np.asarray(fold)
    fits = trials.ndim == 2 and condition.shape == fold.shape == trials.shape[:1]
    if not fits or not len(trials):
        raise InputError(
            f"trials of shape {trials.shape}, conditions of {condition.shape}, folds of "
            f"{fold.shape}",
            "(n_trials, n_channels), (n_trials,), (n_trials,)",
            "give one condition and one fold a trial",
        )
    for name, numbers in (("condition", condition), ("fold", fold)):
        if numbers.dtype.kind not in "iu" or numbers.min() < 0:
            raise InputError(f"a {name} of {numbers.min()}", "whole numbers from 0", "number them")
    return trials, condition, fold


def _sums(
    trials: np.ndarray, condition: np.ndarray, fold: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Sums of known values and their numbers, each (n_folds, n_conditions, n_channels)."""
    shape = (int(fold.max()) + 1, int(condition.max()) + 1, trials.shape[1])
    cell = fold * shape[1] + condition
    order = np.argsort(cell, kind="stable")
    starts = np.flatnonzero(np.diff(cell[order], prepend=-1))
    known = np.isfinite(trials[order])
    sums, counts = np.zeros((2, shape[0] * shape[1], shape[2]))
    filled = cell[order][starts]
    sums[filled] = np.add.reduceat(np.where(known, trials[order], 0.0), starts, axis=0)
    counts[filled] = np.add.reduceat(known.astype(np.float64), starts, axis=0)
    return sums.reshape(shape), counts.reshape(shape)


def _between(parts: np.ndarray) -> np.ndarray:
    """Sum of products over different folds, shape (n_conditions, n_conditions)."""
    total = parts.sum(axis=0)
    within = sum(part @ part.T for part in parts)
    return np.asarray(total @ total.T - within)


def _distances(products: np.ndarray, counts: np.ndarray) -> np.ndarray:
    similarity = np.divide(
        products, counts, out=np.full(products.shape, np.nan), where=counts > 0.5
    )
    rows, columns = np.triu_indices(len(similarity), 1)
    own = np.diagonal(similarity)
    return np.asarray(own[rows] + own[columns] - 2 * similarity[rows, columns])
