"""Surrogates without shared structure."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from neuropipe.simulate.calcium import sim_calcium
from neuropipe.simulate.calcium_nulls import independent, phase_randomised, shifted
from neuropipe.simulate.settings import CalciumSimulation

TRACES = hnp.arrays(
    np.float64,
    hnp.array_shapes(min_dims=2, max_dims=3, min_side=3, max_side=20),
    elements=st.floats(-100, 100),
)


@settings(deadline=None)
@given(TRACES, st.integers(0, 99))
def test_shifts_keep_every_traces_values_in_circular_order(traces, seed):
    moved = shifted(traces, np.random.default_rng(seed))
    n = traces.shape[-1]
    for before, after in zip(traces.reshape(-1, n), moved.reshape(-1, n), strict=True):
        assert any(np.array_equal(np.roll(before, lag), after) for lag in range(1, n))


def test_shifts_are_at_least_as_long_as_asked():
    traces = np.tile(np.arange(50.0), (200, 1))
    moved = shifted(traces, np.random.default_rng(0), shortest=20)
    lag = moved.argmin(axis=1)
    assert lag.min() >= 20
    assert lag.max() <= 30
    assert len(np.unique(lag)) > 5


@settings(deadline=None)
@given(TRACES, st.integers(0, 99))
def test_random_phases_keep_power_and_mean(traces, seed):
    surrogate = phase_randomised(traces, np.random.default_rng(seed))
    assert np.allclose(
        np.abs(np.fft.rfft(surrogate)), np.abs(np.fft.rfft(traces)), atol=1e-6, rtol=1e-6
    )
    assert np.allclose(surrogate.mean(axis=-1), traces.mean(axis=-1))


def test_missing_traces_stay_missing():
    traces = np.random.default_rng(0).standard_normal((2, 3, 40)).astype(np.float32)
    traces[1, 2] = np.nan
    for surrogate in (
        shifted(traces, np.random.default_rng(1)),
        phase_randomised(traces, np.random.default_rng(1)),
    ):
        assert np.isnan(surrogate[1, 2]).all()
        assert np.isfinite(surrogate[0]).all()
        assert surrogate.dtype == np.float32
        assert not np.allclose(surrogate[0], traces[0])


def test_independent_animals_fire_as_often_and_share_nothing():
    settings = CalciumSimulation(n_animals=6, missing=0.0)
    data = independent(settings)
    assert (data.partitions == -1).all()
    assert not data.expressed.any()
    # As often as in the structured data, where some animals do not show the last epoch's events.
    events, planted = (one.activity.mean() for one in (data, sim_calcium(settings)))
    assert events == pytest.approx(planted, rel=0.06)
    correlation = np.mean([np.corrcoef(one) for one in data.traces], axis=0)
    pairs = correlation[np.triu_indices(60, 1)]
    assert abs(pairs.mean()) < 0.02
