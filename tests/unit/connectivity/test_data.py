"""Units and frames that cannot be used are left out and named; nothing is filled in."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from neuropipe.connectivity.data import usable_series
from neuropipe.connectivity.settings import ConnectivitySettings
from neuropipe.errors import UnfitRecordingError
from neuropipe.recording import Recording
from tests.unit.connectivity.builders import recording, series, unit_table

SETTINGS = ConnectivitySettings()


def test_complete_recordings_pass_whole():
    found = recording()
    used = usable_series(found, SETTINGS)
    assert used.values == pytest.approx(found.signals.values)
    assert used.names == list(found.units.index)
    assert used.warnings() == []
    assert used.duration == 150.0


def test_gappy_units_go_and_incomplete_frames_go():
    x = series(150, 6, np.random.default_rng(0))
    x[:60, 3] = np.nan  # 40 % missing: the unit goes
    x[10:14, 5] = np.nan  # few: these frames go
    x[:, 7] = 2.0  # constant
    used = usable_series(recording(values=x), SETTINGS)
    assert used.values.shape == (146, 10)
    assert np.isfinite(used.values).all()
    assert used.names == [n for i, n in enumerate(unit_table(6).index) if i not in (3, 7)]
    assert used.dropped["constant"] == ["R3"]
    said = " ".join(used.warnings())
    assert "R1" in said
    assert "R3" in said
    assert "4 of 150 frames" in said
    expected = np.delete(x, [3, 7], axis=1)[~np.isnan(x[:, 5])]
    assert used.values == pytest.approx(expected, rel=1e-5)


def test_huge_recordings_are_thinned_alike_for_every_run():
    wide = ConnectivitySettings(max_units=5)
    first, second = (usable_series(recording(seed=k), wide) for k in (0, 1))
    assert first.names == second.names
    assert len(first.names) == 5
    assert "max_units" in first.warnings()[0]


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"n_times": 40}, "40 complete frames"),
        ({"values": np.ones((150, 12))}, "0 usable units"),
    ],
)
def test_unfit_recordings_are_refused_in_one_line(change, word):
    with pytest.raises(UnfitRecordingError, match=word) as caught:
        usable_series(recording(**change), SETTINGS)
    assert "\n" not in str(caught.value)


def test_recordings_without_signals_are_refused():
    spikes = xr.Dataset(
        {"spike_times": ("spike", np.zeros(1)), "unit_index": ("spike", np.zeros(1, np.int32))}
    )
    units = pd.DataFrame(index=pd.Index(["a"], dtype=object, name="unit"))
    silent = Recording(
        dataset="d", recording="r", subject="s", modality="spikes", units=units, spikes=spikes
    )
    with pytest.raises(UnfitRecordingError, match="no signals"):
        usable_series(silent, SETTINGS)


def test_a_constant_unit_costs_no_frames():
    x = series(150, 6, np.random.default_rng(0))
    x[:, 7] = 2.0
    x[20:30, 7] = np.nan  # it goes anyway: its gaps are nobody's
    used = usable_series(recording(values=x), SETTINGS)
    assert used.values.shape == (150, 11)
    assert used.dropped["constant"] == ["R3"]
    assert not any("frames" in said for said in used.warnings())


def test_a_unit_that_is_not_drawn_costs_no_frames():
    thin = ConnectivitySettings(max_units=5)
    x = series(150, 6, np.random.default_rng(0))
    drawn = usable_series(recording(values=x), thin).names
    for k, name in enumerate(unit_table(6).index):
        if name not in drawn:
            x[10 * (k % 10) : 10 * (k % 10) + 10, k] = np.nan
    used = usable_series(recording(values=x), thin)
    assert used.names == drawn
    assert used.values.shape == (150, 5)


def test_a_unit_that_varies_only_in_left_out_frames_goes():
    x = series(150, 6, np.random.default_rng(1))
    x[:, 2] = 1.0
    x[40:45, 2] = 9.0
    x[40:45, 9] = np.nan
    used = usable_series(recording(values=x), SETTINGS)
    assert "L1" in used.dropped["constant"]
    assert used.values.shape == (145, 11)


def test_thinned_recordings_still_share_units():
    # Two recordings that lack different units draw the same ones of those both have.
    units = unit_table(50)
    thin = ConnectivitySettings(max_units=40)
    names = []
    for k, lacking in enumerate((range(30), ())):
        kept = np.setdiff1d(np.arange(100), np.array(lacking, dtype=int))
        x = np.random.default_rng(k).standard_normal((60, len(kept)))
        names.append(set(usable_series(recording(values=x, units=units.iloc[kept]), thin).names))
    assert len(names[0] & names[1]) >= 24  # independent draws share about 16, the first 40 share 10


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.floats(0, 0.3), st.integers(0, 6))
def test_what_remains_is_complete_varies_and_adds_up(seed, share, n_constant):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((120, 12)) + 10
    x[:, rng.choice(12, n_constant, replace=False)] = 3.0
    x[rng.random(x.shape) < share * (np.arange(12) < 4)] = np.nan
    used = usable_series(recording(values=x), ConnectivitySettings(min_samples=10))
    assert np.isfinite(used.values).all()
    assert (used.values.std(axis=0) > 0).all()
    left = [name for names in used.dropped.values() for name in names]
    assert sorted([*used.names, *left]) == sorted(unit_table(6).index)
    complete = np.isfinite(x[:, unit_table(6).index.get_indexer(used.names)]).all(axis=1)
    assert len(used.values) == complete.sum()
