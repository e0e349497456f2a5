"""Shattering dimensionality: how many of all ways to sort the conditions can be read linearly."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from neuropipe.stats.permutation import permute_labels
from neuropipe.trsa.geometry.arrays import complete, flatten
from neuropipe.trsa.geometry.dichotomies import n_balanced, sample_dichotomies
from neuropipe.trsa.geometry.readout import (
    PENALTY,
    accuracy_by_repeat,
    crossvalidated_decisions,
    fold_readouts,
)

__all__ = ["Shattering", "decoding_null", "shattering_dimensionality"]


@dataclass(frozen=True, eq=False)
class Shattering:
    """Decodability of balanced dichotomies.

    Parameters
    ----------
    dichotomies : array of int of shape (n_dichotomies, n_conditions)
    by_repeat : array of shape (n_dichotomies, n_repeats)
        Accuracy in every left-out repeat.
    n_possible : int
        How many balanced dichotomies there are; more than were tried if they were drawn.
    """

    dichotomies: np.ndarray
    by_repeat: np.ndarray
    n_possible: int

    @property
    def accuracies(self) -> np.ndarray:
        """Mean over repeats, shape (n_dichotomies,)."""
        return np.asarray(np.nanmean(self.by_repeat, axis=1))

    @property
    def dimensionality(self) -> float:
        """Mean accuracy over dichotomies; chance is .5."""
        return float(self.accuracies.mean())


def shattering_dimensionality(
    values: np.ndarray,
    *,
    max_dichotomies: int = 1000,
    penalty: float = PENALTY,
    n_folds: int = 12,
    seed: int = 0,
) -> Shattering:
    """Decode all balanced dichotomies from left-out repeats.

    Parameters
    ----------
    values : array of shape (n_repeats, n_conditions, n_units)
        NaN as in `arrays.complete`; an even number of conditions.
    max_dichotomies : int
        Beyond this number dichotomies are drawn at random.
    penalty, n_folds
        See `readout.crossvalidated_decisions`.
    seed : int
        Of that drawing.

    Returns
    -------
    Shattering

    Raises
    ------
    UnfitRecordingError
        If the number of conditions is odd or below four, or there is one repeat.

    Notes
    -----
    Rigotti et al. 2013; mean decodability as in Bernardi et al. 2020.
    """
    trials = complete(values)
    n = trials.shape[1]
    signs = sample_dichotomies(n, max_dichotomies, np.random.default_rng(seed))
    decisions = crossvalidated_decisions(trials, signs, penalty=penalty, n_folds=n_folds)
    return Shattering(signs, accuracy_by_repeat(decisions, signs), n_balanced(n))


def decoding_null(
    values: np.ndarray,
    dichotomies: np.ndarray,
    *,
    n_permutations: int = 200,
    penalty: float = PENALTY,
    n_folds: int = 12,
    seed: int = 0,
) -> np.ndarray:
    """Accuracies with the sides of the trials shuffled within repeats.

    Parameters
    ----------
    values : array of shape (n_repeats, n_conditions, n_units)
    dichotomies : array of shape (n_dichotomies, n_conditions)
    n_permutations : int
        The same shuffles for all dichotomies.
    penalty, n_folds
        See `readout.crossvalidated_decisions`.
    seed : int

    Returns
    -------
    array of shape (n_permutations, n_dichotomies)

    Notes
    -----
    Trials of one condition are torn apart, so that it tests whether anything at all is read out;
    it is no null for generalisation or parallelism.
    """
    trials = flatten(values)
    signs = np.atleast_2d(dichotomies)
    orders = permute_labels(
        np.arange(len(trials.values)),
        n_permutations,
        np.random.default_rng(seed),
        blocks=trials.repeats,
    )
    # One column a dichotomy and permutation: all go through the same products.
    shuffled = signs[:, trials.conditions[orders]].astype(float)
    labels = shuffled.reshape(-1, len(trials.values)).T
    right = np.empty_like(labels)
    for fold in fold_readouts(trials, penalty=penalty, n_folds=n_folds):
        right[fold.test] = (np.sign(fold.decide(labels)) * labels[fold.test] + 1) / 2
    means = (_side_mean(right, labels > 0) + _side_mean(right, labels < 0)) / 2
    return np.asarray(means.reshape(len(signs), n_permutations).T)


def _side_mean(right: np.ndarray, side: np.ndarray) -> np.ndarray:
    return np.asarray((right * side).sum(axis=0) / side.sum(axis=0))
