"""Planted blocks are found, and nothing where there is nothing."""

from __future__ import annotations

import time
from itertools import product

import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score

from neuropipe.connectome.communities.blockmodel import block_model, description_length
from neuropipe.connectome.communities.search import by_size, fit_blocks

from .builders import planted, random_graph, symmetric


@pytest.mark.parametrize("corrected", [False, True])
def test_planted_blocks_are_found(corrected):
    weights, labels = planted((20, 15, 10, 8))
    blocks = fit_blocks(weights, degree_corrected=corrected, n_runs=5)
    assert adjusted_rand_score(labels, blocks.labels) > 0.97
    assert blocks.gain > 150
    assert list(np.bincount(blocks.labels)) == sorted(np.bincount(blocks.labels))[::-1]


@pytest.mark.parametrize("corrected", [False, True])
def test_weights_alone_separate_blocks(corrected):
    weights, labels = planted((16, 16), inside=1.0, outside=1.0, contrast=4.0, seed=1)
    blocks = fit_blocks(weights, degree_corrected=corrected, n_runs=5)
    assert adjusted_rand_score(labels, blocks.labels) == 1


def test_edges_alone_separate_blocks_and_bipartite_ones_too():
    weights, labels = planted((16, 16), inside=0.1, outside=0.8, contrast=1.0)
    assert adjusted_rand_score(labels, fit_blocks(weights, degree_corrected=False).labels) == 1


@pytest.mark.parametrize("corrected", [False, True])
def test_random_graphs_are_one_block(corrected):
    for seed in range(4):
        weights = random_graph(40, seed, unknown=0.0)
        blocks = fit_blocks(weights, degree_corrected=corrected, n_runs=4)
        assert blocks.n_blocks == 1
        assert blocks.gain == 0


def test_unequal_degrees_are_blocks_only_without_correction():
    rng = np.random.default_rng(0)
    activity = np.repeat([0.15, 0.7], 30)
    p = np.sqrt(np.outer(activity, activity))
    weights = symmetric((rng.random(p.shape) < p) * rng.exponential(size=p.shape))
    assert fit_blocks(weights, degree_corrected=False, n_runs=5).n_blocks > 1
    assert fit_blocks(weights, degree_corrected=True, n_runs=5).n_blocks == 1


@pytest.mark.parametrize("corrected", [False, True])
def test_search_finds_the_best_of_all_partitions(corrected):
    weights, _ = planted((4, 3), inside=1.0, outside=0.3, seed=2)
    model = block_model(weights, degree_corrected=corrected)
    every = {tuple(by_size(np.array(p))) for p in product(range(3), repeat=7)}
    best = min(description_length(model, np.array(p)) for p in every)
    found = fit_blocks(weights, degree_corrected=corrected, n_runs=10)
    assert found.description_length <= best + 1e-9


def test_result_is_consistent_and_repeatable():
    weights = random_graph(30, 5, density=0.3)
    weights[:15, :15] *= 4
    blocks = fit_blocks(weights, degree_corrected=False, n_runs=4, seed=3)
    model = block_model(weights, degree_corrected=False)
    assert blocks.description_length == pytest.approx(description_length(model, blocks.labels))
    assert blocks.run_lengths.min() == pytest.approx(blocks.description_length, abs=1e-8)
    again = fit_blocks(weights, degree_corrected=False, n_runs=6, seed=3)
    assert np.array_equal(again.run_lengths[:4], blocks.run_lengths)


def test_order_and_scale_of_units_do_not_matter():
    weights, _ = planted((12, 9, 7))
    order = np.random.default_rng(0).permutation(len(weights))
    one = fit_blocks(weights, degree_corrected=False, n_runs=5)
    other = fit_blocks(100 * weights[np.ix_(order, order)], degree_corrected=False, n_runs=5)
    assert adjusted_rand_score(one.labels[order], other.labels) == 1
    assert other.gain == pytest.approx(one.gain, abs=1e-6)


def test_missing_pairs_do_not_hide_blocks():
    weights, labels = planted((15, 15))
    hidden = symmetric((np.random.default_rng(0).random(weights.shape) < 0.4).astype(float)) > 0
    weights[hidden] = np.nan
    zero = np.nan_to_num(weights)
    masked = fit_blocks(weights, degree_corrected=False, n_runs=5)
    assert adjusted_rand_score(labels, masked.labels) == 1
    assert masked.gain > fit_blocks(zero, degree_corrected=False, n_runs=5).gain


@pytest.mark.parametrize("n", [1, 2, 3])
@pytest.mark.parametrize("corrected", [False, True])
def test_tiny_and_empty_graphs(n, corrected):
    for weights in (np.zeros((n, n)), np.ones((n, n)), np.full((n, n), np.nan)):
        blocks = fit_blocks(weights, degree_corrected=corrected, n_runs=2)
        assert blocks.n_blocks == 1
        assert np.isfinite(blocks.description_length)


def test_disconnected_units_are_handled():
    weights = np.zeros((30, 30))
    weights[:10, :10] = weights[10:20, 10:20] = 1
    np.fill_diagonal(weights, 0)
    labels = fit_blocks(weights, degree_corrected=False, n_runs=3).labels
    assert adjusted_rand_score(np.repeat([0, 1, 2], 10), labels) == 1


def test_small_graphs_take_milliseconds():
    weights = random_graph(60, 0)
    fit_blocks(weights, degree_corrected=False, n_runs=1)
    start = time.process_time()
    fit_blocks(weights, degree_corrected=False, n_runs=20)
    assert time.process_time() - start < 2.0
