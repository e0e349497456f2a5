"""RDMs over time: all times at once.

Axes: f folds, n conditions, p channels, t times.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from neuropipe.errors import InputError, UnfitRecordingError
from neuropipe.trsa.estimation.estimators import WHITENED, check_measure
from neuropipe.trsa.noise import Noise
from neuropipe.trsa.rdms import RDMs

__all__ = ["movie"]

_MOST = 1 << 24  # numbers that are copied at once (128 MB)


def movie(
    values: np.ndarray,
    times: np.ndarray,
    conditions: Sequence[str],
    measure: str = "crossnobis",
    *,
    noise: Noise | None = None,
    n_trials: np.ndarray | None = None,
) -> RDMs:
    """Estimate an RDM at every time.

    Parameters
    ----------
    values : array of shape (n_folds, n_conditions, n_channels, n_times)
        NaN where a fold lacks a condition. A channel that misses a value elsewhere, at any time,
        is left out at all times, so that RDMs differ by their time alone.
    times : array of shape (n_times,)
        In s, or the middles of bins.
    conditions : sequence of str
    measure : str
        One of `neuropipe.trsa.estimators.MEASURES`.
    noise : Noise, optional
        Shared by all times: it does not follow changes of the noise over time, which would mix
        with those of the distances. Needed for Mahalanobis distances.
    n_trials : array of int of shape (n_folds, n_conditions), optional
        Weights of means over folds; default: folds count alike.

    Returns
    -------
    RDMs
        One a time, with a column ``time`` in its items.

    Raises
    ------
    InputError
        If the parts do not fit each other.
    SettingsError
        If the measure is unknown.
    UnfitRecordingError
        If no two channels are complete, the noise that is needed is not given, or crossvalidation
        lacks a second fold.
    """
    function = check_measure(measure)
    data = np.asarray(values, dtype=np.float64)
    if data.ndim != 4 or (data.shape[1], data.shape[3]) != (len(conditions), len(times)):
        raise InputError(
            f"values of shape {data.shape} for {len(conditions)} conditions and {len(times)} times",
            "(n_folds, n_conditions, n_channels, n_times)",
            "order the axes",
        )
    if measure == "mahalanobis" and noise is None:
        raise UnfitRecordingError(
            "Mahalanobis distances without a noise covariance",
            "residuals",
            "choose crossnobis, euclidean or correlation",
        )
    there = np.asarray(np.isfinite(data))
    present = np.asarray(there.any(axis=(2, 3)))
    weights = np.ones(present.shape, int) if n_trials is None else np.asarray(n_trials)
    if weights.shape != present.shape:
        raise InputError(
            f"numbers of trials of shape {weights.shape}", f"{present.shape}", "count every pattern"
        )
    usable = (there | ~present[:, :, None, None]).all(axis=(0, 1, 3))
    shared = noise if measure in WHITENED else None
    if shared is not None:
        usable &= ~shared.silent
        shared = shared.of_channels(usable)
    n_lacking = int((~present.any(axis=0)).sum())
    if usable.sum() < 2 or n_lacking:
        raise UnfitRecordingError(
            f"{int(usable.sum())} complete channels, {n_lacking} conditions in no fold",
            "at least 2 channels and every condition",
            "leave out what is rarely recorded",
        )
    weights = np.where(present, np.maximum(weights, 1), 0)
    step = max(1, _MOST // max(1, data[..., 0].size))
    parts = []
    for start in range(0, len(times), step):
        batch = data[:, :, usable, start : start + step]
        moved = np.ascontiguousarray(np.moveaxis(batch, -1, 0))
        parts.append(function(moved, weights, *([] if shared is None else [shared])))
    items = pd.DataFrame({"time": np.asarray(times, dtype=np.float64)})
    return RDMs(np.concatenate(parts), tuple(conditions), measure, items)
