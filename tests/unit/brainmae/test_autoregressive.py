"""ROIs filled in over time: straight lines and autoregressive processes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neuropipe.brainmae.autoregressive import (
    Autoregressive,
    autocovariance,
    conditional_weights,
    extended_autocovariance,
    yule_walker,
)
from neuropipe.brainmae.imputation import Interpolation, evaluation_masks, masked_r2, neighbours
from tests.unit.brainmae.segment_builders import everything, smooth


def test_interpolation_is_a_straight_line_between_visible_segments():
    time = np.arange(24.0).reshape(1, 6, 1, 4)
    visible = np.array([False, True, False, False, True, False]).reshape(1, 6, 1)
    found = Interpolation().fit(time, everything(time)).predict(time, visible)
    assert np.allclose(found.ravel()[4:20], np.arange(4, 20))
    assert np.allclose(found.ravel()[:4], 4)
    assert np.allclose(found.ravel()[20:], 19)


def test_interpolation_of_each_roi_is_numpys():
    x = smooth()
    visible = evaluation_masks(*x.shape[:3], 0.5, 0)
    found = Interpolation().fit(x, everything(x)).predict(x, visible)
    for run, roi in np.ndindex(x.shape[0], x.shape[2]):
        seen = np.repeat(visible[run, :, roi], x.shape[3])
        if seen.any():
            times = np.arange(len(seen))
            expected = np.interp(times, times[seen], x[run, :, roi].ravel()[seen])
            assert np.allclose(found[run, :, roi].ravel(), expected)


def test_neighbours_are_the_nearest_visible_segments():
    visible = np.array([False, True, False, False, True, False]).reshape(1, 6, 1)
    before, after = neighbours(visible)
    assert before.ravel().tolist() == [-1, 1, 1, 1, 4, 4]
    assert after.ravel().tolist() == [1, 1, 4, 4, 4, -1]


@given(st.floats(-0.95, 0.95), st.integers(2, 8))
def test_bridge_of_a_first_order_process_is_the_closed_form(phi, gap):
    lags = phi ** np.arange(30.0)[None] / (1 - phi**2)
    inside = np.arange(1, gap)
    weights = conditional_weights(lags, np.array([-3, 0, gap, gap + 2]), inside)[0]
    scale = 1 - phi ** (2 * gap)
    left = phi**inside * (1 - phi ** (2.0 * (gap - inside))) / scale
    right = phi ** (gap - inside) * (1 - phi ** (2.0 * inside)) / scale
    assert np.allclose(weights, [0 * left, left, right, 0 * right], atol=1e-5)


def test_autoregressive_predictor_of_a_first_order_process_is_the_closed_form():
    rng = np.random.default_rng(0)
    phi = 0.8
    series = rng.standard_normal((10, 4000))
    for t in range(1, series.shape[1]):
        series[:, t] += phi * series[:, t - 1]
    x = series.reshape(10, 500, 1, 8)
    visible = everything(x)
    visible[:, 1::4] = False  # one hidden segment between two visible ones
    fitted = Autoregressive(4).fit(x, everything(x))
    assert fitted.coefficients_[0, 0] == pytest.approx(phi, abs=0.02)
    found = fitted.predict(x, visible)[:, 1::4, 0]
    steps = np.arange(1.0, 9)
    scale = 1 - phi**18
    left = phi**steps * (1 - phi ** (2 * (9 - steps))) / scale
    right = phi ** (9 - steps) * (1 - phi ** (2 * steps)) / scale
    expected = x[:, 0::4, 0, -1:] * left + x[:, 2::4, 0, :1] * right
    assert np.abs(found - expected).max() < 0.15
    assert masked_r2(x, fitted.predict(x, visible), ~visible) > 0.3


def test_yule_walker_finds_coefficients_and_order_of_known_processes():
    rng = np.random.default_rng(0)
    noise = rng.standard_normal((2, 60_000))
    series = np.zeros_like(noise)
    truth = np.array([[1.2, -0.6], [0.5, 0.0]])
    for t in range(2, noise.shape[1]):
        past = series[:, [t - 1, t - 2]]
        series[:, t] = (truth * past).sum(axis=1) + noise[:, t]
    z = series.reshape(2, 1, -1, 20).transpose(1, 2, 0, 3)
    sample, count = autocovariance(z, everything(z), 6)
    coefficients, order = yule_walker(sample, count)
    assert np.allclose(coefficients[:, :2], truth, atol=0.02)
    assert order[0] >= 2
    assert count.tolist() == [60_000, 60_000]
    # Beyond the order the recursion goes on as the process does.
    lags = extended_autocovariance(sample, coefficients, order, 12)
    longer, _ = autocovariance(z, everything(z), 12)
    assert np.allclose(lags[:, :7] / lags[:, :1], longer[:, :7] / longer[:, :1], atol=0.02)
    assert np.allclose(lags / lags[:, :1], longer / longer[:, :1], atol=0.05)


def test_autocovariance_counts_pairs_that_are_present():
    z = np.arange(1.0, 9).reshape(1, 4, 1, 2)
    present = np.array([True, True, False, True]).reshape(1, 4, 1)
    z = np.where(present[..., None], z, 0)
    found, count = autocovariance(z, present, 2)
    assert count == [6]
    assert found[0, 0] == pytest.approx(np.mean(np.array([1, 2, 3, 4, 7, 8]) ** 2.0))
    assert found[0, 1] == pytest.approx(np.mean([1 * 2, 2 * 3, 3 * 4, 7 * 8]))
