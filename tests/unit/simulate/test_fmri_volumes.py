"""Voxels, head motion and confounds of simulated scans."""

from __future__ import annotations

import numpy as np
import pytest

from neuropipe.simulate.atlas import volume
from neuropipe.simulate.fmri_volumes import MEAN, MOTION, Motion, confounds, head_motion, scan


@pytest.fixture(scope="module")
def made():
    rng = np.random.default_rng(0)
    brain, motion = volume(20), head_motion(120, 2, rng)
    series = rng.standard_normal((120, 20))
    return series, brain, motion, scan(series, brain, motion, 1.0, rng)


def test_framewise_displacement_is_the_sum_of_absolute_steps():
    parameters = np.zeros((3, 6))
    parameters[1] = [0.1, -0.2, 0, 0.001, 0, -0.002]
    moved = Motion(parameters, np.array([1])).framewise_displacement()
    assert np.isnan(moved[0])
    assert moved[1:] == pytest.approx([0.3 + 50 * 0.003] * 2)


def test_jerks_are_the_largest_movements_and_the_rest_is_small():
    motion = head_motion(300, 3, np.random.default_rng(1))
    moved = motion.framewise_displacement()[1:]
    assert set(np.argsort(moved)[-3:] + 1) == set(motion.jerks)
    assert moved[motion.jerks - 1].min() > 0.5
    assert 0.05 < np.median(moved) < 0.2


def test_intensity_looks_like_a_preprocessed_scan(made):
    _, brain, _, volumes = made
    assert volumes.dtype == np.float32
    assert (volumes[~brain.brain] == 0).all()
    mean = volumes[brain.brain].mean(axis=1)
    assert mean.mean() == pytest.approx(MEAN, rel=0.15)
    assert mean.std() > 300
    steady = volumes[brain.brain]
    ratio = np.median(steady.mean(axis=1) / steady.std(axis=1))
    assert 40 < ratio < 200


def test_parcels_carry_their_series(made):
    series, brain, motion, volumes = made
    kept = np.setdiff1d(np.arange(120), motion.jerks)
    for roi in range(20):
        mean = volumes[brain.labels == roi + 1].mean(axis=0)[kept]
        assert np.corrcoef(mean, series[kept, roi])[0, 1] > 0.8


def test_confounds_are_computed_from_the_voxels(made):
    _, brain, motion, volumes = made
    table = confounds(volumes, brain, motion)
    assert len(table) == 120
    assert set(MOTION) <= set(table)
    assert np.allclose(table["csf"], volumes[brain.csf].mean(axis=0))
    assert np.isnan(table["dvars"][0])
    assert table["dvars"][1:].notna().all()
    # A jerk shows as a drop of the global signal and a peak of DVARS.
    drop = table["global_signal"][motion.jerks]
    assert (drop < table["global_signal"].quantile(0.05)).all()
    assert (table["dvars"][motion.jerks] > table["dvars"].median() * 1.5).all()
