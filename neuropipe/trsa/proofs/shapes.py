"""Four shapes that cross geometry with topology, and what transforms must keep (V1, V6, V7)."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from scipy.sparse.csgraph import csgraph_from_dense, dijkstra
from scipy.spatial.distance import pdist

from neuropipe.simulate.representations import figure_eights
from neuropipe.simulate.stimuli_checks import shape_ratio
from neuropipe.stats.checks import Check, at_least, at_most
from neuropipe.trsa.rdms import square, vectors
from neuropipe.trsa.topology.geodesic import geodesic, nearest_edges, shortest_paths
from neuropipe.trsa.topology.transforms import geotopological, normalised_ranks

__all__ = [
    "checks",
    "eight_vectors",
    "naive_geodesic",
    "naive_neighbours",
    "random_graph",
    "shape_ratios",
]

UPPER = 0.075  # of the published demonstration
_N_GRAPHS = 100


def checks() -> list[Check]:
    """Measure the claims; a few seconds."""
    return [*_shapes(), *_invariances(), *_paths()]


def eight_vectors(points: Mapping[str, np.ndarray]) -> dict[str, dict[str, np.ndarray]]:
    """Represent the eights as the published demonstration does.

    Parameters
    ----------
    points : mapping of str to array of shape (n_points, 3)
        From `figure_eights`.

    Returns
    -------
    dict of str to dict of str to array of shape (n_pairs,)
        RDM, RGTM(0, .075) and RGDM(0, .075) of every eight.
    """
    plain = {name: pdist(own) for name, own in points.items()}
    return {
        "RDM": plain,
        "RGTM": {name: geotopological(own, 0, UPPER) for name, own in plain.items()},
        "RGDM": {name: geodesic(own, 0, UPPER).distances[0] for name, own in plain.items()},
    }


def shape_ratios(order: np.ndarray | None = None) -> dict[str, float]:
    """How much more shape changes each representation of the eights than topology does.

    Parameters
    ----------
    order : array of int of shape (n_points,), optional
        To renumber the points by.

    Returns
    -------
    dict of str to float
        Of the RDM, RGTM(0, .075), RGDM(0, .075), and the naive RGDM (`naive_geodesic`).
    """
    points = figure_eights()
    if order is not None:
        points = {name: own[order] for name, own in points.items()}
    found = eight_vectors(points)
    naive = {name: naive_geodesic(own) for name, own in found["RGTM"].items()}
    return {kind: shape_ratio(own) for kind, own in {**found, "naive RGDM": naive}.items()}


def naive_geodesic(graph: np.ndarray) -> np.ndarray:
    """Shortest paths as they are often computed, with a fault: edges of length 0 get lost.

    Parameters
    ----------
    graph : array of shape (n_pairs,)
        Lengths; 1 means no edge.

    Returns
    -------
    array of shape (n_pairs,)
        From a networkx graph of the square matrix, where 0 means no edge.
    """
    import networkx as nx

    network = nx.from_numpy_array(square(np.where(graph < 1, graph, 0.0)))
    n = len(network)
    paths = np.full((n, n), np.inf)
    for source, lengths in nx.all_pairs_dijkstra_path_length(network):
        paths[source, list(lengths)] = list(lengths.values())
    return vectors(np.where(np.isinf(paths), paths[np.isfinite(paths)].max(), paths))


def naive_neighbours(distances: np.ndarray, n_neighbours: int) -> np.ndarray:
    """Nearest-neighbour edges with a fault: only the first condition of a pair is asked.

    Parameters
    ----------
    distances : array of shape (n_pairs,)
    n_neighbours : int

    Returns
    -------
    array of bool of shape (n_pairs,)
        Whether the condition with the higher number is among the neighbours of the other; what that
        gives depends on the numbers.
    """
    matrix = square(distances)
    np.fill_diagonal(matrix, np.inf)
    last = np.sort(matrix, axis=1)[:, n_neighbours - 1, None]
    return vectors(matrix <= last)


def random_graph(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Draw weights and edges of an undirected graph, shapes (n, n).

    A fifth of the edges has length 0, and sparse graphs fall apart.
    """
    n = int(rng.integers(3, 40))
    pairs = n * (n - 1) // 2
    lengths = np.where(rng.random(pairs) < 0.2, 0.0, rng.random(pairs))
    return square(lengths), square(rng.random(pairs) < rng.uniform(0.5, 4) / n)


def _renumbered(pairs: np.ndarray, order: np.ndarray) -> np.ndarray:
    return vectors(square(pairs)[order[:, None], order])


