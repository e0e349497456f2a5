"""Weighted graphs with planted communities (SIM-E).

The benchmark of Lancichinetti & Fortunato 2009 (Phys. Rev. E 80, 016118) for undirected weighted
graphs without overlap, after the paper's definitions: degrees and community sizes follow power
laws, each node sends the share 1 - mut of its edges and 1 - muw of its strength into its community,
and strength grows as degree ** beta.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from scipy.special import boxcox, inv_boxcox

from neuropipe.errors import SettingsError
from neuropipe.simulate.graph_wiring import external_edges, internal_edges
from neuropipe.simulate.processes import stream
from neuropipe.simulate.settings import GraphSimulation

_ATTEMPTS = 200  # draws of community sizes before giving up
_SWEEPS = 300  # of the fit of the weights
_CONVERGED = 1e-4  # relative change of the misfit in a sweep


@dataclass(frozen=True)
class PlantedGraph:
    """An undirected weighted graph and its communities.

    Parameters
    ----------
    weights : array of shape (n_nodes, n_nodes)
        Symmetric, zero on the diagonal and where there is no edge.
    communities : array of int of shape (n_nodes,)
        Numbered from 0.
    """

    weights: np.ndarray
    communities: np.ndarray

    @property
    def n_communities(self) -> int:
        """Number of communities."""
        return int(self.communities.max()) + 1

    @property
    def mixing_topology(self) -> float:
        """Realised share of a node's edges that leave its community, mean over nodes."""
        return self._mixing((self.weights > 0).astype(float))

    @property
    def mixing_weights(self) -> float:
        """Realised share of a node's strength on those edges, mean over nodes."""
        return self._mixing(self.weights)

    def _mixing(self, matrix: np.ndarray) -> float:
        outside = self.communities[:, None] != self.communities
        total = matrix.sum(axis=1)
        linked = total > 0
        return float(((matrix * outside).sum(axis=1)[linked] / total[linked]).mean())


def planted_graph(settings: GraphSimulation) -> PlantedGraph:
    """Draw one graph.

    Parameters
    ----------
    settings : GraphSimulation

    Returns
    -------
    PlantedGraph
        Its realised mixing may differ from the wanted one where a node cannot have that many
        neighbours on one side; see `planted_graphs`.

    Raises
    ------
    SettingsError
        If no community sizes hold the internal degrees.
    """
    rng = stream(settings.seed)
    degrees = _degrees(settings, rng)
    # A fractional number of internal edges is rounded up as often as its fraction says.
    inside = np.floor((1 - settings.mixing_topology) * degrees + rng.uniform(size=len(degrees)))
    inside = np.minimum(inside.astype(int), degrees)
    communities = _communities(settings, inside, rng)
    adjacency = internal_edges(inside, communities, rng)
    adjacency |= external_edges(degrees - adjacency.sum(axis=1), communities, rng)
    return PlantedGraph(_weights(adjacency, communities, settings, rng), communities)


def planted_graphs(
    settings: GraphSimulation, seeds: Iterable[int], *, tolerance: float = 0.1
) -> list[PlantedGraph]:
    """Draw one graph a seed and keep those that are what was asked for.

    Parameters
    ----------
    settings : GraphSimulation
        Its seed is not used.
    seeds : iterable of int
    tolerance : float
        Largest distance of both realised mixings from the wanted ones.

    Returns
    -------
    list of PlantedGraph
        Graphs of two or more communities; fewer than seeds where some are discarded.
    """
    kept = []
    for seed in seeds:
        graph = planted_graph(settings.model_copy(update={"seed": seed}))
        off = max(
            abs(graph.mixing_topology - settings.mixing_topology),
            abs(graph.mixing_weights - settings.mixing_weights),
        )
        if graph.n_communities > 1 and off <= tolerance:
            kept.append(graph)
    return kept


def power_law(
    exponent: float, low: float, high: float, size: int, rng: np.random.Generator
) -> np.ndarray:
    """Draw from p(x) ~ x ** -exponent on [low, high] by inversion.

    Parameters
    ----------
    exponent, low, high : float
        ``0 < low <= high``.
    size : int
    rng : numpy.random.Generator

    Returns
    -------
    array of shape (size,)
    """
    # The Box-Cox transform is the law's integral; it stays exact where the exponent is near 1.
    power = 1 - exponent
    share = rng.uniform(size=size)
    return np.asarray(low * inv_boxcox(share * boxcox(high / low, power), power))


