"""What every measure of geometry takes: responses over repeats, conditions and units.

Axes: r repeats, n conditions, p units, t trials.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from neuropipe.errors import InputError, UnfitRecordingError

__all__ = ["Trials", "complete", "condition_means", "flatten", "patterns_of"]


class Trials(NamedTuple):
    """The trials that are there, one row each.

    Parameters
    ----------
    values : array of shape (n_trials, n_units)
    conditions, repeats : arrays of int of shape (n_trials,)
    """

    values: np.ndarray
    conditions: np.ndarray
    repeats: np.ndarray


def complete(values: np.ndarray) -> np.ndarray:
    """Leave out units that miss a value in any trial that is there.

    Parameters
    ----------
    values : array of shape (n_repeats, n_conditions, n_units) or (n_conditions, n_units)
        NaN where missing; a trial without any value is not there. Two axes are one repeat.

    Returns
    -------
    array of shape (n_repeats, n_conditions, n_kept)
        Missing trials are NaN throughout; nothing else is.

    Raises
    ------
    InputError
        If the axes are not two or three.
    UnfitRecordingError
        If fewer than two units or three conditions remain, or a condition has no trial.
    """
    trials = np.asarray(values, dtype=np.float64)
    if trials.ndim == 2:
        trials = trials[None]
    if trials.ndim != 3:
        raise InputError(
            f"responses of shape {np.shape(values)}",
            "(n_repeats, n_conditions, n_units)",
            "give one axis each to repeats, conditions and units",
        )
    known = np.isfinite(trials)
    present = np.asarray(known.any(axis=2))
    kept = (known | ~present[:, :, None]).all(axis=(0, 1))
    if not present.any(axis=0).all():
        raise UnfitRecordingError(
            f"condition {int(np.argmin(present.any(axis=0)))} without any trial",
            "at least one trial a condition",
            "leave that condition out",
        )
    if kept.sum() < 2 or trials.shape[1] < 3:
        raise UnfitRecordingError(
            f"{trials.shape[1]} conditions over {int(kept.sum())} complete units",
            "at least 3 conditions and 2 units",
            "leave out units or trials that are rarely recorded",
        )
    found: np.ndarray = np.where(present[:, :, None], trials[:, :, kept], np.nan)
    return found


def condition_means(values: np.ndarray) -> np.ndarray:
    """Mean over the trials of each condition, shape (n_conditions, n_kept); see `complete`."""
    means: np.ndarray = np.nanmean(complete(values), axis=0)
    return means


def patterns_of(values: np.ndarray) -> np.ndarray:
    """Condition means less their mean over conditions, shape (n_conditions, n_kept)."""
    means = condition_means(values)
    centred: np.ndarray = means - means.mean(axis=0)
    return centred


def flatten(values: np.ndarray) -> Trials:
    """Put the trials that are there in rows, repeat by repeat; see `complete`."""
    trials = complete(values)
    repeats, conditions = np.nonzero(np.isfinite(trials[:, :, 0]))
    return Trials(trials[repeats, conditions], conditions, repeats)
