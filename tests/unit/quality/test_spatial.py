from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neuropipe.quality.assess_spikes import significant
from neuropipe.quality.settings import SpatialSettings
from neuropipe.quality.spatial import (
    find_position,
    running_speed,
    spatial_information,
    spatial_tuning,
)
from neuropipe.recording import behavior_series
from tests.unit.quality.builders import place_trains, poisson_trains, walk

CENTERS = np.array([[0.25, 0.25], [0.7, 0.6], [0.5, 0.8]])


@pytest.fixture(scope="module")
def tuned():
    rng = np.random.default_rng(0)
    time, position = walk(rng, 900.0)
    trains = place_trains(rng, time, position, CENTERS) + poisson_trains(
        rng, np.full(3, 4.0), 900.0
    )
    return trains, time, position


def run(tuned, **changes):
    trains, time, position = tuned
    chosen = SpatialSettings(**{"n_shuffles": 40, "n_bins": 25} | changes)
    return spatial_tuning(trains, time, position, chosen, np.random.default_rng(0))


def test_information_of_known_maps():
    # Firing in one of n equally visited bins tells log2(n) bits; everywhere alike tells nothing.
    rates = np.array([[8.0, 0, 0, 0], [2.0, 2, 2, 2], [4.0, 4, 0, 0], [0.0, 0, 0, 0]])
    found = spatial_information(rates, np.full(4, 10.0))
    np.testing.assert_allclose(found, [2, 0, 1, np.nan], atol=1e-12)


def test_information_leaves_out_unvisited_bins():
    rates = np.array([[8.0, 0, np.nan, 100]])
    assert spatial_information(rates, np.array([5.0, 5, 5, 0]))[0] == pytest.approx(1)
    assert np.isnan(spatial_information(np.full((1, 2), np.nan), np.ones(2)))[0]


def test_place_cells_are_told_from_others(tuned):
    tuning = run(tuned)
    assert (tuning.information[:3] > 0.8).all()
    assert (tuning.information[3:] < 0.3).all()
    assert significant(tuning)[:3].all()


def test_fields_stand_where_they_were_planted(tuned):
    tuning = run(tuned, smoothing=1.5)
    x = (tuning.x_edges[1:] + tuning.x_edges[:-1]) / 2
    y = (tuning.y_edges[1:] + tuning.y_edges[:-1]) / 2
    for unit, center in enumerate(CENTERS):
        rates = np.nan_to_num(tuning.rates[unit])
        at = np.unravel_index(rates.argmax(), rates.shape)
        assert np.hypot(x[at[0]] - center[0], y[at[1]] - center[1]) < 0.12
        assert 8 < rates.max() < 35


def test_false_alarms_are_as_rare_as_promised():
    rng = np.random.default_rng(3)
    time, position = walk(rng, 400.0)
    trains = poisson_trains(rng, np.full(60, 3.0), 400.0)
    tuning = run((trains, time, position), n_shuffles=60)
    assert significant(tuning).mean() <= 0.15


def test_time_and_spikes_are_all_counted(tuned):
    trains, time, _ = tuned
    tuning = run(tuned, minimum_speed=0.0, n_shuffles=0)
    assert tuning.occupancy.sum() == pytest.approx(len(time) / 30)
    assert tuning.n_spikes.tolist() == [len(train) for train in trains]
    assert tuning.null.shape == (0, 6)


def test_slow_moments_are_left_out(tuned):
    trains, time, position = tuned
    resting = position.copy()
    resting[: len(time) // 2] = position[0]
    tuning = run((trains, time, resting), n_shuffles=0)
    assert tuning.occupancy.sum() < 0.55 * time[-1]


def test_spikes_without_a_position_have_no_place(tuned):
    trains, time, position = tuned
    hidden = position.copy()
    hidden[1000:2000] = np.nan
    tuning = run((trains, time, hidden), minimum_speed=0.0, n_shuffles=0)
    inside = [((t > time[1000]) & (t < time[1999])).sum() for t in trains]
    lost = np.array([len(t) for t in trains]) - tuning.n_spikes
    np.testing.assert_allclose(lost, inside, atol=3)
    kept = np.r_[0:10_000, 20_000 : len(time)]  # the tracker stopped for 333 s
    gap = run((trains, time[kept], position[kept]), minimum_speed=0.0, n_shuffles=0)
    assert gap.occupancy.sum() == pytest.approx(len(kept) / 30)
    assert (gap.n_spikes < tuning.n_spikes).all()


def test_a_narrow_arena_has_square_bins():
    rng = np.random.default_rng(0)
    time, position = walk(rng, 100.0)
    tuning = run(([np.array([1.0])], time, position * [1, 0.2]), n_bins=20)
    assert tuning.occupancy.shape[0] == 20
    assert tuning.occupancy.shape[1] in (4, 5)
    assert np.diff(tuning.x_edges)[0] == pytest.approx(np.diff(tuning.y_edges)[0])


def test_a_position_that_does_not_vary_has_no_maps():
    time = np.arange(100) / 30
    still = np.ones((100, 2))
    assert (
        spatial_tuning([np.ones(1)], time, still, SpatialSettings(), np.random.default_rng(0))
        is None
    )
    line = np.stack([time, np.ones(100)], axis=1)
    assert (
        spatial_tuning([np.ones(1)], time, line, SpatialSettings(), np.random.default_rng(0))
        is None
    )


def test_speed_of_a_straight_path():
    time = np.arange(300) / 30
    position = np.stack([0.3 * time, 0.4 * time], axis=1)
    np.testing.assert_allclose(running_speed(time, position)[10:-10], 0.5)
    position[100] = np.nan
    assert np.isnan(running_speed(time, position)[100])


def test_position_is_found_among_other_series():
    time = np.arange(5.0)
    both = {"pupil_x": time, "pupil_y": time, "speed": time}
    place = {"animal_position_x": time, "animal_position_y": time + 1}
    groups = {
        "eye": behavior_series(both, time),
        "tracker": behavior_series(place | {"led_x": time, "led_y": time}, time),
    }
    _, position, _ = find_position(groups)
    np.testing.assert_array_equal(position[:, 1], time + 1)
    assert find_position({"eye": groups["eye"]}) is None
    assert find_position({"line": behavior_series({"position_x": time}, time)}) is None
    assert find_position({}) is None


@settings(max_examples=10, deadline=None)
@given(st.floats(0.01, 1e3), st.floats(-100, 100))
def test_the_unit_of_the_position_does_not_matter(scale, offset):
    rng = np.random.default_rng(0)
    time, position = walk(rng, 60.0)
    trains = place_trains(rng, time, position, CENTERS)
    chosen = SpatialSettings(n_shuffles=3, n_bins=10)
    first = spatial_tuning(trains, time, position, chosen, np.random.default_rng(1))
    moved = scale * (position + offset)
    second = spatial_tuning(trains, time, moved, chosen, np.random.default_rng(1))
    np.testing.assert_allclose(first.information, second.information, rtol=0.05)
