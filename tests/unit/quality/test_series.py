from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.signal import welch
from scipy.stats import linregress, zscore

from neuropipe.quality import fmri, series

VALUES = st.one_of(st.floats(-1e6, 1e6), st.just(np.nan))
SERIES = st.tuples(st.integers(1, 20), st.integers(1, 5)).flatmap(
    lambda shape: arrays(np.float64, shape, elements=VALUES)
)


@settings(max_examples=60, deadline=None)
@given(SERIES)
def test_means_and_spread_are_those_of_numpy(values):
    mean, sd = series.mean_sd(values)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        np.testing.assert_allclose(mean, np.nanmean(values, axis=0), rtol=1e-9, atol=1e-6)
        expected = np.nan_to_num(np.nanstd(values, axis=0))
    constant = series.constant_units(values) | np.isnan(values).all(axis=0)
    np.testing.assert_allclose(sd, np.where(constant, 0, expected), rtol=1e-6, atol=1e-6)
    assert (sd[constant] == 0).all()


@settings(max_examples=60, deadline=None)
@given(SERIES)
def test_nothing_warns_and_nothing_is_infinite(values):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = [
            series.zscored(values),
            series.global_signal(values),
            series.line_share(values),
            series.mean_over_units(values),
            series.quantiles(values, (0.25, 0.5)),
        ]
    assert not any(np.isinf(part).any() for part in found)
    share = found[2][np.isfinite(found[2])]
    assert ((share >= 0) & (share <= 1 + 1e-9)).all()


def test_scores_are_those_of_scipy():
    values = np.random.default_rng(0).standard_normal((50, 4)) * [1, 10, 0.1, 3] + 5
    np.testing.assert_allclose(series.zscored(values), zscore(values), rtol=1e-9)
    np.testing.assert_allclose(series.global_signal(values), zscore(values).mean(axis=1))
    values[3, 1] = np.nan
    expected = zscore(values, nan_policy="omit")
    np.testing.assert_allclose(series.zscored(values), expected, rtol=1e-9)


def test_the_share_of_a_line_is_the_squared_correlation_with_time():
    rng = np.random.default_rng(1)
    values = rng.standard_normal((80, 3)) + np.linspace(0, 3, 80)[:, None] * [0, 1, -2]
    values[rng.random(values.shape) < 0.2] = np.nan
    for unit, share in enumerate(series.line_share(values)):
        known = np.flatnonzero(np.isfinite(values[:, unit]))
        assert share == pytest.approx(linregress(known, values[known, unit]).rvalue ** 2)
    assert series.line_share(np.arange(9.0)) == pytest.approx(1)


@pytest.mark.parametrize("n_times", [200, 331, 90])
@pytest.mark.parametrize("rate", [0.5, 1.4])
def test_the_spectrum_is_that_of_scipy(n_times, rate):
    values = np.random.default_rng(2).standard_normal((n_times, 3)).cumsum(axis=0)
    frequencies, power = fmri.power_spectrum(values, rate)
    length = min(n_times, max(16, round(120 * rate)))
    at, expected = welch(values, rate, "hann", length, length // 2, detrend="constant", axis=0)
    np.testing.assert_allclose(frequencies, at[1:])
    np.testing.assert_allclose(power, expected[1:] / expected[1:].sum(axis=0), rtol=1e-6)


def test_white_noise_has_a_flat_spectrum_up_to_its_last_frequency():
    noise = np.random.default_rng(3).standard_normal((4000, 200))
    _, power = fmri.power_spectrum(noise, 0.5)
    middle = power.mean(axis=1)
    np.testing.assert_allclose(middle[1:-1] / middle[1:-1].mean(), 1, atol=0.1)
    assert middle[-1] < 0.7 * middle[-2]  # the last one stands for no negative frequency
