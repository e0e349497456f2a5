"""Communities by modularity, to stand beside block models."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from neuropipe.connectome.communities.search import by_size
from neuropipe.stats import communities

if TYPE_CHECKING:
    import igraph


def leiden(weights: np.ndarray, *, seed: int = 0) -> np.ndarray:
    """Communities of a weighted graph by the Leiden method (Traag et al. 2019) on modularity.

    Parameters
    ----------
    weights : array of shape (n_units, n_units)
        Symmetric; entries below 0 and NaN count as no edge.
    seed : int

    Returns
    -------
    array of int of shape (n_units,)
        Community of each unit, 0 for the largest.
    """
    import leidenalg

    graph, values = weighted_graph(np.maximum(np.nan_to_num(weights), 0))
    if not values:
        return np.zeros(len(weights), dtype=int)
    found = leidenalg.find_partition(
        graph, leidenalg.ModularityVertexPartition, weights=values, n_iterations=-1, seed=seed
    )
    return by_size(np.array(found.membership))


def louvain(weights: np.ndarray, *, seed: int = 0) -> np.ndarray:
    """Communities of a weighted graph by the Louvain method, 0 for the largest; as `leiden`."""
    return by_size(communities.louvain(weights, seed=seed))


def louvain_unweighted(weights: np.ndarray, *, threshold: float = 0.0, seed: int = 0) -> np.ndarray:
    """Communities of the graph of weights above a threshold, all of them counting the same.

    Parameters
    ----------
    weights : array of shape (n_units, n_units)
    threshold : float
        In the unit of the weights.
    seed : int

    Returns
    -------
    array of int of shape (n_units,)
    """
    return louvain((np.nan_to_num(weights) > threshold).astype(float), seed=seed)


def surprise(weights: np.ndarray, *, seed: int = 0) -> np.ndarray:
    """Communities by asymptotic Surprise (Traag et al. 2015, Phys. Rev. E 92, 022816).

    Parameters
    ----------
    weights : array of shape (n_units, n_units)
        Symmetric; what is not above 0 is no edge.
    seed : int

    Returns
    -------
    array of int of shape (n_units,)
    """
    import leidenalg

    graph, values = weighted_graph(np.where(weights > 0, weights, 0.0))
    found = leidenalg.find_partition(
        graph, leidenalg.SurpriseVertexPartition, weights=values, seed=seed
    )
    return np.asarray(found.membership)


def weighted_graph(weights: np.ndarray) -> tuple[igraph.Graph, list[float]]:
    """Hand the entries of a symmetric matrix that are not 0 over to igraph, as edges."""
    import igraph

    upper = np.triu(weights, k=1)
    first, second = np.nonzero(upper)
    edges = list(zip(first.tolist(), second.tolist(), strict=True))
    return igraph.Graph(len(weights), edges), upper[first, second].tolist()
