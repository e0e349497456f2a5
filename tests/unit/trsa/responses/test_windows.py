"""Counts and means in windows, against loops over every spike and frame."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neuropipe.errors import UnfitRecordingError
from neuropipe.trsa.responses.conditions import condition_events
from neuropipe.trsa.responses.windows import (
    event_responses,
    image_responses,
    mean_traces,
    spike_rates,
)
from neuropipe.trsa.settings import ResponseSettings
from tests.unit.trsa.responses.builders import (
    event_table,
    image_recording,
    spike_recording,
    trace_recording,
)


@given(st.integers(0, 10_000))
def test_spike_rates_are_counts_over_seconds(seed):
    rng = np.random.default_rng(seed)
    # On a grid of tenths, so that spikes fall on starts and stops.
    trains = [np.sort(rng.integers(0, 200, rng.integers(0, 60))) / 10 for _ in range(4)]
    trains[0] = np.append(trains[0], 50.0)
    starts = rng.integers(0, 180, 12) / 10
    stops = starts + rng.integers(1, 30, 12) / 10
    found = spike_rates(trains, starts, stops)
    for w, (start, stop) in enumerate(zip(starts, stops, strict=True)):
        for u, train in enumerate(trains):
            count = sum(1 for spike in train if start <= spike < stop)
            assert found[w, u] == pytest.approx(count / (stop - start))


def test_only_recorded_time_counts():
    train = np.array([0.25, 0.5, 8.0])
    found = spike_rates([train], np.array([-0.4, -0.6, 7.5, 8.5]), np.array([0.6, 0.4, 8.5, 9.0]))
    assert found[0, 0] == pytest.approx(2 / 0.6)  # from time 0 on
    assert np.isnan(found[1, 0])  # most of it before the recording
    assert found[2, 0] == 1
    assert np.isnan(found[3, 0])  # no unit fires any more


@given(st.integers(0, 10_000))
def test_mean_traces_are_means_of_known_frames(seed):
    rng = np.random.default_rng(seed)
    rate = float(rng.choice([2.0, 10.0, 30.0]))
    times = 0.3 + np.arange(80) / rate
    traces = rng.standard_normal((80, 3)) + 1000
    traces[rng.random(traces.shape) < 0.3] = np.nan
    first = rng.integers(0, 79, 10)
    length = rng.integers(1, 20, 10)
    starts, stops = times[first], times[first] + length / rate
    found = mean_traces(traces, times, starts, stops)
    for w, (start, stop) in enumerate(zip(starts, stops, strict=True)):
        inside = [t for t in range(80) if start - 1e-6 <= times[t] < stop - 1e-6]
        for u in range(3):
            known = [traces[t, u] for t in inside if np.isfinite(traces[t, u])]
            if len(known) >= max(1, length[w] / 2):
                assert found[w, u] == pytest.approx(sum(known) / len(known))
            else:
                assert np.isnan(found[w, u])


def test_a_window_that_runs_past_the_end_needs_half_its_frames():
    traces, times = np.arange(10.0)[:, None], np.arange(10.0)
    found = mean_traces(traces, times, np.array([8.0, 8.0, 9.0]), np.array([10.0, 12.0, 12.0]))
    np.testing.assert_allclose(found[:2, 0], [8.5, 8.5])
    assert np.isnan(found[2, 0])


def test_the_baseline_is_before_the_onset_wherever_the_window_is():
    values = np.zeros((100, 2))
    values[20:30] = 1.0  # 2 to 3 s: before the onset at 3 s
    values[35:40] = 5.0
    events = event_table([3.0], ["a"])
    recording = trace_recording(values, 10.0, events)
    settings = ResponseSettings(window=(0.5, 1.0), baseline=1.0)
    found, unit = event_responses(recording, condition_events(recording, settings), settings)
    np.testing.assert_allclose(found, [[4.0, 4.0]], atol=1e-6)
    assert unit == "a.u."


def test_spikes_less_their_baseline():
    trains = [np.array([1.1, 1.6, 2.2, 2.4, 2.6, 2.8, 9.0])]
    events = event_table([2.0, 0.2], ["a", "b"])
    recording = spike_recording(trains, events)
    settings = ResponseSettings(baseline=1.0)
    found, unit = event_responses(recording, condition_events(recording, settings), settings)
    assert unit == "spikes/s"
    assert np.isnan(found[0, 0])  # its baseline was not recorded
    assert found[1, 0] == pytest.approx(4 - 2)


def test_windows_without_a_frame_are_refused():
    events = event_table([1.02, 2.02], ["a", "b"], 0.05)
    recording = trace_recording(np.ones((40, 2)), 2.0, events)
    settings = ResponseSettings()
    with pytest.raises(UnfitRecordingError, match=r"none of the 2 events .* frames, 0.5 s each"):
        event_responses(recording, condition_events(recording, settings), settings)
    late = event_table([100.0, 120.0], ["a", "b"])
    for one in (
        trace_recording(np.ones((40, 2)), 2.0, late),
        spike_recording([np.array([1.0]), np.array([2.0])], late),
    ):
        with pytest.raises(UnfitRecordingError, match="clock of the events"):
            event_responses(one, condition_events(one, settings), settings)


def test_repeats_in_long_form():
    values = np.random.default_rng(0).standard_normal((3, 4, 2)).astype(np.float32)
    values[2, 1:] = np.nan  # only the first image has a third repeat
    values[0, 0, 1] = np.nan  # one unit misses a trial
    found, stimulus, repeat = image_responses(image_recording(values))
    assert len(found) == 9
    for row, s, r in zip(found, stimulus, repeat, strict=True):
        np.testing.assert_array_equal(row, values[r, s])
    assert sorted(zip(repeat, stimulus, strict=True))[-1] == (2, 0)
    with pytest.raises(UnfitRecordingError, match="no responses"):
        image_responses(trace_recording(np.ones((4, 2)), 2.0, None))
