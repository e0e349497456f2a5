"""How many dimensions a representation uses: participation ratio and effective rank.

Axes: r repeats, n conditions, p units.
"""

from __future__ import annotations

from typing import Literal

import numpy as np

from neuropipe.errors import InputError, UnfitRecordingError
from neuropipe.trsa.geometry.arrays import complete, condition_means, patterns_of
from neuropipe.trsa.geometry.estimates import independent_kernels
from neuropipe.trsa.geometry.kernels import (
    centred,
    distances,
    hsic,
    linear_kernel,
    mean_over_distinct,
)

__all__ = ["Correction", "effective_rank", "participation_ratio", "spectrum"]

Correction = Literal["none", "trials", "stimuli", "both"]


def spectrum(values: np.ndarray) -> np.ndarray:
    """Eigenvalues of the covariance of units over conditions.

    Parameters
    ----------
    values : array of shape (n_conditions, n_units) or (n_repeats, n_conditions, n_units)
        Condition means are taken over repeats.

    Returns
    -------
    array of shape (min(n_conditions - 1, n_units),)
        Descending, not negative.
    """
    patterns = patterns_of(values)
    n = min(len(patterns) - 1, patterns.shape[1])
    return np.asarray(np.linalg.svd(patterns, compute_uv=False)[:n] ** 2 / len(patterns))


def effective_rank(values: np.ndarray) -> float:
    """Exponential of the entropy of a normalised spectrum.

    Parameters
    ----------
    values : array of shape (n,)
        Eigenvalues, or singular values; not negative.

    Returns
    -------
    float
        1 to n; NaN if all are zero. Number of values where they are equal.

    Raises
    ------
    InputError
        If a value is clearly negative.

    Notes
    -----
    Roy & Vetterli 2007, who take singular values.
    """
    sizes = np.asarray(values, dtype=np.float64).ravel()
    if (sizes < -1e-9 * np.abs(sizes).max(initial=0)).any():
        raise InputError(
            f"a spectrum with {sizes.min():.3g}", "values that are not negative", "clip or square"
        )
    total = np.clip(sizes, 0, None).sum()
    if not total > 0:
        return float("nan")
    shares = sizes[sizes > 0] / total
    return float(np.exp(-(shares * np.log(shares)).sum()))


def participation_ratio(
    values: np.ndarray,
    *,
    correct: Correction = "none",
    n_splits: int = 20,
    seed: int = 0,
) -> float:
    """(tr C)^2 / tr C^2 of the covariance C of the units.

    Parameters
    ----------
    values : array of shape (n_conditions, n_units) or (n_repeats, n_conditions, n_units)
        NaN as in `arrays.complete`.
    correct : {"none", "trials", "stimuli", "both"}
        What to correct for. ``"trials"``: noise of the trials, which inflates it; conditions are
        those of the design. ``"stimuli"``: few conditions drawn from many, which limit it to
        n - 1. Each corrected value is a ratio of two unbiased estimates.
    n_splits : int
        Halvings of the repeats.
    seed : int

    Returns
    -------
    float
        1 to min(n - 1, p) without correction; NaN where a corrected estimate of a size that must
        be positive is not: there is no signal to measure.

    Raises
    ------
    UnfitRecordingError
        If trials shall be corrected for with fewer than four repeats, or stimuli with fewer than
        four conditions.

    Notes
    -----
    Trials: tr C and tr C^2 are traces of (products of) kernels of disjoint halves of the repeats,
    each crossvalidated. Stimuli: (tr C)^2 is the mean product of half squared distances of two
    disjoint pairs of stimuli; tr C^2 the unbiased HSIC of the kernel with itself (Song et al.
    2012).
    """
    if correct == "none":
        kernel = linear_kernel(patterns_of(values))
        return _ratio(np.trace(kernel) ** 2, (kernel**2).sum())
    if correct != "trials" and complete(values).shape[1] < 4:
        raise UnfitRecordingError(
            "three conditions", "at least four to correct for few of them", "correct for trials"
        )
    if correct == "stimuli":
        kernel = linear_kernel(condition_means(values))
        return _stimulus_ratio([(kernel, kernel)])
    halves = independent_kernels(values, n_splits=n_splits, seed=seed)
    if correct == "both":
        return _stimulus_ratio([(one, two) for one, two in halves])
    one, two = centred(halves[:, 0]), centred(halves[:, 1])
    traces = np.trace(one, axis1=1, axis2=2) * np.trace(two, axis1=1, axis2=2)
    return _ratio(traces.mean(), (one * two).sum(axis=(1, 2)).mean())


def _stimulus_ratio(pairs: list[tuple[np.ndarray, np.ndarray]]) -> float:
    above = [mean_over_distinct(distances(a) / 2, distances(b) / 2) for a, b in pairs]
    below = [hsic(a, b) for a, b in pairs]
    return _ratio(np.mean(above), np.mean(below))


def _ratio(above: float | np.floating, below: float | np.floating) -> float:
    if not (above > 0 and below > 0):
        return float("nan")
    return float(above / below)
