"""How alike factorizations are: components matched over starts, halves and bootstrap draws."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.optimize import linear_sum_assignment

from neuropipe.connectome.factorization import Factors, factorize, random_start
from neuropipe.connectome.tensor import TensorSource

__all__ = ["best", "component_cosines", "fit_starts", "matched", "restart_similarity"]


def fit_starts(
    source: TensorSource,
    rank: int,
    n_starts: int,
    *,
    max_iterations: int,
    tolerance: float = 1e-6,
    seed: int = 0,
) -> list[Factors]:
    """Factorise from several random starts; the one with the least error comes first.

    Parameters
    ----------
    source : TensorSource
    rank : int
    n_starts : int
    max_iterations : int
    tolerance : float
    seed : int
    """
    tensor = source.tensor
    start = random_start(tensor, rank, n_starts, own_clocks=source.own_clocks, seed=seed)
    found, _ = factorize(tensor, start, max_iterations=max_iterations, tolerance=tolerance)
    return sorted(found, key=lambda one: one.error)


def component_cosines(a: Factors, b: Factors, modes: Sequence[str]) -> np.ndarray:
    """Product over modes of the cosines between the components of two factorizations.

    Parameters
    ----------
    a, b : Factors
    modes : sequence of {"pairs", "times", "animals", "slices"}

    Returns
    -------
    array of shape (a.rank, b.rank)
        Pairs that one of the two does not identify are left out.
    """
    product = np.ones((a.rank, b.rank))
    for mode in modes:
        x, y = (getattr(one, mode).reshape(-1, one.rank) for one in (a, b))
        known = [np.isfinite(part).astype(float) for part in (x, y)]
        x, y = np.nan_to_num(x), np.nan_to_num(y)
        norms = np.sqrt((x**2).T @ known[1]) * np.sqrt(known[0].T @ y**2)
        product *= np.divide(x.T @ y, norms, out=np.zeros(norms.shape), where=norms > 0)
    return product


def matched(cosines: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Match components one to one for the largest total (Hungarian method).

    Parameters
    ----------
    cosines : array of shape (n_a, n_b)

    Returns
    -------
    partner : array of int of shape (n_a,)
        Component of b; -1 where a has more than b.
    values : array of shape (n_a,)
        Their cosine; 0 without a partner.
    """
    rows, columns = linear_sum_assignment(cosines, maximize=True)
    partner, values = np.full(len(cosines), -1), np.zeros(len(cosines))
    partner[rows], values[rows] = columns, cosines[rows, columns]
    return partner, values


def restart_similarity(
    found: Sequence[Factors], modes: Sequence[str] = ("pairs", "times", "animals")
) -> np.ndarray:
    """Similarity of every two factorizations: mean over matched components.

    Parameters
    ----------
    found : sequence of Factors
    modes : sequence of str

    Returns
    -------
    array of shape (n, n)
        1 on the diagonal. Williams et al. 2018 (doi:10.1016/j.neuron.2018.05.015).
    """
    similarity = np.eye(len(found))
    for i, a in enumerate(found):
        for j in range(i):
            _, values = matched(component_cosines(a, found[j], modes))
            similarity[i, j] = similarity[j, i] = values.mean()
    return similarity


def best(found: Sequence[Factors]) -> Factors:
    """The factorization with the least error."""
    return min(found, key=lambda one: one.error)
