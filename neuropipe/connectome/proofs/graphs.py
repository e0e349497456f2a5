"""Block models against modularity on weighted graphs with planted communities (SIM-E)."""

from __future__ import annotations

import numpy as np
from sklearn.metrics import normalized_mutual_info_score

from neuropipe.connectome.communities.choice import drop_small
from neuropipe.connectome.communities.graph_tool import graph_tool_blocks
from neuropipe.connectome.communities.modularity import leiden, louvain, louvain_unweighted
from neuropipe.connectome.communities.search import fit_blocks
from neuropipe.connectome.settings import CommunitySettings
from neuropipe.simulate.graphs import PlantedGraph, planted_graphs
from neuropipe.simulate.settings import GraphSimulation
from neuropipe.stats.checks import Check, at_least

#: Cells of the benchmark: what differs from N = 125, k = 25, mut = muw = .5, beta = 2.
CELLS: dict[str, dict[str, float]] = {
    "muw 0.5": {},
    "muw 0.25": {"mixing_weights": 0.25},
    "muw 0.75": {"mixing_weights": 0.75},
    "mut 0.25": {"mixing_topology": 0.25},
    "mut 0.75": {"mixing_topology": 0.75},
    "beta 0.5": {"strength_exponent": 0.5},
    "beta 1": {"strength_exponent": 1.0},
    "k 10": {"degree": 10.0},
}

METHODS = ("SBM", "DC-SBM", "Louvain", "Leiden", "unweighted Louvain")
_SEEDS = range(13, 23)
_RUNS = 5  # of the default form; `full` takes as many as the settings say


def checks(*, full: bool = False) -> list[Check]:
    """Measure the claims; about a minute on one core.

    Parameters
    ----------
    full : bool
        20 runs of each block model instead of 5; four times as long.

    Returns
    -------
    list of Check
        For every cell, the better of both block models against weighted Louvain: no more than .1
        worse, and better where the weights mix as the edges do (muw .5).
    """
    n_runs = CommunitySettings().n_runs if full else _RUNS
    rows = []
    for cell, changes in CELLS.items():
        graphs = planted_graphs(GraphSimulation().model_copy(update=changes), _SEEDS)
        scores = np.mean([agreement(graph, n_runs=n_runs) for graph in graphs], axis=0)
        rows += _judged(cell, scores, len(graphs), n_runs)
    return rows


def agreement(graph: PlantedGraph, *, n_runs: int) -> np.ndarray:
    """NMI of found and planted communities by each of `METHODS`.

    Parameters
    ----------
    graph : PlantedGraph
    n_runs : int
        Of the block models.

    Returns
    -------
    array of shape (n_methods,)
        One more than `METHODS` where graph-tool is installed: its better form.
    """
    kept = drop_small(graph.weights, CommunitySettings().min_weight)
    forms = (False, True)
    found = [fit_blocks(kept, degree_corrected=form, n_runs=n_runs).labels for form in forms]
    found += [method(graph.weights) for method in (louvain, leiden, louvain_unweighted)]
    scores = [normalized_mutual_info_score(graph.communities, labels) for labels in found]
    theirs = [graph_tool_blocks(kept, degree_corrected=form) for form in forms]
    known = [
        normalized_mutual_info_score(graph.communities, labels)
        for labels in theirs
        if labels is not None
    ]
    return np.array([*scores, max(known)] if known else scores)


def _judged(cell: str, scores: np.ndarray, n_graphs: int, n_runs: int) -> list[Check]:
    best = max(scores[:2])
    beside = ", ".join(
        f"{name} {score:.3f}" for name, score in zip(METHODS, scores[:5], strict=True)
    )
    detail = f"NMI, mean over {n_graphs} graphs, {n_runs} runs: {beside}"
    rows = [at_least(f"graphs, {cell}: block model - Louvain", best - scores[2], -0.1, detail)]
    if cell == "muw 0.5":
        ahead = best - scores[2]
        name = f"graphs, {cell}: block model above Louvain"
        rows.append(Check(name, ahead, "> 0", bool(ahead > 0), detail))
    if len(scores) > len(METHODS):
        rows.append(at_least(f"graphs, {cell}: block model - graph-tool", best - scores[5], -0.02))
    return rows
