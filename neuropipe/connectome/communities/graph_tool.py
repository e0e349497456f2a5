"""The same block model by graph-tool, where that is installed (it is not on PyPI)."""

from __future__ import annotations

import numpy as np


def graph_tool_blocks(weights: np.ndarray, *, degree_corrected: bool) -> np.ndarray | None:
    """Level 0 of graph-tool's nested block model with exponential weights, or None without it.

    Parameters
    ----------
    weights : array of shape (n_units, n_units)
    degree_corrected : bool

    Returns
    -------
    array of int of shape (n_units,) or None
    """
    try:
        import graph_tool.all as gt  # type: ignore[import-not-found]
    except ImportError:
        return None
    first, second = np.nonzero(np.triu(np.nan_to_num(weights) > 0, k=1))
    graph = gt.Graph(directed=False)
    graph.add_vertex(len(weights))
    graph.add_edge_list(np.column_stack([first, second]))
    covariate = graph.new_edge_property("double", vals=weights[first, second])
    arguments = {
        "deg_corr": degree_corrected,
        "recs": [covariate],
        "rec_types": ["real-exponential"],
    }
    state = gt.minimize_nested_blockmodel_dl(graph, state_args=arguments)
    return np.unique(state.get_levels()[0].get_blocks().a, return_inverse=True)[1]
