"""Blocks of blocks."""

from __future__ import annotations

from math import comb, log

import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score

from neuropipe.connectome.communities.blockmodel import (
    block_model,
    block_sums,
    description_length,
)
from neuropipe.connectome.communities.nested import nest_blocks
from neuropipe.connectome.communities.search import fit_blocks

from .builders import random_graph, symmetric


def two_levels(seed=0):
    """8 groups of 12 in 2 groups of 4."""
    rng = np.random.default_rng(seed)
    low = np.repeat(np.arange(8), 12)
    high = low // 4
    p = np.where(high[:, None] == high, 0.3, 0.02)
    p[low[:, None] == low] = 0.95
    return symmetric((rng.random(p.shape) < p) * rng.exponential(size=p.shape)), low, high


@pytest.mark.parametrize("corrected", [False, True])
def test_planted_hierarchy_is_found(corrected):
    weights, low, high = two_levels()
    blocks = fit_blocks(weights, degree_corrected=corrected, n_runs=4)
    hierarchy = nest_blocks(weights, blocks)
    assert adjusted_rand_score(low, hierarchy.levels[0]) == 1
    assert adjusted_rand_score(high, hierarchy.levels[1]) == 1
    assert hierarchy.levels[-1].max() == 0
    assert hierarchy.description_length < blocks.description_length


def test_levels_are_nested_and_their_lengths_add_up():
    weights, _, _ = two_levels(1)
    hierarchy = nest_blocks(weights, fit_blocks(weights, degree_corrected=False, n_runs=3))
    assert len(hierarchy.levels) == len(hierarchy.lengths)
    assert hierarchy.description_length == pytest.approx(sum(hierarchy.lengths))
    for lower, upper in zip(hierarchy.levels, hierarchy.levels[1:], strict=False):
        for block in range(lower.max() + 1):
            assert len(np.unique(upper[lower == block])) == 1
        assert upper.max() < lower.max()


def test_one_block_is_its_own_hierarchy():
    weights = random_graph(30, 0, unknown=0.0)
    blocks = fit_blocks(weights, degree_corrected=False, n_runs=2)
    hierarchy = nest_blocks(weights, blocks)
    assert len(hierarchy.levels) == 1
    # All numbers of edges from 0 to N alike, N + 1 of them, are coded as any number up to m.
    n_edges = (weights > 0).sum() / 2
    expected = blocks.description_length - log(comb(30, 2) + 1) + log(n_edges + 1)
    assert hierarchy.description_length == pytest.approx(expected)


def test_level_zero_codes_which_edges_and_the_next_how_many():
    weights, _, _ = two_levels(2)
    blocks = fit_blocks(weights, degree_corrected=False, n_runs=3)
    hierarchy = nest_blocks(weights, blocks)
    model = block_model(weights, degree_corrected=False)
    possible = block_sums(model, blocks.labels)[..., 1]
    flat = np.log(possible + 1)[np.triu_indices(len(possible))].sum()
    expected = description_length(model, blocks.labels) - flat
    assert hierarchy.lengths[0] == pytest.approx(expected)
