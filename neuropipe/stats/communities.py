"""Communities by modularity."""

from __future__ import annotations

import numpy as np


def louvain(weights: np.ndarray, *, seed: int = 0) -> np.ndarray:
    """Communities of a weighted graph by the Louvain method (Blondel et al. 2008).

    Parameters
    ----------
    weights : array of shape (n_nodes, n_nodes)
        Symmetric; entries below 0 and NaN count as no edge.
    seed : int

    Returns
    -------
    array of int of shape (n_nodes,)
    """
    import networkx as nx

    graph = nx.from_numpy_array(np.maximum(np.nan_to_num(weights), 0))
    labels = np.empty(len(weights), dtype=int)
    for number, nodes in enumerate(nx.community.louvain_communities(graph, seed=seed)):
        labels[list(nodes)] = number
    return labels
