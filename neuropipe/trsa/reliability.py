"""How well the RDM of a subject repeats, and whether conditions can be told apart at all."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np

from neuropipe.stats.permutation import permutation_p_value
from neuropipe.trsa.comparison.compare import compare
from neuropipe.trsa.estimation.estimators import estimate
from neuropipe.trsa.patterns import Patterns
from neuropipe.trsa.rdms import square, vectors

__all__ = ["Discrimination", "Reliability", "discriminate", "halves_agree", "usable_measure"]

_PLAIN = {"crossnobis": "mahalanobis", "crossvalidated poisson": "poisson"}
_MOST_SPLITS = 20


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
        Mean over splits; NaN where there is one fold.
    p : float
        Against conditions that were shuffled in one half.
    null : array of shape (n_permutations,)
    n_splits : int
    """

    value: float
    p: float
    null: np.ndarray
    n_splits: int


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
        See `neuropipe.trsa.compare.compare`.
    n_permutations : int
    seed : int

    Returns
    -------
    Reliability
    """
    n = len(patterns.folds)
    if n < 2:
        return Reliability(float("nan"), float("nan"), np.empty(0), 0)
    rng = np.random.default_rng(seed)
    first = [half for half in combinations(range(n), n // 2) if n % 2 or 0 in half]
    if len(first) > _MOST_SPLITS:
        first = [first[k] for k in rng.choice(len(first), _MOST_SPLITS, replace=False)]
    orders = [rng.permutation(len(patterns.conditions)) for _ in range(n_permutations)]
    values, nulls = [], []
    for half in first:
        other = tuple(sorted(set(range(n)) - set(half)))
        one, two = (_rdm(_of_folds(patterns, part), measure) for part in (half, other))
        values.append(float(compare(one, two, comparison)[0, 0]))
        matrix = square(two[0])
        shuffled = np.stack([vectors(matrix[np.ix_(order, order)]) for order in orders])
        nulls.append(compare(one, shuffled, comparison)[0])
    null = np.mean(nulls, axis=0)
    value = float(np.mean(values))
    return Reliability(value, float(permutation_p_value(value, null)), null, len(first))


def _of_folds(patterns: Patterns, folds: tuple[int, ...]) -> Patterns:
    chosen = list(folds)
    return replace(
        patterns,
        values=patterns.values[chosen],
        n_trials=patterns.n_trials[chosen],
        folds=tuple(patterns.folds[k] for k in chosen),
    )


def _rdm(patterns: Patterns, measure: str) -> np.ndarray:
    return estimate(patterns, usable_measure(patterns, measure)).dissimilarities


@dataclass(frozen=True, eq=False)
class Discrimination:
    """How often the pattern of a left-out fold is nearest to the mean of its own condition.

    Parameters
    ----------
    accuracy : float
        Share of patterns; NaN where there is one fold.
    by_fold : array of shape (n_folds,)
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
    whitened = patterns if patterns.noise is None else patterns.whitened()
    n_folds, n_conditions = patterns.present.shape
    chance = 1 / n_conditions
    if n_folds < 2:
        return Discrimination(float("nan"), np.empty(0), chance, float("nan"), np.empty(0))
    present = patterns.present
    values = np.where(present[:, :, None], whitened.values, np.nan)
    values = values - np.nanmean(values, axis=1, keepdims=True)
    filled = np.where(present[:, :, None], values, 0.0)
    total, count = filled.sum(axis=0), present.sum(axis=0)
    rng = np.random.default_rng(seed)
    correct = np.zeros(n_folds)
    shuffled = np.zeros(n_permutations)
    for fold in range(n_folds):
        others = count - present[fold]
        usable = np.flatnonzero(present[fold] & (others > 0))
        means = (total - filled[fold])[usable] / others[usable, None]
        # |x - m|^2 up to what is the same for all means
        distance = (means**2).sum(axis=1) - 2 * filled[fold, usable] @ means.T
        named = distance.argmin(axis=1)
        correct[fold] = (named == np.arange(len(usable))).mean()
        orders = np.argsort(rng.random((n_permutations, len(usable))), axis=1)
        shuffled += (orders == named).mean(axis=1) / n_folds
    accuracy = float(correct.mean())
    p = float(permutation_p_value(accuracy, shuffled))
    return Discrimination(accuracy, correct, chance, p, shuffled)
