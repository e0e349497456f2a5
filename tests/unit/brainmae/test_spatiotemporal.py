"""ROIs filled in from all visible samples of a segment."""

from __future__ import annotations

import numpy as np
import pytest

from neuropipe.brainmae.gaussian_imputation import Wiener
from neuropipe.brainmae.imputation import evaluation_masks
from neuropipe.brainmae.spatiotemporal import (
    SpatioTemporalWiener,
    block_toeplitz,
    lagged_covariance,
    segment_conditional_mean,
    shrunk_to_separable,
)
from neuropipe.simulate.fmri_oracle import conditional_mean
from tests.unit.brainmae.segment_builders import everything, smooth


def test_lagged_covariance_and_its_block_toeplitz_matrix():
    x = smooth((3, 4, 5, 3))
    present = everything(x)
    lagged = lagged_covariance(x, present, np.zeros(5))
    series = x.transpose(0, 1, 3, 2).reshape(3, 12, 5)
    expected = np.mean(series[:, :-2, 1] * series[:, 2:, 3])
    assert lagged[2, 1, 3] == pytest.approx(expected)
    whole = block_toeplitz(lagged, np.arange(5), np.arange(5))
    assert np.allclose(whole, whole.T)
    assert whole[0 * 5 + 1, 2 * 5 + 3] == lagged[2, 1, 3]
    rows, columns = np.array([4, 1]), np.array([0, 2, 3])
    index = [(np.arange(3)[:, None] * 5 + part).ravel() for part in (rows, columns)]
    assert np.array_equal(block_toeplitz(lagged, rows, columns), whole[np.ix_(*index)])


def test_conditional_mean_of_a_segment_is_that_of_the_oracle():
    x = smooth((30, 6, 5, 3))
    lagged = lagged_covariance(x, everything(x), np.zeros(5))
    visible = np.array([True, False, True, True, False])
    z = x.reshape(-1, 5, 3)
    found = segment_conditional_mean(lagged, z, visible, 0.05)
    whole = block_toeplitz(lagged, np.arange(5), np.arange(5)) + 0.05 * np.eye(15)
    flat = z.transpose(0, 2, 1).reshape(len(z), -1)
    expected = conditional_mean(whole, np.tile(visible, 3), flat).reshape(len(z), 3, 2)
    assert np.allclose(found[:, ~visible], expected.transpose(0, 2, 1))
    assert (found[:, visible] == 0).all()


def test_a_covariance_that_is_not_positive_is_mended():
    lagged = np.stack([np.eye(2), 3 * np.eye(2)])  # a correlation of 3 at lag 1
    found = segment_conditional_mean(lagged, np.ones((1, 2, 2)), np.array([True, False]), 0.0)
    assert np.isfinite(found).all()


def test_full_shrinkage_separates_space_and_time():
    x = smooth()
    lagged = lagged_covariance(x, everything(x), np.zeros(7))
    separable = shrunk_to_separable(lagged, 1.0)
    assert np.allclose(separable[0], lagged[0])
    assert np.linalg.matrix_rank(separable.reshape(len(separable), -1), tol=1e-8) == 1
    assert np.array_equal(shrunk_to_separable(lagged, 0.0), lagged)


def test_without_correlation_over_time_space_and_time_is_space():
    rng = np.random.default_rng(0)
    root = rng.standard_normal((8, 8))
    x = np.einsum("ij,rkjl->rkil", root, rng.standard_normal((40, 20, 8, 4)))
    visible = evaluation_masks(*x.shape[:3], 0.5, 0)
    space = Wiener().fit(x, everything(x)).predict(x[:2], visible[:2])
    fitted = SpatioTemporalWiener(0.0, 0.0).fit(x, everything(x))
    assert np.abs(fitted.predict(x[:2], visible[:2]) - space).std() < 0.1 * x.std()
