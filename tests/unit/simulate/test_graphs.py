"""Weighted graphs with planted communities, and planted tensors."""

from __future__ import annotations

import networkx as nx
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from neuropipe.errors import SettingsError
from neuropipe.simulate.graph_wiring import external_edges, internal_edges
from neuropipe.simulate.graphs import planted_graph, planted_graphs, power_law, power_law_mean
from neuropipe.simulate.settings import GraphSimulation
from neuropipe.simulate.tensors import compose, planted_factors


@settings(deadline=None)
@example(1.0000000000000002, 2.0, 2.0, 0)
@given(st.floats(1, 4), st.floats(1, 20), st.floats(1.5, 10), st.integers(0, 99))
def test_power_laws_stay_in_their_range(exponent, low, factor, seed):
    drawn = power_law(exponent, low, low * factor, 200, np.random.default_rng(seed))
    assert drawn.min() >= low * (1 - 1e-9)
    assert drawn.max() <= low * factor * (1 + 1e-9)


@pytest.mark.parametrize("exponent", [1.0, 1.5, 2.0, 3.0])
def test_power_laws_have_their_mean(exponent):
    drawn = power_law(exponent, 3, 90, 200_000, np.random.default_rng(0))
    assert drawn.mean() == pytest.approx(power_law_mean(exponent, 3, 90), rel=0.02)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 999), st.sampled_from([0.5, 1.0, 2.0]), st.sampled_from([0.4, 0.6, 0.8]))
def test_graphs_are_simple_symmetric_and_positive(seed, beta, mixing):
    chosen = GraphSimulation(
        n_nodes=60, degree=8, max_degree=20, mixing_topology=mixing, mixing_weights=0.3,
        strength_exponent=beta, seed=seed,
    )  # fmt: skip
    graph = planted_graph(chosen)
    assert np.array_equal(graph.weights, graph.weights.T)
    assert (np.diag(graph.weights) == 0).all()
    assert (graph.weights >= 0).all()
    assert graph.weights.sum() > 0
    assert sorted(np.unique(graph.communities)) == list(range(graph.n_communities))
    assert graph.mixing_topology == pytest.approx(mixing, abs=0.12)
    again = planted_graph(chosen)
    assert np.array_equal(graph.weights, again.weights)


def test_strength_grows_with_degree_as_asked():
    for beta in (0.5, 1.0):
        graph = planted_graph(GraphSimulation(strength_exponent=beta, seed=13))
        degree, strength = (graph.weights > 0).sum(axis=1), graph.weights.sum(axis=1)
        slope = np.polyfit(np.log(degree), np.log(strength), 1)[0]
        assert slope == pytest.approx(beta, abs=0.05)


def test_filter_keeps_what_was_asked_for():
    # Nodes with 75 neighbours inside a community of 125: the mixing cannot be had in every draw.
    hard = GraphSimulation(mixing_topology=0.25)
    kept = planted_graphs(hard, range(13, 21), tolerance=0.08)
    assert 0 < len(kept) < 8
    for graph in kept:
        assert graph.n_communities > 1
        assert abs(graph.mixing_topology - 0.25) <= 0.08
        assert abs(graph.mixing_weights - 0.5) <= 0.08


def test_mixing_is_measured_by_node():
    graph = planted_graph(GraphSimulation(seed=14))
    outside = graph.communities[:, None] != graph.communities
    shares = [graph.weights[k][outside[k]].sum() / graph.weights[k].sum() for k in range(125)]
    assert graph.mixing_weights == pytest.approx(np.mean(shares))


def test_communities_too_small_for_their_nodes_are_refused(monkeypatch):
    monkeypatch.setattr("neuropipe.simulate.graphs._placed", lambda *_: None)
    with pytest.raises(SettingsError, match="raise mixing_topology"):
        planted_graph(GraphSimulation())


@settings(deadline=None)
@given(st.integers(0, 999), st.integers(6, 30))
def test_internal_edges_have_the_degrees_of_a_graph_that_exists(seed, n):
    rng = np.random.default_rng(seed)
    source = nx.to_numpy_array(nx.gnp_random_graph(n, 0.4, seed=seed)) > 0
    adjacency = internal_edges(source.sum(axis=1), np.zeros(n, dtype=int), rng)
    assert np.array_equal(adjacency, adjacency.T)
    assert not np.diag(adjacency).any()
    assert np.array_equal(adjacency.sum(axis=1), source.sum(axis=1))


@settings(deadline=None)
@given(st.integers(0, 999), st.integers(20, 40))
def test_external_edges_join_communities_and_miss_few_stubs(seed, n):
    rng = np.random.default_rng(seed)
    communities = np.arange(n) % 4
    source = nx.to_numpy_array(nx.gnp_random_graph(n, 0.3, seed=seed)) > 0
    wanted = (source & (communities[:, None] != communities)).sum(axis=1)
    adjacency = external_edges(wanted, communities, rng)
    assert np.array_equal(adjacency, adjacency.T)
    assert not adjacency[communities[:, None] == communities].any()
    assert (adjacency.sum(axis=1) <= wanted).all()
    assert adjacency.sum() >= 0.9 * wanted.sum() - 4


@settings(deadline=None)
@given(st.integers(1, 4), st.integers(0, 99))
def test_planted_tensors_are_the_sum_of_their_components(rank, seed):
    factors = planted_factors((6, 5, 4), rank, np.random.default_rng(seed))
    tensor = compose(factors)
    expected = sum(
        np.multiply.outer(np.outer(factors[0][:, r], factors[1][:, r]), factors[2][:, r])
        for r in range(rank)
    )
    assert np.allclose(tensor, expected)
    assert (tensor >= 0).all()
    for factor in factors:
        assert np.allclose(np.linalg.norm(factor, axis=0), 1)
