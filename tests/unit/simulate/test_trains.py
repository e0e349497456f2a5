"""Spike trains as plain arrays, against numpy's histogram."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neuropipe.simulate.trains import SpikeTrains


def drawn(n_spikes: int, n_units: int, duration: float, seed: int) -> SpikeTrains:
    rng = np.random.default_rng(seed)
    return SpikeTrains(
        times=np.sort(rng.uniform(0, duration, n_spikes)),
        units=rng.integers(n_units, size=n_spikes).astype(np.int32),
        n_units=n_units,
        duration=duration,
    )


SPIKES = st.builds(
    drawn, st.integers(0, 200), st.integers(1, 8), st.floats(0.5, 20), st.integers(0, 99)
)


@settings(deadline=None)
@given(SPIKES)
def test_trains_part_the_spikes_among_the_units(spikes):
    trains = spikes.trains()
    assert len(trains) == spikes.n_units
    for unit, train in enumerate(trains):
        np.testing.assert_array_equal(train, spikes.times[spikes.units == unit])
        assert (np.diff(train) >= 0).all()
        assert spikes.rates()[unit] == pytest.approx(len(train) / spikes.duration)


@settings(deadline=None)
@given(SPIKES, st.floats(0.05, 3))
def test_counts_are_those_of_a_histogram(spikes, width):
    counts = spikes.counts(width)
    n_bins = int(spikes.duration / width + 1e-9)
    assert counts.shape == (n_bins, spikes.n_units)
    edges = np.arange(n_bins + 1) * width
    # Between two edges, so that the side of an edge does not matter.
    clear = np.abs(spikes.times[:, None] - edges).min(axis=1) > 1e-9
    for unit in range(spikes.n_units):
        mine = clear & (spikes.units == unit)
        expected = np.histogram(spikes.times[mine], edges)[0] if n_bins else np.empty(0)
        excess = counts[:, unit] - expected
        assert (excess >= 0).all()
        assert excess.sum() <= (~clear & (spikes.units == unit)).sum()


def test_an_incomplete_last_bin_is_left_out():
    spikes = SpikeTrains(
        times=np.array([0.1, 0.95]), units=np.zeros(2, np.int32), n_units=1, duration=1.0
    )
    np.testing.assert_array_equal(spikes.counts(0.4), [[1], [0]])
    np.testing.assert_array_equal(spikes.counts(0.5), [[1], [1]])
    # 0.3 / 0.1 is a rounding error below 3.
    short = SpikeTrains(
        times=np.array([0.25]), units=np.zeros(1, np.int32), n_units=1, duration=0.3
    )
    assert short.counts(0.1).shape == (3, 1)


def test_a_silent_population_is_allowed():
    spikes = drawn(0, 3, 2.0, 0)
    assert [len(train) for train in spikes.trains()] == [0, 0, 0]
    assert (spikes.rates() == 0).all()
    assert (spikes.counts(0.5) == 0).all()
