"""Recordings meet on one time axis: the same clock, windows about events, or none."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neuropipe.connectome.alignment import align, choose_clock, event_samples
from neuropipe.connectome.settings import UnitSettings
from neuropipe.errors import UnfitRecordingError
from tests.unit.connectome.builders import event_table

RATE = 2.0
SETTINGS = UnitSettings(min_samples=20)


def on_samples(rows, n_samples=200, first=0.0):
    return event_samples(event_table(rows) if rows else None, first, RATE, n_samples)


def timeline(*recordings, lengths=None, wanted=SETTINGS):
    tables = {f"sub-{k}": on_samples(rows) for k, rows in enumerate(recordings)}
    return align(tables, lengths or [200] * len(tables), RATE, wanted)


def test_events_are_counted_from_the_first_sample():
    table = on_samples([("b", 16.0, 3.0), ("a", 10.0, np.nan), ("c", 40.0, 0.0)], first=5.0)
    assert table.to_dict("list") == {
        "trial_type": ["a", "b", "c"],
        "onset": [5.0, 11.0, 35.0],
        "start": [10, 22, 70],
        "stop": [22, 28, 71],  # until the next; as stated; at least one sample
    }


def test_events_outside_a_recording_are_left_out_and_stops_cut():
    table = on_samples([("a", -3.0, 1.0), ("b", -0.1, 2.0), ("c", 98.0, 50.0), ("d", 100.0, 1.0)])
    assert list(table["trial_type"]) == ["b", "c"]
    assert list(table["start"]) == [0, 196]
    assert list(table["stop"]) == [4, 200]


def test_events_of_one_sample_are_one():
    table = on_samples([("stimulus", 10.0, 4.0), ("trial", 10.1, 8.0), ("rest", 30.0, 1.0)])
    assert list(table["trial_type"]) == ["stimulus+trial", "rest"]
    assert table.loc[0, "stop"] == 36


def test_events_without_names_and_no_events():
    nameless = pd.DataFrame({"onset": [4.0], "duration": [2.0]})
    assert list(event_samples(nameless, 0.0, RATE, 50)["trial_type"]) == ["event"]
    assert on_samples([]).empty
    assert list(on_samples([]).columns) == list(on_samples([("a", 1.0, 1.0)]).columns)


A_B = [("a", 20.0, 5.0), ("b", 60.0, 5.0)]
B_A = [("b", 20.0, 5.0), ("a", 60.0, 5.0)]


@pytest.mark.parametrize(
    ("recordings", "clock"),
    [
        ([[]], "shared"),
        ([A_B], "shared"),
        ([A_B, A_B], "shared"),
        ([A_B, [("a", 20.2, 5.0), ("b", 59.8, 9.0)]], "shared"),
        ([A_B, [("a", 20.3, 5.0), ("b", 60.0, 5.0)]], "events"),
        ([A_B, B_A], "events"),
        ([A_B, A_B[:1]], "events"),  # half of the events
        ([A_B, [("a", 20.0, 5.0), ("c", 60.0, 5.0), ("d", 80.0, 5.0)]], "own"),
        ([A_B, []], "own"),
        ([[], []], "own"),
    ],
)
def test_the_clock_that_events_allow(recordings, clock):
    assert choose_clock([on_samples(rows) for rows in recordings], RATE) == clock


def test_half_a_long_sampling_interval_is_the_same_time():
    def tables(late):
        rows = [[("a", 20.0, 5.0)], [("a", 20.0 + late, 5.0)]]
        return [event_samples(event_table(r), 0.0, 0.5, 100) for r in rows]

    assert choose_clock(tables(0.9), 0.5) == "shared"
    assert choose_clock(tables(1.1), 0.5) == "events"


def test_a_shared_clock_ends_with_the_shortest():
    found = timeline(A_B, A_B, lengths=[200, 125])
    assert found.clock == "shared"
    assert found.n_samples == 125
    assert list(found.lengths) == [125, 125]
    assert found.segments.tolist() == [[0, 125]]
    assert found.events.to_dict("list") == {
        "trial_type": ["a", "b"],
        "start": [40, 120],
        "stop": [50, 125],
    }
    assert "125 of up to 200" in found.warnings[0]
    assert timeline(A_B, A_B).warnings == []


def test_a_shared_clock_that_events_contradict_shows_none():
    found = timeline(A_B, B_A, wanted=UnitSettings(clock="shared"))
    assert found.clock == "shared"
    assert found.events.empty
    assert "differ" in found.warnings[0]


def test_every_recording_on_its_own_clock():
    found = timeline(A_B, [], lengths=[200, 60])
    assert found.clock == "own"
    assert list(found.lengths) == [200, 60]
    assert found.events["recording"].tolist() == ["sub-0", "sub-0"]
    assert found.events["start"].tolist() == [40, 120]
    placed = found.place(np.ones((3, 60), dtype=np.float32), 1)
    assert placed.shape == (3, 200)
    assert np.isfinite(placed).sum(axis=1).tolist() == [60] * 3


def test_windows_reach_to_the_shortest_time_before_the_next_onset():
    other = [("b", 10.0, 5.0), ("a", 40.0, 3.0)]
    found = timeline(A_B, other, lengths=[200, 200])
    assert found.clock == "events"
    # a: 40 s to the next in the first, 60 s to the end in the second; b: 40 s to the end, 30 s.
    assert found.sizes.tolist() == [80, 60]
    assert found.starts.tolist() == [[40, 80], [120, 20]]
    assert found.segments.tolist() == [[0, 80], [80, 140]]
    assert found.events["trial_type"].tolist() == ["a", "b"]
    assert found.events["start"].tolist() == [0, 80]
    assert found.events["stop"].tolist() == [6, 90]  # the shorter stimulus
    assert found.warnings == []


def test_gapless_epochs_end_when_they_end():
    first = [("a", 0.0, 30.0), ("b", 30.0, 30.0)]  # 40 s more were recorded
    second = [("b", 0.0, 30.0), ("a", 30.0, 30.0)]
    assert timeline(first, second).sizes.tolist() == [60, 60]
    assert timeline(A_B, B_A).sizes.tolist() == [80, 80]


def test_windows_as_set_about_the_onset():
    wanted = UnitSettings(window=(2.0, 10.0), min_samples=20)
    found = timeline(A_B, B_A, wanted=wanted)
    assert found.sizes.tolist() == [24, 24]
    assert found.starts.tolist() == [[36, 116], [116, 36]]
    assert found.events["start"].tolist() == [4, 28]
    assert found.events["stop"].tolist() == [14, 38]


def test_windows_beyond_a_recording_and_short_ones_go():
    wanted = UnitSettings(window=(30.0, 20.0), min_samples=20)
    found = timeline(A_B, [("a", 65.0, 5.0), ("b", 35.0, 5.0)], wanted=wanted)
    assert found.events["trial_type"].tolist() == ["b"]  # a would start 10 s too early
    assert found.warnings == ["1 of up to 2 events left out (window beyond a recording)."]
    close = [*A_B, ("c", 61.0, 1.0)]
    found = timeline(close, [("c", 5.0, 5.0), ("b", 60.0, 5.0), ("a", 70.0, 5.0)])
    assert found.events["trial_type"].tolist() == ["a", "c"]
    assert found.warnings == ["1 of up to 3 events left out (window shorter than 5 frames)."]


def test_repetitions_meet_in_their_order_and_extra_ones_go():
    first = [("a", 10.0, 5.0), ("b", 30.0, 5.0), ("a", 50.0, 5.0), ("a", 70.0, 5.0)]
    second = [("a", 5.0, 5.0), ("a", 30.0, 5.0), ("b", 60.0, 5.0)]
    found = timeline(first, second)
    assert found.events["trial_type"].tolist() == ["a", "a", "b"]
    assert found.starts.tolist() == [[20, 10], [100, 60], [60, 120]]
    assert found.warnings == ["1 of up to 4 events left out (not in all recordings)."]


def test_too_little_in_common_falls_back_or_is_refused():
    close = [("a", 20.0, 5.0), ("b", 23.0, 5.0)]
    other = [("b", 20.0, 5.0), ("a", 23.0, 5.0)]
    found = timeline(close, other, wanted=UnitSettings(min_samples=50))
    assert found.clock == "own"
    assert "12 frames" in found.warnings[0]
    with pytest.raises(UnfitRecordingError, match="12 frames lie in windows"):
        timeline(close, other, wanted=UnitSettings(min_samples=50, clock="events"))
    with pytest.raises(UnfitRecordingError, match="no events: sub-1"):
        timeline(A_B, [], wanted=UnitSettings(clock="events"))


@settings(max_examples=40)
@given(st.data())
def test_windows_hold_the_same_moments_of_every_recording(data):
    """Traces that state which event was last, and how long ago, agree in all recordings."""
    n_kinds = data.draw(st.integers(2, 4))
    lengths, tables, clocks = [], {}, []
    for animal in range(data.draw(st.integers(2, 4))):
        order = data.draw(st.permutations(range(n_kinds)))
        gaps = data.draw(st.lists(st.integers(10, 40), min_size=n_kinds, max_size=n_kinds))
        onsets = 3 + np.cumsum([0, *gaps[:-1]])
        n_samples = int(onsets[-1] + gaps[-1])
        rows = [(f"kind{k}", on / RATE, 1.0) for k, on in zip(order, onsets, strict=True)]
        tables[f"sub-{animal}"] = on_samples(rows, n_samples)
        told = np.full((1, n_samples), -1.0)
        for kind, start in zip(order, onsets, strict=True):
            told[0, start:] = 1000 * kind + np.arange(n_samples - start)
        lengths.append(n_samples)
        clocks.append(told)
    found = align(tables, lengths, RATE, UnitSettings(min_samples=20, clock="events"))
    placed = [found.place(told, animal) for animal, told in enumerate(clocks)]
    for one in placed:
        assert np.array_equal(one, placed[0])
    for (start, stop), kind in zip(found.segments, found.events["trial_type"], strict=True):
        expected = 1000 * int(kind[-1]) + np.arange(stop - start)
        assert np.array_equal(placed[0][0, start:stop], expected)
