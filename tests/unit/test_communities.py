"""Modularity finds blocks."""

from __future__ import annotations

import numpy as np
from sklearn.metrics import adjusted_rand_score

from neuropipe.stats.communities import louvain


def test_louvain_finds_blocks_and_ignores_negative_weights():
    blocks = np.repeat(np.arange(3), 6)
    weights = np.where(blocks[:, None] == blocks, 1.0, -0.5)
    np.fill_diagonal(weights, 0)
    found = louvain(weights)
    assert adjusted_rand_score(blocks, found) == 1
    assert np.array_equal(found, louvain(weights))
    weights[0, -1] = weights[-1, 0] = np.nan
    assert adjusted_rand_score(blocks, louvain(weights)) == 1
