from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neuropipe.quality import calcium
from tests.unit.quality.builders import transients

RATE = 20.0


def sparse(n_times=12000, n_units=6, height=1.0, sd=0.05, seed=0):
    """Traces with ten transients a minute and white noise; also the number of transients."""
    rng = np.random.default_rng(seed)
    onsets = [np.arange(3, n_times / RATE - 3, 6.0) + rng.uniform(-1, 1) for _ in range(n_units)]
    clean = np.stack([transients(n_times, RATE, o, height, 0.8) for o in onsets], axis=1)
    return clean + sd * rng.standard_normal(clean.shape), np.array([len(o) for o in onsets])


@pytest.mark.parametrize("sd", [0.05, 0.1, 0.5])
def test_planted_noise_is_recovered_under_transients(sd):
    traces, _ = sparse(sd=sd)
    np.testing.assert_allclose(calcium.noise_sd(traces), sd, rtol=0.12)


def test_noise_level_compares_between_frame_rates():
    # White noise of density d %/sqrt(Hz) has an sd of d sqrt(rate) / 100.
    rng = np.random.default_rng(0)
    levels = []
    for rate in (7.5, 30.0):
        traces = 0.02 * np.sqrt(rate) * rng.standard_normal((20000, 3))
        levels.append(calcium.noise_level(traces, rate))
    np.testing.assert_allclose(levels[0], levels[1], rtol=0.05)
    # The median of |difference of two normal variables| is 0.954 sd.
    np.testing.assert_allclose(levels[1], 2 * 0.954, rtol=0.05)


@pytest.mark.parametrize("snr", [10, 40])
def test_planted_peak_to_noise_is_recovered(snr):
    # Boxcars over 5 % of the time: the 99th percentile lies on their roof.
    rng = np.random.default_rng(0)
    traces = rng.standard_normal((20000, 4))
    traces[np.arange(20000) % 400 < 20] += snr
    found = calcium.peak_to_noise(traces)
    np.testing.assert_allclose(found, snr, rtol=0.15)


def test_white_noise_reaches_its_percentile():
    traces = np.random.default_rng(0).standard_normal((50000, 4))
    np.testing.assert_allclose(calcium.peak_to_noise(traces), 2.326, rtol=0.04)


def test_constant_and_missing_units_are_nan():
    traces = np.random.default_rng(0).standard_normal((500, 4))
    traces[:, 1], traces[:, 2] = 3.0, np.nan
    traces[100:200, 3] = np.nan
    for values in (calcium.peak_to_noise(traces), calcium.noise_sd(traces)):
        assert np.isfinite(values[[0, 3]]).all()
    assert np.isnan(calcium.peak_to_noise(traces)).tolist() == [False, True, True, False]
    assert not calcium.find_events(traces, RATE)[:, 1:3].any()
    assert not calcium.find_dips(traces, RATE)[:, 1:3].any()


def test_planted_transients_are_counted():
    traces, planted = sparse()
    events = calcium.find_events(traces, RATE)
    np.testing.assert_allclose(events.sum(axis=0), planted, atol=2)


def test_white_noise_has_hardly_any_event():
    traces = np.random.default_rng(0).standard_normal((12000, 5))
    assert calcium.find_events(traces, RATE, duration=0.2).sum() == 0


def test_an_event_waits_for_the_trace_to_fall():
    trace = np.tile([0.0, 0.01], 500)[:, None]
    trace[100:130] += 5
    trace[110:112] -= 1  # not low enough to end it
    trace[300:330] += 5
    assert np.flatnonzero(calcium.find_events(trace, RATE)).tolist() == [100, 300]


def test_planted_dips_are_found_and_slow_falls_are_not():
    rng = np.random.default_rng(0)
    traces = 0.1 * rng.standard_normal((4000, 2))
    traces[1000:1004] -= 3  # 0.2 s
    slow = -3 * np.exp(-0.5 * ((np.arange(4000) - 2500) / 100.0) ** 2)  # 12 s wide
    traces += slow[:, None]
    dips = calcium.find_dips(traces, RATE)
    assert np.flatnonzero(dips.any(axis=1)).tolist() == [1000, 1001, 1002, 1003]
    assert calcium.find_dips(traces[:10], RATE).sum() == 0


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(0.01, 1e3), st.floats(-50, 50))
def test_scale_offset_and_order_do_not_matter(seed, scale, offset):
    rng = np.random.default_rng(seed)
    traces = rng.standard_normal((300, 5)).cumsum(axis=0) * 0.3 + rng.standard_normal((300, 5))
    order = rng.permutation(5)
    moved = scale * traces[:, order] + offset
    np.testing.assert_allclose(
        calcium.peak_to_noise(moved), calcium.peak_to_noise(traces)[order], rtol=1e-6
    )
    np.testing.assert_array_equal(
        calcium.find_events(moved, 10.0), calcium.find_events(traces, 10.0)[:, order]
    )
    np.testing.assert_array_equal(
        calcium.find_dips(moved, 10.0), calcium.find_dips(traces, 10.0)[:, order]
    )
