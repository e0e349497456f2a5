"""Neighbourhoods hold the channels within the radius, no more and no fewer."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neuropipe.errors import InputError
from neuropipe.trsa.estimation import neighbourhoods as module
from neuropipe.trsa.estimation.neighbourhoods import mask_coordinates, neighbourhoods


@settings(max_examples=30)
@given(st.integers(2, 40), st.floats(0.2, 2), st.integers(0, 2**32 - 1))
def test_members_are_those_within_the_radius(n, radius, seed):
    places = np.random.default_rng(seed).random((n, 3))
    near = np.linalg.norm(places[:, None] - places, axis=2) <= radius
    wanted = np.flatnonzero(near.sum(axis=1) >= 2)
    if not len(wanted):
        with pytest.raises(InputError, match="no centre"):
            neighbourhoods(places, radius, min_share=0.0)
        return
    found = neighbourhoods(places, radius, min_share=0.0)
    np.testing.assert_array_equal(found.centres, wanted)
    np.testing.assert_array_equal(found.sizes, near[wanted].sum(axis=1))
    for k, centre in enumerate(found.centres):
        members = found.members(np.array([k]))[0]
        np.testing.assert_array_equal(members, np.flatnonzero(near[centre]))


def test_voxels_at_the_radius_belong():
    line = np.column_stack([np.arange(5) * 0.1, np.zeros(5), np.zeros(5)])
    assert neighbourhoods(line, 0.2, min_share=0.0).sizes.tolist() == [3, 4, 5, 4, 3]


@pytest.mark.parametrize("most", [1, 50, 10_000])
def test_batches_hold_every_centre_once_and_sizes_alike(most):
    places = np.random.default_rng(0).random((60, 3))
    found = neighbourhoods(places, 0.4, min_share=0.0)
    batches = list(found.batches(3, most))
    np.testing.assert_array_equal(np.sort(np.concatenate(batches)), np.arange(len(found)))
    for batch in batches:
        assert len(set(found.sizes[batch])) == 1
        assert len(batch) == 1 or found.sizes[batch].sum() * 3 <= most


def test_centres_counted_in_parts_are_counted_alike(monkeypatch):
    places = np.random.default_rng(0).random((60, 3))
    whole = neighbourhoods(places, 0.4)
    monkeypatch.setattr(module, "_COUNTED", 7)
    parts = neighbourhoods(places, 0.4)
    np.testing.assert_array_equal(parts.centres, whole.centres)
    np.testing.assert_array_equal(parts.sizes, whole.sizes)


def test_shares_are_of_the_largest_or_of_the_given_size():
    line = np.column_stack([np.arange(5.0), np.zeros(5), np.zeros(5)])
    assert neighbourhoods(line, 2.0, min_share=0.8).centres.tolist() == [1, 2, 3]
    assert neighbourhoods(line, 2.0, min_share=0.13, full_size=30).centres.tolist() == [1, 2, 3]
    with pytest.raises(InputError, match="50% of 33 channels"):
        neighbourhoods(line, 2.0, full_size=33)


def test_voxels_stand_where_the_affine_says():
    mask = np.zeros((3, 4, 5), bool)
    mask[1, 2, 3] = mask[0, 0, 4] = True
    affine = np.array([[2.0, 0, 0, -10], [0, 3, 0, 1], [0, 0, 4, 5], [0, 0, 0, 1]])
    np.testing.assert_array_equal(mask_coordinates(mask, affine), [[-10, 1, 21], [-8, 7, 17]])
    np.testing.assert_array_equal(
        mask_coordinates(mask.astype(np.uint8) * 7, affine), mask_coordinates(mask, affine)
    )
