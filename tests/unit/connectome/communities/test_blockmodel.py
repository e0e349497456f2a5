"""Description lengths are those of the equations."""

from __future__ import annotations

from dataclasses import replace
from math import comb, factorial, lgamma, log

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad

from neuropipe.connectome.communities import blockmodel
from neuropipe.errors import InputError

from .builders import graphs_with_labels, planted, random_graph, symmetric


def partition_nats(labels):
    n, sizes = len(labels), np.bincount(labels)
    ways = log(n) + log(comb(n - 1, len(sizes) - 1)) + log(factorial(n))
    return ways - sum(log(factorial(k)) for k in sizes)


def sums_by_pairs(values, known, labels):
    total = {}
    for i in range(len(labels)):
        for j in range(i):
            key = tuple(sorted((labels[i], labels[j])))
            total[key] = total.get(key, 0) + (values[i, j] if known[i, j] else 0)
    return total


def plain_nats(weights, labels):
    known = np.isfinite(weights)
    edges = np.nan_to_num(weights) > 0
    m, n, w = (sums_by_pairs(x, known, labels) for x in (edges, np.ones(weights.shape), weights))
    c = weights[edges].mean() if edges.any() else 1.0
    found = partition_nats(labels)
    for key in m:
        found -= lgamma(m[key] + 1) + lgamma(n[key] - m[key] + 1) - lgamma(n[key] + 2)
        found -= log(c) + lgamma(m[key] + 1) - (m[key] + 1) * log(w[key] + c)
    return found


@given(graphs_with_labels())
@settings(max_examples=60, deadline=None)
def test_plain_description_length_is_that_of_the_equations(case):
    weights, labels = case
    model = blockmodel.block_model(weights, degree_corrected=False)
    found = blockmodel.description_length(model, labels)
    assert found == pytest.approx(plain_nats(weights, labels), abs=1e-9)


@given(graphs_with_labels())
@settings(max_examples=60, deadline=None)
def test_corrected_description_length_is_that_of_the_equations(case):
    weights, labels = case
    model = blockmodel.block_model(weights, degree_corrected=True)
    known, edges = np.isfinite(weights), np.nan_to_num(weights) > 0
    odds = np.outer(model.odds, model.odds)
    q, scale = odds / (1 + odds), np.outer(model.scales, model.scales)
    y = weights / scale
    c = y[edges].mean() if edges.any() else 1.0
    expected = partition_nats(labels)
    ones = np.ones(weights.shape)
    m, n, total, square, v = (sums_by_pairs(x, known, labels) for x in (edges, ones, q, q**2, y))
    n_known, n_edges = sum(n.values()), sum(m.values())
    d = max(n_known / max(n_edges, 1) - 1, 1)
    for key in m:
        expected -= log(d) + lgamma(m[key] + 1) + lgamma(n[key] - m[key] + d)
        expected += lgamma(n[key] + 1 + d)
        if n[key]:
            u = total[key] / n[key]
            p = (m[key] + 1) / (n[key] + 1 + d)
            expected += m[key] * log(u) + (n[key] - m[key]) * log(1 - u)
            spread = square[key] - n[key] * u**2
            expected -= spread / 2 * ((p - u) / (u * (1 - u))) ** 2
        expected -= log(c) + lgamma(m[key] + 1) - (m[key] + 1) * log(v[key] + c)
    for i in range(len(labels)):
        for j in range(i):
            if edges[i, j]:
                expected += log(scale[i, j]) - log(q[i, j])
            elif known[i, j]:
                expected -= log(1 - q[i, j])
    assert blockmodel.description_length(model, labels) == pytest.approx(expected, abs=1e-9)


def test_terms_integrate_the_rates_out():
    """One block, by numerical integration over the probability and the rate."""
    weights = random_graph(6, 3)
    model = blockmodel.block_model(weights, degree_corrected=False)
    x = weights[np.triu(np.nan_to_num(weights) > 0)]
    n = np.isfinite(weights)[np.triu_indices(6, 1)].sum()
    m, c = len(x), x.mean()
    edges = quad(lambda p: p**m * (1 - p) ** (n - m), 0, 1)[0]
    rates = quad(lambda r: r**m * np.exp(-r * x.sum()) * c * np.exp(-c * r), 0, np.inf)[0]
    labels = np.zeros(6, dtype=int)
    expected = -log(edges) - log(rates) + partition_nats(labels)
    assert blockmodel.description_length(model, labels) == pytest.approx(expected, rel=1e-6)


