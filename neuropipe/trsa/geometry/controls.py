"""Controls of an RDM comparison: without the top components, and against untrained models."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.spatial.distance import pdist
from scipy.stats import spearmanr

from neuropipe.errors import InputError
from neuropipe.stats.permutation import permutation_p_value

__all__ = [
    "Control",
    "component_sensitivity",
    "drop_components",
    "random_model_control",
    "rdm_similarity",
]


def rdm_similarity(first: np.ndarray, second: np.ndarray) -> float:
    """Spearman correlation of the Euclidean RDMs of two representations of the same rows.

    Parameters
    ----------
    first, second : arrays of shape (n, n_units)
        Units may differ in number. Means over repeats: noise lowers the correlation.
    """
    if len(first) != len(second):
        raise InputError(f"{len(first)} and {len(second)} patterns", "the same rows", "align them")
    return float(spearmanr(pdist(first), pdist(second)).statistic)


def drop_components(patterns: np.ndarray, n_components: int) -> np.ndarray:
    """Project the leading principal components out, shape (n, n_units); the mean goes too."""
    centred = patterns - patterns.mean(axis=0)
    if n_components == 0:
        return np.asarray(centred)
    axes = np.linalg.svd(centred, full_matrices=False)[2][:n_components]
    return np.asarray(centred - centred @ axes.T @ axes)


def component_sensitivity(
    patterns: np.ndarray,
    reference: np.ndarray,
    *,
    n_dropped: Sequence[int] = (0, 1, 2, 3, 5),
    compare: Callable[[np.ndarray, np.ndarray], float] = rdm_similarity,
    both: bool = True,
) -> np.ndarray:
    """How a comparison depends on the top principal components.

    Parameters
    ----------
    patterns, reference : arrays of shape (n, n_units)
    n_dropped : sequence of int
        How many components to leave out.
    compare : callable
        Of two arrays of patterns.
    both : bool
        Whether to drop those of the reference too.

    Returns
    -------
    array of shape (len(n_dropped),)
        A value that falls to nothing without one or two components rests on them alone; NaN where
        no component is left.
    """
    found = []
    for k in n_dropped:
        sides = drop_components(patterns, k), drop_components(reference, k if both else 0)
        # What is left is rounding once all components are gone.
        empty = any(
            np.linalg.norm(left) <= 1e-9 * np.linalg.norm(whole)
            for left, whole in zip(sides, (patterns, reference), strict=True)
        )
        found.append(float("nan") if empty else compare(*sides))
    return np.array(found)


@dataclass(frozen=True, eq=False)
class Control:
    """A value beside those of untrained models.

    Parameters
    ----------
    observed : float
        Of the trained model.
    untrained : array of shape (n_models,)
    p_value : float
        That an untrained model does as well.
    """

    observed: float
    untrained: np.ndarray
    p_value: float


def random_model_control(
    patterns: np.ndarray,
    reference: np.ndarray,
    untrained: Callable[[int], np.ndarray],
    *,
    n_models: int = 20,
    compare: Callable[[np.ndarray, np.ndarray], float] = rdm_similarity,
) -> Control:
    """Compare a trained model and untrained ones of the same architecture with a reference.

    Parameters
    ----------
    patterns : array of shape (n, n_units)
        Of the trained model.
    reference : array of shape (n, n_channels)
        Such as a brain area's.
    untrained : callable
        From a seed to the patterns of a freshly initialised model, shape (n, n_units).
    n_models : int
    compare : callable

    Returns
    -------
    Control
    """
    observed = compare(patterns, reference)
    draws = np.array([compare(untrained(seed), reference) for seed in range(n_models)])
    return Control(observed, draws, float(permutation_p_value(observed, draws)))
