"""Modularity, and the optional peer."""

from __future__ import annotations

from importlib.util import find_spec

import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score

from neuropipe.connectome.communities.graph_tool import graph_tool_blocks
from neuropipe.connectome.communities.modularity import leiden, louvain, louvain_unweighted

from .builders import planted


@pytest.mark.parametrize("method", [leiden, louvain])
def test_blocks_are_found_whatever_else_the_matrix_holds(method):
    weights, labels = planted((12, 9, 7), inside=1.0, contrast=5.0)
    weights[0, -1] = weights[-1, 0] = np.nan
    weights[1, -1] = weights[-1, 1] = -50
    found = method(weights, seed=2)
    assert adjusted_rand_score(labels, found) == 1
    assert np.array_equal(np.unique(found, return_counts=True)[1], [12, 9, 7])
    assert np.array_equal(found, method(weights, seed=2))


def test_unweighted_louvain_sees_edges_above_the_threshold_only():
    weights, labels = planted((12, 9), inside=1.0, outside=1.0, contrast=1.0)
    same = labels[:, None] == labels
    weights = np.where(same, 2.0, 1.0) - 2 * np.eye(len(labels))
    assert adjusted_rand_score(labels, louvain_unweighted(weights, threshold=1.5)) == 1
    assert louvain_unweighted(weights).max() == 0


def test_no_edges_are_one_community():
    assert leiden(np.zeros((4, 4))).tolist() == [0, 0, 0, 0]


def test_the_peer_is_optional():
    weights, labels = planted((12, 12))
    found = graph_tool_blocks(weights, degree_corrected=False)
    if find_spec("graph_tool") is None:
        assert found is None
    else:
        assert adjusted_rand_score(labels, found) == 1