def _shapes() -> list[Check]:
    order = np.random.default_rng(0).permutation(50)
    ratios, again = shape_ratios(), shape_ratios(order)
    beside = ", ".join(f"{name} {value:.2f}" for name, value in ratios.items())
    detail = f"shape over topology, four eights of 50 points: {beside}"
    steps = min(ratios["RDM"] - ratios["RGTM"], ratios["RGTM"] - ratios["RGDM"])
    moved = max(abs(ratios[name] - again[name]) for name in ("RDM", "RGTM", "RGDM"))
    eight = pdist(figure_eights()["flat8"])
    lost = naive_geodesic(geotopological(eight, 0, UPPER))
    kept = geodesic(eight, 0, UPPER).distances[0]
    one_sided = naive_neighbours(_renumbered(eight, order), 3)
    return [
        at_least("shapes: RDM, shape over topology", ratios["RDM"], 2.0, detail),
        Check(
            "shapes: RGDM, shape over topology", ratios["RGDM"], "< 1", ratios["RGDM"] < 1, detail
        ),
        Check("shapes: RDM > RGTM > RGDM, lesser step", steps, "> 0", steps > 0, detail),
        at_most("shapes: change when points are renumbered", moved, 1e-9, detail),
        at_least(
            "shapes: naive geodesics are found out",
            np.abs(lost - kept).max(),
            0.1,
            "largest error of networkx from a matrix, which drops edges of length 0 (flat8, where "
            "two points coincide)",
        ),
        at_least(
            "shapes: one-sided neighbours are found out",
            (one_sided != _renumbered(naive_neighbours(eight, 3), order)).sum(),
            1,
            "edges that change when points are renumbered, if only one end is asked (flat8, k 3)",
        ),
        at_most(
            "shapes: neighbour edges that change when points are renumbered",
            (
                nearest_edges(_renumbered(eight.round(9), order), 3)
                != _renumbered(nearest_edges(eight.round(9), 3), order)
            ).sum(),
            0,
            "union of both ends, ties included (flat8, k 3)",
        ),
    ]


def _invariances() -> list[Check]:
    rng = np.random.default_rng(1)
    raw = np.round(rng.gamma(2.0, size=(20, 190)), 1)  # rounded: many ties
    cells = ((0.0, 1.0), (0.4, 0.6), (0.0, 0.075), (0.5, 0.5))
    bent = (np.exp(raw), raw**3 - 5, 1e-6 * raw)
    change = max(
        np.abs(geotopological(other, *cell) - geotopological(raw, *cell)).max()
        for other in bent
        for cell in cells
    )
    rank = np.abs(geotopological(raw, 0, 1) - normalised_ranks(raw)).max()
    order = rng.permutation(raw.shape[1])
    ties = max(
        np.abs(geotopological(raw[:, order], *cell) - geotopological(raw, *cell)[:, order]).max()
        for cell in cells
    )
    split = geotopological(raw, 0.5, 0.5)
    middle = np.quantile(raw, 0.5, axis=1, keepdims=True)
    how = "20 RDMs of 20 conditions with many ties, 4 cells"
    return [
        at_most("transform: change under monotone rescaling", change, 0.0, how),
        at_most("transform: (0, 1) against ranks", rank, 0.0, how),
        at_most("transform: change when pairs are reordered", ties, 0.0, how),
        at_most(
            "transform: equal thresholds against the split at the quantile",
            np.abs(split - (raw > middle)).max(),
            0.0,
            how + "; a pair on the quantile is near",
        ),
    ]


def _paths() -> list[Check]:
    import torch

    rng = np.random.default_rng(2)
    worst = torch_worst = 0.0
    n_apart = n_zero = 0
    for _ in range(_N_GRAPHS):
        weights, edges = random_graph(rng)
        dense = np.where(edges, weights, np.inf)
        expected = dijkstra(csgraph_from_dense(dense, null_value=np.inf), directed=False)
        found = shortest_paths(weights, edges)
        on_torch = shortest_paths(torch.as_tensor(weights), torch.as_tensor(edges)).numpy()
        worst = max(worst, _gap(found, expected))
        torch_worst = max(torch_worst, _gap(on_torch, found))
        n_apart += int(np.isinf(expected).any())
        n_zero += int((edges & (weights == 0)).any())
    how = f"{_N_GRAPHS} random graphs, {n_zero} with edges of length 0, {n_apart} in several parts"
    return [
        at_most("geodesics: error against Dijkstra", worst, 1e-12, how),
        at_most("geodesics: torch against compiled code", torch_worst, 0.0, how),
        at_least("geodesics: graphs with zero edges, in parts", min(n_apart, n_zero), 20, how),
    ]


def _gap(one: np.ndarray, two: np.ndarray) -> float:
    """Largest difference; infinite where only one of both is."""
    if (np.isinf(one) != np.isinf(two)).any():
        return float("inf")
    return float(np.abs(np.where(np.isinf(one), 0, one) - np.where(np.isinf(two), 0, two)).max())