@given(st.integers(0, 10**6))
@settings(max_examples=30, deadline=None)
def test_baseline_has_the_expected_degrees_and_scales_make_means_one(seed):
    weights = random_graph(15, seed)
    model = blockmodel.block_model(weights, degree_corrected=True)
    known = np.isfinite(weights) & ~np.eye(15, dtype=bool)
    degrees, n_known = (np.nan_to_num(weights) > 0).sum(axis=1), known.sum(axis=1)
    expected = (blockmodel.edge_probability(model.odds) * known).sum(axis=1)
    assert expected == pytest.approx(n_known * (degrees + 1) / (n_known + 2), abs=1e-6)
    y = model.pairs[..., 4].sum(axis=1)
    assert y[degrees > 0] == pytest.approx(degrees[degrees > 0], abs=1e-6)


def test_corrected_edges_come_close_to_the_integral_and_meet_it_for_equal_units():
    """Against numerical integration over the factor of one block, all 2 ** 6 graphs of 4 units."""
    model = replace(blockmodel.block_model(np.ones((4, 4)), degree_corrected=True), prior_missing=1)

    def nats(odds, edges):
        pair = np.outer(odds, odds)[np.triu_indices(4, 1)]
        q = pair / (1 + pair)

        def likelihood(p):
            factor = p / (1 - p) * (1 - q.mean()) / q.mean()
            chance = pair * factor / (1 + pair * factor)
            return np.prod(np.where(edges, chance, 1 - chance))

        sums = np.array([[[edges.sum(), 6, q.sum(), (q**2).sum(), 0.0]]])
        null = -np.log(np.where(edges, q, 1 - q)).sum()
        return -log(quad(likelihood, 0, 1)[0]), float(
            blockmodel.edge_cost(model, sums)[0, 0]
        ) + null

    mass = 0.0
    for bits in range(64):
        edges = (bits >> np.arange(6)) % 2 == 1
        exact, found = nats(np.array([0.4, 0.8, 1.0, 2.0]), edges)
        assert found == pytest.approx(exact, abs=0.5)
        mass += np.exp(-found)
        exact, found = nats(np.full(4, 0.7), edges)
        assert found == pytest.approx(exact, abs=1e-7)
    assert mass == pytest.approx(1, abs=0.1)


def test_unknown_pairs_count_nowhere():
    weights, labels = planted((6, 6))
    without = weights.copy()
    without[:, 0] = without[0, :] = np.nan
    one = blockmodel.block_sums(blockmodel.block_model(without, degree_corrected=False), labels)
    rest = blockmodel.block_model(weights[1:, 1:], degree_corrected=False)
    assert one == pytest.approx(blockmodel.block_sums(rest, labels[1:]))


def test_counts_are_multigraphs_with_loops():
    counts = np.array([[4, 2, 1], [2, 0, 3], [1, 3, 5]])
    model = blockmodel.count_model(counts)
    labels = np.array([0, 0, 1])
    # Blocks {0, 1} and {2}: 6 edges on 3 pairs, 4 on 2, 5 on 1.
    expected = log(comb(3 + 6 - 1, 6)) + log(comb(2 + 4 - 1, 4)) + log(comb(1 + 5 - 1, 5))
    expected += log(comb(3 + 15 - 1, 15))  # what is left to tell: 15 edges on 3 pairs of blocks
    found = blockmodel.description_length(model, labels)
    assert found == pytest.approx(expected + partition_nats(labels))


def test_scaling_the_weights_changes_no_comparison():
    weights, labels = planted((8, 8))
    whole = np.zeros(16, dtype=int)
    for corrected in (False, True):
        gains = []
        for factor in (1.0, 250.0):
            model = blockmodel.block_model(factor * weights, degree_corrected=corrected)
            gains.append(
                blockmodel.description_length(model, whole)
                - blockmodel.description_length(model, labels)
            )
        assert gains[0] == pytest.approx(gains[1], abs=1e-6)


def test_scaling_the_weights_of_units_is_corrected_for():
    weights, _ = planted((8, 8))
    gain = np.exp(np.random.default_rng(0).standard_normal(16))
    one = blockmodel.block_model(weights, degree_corrected=True)
    other = blockmodel.block_model(weights * np.outer(gain, gain), degree_corrected=True)
    assert other.pairs == pytest.approx(one.pairs, abs=1e-6)


@pytest.mark.parametrize(
    "weights",
    [np.ones((2, 3)), np.triu(np.ones((3, 3))), np.full((2, 2), np.inf), np.empty((0, 0))],
)
def test_matrices_that_are_no_graph_are_refused(weights):
    with pytest.raises(InputError, match="expected a s"):
        blockmodel.block_model(weights, degree_corrected=False)


def test_a_graph_without_edges_has_a_length():
    for corrected in (False, True):
        model = blockmodel.block_model(symmetric(np.zeros((4, 4))), degree_corrected=corrected)
        assert np.isfinite(blockmodel.description_length(model, np.zeros(4, dtype=int)))
