"""Communities by modularity, to stand beside block models."""

from __future__ import annotations

import numpy as np

from neuropipe.connectome.communities.search import by_size
from neuropipe.stats import communities


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

    graph, values = _graph(weights)
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


def _graph(weights: np.ndarray):  # type: ignore[no-untyped-def]
    """Hand the edges over to igraph, with their weights."""
    import igraph

    upper = np.triu(np.maximum(np.nan_to_num(weights), 0), k=1)
    first, second = np.nonzero(upper)
    edges = list(zip(first.tolist(), second.tolist(), strict=True))
    return igraph.Graph(len(weights), edges), upper[first, second].tolist()
