"""Where rsatoolbox 0.3.2 gives other numbers than ours, and why.

When one of these fails a new version has changed: look whether it has become right, then compare.
"""

from __future__ import annotations

import numpy as np
import pytest

from neuropipe.trsa.rdms import square
from neuropipe.trsa.topology.geodesic import geodesic, shortest_paths
from neuropipe.trsa.topology.transforms import geotopological, normalised_ranks

rdm = pytest.importorskip("rsatoolbox.rdm")
transform = pytest.importorskip("rsatoolbox.rdm.transform")


def theirs(values, low, high):
    return transform.geotopological_transform(rdm.RDMs(np.array(values)), low, high).dissimilarities


def test_quantiles_are_taken_over_all_rdms_together():
    """Two RDMs of one shape on different scales: nothing is left of either."""
    one = np.arange(1.0, 16.0)
    both = np.stack([one, 100 * one])
    together = theirs(both, 0.5, 0.5001)
    np.testing.assert_array_equal(together, np.repeat([[0.0], [1.0]], 15, axis=1))
    ours = geotopological(both, 0.5, 0.5001)
    np.testing.assert_array_equal(ours[0], ours[1])
    assert set(ours[0]) == {0.0, 1.0}


def test_values_that_were_stretched_are_cut_a_second_time():
    """Ranks in [0, 1]: what is stretched beyond the upper quantile's value becomes 1."""
    ranks = normalised_ranks(np.arange(1.0, 16.0))
    ours = geotopological(ranks, 0.0, 0.5)
    np.testing.assert_allclose(ours, np.minimum(ranks / 0.5, 1.0))
    found = theirs([ranks], 0.0, 0.5)[0]
    cut = (ours > 0.5) & (ours < 1)
    assert cut.any()
    np.testing.assert_array_equal(found[cut], 1.0)
    np.testing.assert_allclose(found[~cut], ours[~cut])


def test_the_closest_pairs_lose_their_edge():
    """A weight of 0 is no edge in networkx: three conditions, two of them alike."""
    near = np.array([0.0, 0.4, 0.6])  # (a, b), (a, c), (b, c)
    lengths = square(near)
    ours = shortest_paths(lengths, np.ones((3, 3), dtype=bool))
    np.testing.assert_allclose(ours[0, 1], 0.0)
    np.testing.assert_allclose(ours[1, 2], 0.4)  # along a, which b coincides with
    found = transform.geodesic_transform(rdm.RDMs(np.array([[0.0, 0.4, 1.0, 0.6, 1.0, 1.0]])))
    assert found.dissimilarities[0][0] > 0  # a and b were glued together
    whole = geodesic(np.array([0.0, 0.4, 1.0, 0.6, 1.0, 1.0]), rule="p-shortest", amount=0.5)
    assert whole.distances[0][0] == 0
