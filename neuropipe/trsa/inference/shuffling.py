"""Permutation test of models: conditions of the models trade their labels, rows with columns."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from neuropipe.stats.permutation import permutation_p_value
from neuropipe.trsa.comparison.compare import compare
from neuropipe.trsa.comparison.weighted import standardised, weighted_ranks
from neuropipe.trsa.inference.scoring import Scorer
from neuropipe.trsa.rdms import square, vectors

__all__ = ["permutation_scores", "permutation_tests", "permuted", "shuffled_comparisons"]

_LINEAR = ("cosine", "corr", "spearman", "rho-a")


def permuted(dissimilarities: np.ndarray, order: np.ndarray) -> np.ndarray:
    """Relabel conditions, shape (n_rdms, n_pairs): pairs of one condition stay together."""
    return vectors(square(dissimilarities)[:, order[:, None], order[None, :]])


def permutation_scores(scorer: Scorer, orders: np.ndarray) -> np.ndarray:
    """Mean score of models whose conditions are relabelled.

    Parameters
    ----------
    scorer : Scorer
    orders : array of int of shape (n_permutations, n_conditions)

    Returns
    -------
    array of shape (n_permutations, n_models)
        Flexible models are fitted anew to every permutation and crossvalidated.
    """
    complete = np.isfinite(scorer.values).all() and all(
        np.isfinite(model.dissimilarities).all() for model in scorer.models
    )
    if scorer.folds is None and complete and scorer.measure in _LINEAR:
        return _linear(scorer, orders)
    n_subjects, n_conditions = scorer.n_subjects, orders.shape[1]
    once_s, once_c = np.ones((1, n_subjects), dtype=int), np.ones((1, n_conditions), dtype=int)
    scores = np.empty((len(orders), len(scorer.models)))
    for d, order in enumerate(orders):
        models = [
            replace(model, dissimilarities=permuted(model.dissimilarities, order))
            for model in scorer.models
        ]
        scores[d] = replace(scorer, models=models).scores(once_s, once_c)[0].mean(axis=1)
    return scores


def permutation_tests(
    scorer: Scorer, observed: np.ndarray, n_permutations: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Test whether models do better than with labels that mean nothing.

    Parameters
    ----------
    scorer : Scorer
    observed : array of shape (n_models,)
        Mean scores.
    n_permutations : int
    rng : numpy.random.Generator

    Returns
    -------
    p_values : array of shape (n_models,)
        One-sided, of each model alone.
    p_any : array of shape (n_models,)
        Of the largest of all models: the chance that any false one reaches this p is bounded.

    Notes
    -----
    Scores are put in standard deviations of their own null distribution before the largest is
    taken (Westfall & Young 1993), so that models of unlike spread weigh the same. The test speaks
    of these subjects and conditions, not of others.
    """
    n_conditions = round((1 + np.sqrt(1 + 8 * scorer.values.shape[1])) / 2)
    orders = np.argsort(rng.random((n_permutations, n_conditions)), axis=1)
    null = permutation_scores(scorer, orders)
    everything = np.concatenate([observed[None], null])
    spread = everything.std(axis=0)
    z = (everything - everything.mean(axis=0)) / np.where(spread > 0, spread, 1.0)
    largest = np.broadcast_to(z[1:].max(axis=1, keepdims=True), null.shape)
    return permutation_p_value(observed, null), permutation_p_value(z[0], largest)


def shuffled_comparisons(
    first: np.ndarray, second: np.ndarray, orders: np.ndarray, measure: str
) -> np.ndarray:
    """Compare an RDM with another one whose conditions are relabelled.

    Parameters
    ----------
    first, second : arrays of shape (n_pairs,)
        NaN where a pair is unknown.
    orders : array of int of shape (n_permutations, n_conditions)
    measure : str
        See `neuropipe.trsa.comparison.compare.compare`.

    Returns
    -------
    array of shape (n_permutations,)
    """
    one, two = first[None], second[None]
    if measure in _LINEAR and np.isfinite(first).all() and np.isfinite(second).all():
        target, values = (_normalised(part, measure) for part in (one, two))
        return _products(values, target[0], orders)[:, 0]
    shuffled = np.concatenate([permuted(two, order) for order in orders])
    return np.asarray(compare(one, shuffled, measure)[0])


def _products(values: np.ndarray, target: np.ndarray, orders: np.ndarray) -> np.ndarray:
    """Products of relabelled vectors (n_rdms, n_pairs) with one, (n_permutations, n_rdms)."""
    rows, columns = np.triu_indices(orders.shape[1], 1)
    place = square(np.arange(values.shape[1])[None])[0]
    return np.asarray([values[:, place[order[rows], order[columns]]] @ target for order in orders])


def _linear(scorer: Scorer, orders: np.ndarray) -> np.ndarray:
    """Scores that are products of a relabelled model with the mean of normalised data."""
    models = np.stack([model.predict() for model in scorer.models])
    x, y = (_normalised(values, scorer.measure) for values in (models, scorer.values))
    own = scorer.member[:, None] == np.arange(scorer.n_subjects)
    target = (own / own.sum(axis=0)).mean(axis=1) @ y
    return _products(x, target, orders)


def _normalised(values: np.ndarray, measure: str) -> np.ndarray:
    """Vectors whose products are the measure."""
    n = values.shape[1]
    if measure in ("spearman", "rho-a"):
        values = weighted_ranks(values, np.ones((1, n)))[0]
    if measure == "cosine":
        size = np.linalg.norm(values, axis=1, keepdims=True)
        unit: np.ndarray = np.divide(values, size, out=np.zeros(values.shape), where=size > 0)
        return unit
    if measure == "rho-a":
        return np.asarray((values - (n + 1) / 2) * np.sqrt(12 / (n**3 - n)))
    return np.asarray(standardised(values) / np.sqrt(n))
