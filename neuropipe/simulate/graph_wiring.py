"""Random simple graphs with given degrees, inside and between communities."""

from __future__ import annotations

import numpy as np

_SWAPS = 10  # attempted swaps an edge: enough to forget the starting graph
_REPAIRS = 300  # random edges tried as partners of a pair of stubs that may not be joined


def internal_edges(
    inside: np.ndarray, communities: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Draw edges within communities.

    Parameters
    ----------
    inside : array of int of shape (n_nodes,)
        Wanted internal degree of each node, less than its community's size.
    communities : array of int of shape (n_nodes,)
    rng : numpy.random.Generator

    Returns
    -------
    array of bool of shape (n_nodes, n_nodes)
        Symmetric adjacency. A degree is missed by a few edges where no simple graph has it.
    """
    adjacency = np.zeros((len(inside), len(inside)), dtype=bool)
    for community in np.unique(communities):
        members = np.flatnonzero(communities == community)
        block = _havel_hakimi(inside[members])
        adjacency[np.ix_(members, members)] = _swapped(block, rng)
    return adjacency


def external_edges(
    outside: np.ndarray, communities: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Draw edges between communities.

    Parameters
    ----------
    outside : array of int of shape (n_nodes,)
        Wanted external degree of each node.
    communities : array of int of shape (n_nodes,)
    rng : numpy.random.Generator

    Returns
    -------
    array of bool of shape (n_nodes, n_nodes)
        Symmetric adjacency; stubs that find no partner in another community are left out.
    """
    stubs = rng.permutation(np.repeat(np.arange(len(outside)), np.maximum(outside, 0)))
    pairs = stubs[: len(stubs) // 2 * 2].reshape(-1, 2)
    adjacency = np.zeros((len(outside), len(outside)), dtype=bool)
    edges: list[tuple[int, int]] = []
    rest = []
    for a, b in pairs.tolist():
        if communities[a] == communities[b] or adjacency[a, b]:
            rest.append((a, b))
        else:
            adjacency[a, b] = adjacency[b, a] = True
            edges.append((a, b))
    for a, b in rest if edges else []:
        for pick in rng.integers(len(edges), size=_REPAIRS).tolist():
            c, d = edges[pick]
            # The edge c-d gives way to a-d and c-b where both are allowed.
            allowed = communities[a] != communities[d] and communities[c] != communities[b]
            if allowed and not (adjacency[a, d] or adjacency[c, b]):
                adjacency[c, d] = adjacency[d, c] = False
                adjacency[a, d] = adjacency[d, a] = adjacency[c, b] = adjacency[b, c] = True
                edges[pick] = (a, d)
                edges.append((c, b))
                break
    return adjacency


def _havel_hakimi(degrees: np.ndarray) -> np.ndarray:
    """Some simple graph with the given degrees, as nearly as one exists."""
    left = degrees.copy()
    adjacency = np.zeros((len(degrees), len(degrees)), dtype=bool)
    done = np.zeros(len(degrees), dtype=bool)
    for _ in range(len(degrees)):
        node = int(np.argmax(np.where(done, -1, left)))
        done[node] = True
        open_ends = np.where(done | adjacency[node], -1, left)
        partners = np.argsort(-open_ends, kind="stable")[: left[node]]
        partners = partners[open_ends[partners] > 0]
        adjacency[node, partners] = adjacency[partners, node] = True
        left[partners] -= 1
        left[node] = 0
    return adjacency


def _swapped(adjacency: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Forget how a graph was made: random double-edge swaps keep degrees and simplicity."""
    edges = np.argwhere(np.triu(adjacency))
    n_tries = _SWAPS * len(edges)
    if len(edges) < 2:
        return adjacency
    chosen = rng.integers(len(edges), size=(n_tries, 2))
    turned = rng.integers(2, size=n_tries)
    for (one, other), turn in zip(chosen, turned, strict=True):
        a, b = edges[one]
        c, d = edges[other] if turn else edges[other][::-1]
        if len({a, b, c, d}) < 4 or adjacency[a, d] or adjacency[c, b]:
            continue
        adjacency[a, b] = adjacency[b, a] = adjacency[c, d] = adjacency[d, c] = False
        adjacency[a, d] = adjacency[d, a] = adjacency[c, b] = adjacency[b, c] = True
        edges[one], edges[other] = (a, d), (c, b)
    return adjacency
