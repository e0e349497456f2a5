from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neuropipe.errors import InputError
from neuropipe.ingest.clock import Sampled, align, check_times, interpolate, uniform


def test_uniform_timestamps_keep_their_values():
    values = np.random.default_rng(0).normal(size=(50, 3))
    found = uniform(values, 5 + np.arange(50) / 30, "s")
    assert found.values is values
    assert found.rate == pytest.approx(30)
    assert (found.start, found.notes) == (5, ())


def test_jitter_below_one_percent_is_uniform():
    times = np.arange(200) * 0.1
    times[1:-1] += np.random.default_rng(1).uniform(-4e-4, 4e-4, 198)
    assert uniform(np.zeros((200, 1)), times, "s").notes == ()


def test_the_rate_is_that_of_the_whole_and_does_not_drift():
    # 30 Hz on a clock of milliseconds: steps of 33, 33, 34 ms, with median 33.
    times = np.round(np.arange(3001) / 30, 3)
    found = uniform(np.sin(times)[:, None], times, "s")
    assert found.rate == pytest.approx(30, rel=1e-4)
    assert np.abs(found.values[:, 0] - np.sin(found.times)).max() < 1e-3


def test_gaps_become_nan_and_short_ones_are_bridged():
    times = np.delete(np.arange(100) * 0.5, [20, 40, 41, 42])
    found = uniform(times[:, None].copy(), times, "s")
    assert found.rate == pytest.approx(2)
    assert len(found.values) == 100
    assert found.values[20, 0] == pytest.approx(10)  # one sample missing: a step of two
    assert np.flatnonzero(np.isnan(found.values[:, 0])).tolist() == [40, 41, 42]
    assert "interpolated linearly" in found.notes[0]


def test_a_clock_that_was_not_set_is_refused():
    times = np.concatenate([[-1.5e9], np.arange(100) * 0.1])
    with pytest.raises(InputError, match=r"101 timestamps, 0.1 s apart"):
        uniform(np.zeros((101, 1)), times, "s")


@pytest.mark.parametrize("bad", [[0, 1, 1, 2], [0, 2, 1], [0, np.nan, 2]])
def test_times_that_do_not_increase_are_refused(bad):
    with pytest.raises(InputError, match="series x: timestamp"):
        check_times(np.array(bad, dtype=float), "series x")


def test_interpolation_spreads_nan_only_to_neighbours():
    values = np.arange(6.0)[:, None]
    values[3] = np.nan
    found = interpolate(values, np.arange(6.0), np.arange(0, 5.01, 0.5))[:, 0]
    assert np.flatnonzero(np.isnan(found)).tolist() == [5, 6, 7]
    np.testing.assert_allclose(found[[0, 1, 4, 8, 10]], [0, 0.5, 2, 4, 5])


@given(st.integers(5, 40), st.integers(0, 2**32 - 1))
def test_interpolation_agrees_with_numpy(n, seed):
    rng = np.random.default_rng(seed)
    times = np.cumsum(rng.uniform(0.1, 1.0, n))
    values = rng.normal(size=(n, 2))
    grid = np.sort(rng.uniform(times[0], times[-1], 30))
    found = interpolate(values, times, grid)
    for unit in range(2):
        np.testing.assert_allclose(
            found[:, unit], np.interp(grid, times, values[:, unit]), atol=1e-9
        )


def test_planes_scanned_in_turn_are_aligned_to_the_first():
    one, two = np.zeros((10, 2)), np.ones((9, 3))
    arrays, clock = align([Sampled(one, 5.0, 0.0), Sampled(two, 5.0, 0.1)], ["a", "b"])
    assert [a.shape for a in arrays] == [(9, 2), (9, 3)]
    assert clock.start == 0
    assert "aligned to a" in clock.notes[0]


def test_planes_of_other_rates_meet_at_the_lowest():
    fast, slow = np.arange(100)[:, None] / 10.0, np.arange(50)[:, None] / 5.0
    arrays, clock = align([Sampled(fast, 10.0, 0.0), Sampled(slow, 5.0, 0.0)], ["a", "b"])
    assert clock.rate == 5
    np.testing.assert_allclose(arrays[0], arrays[1])


def test_series_without_common_time_are_refused():
    with pytest.raises(InputError, match="share less than two samples"):
        align(
            [Sampled(np.zeros((5, 1)), 1.0, 0.0), Sampled(np.zeros((5, 1)), 2.0, 9.0)], ["a", "b"]
        )
