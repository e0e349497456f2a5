"""The parcellation of simulated brains."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neuropipe.simulate.atlas import NETWORKS, SHAPE, roi_table, volume


def test_a_hundred_rois_have_the_sizes_of_yeo_networks():
    sizes = roi_table(100)["network"].value_counts()
    assert [int(sizes[name]) for name in NETWORKS] == [17, 14, 15, 12, 5, 13, 24]


@settings(deadline=None)
@given(st.integers(20, 400))
def test_any_number_of_rois_is_shared_out(n_rois):
    table = roi_table(n_rois)
    assert len(table) == n_rois
    assert table["name"].is_unique
    assert table["index"].tolist() == list(range(1, n_rois + 1))
    assert set(table["network"]) == set(NETWORKS)
    assert abs((table["hemisphere"] == "L").sum() - n_rois / 2) <= 0.5
    assert (table["name"].str[0] == table["hemisphere"]).all()


@settings(max_examples=10, deadline=None)
@given(st.integers(20, 400))
def test_every_roi_has_voxels_on_its_side(n_rois):
    brain = volume(n_rois)
    table = roi_table(n_rois)
    counts = np.bincount(brain.labels.ravel(), minlength=n_rois + 1)[1:]
    assert counts.min() >= 2
    assert counts.max() <= 2 * counts.min() + 2
    for name, side in (("L", -1), ("R", 1)):
        inside = np.isin(brain.labels, table.loc[table["hemisphere"] == name, "index"])
        x = np.argwhere(inside)[:, 0] * brain.affine[0, 0] + brain.affine[0, 3]
        assert (np.sign(x) == side).all()


def test_tissues_do_not_overlap_and_fill_the_brain():
    brain = volume(100)
    grey = brain.labels > 0
    assert brain.brain.shape == SHAPE
    assert not (grey & brain.white_matter).any()
    assert not (grey & brain.csf).any()
    assert not (brain.white_matter & brain.csf).any()
    assert np.array_equal(grey | brain.white_matter | brain.csf, brain.brain)


def test_parcels_are_compact():
    brain = volume(100)
    spread = [np.argwhere(brain.labels == k).std(axis=0).max() for k in range(1, 101)]
    assert max(spread) == pytest.approx(np.median(spread), abs=1.5)
