"""Cross-condition generalisation (CCGP): a variable read in some contexts, tested in others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from neuropipe.errors import SettingsError, UnfitRecordingError
from neuropipe.trsa.geometry.arrays import Trials, complete, flatten
from neuropipe.trsa.geometry.parallelism import random_rotations
from neuropipe.trsa.geometry.readout import PENALTY, kernel_decisions

__all__ = [
    "Classifier",
    "Generalisation",
    "cross_condition_generalisation",
    "generalisation_null",
    "rotated_conditions",
]

Classifier = Literal["ridge", "svm", "logistic"]


@dataclass(frozen=True, eq=False)
class Generalisation:
    """Accuracy on conditions the classifier has not seen.

    Parameters
    ----------
    by_repeat : array of shape (n_dichotomies, n_repeats)
        Share of right answers for trials of left-out conditions; chance is .5, ties count one half.
    n_pairs : array of int of shape (n_dichotomies,)
        Left-out pairs behind it.
    """

    by_repeat: np.ndarray
    n_pairs: np.ndarray

    @property
    def accuracies(self) -> np.ndarray:
        """Mean over repeats, shape (n_dichotomies,)."""
        return np.asarray(np.nanmean(self.by_repeat, axis=1))


def cross_condition_generalisation(
    values: np.ndarray,
    dichotomies: np.ndarray,
    *,
    classifier: Classifier = "ridge",
    penalty: float = PENALTY,
    max_pairs: int = 500,
    seed: int = 0,
) -> Generalisation:
    """Train on all conditions but one of each side, test on those two; every such pair.

    Parameters
    ----------
    values : array of shape (n_repeats, n_conditions, n_units), or (n_conditions, n_units)
        NaN as in `arrays.complete`. Units of larger variance weigh more: scale them before.
    dichotomies : array of shape (n_dichotomies, n_conditions)
        -1 and 1, two conditions on each side at least.
    classifier : {"ridge", "svm", "logistic"}
        ``"ridge"`` in closed form, all dichotomies at once (see `readout`); the others are
        scikit-learn's linear ones with C = 1, a fit for each dichotomy and pair.
    penalty : float
        Of ``"ridge"``.
    max_pairs : int
        Pairs of conditions to leave out; beyond it a random choice, the same for all dichotomies.
    seed : int

    Returns
    -------
    Generalisation

    Raises
    ------
    UnfitRecordingError
        If a side has fewer than two conditions: nothing is left to learn from.

    Notes
    -----
    Bernardi et al. 2020. Test conditions are new, hence so are their trials: repeats need not be
    left out as well. Over all balanced dichotomies of an even number of conditions the mean is .5
    by symmetry, whatever the geometry: only chosen dichotomies tell anything.
    """
    signs = np.atleast_2d(np.asarray(dichotomies))
    smallest = min((signs == 1).sum(axis=1).min(), (signs == -1).sum(axis=1).min())
    if smallest < 2:
        raise UnfitRecordingError(
            f"a dichotomy with {smallest} condition on one side",
            "at least two",
            "use a variable that varies in two contexts",
        )
    trials = flatten(values)
    labels = signs.T[trials.conditions].astype(float)
    gram = trials.values @ trials.values.T if classifier == "ridge" else np.empty((0, 0))
    of_repeat = np.eye(len(complete(values)))[trials.repeats]
    right = np.zeros((len(signs), of_repeat.shape[1]))
    seen = np.zeros_like(right)
    n_pairs = np.zeros(len(signs), dtype=int)
    for first, second in _left_out(signs, max_pairs, seed):
        asked = np.flatnonzero(signs[:, first] != signs[:, second])
        out = np.isin(trials.conditions, (first, second))
        train, test = np.flatnonzero(~out), np.flatnonzero(out)
        if classifier == "ridge":
            found = kernel_decisions(gram, train, test, labels[:, asked], penalty=penalty)
        else:
            found = _fitted(trials, train, test, labels[:, asked], _classifier(classifier, seed))
        agree = (np.sign(found) * labels[test][:, asked] + 1) / 2
        right[asked] += agree.T @ of_repeat[test]
        seen[asked] += of_repeat[test].sum(axis=0)
        n_pairs[asked] += 1
    by_repeat = np.divide(right, seen, out=np.full(right.shape, np.nan), where=seen > 0)
    return Generalisation(by_repeat, n_pairs)


def rotated_conditions(values: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Rotate the condition means at random and leave the noise of the trials in place.

    Parameters
    ----------
    values : array of shape (n_repeats, n_conditions, n_units)
    rng : numpy.random.Generator

    Returns
    -------
    array of the shape of `arrays.complete`
        The covariance of the condition means stays; see `parallelism.rotated_kernels`.
    """
    trials = complete(values)
    means = np.nanmean(trials, axis=0)
    n = len(means)
    basis = np.linalg.qr(np.hstack([np.ones((n, 1)), np.eye(n)[:, 1:]]))[0][:, 1:]
    turned = basis @ (random_rotations(n - 1, 1, rng)[0] @ (basis.T @ means))
    moved: np.ndarray = trials - means + turned + means.mean(axis=0)
    return moved


def generalisation_null(
    values: np.ndarray,
    dichotomies: np.ndarray,
    *,
    penalty: float = PENALTY,
    n_draws: int = 100,
    max_pairs: int = 500,
    seed: int = 0,
) -> np.ndarray:
    """Generalisation of random geometries that are as decodable and as noisy as the data.

    Shuffled labels would be the wrong null: they also remove what can be decoded without
    generalising.

    Parameters
    ----------
    values, dichotomies, penalty, max_pairs
        See `cross_condition_generalisation`.
    n_draws : int
        Random rotations of the condition means.
    seed : int

    Returns
    -------
    array of shape (n_draws, n_dichotomies)
    """
    rng = np.random.default_rng(seed)
    return np.array(
        [
            cross_condition_generalisation(
                rotated_conditions(values, rng),
                dichotomies,
                penalty=penalty,
                max_pairs=max_pairs,
                seed=seed,
            ).accuracies
            for _ in range(n_draws)
        ]
    )


def _left_out(signs: np.ndarray, max_pairs: int, seed: int) -> np.ndarray:
    """Pairs of conditions that some dichotomy separates, shape (n_pairs, 2)."""
    first, second = np.triu_indices(signs.shape[1], 1)
    useful = (signs[:, first] != signs[:, second]).any(axis=0)
    pairs = np.stack([first[useful], second[useful]], axis=1)
    if len(pairs) > max_pairs:
        pairs = pairs[np.random.default_rng(seed).choice(len(pairs), max_pairs, replace=False)]
    return pairs


def _classifier(name: str, seed: int) -> Any:
    from sklearn.linear_model import LogisticRegression
    from sklearn.svm import LinearSVC

    if name == "svm":
        return LinearSVC(C=1.0, dual=True, random_state=seed, max_iter=10_000)
    if name == "logistic":
        return LogisticRegression(C=1.0, max_iter=2000)
    raise SettingsError(f"classifier {name!r}", "ridge, svm or logistic", "choose one of them")


def _fitted(
    trials: Trials, train: np.ndarray, test: np.ndarray, labels: np.ndarray, model: Any
) -> np.ndarray:
    decisions = [
        model.fit(trials.values[train], column[train]).decision_function(trials.values[test])
        for column in labels.T
    ]
    return np.stack(decisions, axis=1)
