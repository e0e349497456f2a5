"""Trials in long form, and their patterns: one response a trial, its condition, its fold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from neuropipe.errors import InputError
from neuropipe.trsa.noise import Noise
from neuropipe.trsa.patterns import Patterns

__all__ = ["Trials", "contiguous_folds", "trial_patterns"]


@dataclass(frozen=True, eq=False)
class Trials:
    """Responses of all channels to single trials.

    Parameters
    ----------
    values : array of shape (n_trials, n_channels)
        NaN where a channel or trial is missing.
    condition, fold : array of int of shape (n_trials,)
        Positions in `conditions` and `folds`.
    conditions, folds, channels : tuple of str
        Names.
    unit : str
        What the values are measured in.
    """

    values: np.ndarray
    condition: np.ndarray
    fold: np.ndarray
    conditions: tuple[str, ...]
    folds: tuple[str, ...]
    channels: tuple[str, ...]
    unit: str = ""

    def __post_init__(self) -> None:
        n = len(self.values)
        if len(self.condition) != n or len(self.fold) != n:
            raise InputError(
                f"{n} trials, {len(self.condition)} conditions, {len(self.fold)} folds",
                "one condition and one fold a trial",
                "name every trial",
            )


def contiguous_folds(condition: np.ndarray, n_folds: int) -> np.ndarray:
    """Part the trials of every condition into folds, in the order they were presented.

    Parameters
    ----------
    condition : array of int of shape (n_trials,)
        In the order of time.
    n_folds : int
        At most; no more than the condition with the fewest trials has.

    Returns
    -------
    array of int of shape (n_trials,)
        Trials of one fold follow each other, so that slow drifts stay within folds as far as
        possible.
    """
    numbers = np.asarray(condition)
    counts = np.bincount(numbers)
    n = int(max(1, min(n_folds, counts[counts > 0].min(initial=n_folds))))
    fold = np.zeros(len(numbers), dtype=int)
    for k in np.flatnonzero(counts):
        where = np.flatnonzero(numbers == k)
        fold[where] = np.arange(len(where)) * n // len(where)
    return fold


def _grouped(values: np.ndarray, group: np.ndarray, n_groups: int) -> tuple[np.ndarray, np.ndarray]:
    """Mean of each group of trials where values are known, and how many there are."""
    known = np.isfinite(values)
    total = np.zeros((n_groups, values.shape[1]))
    count = np.zeros((n_groups, values.shape[1]))
    np.add.at(total, group, np.where(known, values, 0.0))
    np.add.at(count, group, known)
    mean = np.divide(total, count, out=np.full(total.shape, np.nan), where=count > 0)
    return mean, count


def trial_patterns(trials: Trials, shrinkage: str | float = "diagonal") -> Patterns:
    """Average trials to patterns, and estimate their noise covariance.

    Parameters
    ----------
    trials : Trials
    shrinkage : {"diagonal", "identity"} or float
        See `neuropipe.trsa.noise.Noise.of_residuals`.

    Returns
    -------
    Patterns
        The noise is that of single trials about the mean of their fold and condition or, where
        folds hold hardly more than one trial of a condition, of their condition; None where that
        leaves too few degrees of freedom. It rests on trials that miss none of the channels that
        have all patterns; other channels are silent in it (`Patterns.complete` leaves them out).
    """
    values = np.asarray(trials.values, dtype=np.float64)
    n_conditions, n_folds = len(trials.conditions), len(trials.folds)
    cell = trials.fold * n_conditions + trials.condition
    mean, _ = _grouped(values, cell, n_folds * n_conditions)
    n_trials = np.zeros(n_folds * n_conditions, dtype=int)
    np.add.at(n_trials, cell, np.isfinite(values).any(axis=1))
    usable = np.isfinite(mean[n_trials > 0]).all(axis=0)
    return Patterns(
        values=mean.reshape(n_folds, n_conditions, -1),
        conditions=trials.conditions,
        channels=trials.channels,
        folds=trials.folds,
        n_trials=n_trials.reshape(n_folds, n_conditions),
        noise=_noise(values, usable, (cell, trials.condition), shrinkage),
        unit=trials.unit,
    )


def _noise(
    values: np.ndarray, usable: np.ndarray, groupings: Sequence[np.ndarray], shrinkage: str | float
) -> Noise | None:
    """Noise about the means of the first grouping that leaves enough degrees of freedom."""
    complete = np.isfinite(values[:, usable]).all(axis=1)
    if complete.sum() < 3 or not usable.any():
        return None
    used = np.where(usable, values[complete], 0.0)
    for grouping in groupings:
        group = np.unique(grouping[complete], return_inverse=True)[1]
        n_groups = int(group.max()) + 1
        df = len(used) - n_groups
        if df >= max(2, n_groups // 2):
            residuals = used - _grouped(used, group, n_groups)[0][group]
            # Patterns that never vary within a group tell nothing of noise.
            return Noise.of_residuals(residuals, df, shrinkage) if residuals.any() else None
    return None
