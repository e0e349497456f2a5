"""How well the RDM of a subject repeats, and whether conditions can be told apart at all."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np

from neuropipe.stats.permutation import permutation_p_value
from neuropipe.stats.resampling import Interval
from neuropipe.trsa.comparison.compare import compare
from neuropipe.trsa.comparison.weighted import FAST, compare_draws
from neuropipe.trsa.estimation.estimators import estimate
from neuropipe.trsa.inference.resample import draw_counts
from neuropipe.trsa.inference.shuffling import shuffled_comparisons
from neuropipe.trsa.inference.testing import t_test
from neuropipe.trsa.patterns import Patterns
from neuropipe.trsa.rdms import n_conditions_of

__all__ = ["Discrimination", "Reliability", "discriminate", "halves_agree", "usable_measure"]

_PLAIN = {"crossnobis": "mahalanobis", "crossvalidated poisson": "poisson"}
_MOST_SPLITS = 20
_LEAST_CONDITIONS = 4
_DRAWS = 200  # of conditions, for the interval


def usable_measure(patterns: Patterns, measure: str) -> str:
    """The measure, or its plain form where folds or noise are lacking.

    Parameters
    ----------
    patterns : Patterns
    measure : str
        As in the settings.

    Returns
    -------
    str
        `measure` itself where two folds share conditions; else ``mahalanobis``, ``euclidean`` or
        ``poisson``.
    """
    folds = patterns.present.sum(axis=0)
    if measure in _PLAIN and (len(patterns.folds) < 2 or (folds < 2).any()):
        measure = _PLAIN[measure]
    return "euclidean" if measure == "mahalanobis" and patterns.noise is None else measure


@dataclass(frozen=True, eq=False)
class Reliability:
    """Likeness of the RDMs of two halves of the folds.

    Parameters
    ----------
    value : float
        Mean over splits; NaN where there is one fold, or no two halves share four conditions.
    p : float
        Against conditions that were shuffled in one half.
    null : array of shape (n_permutations,)
    n_splits : int
    interval : (low, high)
        95 %, for new conditions; NaN where it cannot be had.
    """

    value: float
    p: float
    null: np.ndarray
    n_splits: int
    interval: Interval = (float("nan"), float("nan"))


def halves_agree(
    patterns: Patterns, measure: str, comparison: str, n_permutations: int, seed: int
) -> Reliability:
    """Compare the RDMs of two halves of the folds, over all or some ways to halve them.

    Parameters
    ----------
    patterns : Patterns
    measure : str
        Its plain form is used where a half has one fold.
    comparison : str
        See `neuropipe.trsa.comparison.compare.compare`.
    n_permutations : int
    seed : int

    Returns
    -------
    Reliability

    Notes
    -----
    Halves of few runs have less data than the whole: the value is a lower bound. Distances that are
    not crossvalidated grow with the noise of a condition's mean in both halves; where conditions
    have unequal numbers of trials, halves agree on these too.
    """
    n = len(patterns.folds)
    if n < 2:
        return Reliability(float("nan"), float("nan"), np.empty(0), 0)
    rng = np.random.default_rng(seed)
    first = [half for half in combinations(range(n), n // 2) if n % 2 or 0 in half]
    if len(first) > _MOST_SPLITS:
        first = [first[k] for k in rng.choice(len(first), _MOST_SPLITS, replace=False)]
    keys = rng.random((n_permutations, len(patterns.conditions)))
    values, nulls = [], []
    halves: list[tuple[np.ndarray, np.ndarray]] = []
    for half in first:
        other = tuple(sorted(set(range(n)) - set(half)))
        parts = [_of_folds(patterns, chosen) for chosen in (half, other)]
        shared = np.flatnonzero(parts[0].present.any(axis=0) & parts[1].present.any(axis=0))
        if len(shared) < _LEAST_CONDITIONS:
            continue
        names = [patterns.conditions[k] for k in shared]
        parts = [part.of(names) for part in parts]
        used = measure
        for part in parts:
            used = usable_measure(part, used)
        one, two = (estimate(part, used).dissimilarities for part in parts)
        values.append(float(compare(one, two, comparison)[0, 0]))
        halves.append((one, two))
        orders = np.argsort(keys[:, shared], axis=1)
        nulls.append(shuffled_comparisons(one[0], two[0], orders, comparison))
    if not values:
        return Reliability(float("nan"), float("nan"), np.empty(0), 0)
    null = np.mean(nulls, axis=0)
    value = float(np.mean(values))
    p = float(permutation_p_value(value, null))
    return Reliability(value, p, null, len(values), _interval(value, *halves[0], comparison, rng))


def _interval(
    value: float,
    one: np.ndarray,
    two: np.ndarray,
    comparison: str,
    rng: np.random.Generator,
) -> Interval:
    """95 % for new conditions; the spread over resampled conditions is that of one split."""
    if comparison not in FAST:
        return float("nan"), float("nan")
    n = n_conditions_of(one.shape[1])
    counts, _ = draw_counts(n, _DRAWS, rng, min_distinct=3)
    variance = compare_draws(one, two, counts, comparison)[:, 0, 0].var(ddof=1) * n / (n - 1)
    test = t_test(np.array(value), np.array(variance), n - 1)
    return max(float(test.low), -1.0), min(float(test.high), 1.0)


def _of_folds(patterns: Patterns, folds: tuple[int, ...]) -> Patterns:
    chosen = list(folds)
    return replace(
        patterns,
        values=patterns.values[chosen],
        n_trials=patterns.n_trials[chosen],
        folds=tuple(patterns.folds[k] for k in chosen),
    )


@dataclass(frozen=True, eq=False)
class Discrimination:
    """How often the pattern of a left-out fold is nearest to the mean of its own condition.

    Parameters
    ----------
    accuracy : float
        Share of patterns, mean over folds; NaN where there is one fold.
    by_fold : array of shape (n_folds,)
        NaN where fewer than two conditions of a fold are in others.
    chance : float
        One over the number of conditions.
    p : float
        Against conditions shuffled within the left-out folds.
    null : array of shape (n_permutations,)
    """

    accuracy: float
    by_fold: np.ndarray
    chance: float
    p: float
    null: np.ndarray


def discriminate(patterns: Patterns, n_permutations: int, seed: int) -> Discrimination:
    """Name the condition of every left-out pattern by its nearest neighbour in the other folds.

    Parameters
    ----------
    patterns : Patterns
        Whitened first where the noise is known.
    n_permutations : int
    seed : int

    Returns
    -------
    Discrimination
        Nearest centroid with Euclidean distance; the mean over conditions is taken off every fold,
        so that drifts of the whole fold do not count.
    """
    n_folds, n_conditions = patterns.present.shape
    chance = 1 / n_conditions
    if n_folds < 2:
        return Discrimination(float("nan"), np.empty(0), chance, float("nan"), np.empty(0))
    used = patterns
    if used.noise is not None:
        used = used.of_channels(~used.noise.silent).whitened()
    present = patterns.present
    count = present.sum(axis=0)
    filled = np.where(present[:, :, None], used.values, 0.0)
    drift = filled.sum(axis=1) / np.maximum(present.sum(axis=1), 1)[:, None]
    filled -= np.where(present[:, :, None], drift[:, None], 0.0)
    total = filled.sum(axis=0)
    rng = np.random.default_rng(seed)
    correct = np.full(n_folds, np.nan)
    shuffled = []
    for fold in range(n_folds):
        others = count - present[fold]
        usable = np.flatnonzero(present[fold] & (others > 0))
        if len(usable) < 2:
            continue
        means = (total - filled[fold])[usable] / others[usable, None]
        # |x - m|^2 up to what is the same for all means
        distance = (means**2).sum(axis=1) - 2 * filled[fold, usable] @ means.T
        named = distance.argmin(axis=1)
        correct[fold] = (named == np.arange(len(usable))).mean()
        orders = np.argsort(rng.random((n_permutations, len(usable))), axis=1)
        shuffled.append((orders == named).mean(axis=1))
    if not shuffled:
        return Discrimination(float("nan"), correct, chance, float("nan"), np.empty(0))
    accuracy = float(np.nanmean(correct))
    null = np.mean(shuffled, axis=0)
    return Discrimination(
        accuracy, correct, chance, float(permutation_p_value(accuracy, null)), null
    )
