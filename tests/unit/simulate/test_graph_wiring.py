"""Random simple graphs: degrees kept, structure forgotten."""

from __future__ import annotations

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neuropipe.simulate.graph_wiring import (
    _havel_hakimi,
    _swapped,
    external_edges,
    internal_edges,
)
from neuropipe.simulate.graphs import PlantedGraph, _degrees, _placed, _sizes, planted_graph
from neuropipe.simulate.settings import GraphSimulation


@given(degrees=st.lists(st.integers(0, 8), min_size=2, max_size=12))
@settings(deadline=None)
def test_graphical_degrees_are_met_exactly_and_others_never_exceeded(degrees):
    wanted = np.minimum(degrees, len(degrees) - 1)
    adjacency = _havel_hakimi(wanted)
    assert np.array_equal(adjacency, adjacency.T)
    assert not np.diag(adjacency).any()
    assert (adjacency.sum(axis=1) <= wanted).all()
    if nx.is_graphical(wanted.tolist()):
        assert np.array_equal(adjacency.sum(axis=1), wanted)


@given(n=st.integers(6, 20), seed=st.integers(0, 999))
@settings(max_examples=30, deadline=None)
def test_swaps_keep_every_degree(n, seed):
    before = nx.to_numpy_array(nx.gnp_random_graph(n, 0.4, seed=seed)) > 0
    after = _swapped(before.copy(), np.random.default_rng(seed))
    assert np.array_equal(after, after.T)
    assert not np.diag(after).any()
    assert np.array_equal(after.sum(axis=1), before.sum(axis=1))


def test_swaps_forget_the_graph_they_started_from():
    """A ring of 40: after swapping, an edge survives as seldom as chance has it."""
    ring = nx.to_numpy_array(nx.cycle_graph(40)) > 0
    kept = [
        (_swapped(ring.copy(), np.random.default_rng(seed)) & ring).sum() / ring.sum()
        for seed in range(30)
    ]
    assert np.mean(kept) == pytest.approx(2 / 39, abs=0.03)


@pytest.mark.parametrize("n_edges", [0, 1])
def test_too_few_edges_to_swap_are_left_alone(n_edges):
    adjacency = np.zeros((4, 4), dtype=bool)
    adjacency[0, 1] = adjacency[1, 0] = bool(n_edges)
    assert np.array_equal(_swapped(adjacency.copy(), np.random.default_rng(0)), adjacency)


def test_communities_are_wired_apart():
    communities = np.repeat([0, 1, 2], 8)
    adjacency = internal_edges(np.full(24, 4), communities, np.random.default_rng(0))
    assert not adjacency[communities[:, None] != communities].any()
    assert (adjacency.sum(axis=1) == 4).all()


def test_one_community_has_nothing_outside():
    adjacency = external_edges(np.full(6, 3), np.zeros(6, dtype=int), np.random.default_rng(0))
    assert not adjacency.any()


def test_external_edges_do_not_prefer_near_nodes():
    rng = np.random.default_rng(0)
    communities = np.arange(40) // 10
    total = np.zeros((40, 40))
    for _ in range(200):
        total += external_edges(np.full(40, 6), communities, rng)
    apart = communities[:, None] != communities
    # 6 of 30 possible partners, whoever they are.
    assert total[apart] / 200 == pytest.approx(np.full(apart.sum(), 0.2), abs=0.13)
    assert total[apart].mean() / 200 == pytest.approx(0.2, abs=0.005)


@given(
    exponent=st.floats(0, 4), smallest=st.integers(3, 10), extra=st.integers(0, 20),
    seed=st.integers(0, 999),
)  # fmt: skip
@settings(deadline=None)
def test_community_sizes_add_up_to_all_nodes(exponent, smallest, extra, seed):
    chosen = GraphSimulation(n_nodes=80, degree=5, max_degree=20, size_exponent=exponent)
    sizes = _sizes(chosen, smallest, smallest + extra, np.random.default_rng(seed))
    assert sizes.sum() == 80
    assert sizes.min() >= smallest


@given(seed=st.integers(0, 999))
@settings(deadline=None)
def test_every_node_is_placed_where_its_neighbours_fit(seed):
    rng = np.random.default_rng(seed)
    sizes = np.array([12, 7, 5])
    inside = rng.integers(0, 5, 24)
    inside[:3] = (11, 6, 4)
    places = _placed(inside, sizes, rng)
    assert places is not None
    assert np.array_equal(np.bincount(places, minlength=3), sizes)
    assert (sizes[places] > inside).all()
    inside[0] = 12
    assert _placed(inside, sizes, rng) is None


@pytest.mark.parametrize(("mean", "largest"), [(10.0, 50), (25.0, 100), (5.0, 8)])
def test_degrees_have_their_mean_and_maximum(mean, largest):
    chosen = GraphSimulation(n_nodes=5000, degree=mean, max_degree=largest)
    degrees = _degrees(chosen, np.random.default_rng(0))
    assert degrees.mean() == pytest.approx(mean, rel=0.05)
    assert degrees.min() >= 1
    assert degrees.max() <= largest


def test_mixing_of_a_graph_drawn_by_hand():
    weights = np.zeros((4, 4))
    for a, b, w in ((0, 1, 3.0), (2, 3, 1.0), (1, 2, 1.0)):
        weights[a, b] = weights[b, a] = w
    graph = PlantedGraph(weights, np.array([0, 0, 1, 1]))
    assert graph.n_communities == 2
    # Nodes 1 and 2 have one of two edges outside, with 1/4 and 1/2 of their strength.
    assert graph.mixing_topology == pytest.approx((0 + 0.5 + 0.5 + 0) / 4)
    assert graph.mixing_weights == pytest.approx((0 + 0.25 + 0.5 + 0) / 4)


def test_weights_split_the_strength_as_asked():
    for wanted in (0.2, 0.6):
        chosen = GraphSimulation(mixing_weights=wanted, strength_exponent=1.0, seed=15)
        graph = planted_graph(chosen)
        assert graph.mixing_weights == pytest.approx(wanted, abs=0.05)
        strength = graph.weights.sum(axis=1)
        degree = (graph.weights > 0).sum(axis=1)
        assert strength == pytest.approx(degree, rel=0.25)
