"""Linear readouts in closed form: many labellings of the same trials at once.

Ridge regression on labels of -1 and 1 is the linear discriminant of two equally frequent classes
with a shrunken covariance. Everything but the last product is free of the labels, so that all
dichotomies and all permutations of a recording share one factorisation a fold.

Axes: r repeats, n conditions, p units, t trials, l labellings.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from neuropipe.errors import UnfitRecordingError
from neuropipe.trsa.geometry.arrays import Trials, flatten

__all__ = [
    "PENALTY",
    "FoldReadout",
    "accuracy_by_repeat",
    "crossvalidated_decisions",
    "fold_readouts",
    "kernel_decisions",
    "repeat_folds",
    "ridge_readout",
]

#: Ridge penalty as a share of the mean squared length of the centred training patterns.
PENALTY = 0.1


class FoldReadout(NamedTuple):
    """A readout that only lacks its labels.

    Parameters
    ----------
    test, train : arrays of int
        Rows of the trials.
    left : array of shape (n_test, d)
    right : array of shape (d, n_train)
        Decisions are ``mean(labels) + left @ right @ (labels - mean(labels))``.
    """

    test: np.ndarray
    train: np.ndarray
    left: np.ndarray
    right: np.ndarray

    def decide(self, labels: np.ndarray) -> np.ndarray:
        """Decisions on the test trials, from (n_trials, n_labels) to (n_test, n_labels)."""
        learnt = labels[self.train]
        mean = learnt.mean(axis=0)
        return np.asarray(mean + self.left @ (self.right @ (learnt - mean)))


def ridge_readout(
    train: np.ndarray, test: np.ndarray, *, penalty: float = PENALTY
) -> tuple[np.ndarray, np.ndarray]:
    """Factors of the ridge smoother from training labels to decisions on test patterns.

    Parameters
    ----------
    train, test : arrays of shape (n_train, n_units), (n_test, n_units)
    penalty : float
        See `PENALTY`.

    Returns
    -------
    left, right : arrays of shape (n_test, d), (d, n_train)
        d is the smaller of trials and units.
    """
    mean = train.mean(axis=0)
    learnt, asked = train - mean, test - mean
    n, p = learnt.shape
    size = float((learnt**2).sum()) / n
    # Patterns that do not differ teach nothing: any positive penalty gives decisions of zero.
    ridge = penalty * size if size > 0 else 1.0
    if p <= n:
        gram = learnt.T @ learnt
        gram[np.diag_indices(p)] += ridge
        return asked, np.linalg.solve(gram, learnt.T)
    gram = learnt @ learnt.T
    gram[np.diag_indices(n)] += ridge
    return asked @ learnt.T, np.linalg.inv(gram)


def kernel_decisions(
    gram: np.ndarray,
    train: np.ndarray,
    test: np.ndarray,
    labels: np.ndarray,
    *,
    penalty: float = PENALTY,
) -> np.ndarray:
    """Decisions of the same readout from inner products alone.

    Parameters
    ----------
    gram : array of shape (n_trials, n_trials)
    train, test : arrays of int
    labels : array of shape (n_trials, n_labels)
    penalty : float

    Returns
    -------
    array of shape (n_test, n_labels)
    """
    inner = gram[np.ix_(train, train)]
    across = gram[np.ix_(test, train)]
    rows = inner.mean(axis=0)
    # Centring by the training mean: inner products of x - m with y - m.
    across = across - across.mean(axis=1, keepdims=True) - rows + rows.mean()
    inner = inner - rows - rows[:, None] + rows.mean()
    size = float(np.trace(inner)) / len(train)
    inner[np.diag_indices(len(train))] += penalty * size if size > 0 else 1.0
    learnt = labels[train]
    mean = learnt.mean(axis=0)
    return np.asarray(mean + across @ np.linalg.solve(inner, learnt - mean))


def repeat_folds(repeats: np.ndarray, n_folds: int = 12) -> list[np.ndarray]:
    """Test trials of every fold: whole repeats, each once.

    Parameters
    ----------
    repeats : array of int of shape (n_trials,)
    n_folds : int
        At most; one repeat each where there are not more.

    Raises
    ------
    UnfitRecordingError
        If there is one repeat only.
    """
    names = np.unique(repeats)
    if len(names) < 2:
        raise UnfitRecordingError(
            "one repeat", "at least two to test what was learnt", "record every condition again"
        )
    parts = np.array_split(names, min(n_folds, len(names)))
    return [np.flatnonzero(np.isin(repeats, part)) for part in parts]


def fold_readouts(
    trials: Trials, *, penalty: float = PENALTY, n_folds: int = 12
) -> list[FoldReadout]:
    """Prepare a readout for every fold of repeats."""
    found = []
    for test in repeat_folds(trials.repeats, n_folds):
        train = np.setdiff1d(np.arange(len(trials.values)), test)
        left, right = ridge_readout(trials.values[train], trials.values[test], penalty=penalty)
        found.append(FoldReadout(test, train, left, right))
    return found


def crossvalidated_decisions(
    values: np.ndarray,
    labels: np.ndarray,
    *,
    penalty: float = PENALTY,
    n_folds: int = 12,
) -> np.ndarray:
    """Decisions on left-out repeats for many labellings of the conditions.

    Parameters
    ----------
    values : array of shape (n_repeats, n_conditions, n_units)
        NaN as in `arrays.complete`. Units of larger variance weigh more: scale them before.
    labels : array of shape (n_labels, n_conditions)
        -1 and 1, or any numbers to regress on.
    penalty : float
        See `PENALTY`.
    n_folds : int
        Of whole repeats.

    Returns
    -------
    array of shape (n_labels, n_repeats, n_conditions)
        NaN for missing trials.
    """
    trials = flatten(values)
    targets = np.atleast_2d(np.asarray(labels, dtype=np.float64)).T[trials.conditions]
    shape = (targets.shape[1], int(trials.repeats.max()) + 1, int(trials.conditions.max()) + 1)
    decisions = np.full((max(shape[1], np.shape(values)[0]), shape[2], shape[0]), np.nan)
    for fold in fold_readouts(trials, penalty=penalty, n_folds=n_folds):
        where = trials.repeats[fold.test], trials.conditions[fold.test]
        decisions[where] = fold.decide(targets)
    return np.moveaxis(decisions, 2, 0)


def accuracy_by_repeat(decisions: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Share of conditions on the right side in each repeat.

    Parameters
    ----------
    decisions : array of shape (n_labels, n_repeats, n_conditions)
    labels : array of shape (n_labels, n_conditions)
        -1 and 1.

    Returns
    -------
    array of shape (n_labels, n_repeats)
        A decision of zero counts one half; NaN where a repeat has no trial. Both sides of a
        dichotomy count the same, however many trials of them are there.
    """
    truth = np.atleast_2d(labels)[:, None, :]
    agree = np.sign(decisions) * truth
    right = np.where(np.isfinite(agree), (agree + 1) / 2, np.nan)
    known = np.isfinite(right)
    sides = []
    for side in (-1, 1):
        counts = known & (truth == side)
        total = np.where(counts, right, 0.0).sum(axis=2)
        n = counts.sum(axis=2)
        sides.append(np.divide(total, n, out=np.full(total.shape, np.nan), where=n > 0))
    both = np.stack(sides)
    n_sides = np.isfinite(both).sum(axis=0)
    total = np.nansum(both, axis=0)
    return np.asarray(
        np.divide(total, n_sides, out=np.full(total.shape, np.nan), where=n_sides > 0)
    )
