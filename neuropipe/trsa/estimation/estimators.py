"""From patterns to representational dissimilarity matrices, by any measure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from neuropipe.errors import SettingsError, UnfitRecordingError
from neuropipe.trsa.estimation import dissimilarities
from neuropipe.trsa.patterns import Patterns
from neuropipe.trsa.rdms import RDMs

__all__ = ["CROSSVALIDATED", "MEASURES", "WHITENED", "check_measure", "estimate"]

Measure: TypeAlias = Callable[..., NDArray[np.float64]]

#: Functions of patterns (..., n_folds, n_conditions, n_channels) and trials (n_folds,
#: n_conditions) that return dissimilarities (..., n_pairs).
MEASURES: Mapping[str, Measure] = {
    "euclidean": dissimilarities.euclidean,
    "correlation": dissimilarities.correlation,
    "mahalanobis": dissimilarities.mahalanobis,
    "crossnobis": dissimilarities.crossnobis,
    "poisson": dissimilarities.poisson,
    "crossvalidated poisson": dissimilarities.crossvalidated_poisson,
}
#: Measures that take the noise covariance into account.
WHITENED = ("mahalanobis", "crossnobis")
#: Measures that compare folds with each other; they are not biased by noise.
CROSSVALIDATED = ("crossnobis", "crossvalidated poisson")


def estimate(patterns: Patterns, measure: str = "crossnobis") -> RDMs:
    """Estimate the RDM of a recording.

    Parameters
    ----------
    patterns : Patterns
        Channels that miss a value where a pattern is are left out, and conditions without any
        pattern (`Patterns.complete`); for Mahalanobis and crossnobis distances also channels
        without noise variance.
    measure : str
        One of `MEASURES`. Mahalanobis and crossnobis distances use the noise of the patterns;
        without it, crossnobis is the crossvalidated squared Euclidean distance.

    Returns
    -------
    RDMs
        Of one RDM. Crossvalidated values may be negative, and NaN where a pair of conditions
        shares no two folds.

    Raises
    ------
    SettingsError
        If the measure is unknown.
    UnfitRecordingError
        If the noise that Mahalanobis distances need is not known, crossvalidation lacks a second
        fold, or fewer than two channels are usable.
    InputError
        If a Poisson measure meets negative values.
    """
    function = check_measure(measure)
    used = patterns
    if not np.isfinite(used.values).all():
        used = used.complete()
    if measure == "mahalanobis" and used.noise is None:
        raise UnfitRecordingError(
            "patterns without residuals, hence without noise covariance",
            "two trials of a condition, or residuals of a model",
            "choose crossnobis, euclidean or correlation",
        )
    trials = np.where(used.present, np.maximum(used.n_trials, 1), 0)
    if measure in WHITENED and used.noise is not None:
        used = _audible(used)
        values = function(used.values, trials, used.noise)
    else:
        values = function(used.values, trials)
    return RDMs(values, used.conditions, measure)


def check_measure(measure: str) -> Measure:
    """Return the function of a measure.

    Raises
    ------
    SettingsError
        If there is none of this name.
    """
    if measure not in MEASURES:
        raise SettingsError(f"measure: {measure}", f"one of {', '.join(MEASURES)}", "choose one")
    return MEASURES[measure]


def _audible(patterns: Patterns) -> Patterns:
    """Leave out channels whose residuals do not vary: their precision would be infinite."""
    assert patterns.noise is not None
    silent = patterns.noise.silent
    if not silent.any():
        return patterns
    if (~silent).sum() < 2:
        raise UnfitRecordingError(
            f"{int((~silent).sum())} channels with noise variance",
            "at least 2",
            "choose a dissimilarity that needs no noise covariance",
        )
    return patterns.of_channels(~silent)