def power_law_mean(exponent: float, low: float, high: float) -> float:
    """Mean of the law that `power_law` draws from."""

    def integral(power: float) -> float:
        return float(boxcox(high, power + 1) - boxcox(low, power + 1))

    return high if low == high else integral(1 - exponent) / integral(-exponent)


def _degrees(settings: GraphSimulation, rng: np.random.Generator) -> np.ndarray:
    """Degrees of a power law up to `max_degree` with the wanted mean."""
    low, high = 1e-6, float(settings.max_degree)
    for _ in range(100):  # the mean grows with the lower end: bisection
        middle = (low + high) / 2
        mean = power_law_mean(settings.degree_exponent, middle, settings.max_degree)
        low, high = (middle, high) if mean < settings.degree else (low, middle)
    drawn = power_law(settings.degree_exponent, low, settings.max_degree, settings.n_nodes, rng)
    return np.asarray(np.clip(np.round(drawn).astype(int), 1, settings.max_degree))


def _communities(
    settings: GraphSimulation, inside: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Draw sizes and place every node where its internal edges find enough neighbours."""
    smallest, largest = max(3, int(inside.min()) + 1), max(3, int(inside.max()) + 1)
    for _ in range(_ATTEMPTS):
        sizes = _sizes(settings, smallest, min(largest, settings.n_nodes), rng)
        places = _placed(inside, sizes, rng)
        if places is not None:
            return places
    raise SettingsError(
        f"mut {settings.mixing_topology:g} gives nodes up to {inside.max()} neighbours in one "
        f"community of {settings.n_nodes} nodes",
        "communities that hold them",
        "raise mixing_topology or n_nodes, or lower max_degree",
    )


def _sizes(
    settings: GraphSimulation, smallest: int, largest: int, rng: np.random.Generator
) -> np.ndarray:
    """Community sizes that add up to the number of nodes; the first is the largest allowed."""
    sizes = [largest]
    while sum(sizes) < settings.n_nodes:
        drawn = power_law(settings.size_exponent, smallest, largest, 1, rng)
        sizes.append(round(float(drawn[0])))
    excess = sum(sizes) - settings.n_nodes
    if sizes[-1] - excess >= smallest or len(sizes) == 1:
        sizes[-1] -= excess
    else:  # too small a rest: its nodes join the others
        rest = sizes.pop() - excess
        for k in range(rest):
            sizes[k % len(sizes)] += 1
    return np.array(sizes)


def _placed(inside: np.ndarray, sizes: np.ndarray, rng: np.random.Generator) -> np.ndarray | None:
    """Place nodes at random, those with most internal edges first; None where one finds no room."""
    communities = np.empty(len(inside), dtype=int)
    free = sizes.copy()
    for node in np.lexsort((rng.uniform(size=len(inside)), -inside)):
        room = np.where(sizes > inside[node], free, 0)
        if not room.any():
            return None
        communities[node] = rng.choice(len(sizes), p=room / room.sum())
        free[communities[node]] -= 1
    return communities


def _weights(
    adjacency: np.ndarray,
    communities: np.ndarray,
    settings: GraphSimulation,
    rng: np.random.Generator,
) -> np.ndarray:
    """Weights whose internal and external strengths come closest to the wanted ones.

    The paper's scheme: node after node, the missing strength is added evenly to its edges of that
    side, and weights stay positive.
    """
    strength = adjacency.sum(axis=1).astype(float) ** settings.strength_exponent
    same = communities[:, None] == communities
    sides = [
        (adjacency & same, (1 - settings.mixing_weights) * strength),
        (adjacency & ~same, settings.mixing_weights * strength),
    ]
    weights = np.zeros(adjacency.shape)
    least = 1e-6 * strength.mean()
    for edges, target in sides:
        neighbours = [np.flatnonzero(row) for row in edges]
        linked = [node for node, found in enumerate(neighbours) if len(found)]
        before = np.inf
        for _ in range(_SWEEPS):
            for node in rng.permutation(linked):
                found = neighbours[node]
                row = weights[node, found]
                row = np.maximum(row + (target[node] - row.sum()) / len(found), least)
                weights[node, found] = weights[found, node] = row
            misfit = ((weights * edges).sum(axis=1) - target)[linked]
            error = float((misfit**2).sum())
            if before - error <= _CONVERGED * error:
                break
            before = error
    return weights
