"""A subject's labels are those of all its runs; head movement is read from the recordings."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from neuropipe.prediction.participants import (
    mean_displacement,
    participant_labels,
    participants_table,
)
from neuropipe.prediction.settings import MOTION
from tests.unit.connectivity.builders import recording


def test_mean_displacement():
    found = recording()
    assert np.isnan(mean_displacement(found))
    trace = np.full(150, 0.2)
    trace[0] = np.nan
    found.confounds = xr.Dataset({"framewise_displacement": ("time", trace)})
    assert mean_displacement(found) == pytest.approx(0.2)


def test_labels_hold_the_displacement_where_it_is_known():
    found = recording(age=30)
    assert participant_labels(found) == {"age": 30}
    found.confounds = xr.Dataset({"framewise_displacement": ("time", np.full(150, 0.3))})
    assert participant_labels(found) == {"age": 30, MOTION: pytest.approx(0.3)}
    assert found.participant == {"age": 30}


def test_subjects_stand_in_the_order_of_their_first_runs():
    rows = [("b", {"age": 3}), ("a", {"age": 1, "sex": "F"}), ("b", {"age": 3, "iq": 99})]
    table, notes = participants_table(rows)
    assert list(table.index) == ["b", "a"]
    assert list(table.columns) == ["age", "sex", "iq"]
    assert table.loc["b"].tolist() == [3, None, 99]
    assert notes == []


def test_the_first_known_value_counts_and_others_are_said():
    rows = [("a", {"age": "n/a"}), ("a", {"age": 20}), ("a", {"age": 21}), ("b", {"age": None})]
    table, notes = participants_table(rows)
    assert table["age"].tolist() == [20, None]
    assert notes == [
        "Column age differs between runs of one subject; the first run's value was taken."
    ]


def test_displacement_is_a_mean_over_runs():
    table, notes = participants_table([("a", {MOTION: 0.1}), ("a", {MOTION: 0.3}), ("b", {})])
    assert table.loc["a", MOTION] == pytest.approx(0.2)
    assert table.loc["b", MOTION] is None
    assert notes == []


def test_no_run_is_an_empty_table():
    table, notes = participants_table([])
    assert table.shape == (0, 0)
    assert notes == []
