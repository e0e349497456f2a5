"""Planted structure is found, shuffled structure is not, and sums are what they claim."""

from __future__ import annotations

import numpy as np
import pytest

from neuropipe.connectivity.structure import (
    homologous_mean,
    homologous_null,
    likeness,
    likeness_null,
    network_contrast,
    network_null,
    same_network,
)
from neuropipe.stats.connectivity_matrices import correlation, edges
from neuropipe.stats.permutation import permutation_p_value
from tests.unit.connectivity.builders import series


@pytest.fixture
def matrix():
    return correlation(series(400, 8, np.random.default_rng(0)))


@pytest.fixture
def pairs():
    return np.arange(16).reshape(8, 2)


def test_homologues_stand_out(matrix, pairs):
    value = homologous_mean(matrix, pairs)
    assert value == pytest.approx(np.mean([matrix[2 * k, 2 * k + 1] for k in range(8)]))
    null = homologous_null(matrix, pairs, 200, np.random.default_rng(1))
    assert value > null.max()
    # Dealt out at random, partners still are one left and one right unit.
    across = matrix[np.ix_(pairs[:, 0], pairs[:, 1])]
    assert null.mean() == pytest.approx(across.mean(), abs=0.02)


def test_homologues_of_unrelated_units_do_not(pairs):
    p = []
    for seed in range(60):
        noise = correlation(np.random.default_rng(seed).standard_normal((50, 16)))
        null = homologous_null(noise, pairs, 39, np.random.default_rng(seed))
        p.append(permutation_p_value(homologous_mean(noise, pairs), null))
    assert 6 <= np.sum(np.array(p) <= 0.25) <= 25  # 15 expected


def test_network_contrast_matches_loops(matrix):
    networks = np.array(["a", "a", "b", "b", "b", "n/a", "c", "c"] * 2, dtype=object)
    member = same_network(networks)
    assert member.shape == (16, 3)
    within, between = network_contrast(matrix, member)
    same, other = [], []
    for i in range(16):
        for j in range(i):
            if "n/a" in (networks[i], networks[j]):
                continue
            (same if networks[i] == networks[j] else other).append(matrix[i, j])
    assert within == pytest.approx(np.mean(same))
    assert between == pytest.approx(np.mean(other))


def test_networks_stand_out(matrix):
    networks = np.array(["net0", "net0", "net1", "net1"] * 4, dtype=object)
    member = same_network(networks)
    within, between = network_contrast(matrix, member)
    null = network_null(matrix, member, 200, np.random.default_rng(2))
    assert within - between > null.max()
    assert null.mean() == pytest.approx(0, abs=0.03)


def test_networks_of_one_unit_each_have_no_within(matrix):
    member = same_network(np.array([f"n{k}" for k in range(16)], dtype=object))
    assert np.isnan(network_contrast(matrix, member)[0])


def test_likeness_and_its_jackknife_match_numpy():
    rng = np.random.default_rng(3)
    first = correlation(rng.standard_normal((60, 9)))
    second = correlation(rng.standard_normal((60, 9)))
    found = likeness(first, second)
    assert found.r == pytest.approx(np.corrcoef(edges(first), edges(second))[0, 1])
    for unit in range(9):
        kept = np.delete(np.arange(9), unit)
        rest = np.ix_(kept, kept)
        expected = np.corrcoef(edges(first[rest]), edges(second[rest]))[0, 1]
        assert found.without[unit] == pytest.approx(expected)


def test_likeness_null_is_centred_and_matches_a_shuffle(matrix):
    null = likeness_null(matrix, matrix, 300, np.random.default_rng(4))
    assert null.mean() == pytest.approx(0, abs=0.03)
    assert null.max() < 1.0
    order = np.random.default_rng(4).permutation(16)
    shuffled = matrix[np.ix_(order, order)]
    assert null[0] == pytest.approx(np.corrcoef(edges(matrix), edges(shuffled))[0, 1])
