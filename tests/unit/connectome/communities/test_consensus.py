"""Median partitions and their stability."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import adjusted_rand_score

from neuropipe.connectome.communities.consensus import co_assignments, consensus
from neuropipe.connectome.communities.search import by_size
from neuropipe.errors import InputError

EVERY = {tuple(by_size(np.array(p))) for p in product(range(5), repeat=5)}


def disagreements(labels, partitions):
    total = 0
    for partition in partitions:
        both = partition >= 0
        joined = (labels[:, None] == labels)[np.ix_(both, both)]
        theirs = (partition[:, None] == partition)[np.ix_(both, both)]
        total += (joined != theirs).sum() / 2
    return total


def test_equal_partitions_are_returned_fully_stable():
    labels = np.array([0, 0, 0, 1, 1, 2, 2])
    found = consensus(np.array([labels, (labels + 1) % 3, labels]))
    assert adjusted_rand_score(labels, found.labels) == 1
    assert np.array_equal(np.unique(found.together), [0, 1])
    assert (found.unit_stability == 1).all()
    assert (found.community_stability == 1).all()


def test_noise_in_single_partitions_is_outvoted():
    rng = np.random.default_rng(0)
    truth = np.repeat(np.arange(4), 10)
    noisy = np.where(rng.random((30, 40)) < 0.2, rng.integers(0, 4, (30, 40)), truth)
    noisy[rng.random(noisy.shape) < 0.2] = -1
    found = consensus(noisy)
    assert adjusted_rand_score(truth, found.labels) == 1
    assert ((found.unit_stability > 0.3) & (found.unit_stability < 0.9)).all()
    assert found.community_stability.shape == (4,)
    assert ((found.community_stability > 0.3) & (found.community_stability < 0.9)).all()


@given(st.lists(st.lists(st.integers(-1, 2), min_size=5, max_size=5), min_size=1, max_size=4))
@settings(max_examples=40, deadline=None)
def test_no_partition_agrees_better(rows):
    partitions = np.array(rows)
    found = consensus(partitions)
    seen = (partitions >= 0).any(axis=0)
    assert np.array_equal(found.labels >= 0, seen)
    best = min(disagreements(np.array(p), partitions) for p in EVERY)
    assert disagreements(found.labels, partitions) == best


def test_absent_units_count_where_they_are():
    partitions = np.array([[0, 0, 1, -1], [0, 0, 0, -1], [-1, 1, 1, -1]])
    joined, both = co_assignments(partitions)
    assert both[0].tolist() == [2, 2, 2, 0]
    assert joined[0].tolist() == [2, 2, 1, 0]
    assert joined[1, 2] == 2
    found = consensus(partitions)
    assert found.labels[3] == -1
    assert np.isnan(found.together[0, 3])
    assert np.isnan(found.unit_stability[3])


def test_jaccard_is_with_the_best_match():
    partitions = np.array([[0, 0, 0, 0, 1], [0, 0, 0, 0, 1], [0, 0, 1, 1, 2]])
    found = consensus(partitions)
    assert found.labels.tolist() == [0, 0, 0, 0, 1]
    assert found.community_stability == pytest.approx([(1 + 1 + 0.5) / 3, 1])
    assert np.isnan(found.unit_stability[4])
    assert found.unit_stability[0] == pytest.approx((1 + 2 / 3 + 2 / 3) / 3)


def test_nothing_to_agree_on_is_refused():
    with pytest.raises(InputError, match="one row a partition"):
        consensus(np.empty((0, 4), dtype=int))
