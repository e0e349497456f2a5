from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neuropipe.errors import InputError
from neuropipe.ingest.fluorescence import (
    delta_f_over_f,
    is_normalised,
    running_baseline,
    subtract_neuropil,
)

RATE = 10.0


def transients(n_times: int = 3000, n_units: int = 5, seed: int = 0) -> np.ndarray:
    """dF/F with rare transients, of shape (n_times, n_units)."""
    rng = np.random.default_rng(seed)
    spikes = rng.random((n_times, n_units)) < 0.005
    kernel = np.exp(-np.arange(50) / 10)
    return np.stack([np.convolve(s, kernel)[:n_times] for s in spikes.T], axis=1)


def test_known_transients_are_recovered_from_a_drifting_baseline():
    truth = transients()
    f0 = (200 + 50 * np.sin(np.arange(3000) / 1500))[:, None] * np.arange(1, 6)
    found = delta_f_over_f(f0 * (1 + truth), RATE, window=60, percentile=10)
    for unit in range(5):
        assert np.corrcoef(found[:, unit], truth[:, unit])[0, 1] > 0.98
    assert np.abs(np.median(found, axis=0)).max() < 0.1


@given(st.floats(0.1, 1e4), st.integers(0, 100))
def test_dff_does_not_depend_on_the_gain(gain, seed):
    traces = 100 + np.random.default_rng(seed).random((80, 2)) * 20
    one = delta_f_over_f(traces, RATE, window=3, percentile=10)
    two = delta_f_over_f(gain * traces, RATE, window=3, percentile=10)
    np.testing.assert_allclose(one, two, atol=1e-4)


def test_baseline_is_the_percentile_of_each_window():
    traces = np.random.default_rng(3).random((200, 1)).astype(np.float32)
    found = running_baseline(traces, RATE, window=2.1, percentile=50)  # 21 frames
    expected = [np.median(traces[t - 10 : t + 11, 0]) for t in range(10, 190)]
    np.testing.assert_allclose(found[10:190, 0], expected)


def test_missing_frames_stay_missing_and_do_not_move_the_baseline():
    traces = np.full((100, 2), 50.0)
    traces[30:40, 0] = np.nan
    traces[:, 1] = np.nan
    found = delta_f_over_f(traces, RATE, window=5, percentile=10)
    assert np.isnan(found[30:40, 0]).all()
    np.testing.assert_allclose(np.delete(found[:, 0], np.s_[30:40]), 0, atol=1e-6)
    assert np.isnan(found[:, 1]).all()


def test_neuropil_is_taken_off():
    cell, around = np.random.default_rng(4).random((2, 100, 3))
    found = subtract_neuropil(100 + cell + 0.7 * around, around, 0.7)
    np.testing.assert_allclose(found, 100 + cell, atol=1e-4)


def test_units_without_positive_baseline_are_left_out():
    traces = np.stack([np.full(50, 10.0), np.linspace(-5, 5, 50)], axis=1)
    found = delta_f_over_f(traces, RATE, window=60, percentile=10)
    assert np.isfinite(found[:, 0]).all()
    assert np.isnan(found[:, 1]).all()
    with pytest.raises(InputError, match="positive baseline"):
        delta_f_over_f(traces[:, 1:], RATE, window=60, percentile=10)


def test_raw_fluorescence_and_normalised_traces_are_told_apart():
    rng = np.random.default_rng(5)
    assert not is_normalised(100 + 10 * rng.normal(size=(200, 4)))
    assert not is_normalised(rng.random((200, 4)))
    assert is_normalised(rng.normal(size=(200, 4)))
    assert is_normalised(transients() + 0.1 * rng.normal(size=(3000, 5)))
    assert not is_normalised(np.full((10, 2), np.nan))
