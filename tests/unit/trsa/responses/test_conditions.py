"""Events become trials with conditions; whatever names none is left out or refused."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neuropipe.errors import UnfitRecordingError
from neuropipe.trsa.responses.conditions import condition_events, condition_labels
from neuropipe.trsa.settings import ResponseSettings
from tests.unit.trsa.responses.builders import event_table, trace_recording


def recording(events, modality="calcium"):
    values = np.random.default_rng(0).standard_normal((400, 3))
    return trace_recording(values, 10.0, events, modality=modality)


def test_trials_in_the_order_of_time():
    events = event_table([5, 1, 3], ["b", "a", "a"], [1, 2, 0.5])
    found = condition_events(recording(events), ResponseSettings())
    assert list(found["condition"]) == ["a", "a", "b"]
    np.testing.assert_allclose(found["onset"], [1, 3, 5])
    np.testing.assert_allclose(found["stop"], [3, 3.5, 6])


def test_a_window_counts_from_the_onset():
    events = event_table([1, 5], ["a", "b"], np.nan)
    found = condition_events(recording(events), ResponseSettings(window=(-0.5, 1.5)))
    np.testing.assert_allclose(found["onset"], [0.5, 4.5])
    np.testing.assert_allclose(found["stop"], [2.5, 6.5])


def test_events_that_name_nothing_are_left_out():
    """Missing entries never are a condition, whatever is excluded."""
    labels = ["a", "n/a", None, "rest", "", "b"]
    events = event_table(range(6), labels)
    kept = condition_events(recording(events), ResponseSettings())["condition"]
    assert list(kept) == ["a", "b"]
    kept = condition_events(recording(events), ResponseSettings(exclude=("b",)))["condition"]
    assert list(kept) == ["a", "rest"]


def test_numbers_with_gaps_name_the_same_conditions():
    whole = condition_labels(pd.Series([0, 45, 90]))
    gaps = condition_labels(pd.Series([0, np.nan, 45, 22.5]))
    assert list(whole) == ["0", "45", "90"]
    assert list(gaps) == ["0", "n/a", "45", "22.5"]
    assert list(condition_labels(pd.Series([True, False]))) == ["True", "False"]
    events = event_table(range(4), ["x"] * 4, angle=[0.0, np.nan, 45.0, 22.5])
    found = condition_events(recording(events), ResponseSettings(condition="angle"))
    assert list(found["condition"]) == ["0", "45", "22.5"]


@given(width=st.floats(0.05, 3), length=st.floats(0.1, 20), start=st.floats(0, 100))
def test_stretches_tile_an_event(width, length, start):
    events = event_table([start], ["film"], length)
    settings = ResponseSettings(bin_width=width)
    if length < width * (1 - 1e-6):
        with pytest.raises(UnfitRecordingError, match="bin_width"):
            condition_events(recording(events), settings)
        return
    found = condition_events(recording(events), settings)
    assert len(found) in (int(length / width), round(length / width))
    np.testing.assert_allclose(found["stop"] - found["onset"], width, atol=1e-9)
    np.testing.assert_allclose(found["onset"].to_numpy()[1:], found["stop"].to_numpy()[:-1])
    assert found["stop"].max() <= start + length + 1e-5
    assert found["condition"].is_unique


def test_the_same_stretch_has_one_name_in_every_presentation():
    events = event_table([0, 10.1], ["film", "film"], [2.05, 2.0])
    found = condition_events(recording(events), ResponseSettings(bin_width=0.5))
    assert len(found) == 8
    names = ["film 0.25 s", "film 0.75 s", "film 1.25 s", "film 1.75 s"]
    assert list(found["condition"]) == names * 2
    assert list(found["event"]) == ["film"] * 8
    np.testing.assert_allclose(found["time"], [0.25, 0.75, 1.25, 1.75] * 2)


@pytest.mark.parametrize(
    ("events", "options", "said"),
    [
        (None, {}, "has no events"),
        (event_table([], []), {}, "has no events"),
        (event_table([1], ["a"]), {"condition": "shape"}, "no column 'shape'; expected one of tri"),
        (event_table([1], ["a"]), {"condition": "onset"}, "cannot be named by 'onset'"),
        (event_table([1, 2], ["rest", None]), {}, "names a condition in 'trial_type' (n/a, rest)"),
        (event_table([1], ["a"], 0.0), {}, "events without a duration"),
        (event_table([1], ["a"], np.nan), {}, "events without a duration"),
        (event_table([1], ["a"], 2.0), {"bin_width": 5}, "the longest event"),
    ],
)  # fmt: skip
def test_what_cannot_be_used_is_refused_in_one_line(events, options, said):
    with pytest.raises(UnfitRecordingError) as caught:
        condition_events(recording(events), ResponseSettings(**options))
    text = str(caught.value)
    assert said in text
    assert "sub-1" in text
    assert "\n" not in text
    assert caught.value.remedy


def test_impulses_are_events_for_a_glm():
    events = event_table([1, 2], ["a", "b"], 0.0)
    found = condition_events(recording(events, "fmri"), ResponseSettings())
    np.testing.assert_allclose(found["stop"], found["onset"])
    with pytest.raises(UnfitRecordingError, match="without a duration"):
        condition_events(recording(events, "fmri"), ResponseSettings(bin_width=1))
