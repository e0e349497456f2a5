"""Confidence intervals by resampling what is independent: subjects, or blocks of time.

Samples of one subject, edges of one matrix and neighbouring frames are not independent; an interval
over them is far too narrow.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np

from neuropipe.errors import UnfitRecordingError

__all__ = [
    "Interval",
    "bootstrap_interval",
    "bootstrap_weights",
    "jackknife_interval",
    "paired_difference_interval",
    "percentile_interval",
]

Interval = tuple[float, float]
CONFIDENCE = 0.95


def bootstrap_interval(
    values: np.ndarray,
    statistic: Callable[..., np.ndarray] = np.mean,
    *,
    confidence: float = CONFIDENCE,
    n_resamples: int = 2000,
    method: Literal["percentile", "bca"] = "bca",
    seed: int = 0,
) -> Interval:
    """Bootstrap interval of a statistic over independent units.

    Parameters
    ----------
    values : array of shape (n_subjects,) or (n_subjects, n_variables)
        One row a subject; rows are drawn with replacement, variables stay together.
    statistic : callable
        Of ``(*variables, axis)``, vectorised over `axis`, as `scipy.stats.bootstrap` wants it.
    confidence : float
        Share of intervals that hold the truth.
    n_resamples : int
    method : {"percentile", "bca"}
        Bias-corrected and accelerated (Efron 1987), or plain percentiles. Where the former is
        undefined (no spread) the latter is given.
    seed : int

    Returns
    -------
    tuple of float
        Lower and upper end.

    Raises
    ------
    UnfitRecordingError
        If there are fewer than two subjects.
    """
    from scipy.stats import DegenerateDataWarning, bootstrap

    rows = np.asarray(values, float)
    _need_two(len(rows))
    variables = (rows,) if rows.ndim == 1 else tuple(rows.T)

    def interval(kind: str) -> Interval:
        with warnings.catch_warnings(), np.errstate(invalid="ignore", divide="ignore"):
            warnings.simplefilter("ignore", DegenerateDataWarning)  # percentiles are given instead
            found = bootstrap(
                variables,
                statistic,
                paired=True,
                vectorized=True,
                n_resamples=n_resamples,
                confidence_level=confidence,
                method=kind,
                rng=np.random.default_rng(seed),
            ).confidence_interval
        return float(found.low), float(found.high)

    if method == "bca" and np.ptp(rows, axis=0).any():
        ends = interval("BCa")
        if np.isfinite(ends).all():
            return ends
    return interval("percentile")


def paired_difference_interval(
    first: np.ndarray,
    second: np.ndarray,
    *,
    confidence: float = CONFIDENCE,
    n_resamples: int = 2000,
    seed: int = 0,
) -> Interval:
    """Bootstrap interval of the mean difference between two scores of the same subjects.

    Parameters
    ----------
    first, second : arrays of shape (n_subjects,)
        Scores of the same subjects in the same order; subjects with a NaN are left out.
    confidence, n_resamples, seed
        See `bootstrap_interval`.

    Returns
    -------
    tuple of float
        Ends of the interval of ``mean(first - second)``.

    Raises
    ------
    UnfitRecordingError
        If fewer than two subjects have both scores.
    """
    difference = np.asarray(first, float) - np.asarray(second, float)
    return bootstrap_interval(
        difference[np.isfinite(difference)],
        confidence=confidence,
        n_resamples=n_resamples,
        seed=seed,
    )


def bootstrap_weights(
    n_samples: int,
    n_resamples: int,
    rng: np.random.Generator,
    *,
    strata: Sequence[object] | np.ndarray | None = None,
    groups: Sequence[object] | np.ndarray | None = None,
) -> np.ndarray:
    """How often every sample is drawn in every resample.

    Parameters
    ----------
    n_samples : int
    n_resamples : int
    rng : numpy.random.Generator
    strata : sequence of length n_samples, optional
        Classes that are resampled apart, so that each keeps its size.
    groups : sequence of length n_samples, optional
        Families that are drawn as wholes, because their members are not independent; strata do
        not apply then. Resamples differ in their size where families do.

    Returns
    -------
    array of shape (n_resamples, n_samples)
        Counts; without groups each row sums to `n_samples`.
    """
    if groups is not None:
        _, member = np.unique(np.asarray(groups), return_inverse=True)
        return bootstrap_weights(int(member.max()) + 1, n_resamples, rng)[:, member]
    names = np.zeros(n_samples) if strata is None else np.asarray(strata)
    weights = np.zeros((n_resamples, n_samples))
    for name in np.unique(names):
        where = np.flatnonzero(names == name)
        share = np.full(len(where), 1 / len(where))
        weights[:, where] = rng.multinomial(len(where), share, size=n_resamples)
    return weights


def percentile_interval(draws: np.ndarray, *, confidence: float = CONFIDENCE) -> Interval:
    """Central interval of bootstrap draws.

    Parameters
    ----------
    draws : array of shape (n_resamples,)
        NaN draws are left out.
    confidence : float

    Raises
    ------
    UnfitRecordingError
        If no draw is a number.
    """
    finite = np.asarray(draws, float)
    finite = finite[np.isfinite(finite)]
    if not len(finite):
        raise UnfitRecordingError(
            "a bootstrap without any defined draw", "a defined statistic", "add subjects"
        )
    tail = (1 - confidence) / 2
    low, high = np.quantile(finite, [tail, 1 - tail])
    return float(low), float(high)


def jackknife_interval(
    value: float, left_out: np.ndarray, *, confidence: float = CONFIDENCE
) -> Interval:
    """Interval of a statistic from its values with one block (or unit) left out in turn.

    Parameters
    ----------
    value : float
        The statistic of all data.
    left_out : array of shape (n_blocks,)
        The statistic without each block.
    confidence : float

    Returns
    -------
    tuple of float
        ``value -+ t * se``, t with ``n_blocks - 1`` degrees of freedom.

    Raises
    ------
    UnfitRecordingError
        If there are fewer than two blocks.

    Notes
    -----
    Variance of the delete-one jackknife, ``(b - 1) / b * sum((theta_i - mean theta)^2)``; with
    contiguous blocks of a series that outlast its autocorrelation it is the block jackknife of
    Kuensch 1989. Unlike percentiles of a bootstrap of few blocks, the t interval keeps its
    coverage.
    """
    from scipy.special import stdtrit

    draws = np.asarray(left_out, float)
    _need_two(len(draws))
    n = len(draws)
    error = np.sqrt((n - 1) / n * np.sum((draws - draws.mean()) ** 2))
    reach = float(stdtrit(n - 1, 0.5 + confidence / 2) * error)
    return float(value) - reach, float(value) + reach


def _need_two(n: int) -> None:
    if n < 2:
        raise UnfitRecordingError(
            f"{n} independent observation", "at least two for an interval", "add subjects"
        )
