"""The Recording contract: what is written is read back, what breaks it is named."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import HealthCheck, given, settings

from neuropipe.errors import InputError
from neuropipe.recording import Recording, behavior_series, signals_array, text_table
from tests.strategies import recordings


def fmri(**changes: Any) -> Recording:
    """A small sound recording, with changes."""
    units = text_table(pd.DataFrame({"region": ["V1", "V2"]}, index=["a", "b"]), "unit")
    values = np.arange(20.0).reshape(10, 2)
    sound = Recording(
        dataset="d", recording="r", subject="s", modality="fmri", units=units,
        signals=signals_array(values, 0.5, units.index),
    )  # fmt: skip
    return replace(sound, **changes)


def assert_equal(first: Recording, second: Recording) -> None:
    for field in fields(Recording):
        a, b = getattr(first, field.name), getattr(second, field.name)
        if isinstance(a, pd.DataFrame):
            pd.testing.assert_frame_equal(a, b)
        elif isinstance(a, xr.DataArray | xr.Dataset):
            xr.testing.assert_identical(a, b)
        elif field.name == "behavior":
            assert a.keys() == b.keys()
            for name in a:
                xr.testing.assert_identical(a[name], b[name])
        else:
            assert a == b, field.name


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(recording=recordings())
def test_round_trip(recording: Recording, tmp_path: Path) -> None:
    path = tmp_path / "recording.nc"
    recording.write(path)
    assert_equal(recording, Recording.read(path))


def test_column_order_survives(tmp_path: Path) -> None:
    units = text_table(pd.DataFrame({"z": [1.0], "a": [2.0]}, index=["u"]), "unit")
    signals = signals_array(np.ones((3, 1)), 1.0, units.index)
    fmri(units=units, signals=signals).write(tmp_path / "r.nc")
    assert list(Recording.read(tmp_path / "r.nc").units.columns) == ["z", "a"]


def _time(values: np.ndarray) -> xr.DataArray:
    signals = fmri().signals
    assert signals is not None
    return signals.assign_coords(time=values)


_UNITS = fmri().units
_BROKEN: dict[str, dict[str, Any]] = {
    "recording is '../x'": {"recording": "../x"},
    "subject is ''": {"subject": ""},
    "modality is 'eeg'": {"modality": "eeg"},
    "without signals": {"signals": None},
    "without spikes": {"modality": "spikes"},
    "participant cannot be stored": {"participant": {"age": float("nan")}},
    "names 'a' more than once": {"units": _UNITS.set_axis(["a", "a"])},
    "column named 'x/y'": {"units": _UNITS.rename(columns={"region": "x/y"})},
    "other units": {"units": _UNITS.set_axis(["b", "a"])},
    "not sampled at its sampling_rate": {"signals": _time(np.arange(10) * 2.1)},
    "infinite": {"signals": signals_array(np.full((5, 2), np.inf), 1.0, _UNITS.index)},
    "only NaN": {"signals": signals_array(np.full((5, 2), np.nan), 1.0, _UNITS.index)},
    "1 samples": {"signals": signals_array(np.ones((1, 2)), 1.0, _UNITS.index)},
    "sampling_rate -1.0": {"signals": signals_array(np.ones((5, 2)), -1.0, _UNITS.index)},
    "confounds has 3 samples": {"confounds": xr.Dataset({"fd": ("time", np.zeros(3))})},
    "no numeric onset": {"events": pd.DataFrame({"onset": ["a"], "duration": [1.0]}, index=["0"])},
    "negative duration": {
        "events": pd.DataFrame({"onset": [1.0], "duration": [-1.0]}, index=["0"])
    },
    "times out of order": {
        "behavior": {"b": behavior_series({"x": np.zeros(3)}, np.array([0.0, 2.0, 1.0]))}
    },
}


@pytest.mark.parametrize("message", _BROKEN)
def test_broken_contract_is_named_and_nothing_written(message: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=message.replace("[", r"\[")):
        fmri(**_BROKEN[message]).write(tmp_path / "r.nc")
    assert not list(tmp_path.iterdir())


def spiking(times: list[float], index: list[int]) -> Recording:
    spikes = xr.Dataset(
        {
            "spike_times": ("spike", np.array(times)),
            "unit_index": ("spike", np.array(index, dtype=np.int32)),
        }
    )
    return fmri(modality="spikes", signals=None, spikes=spikes)


@pytest.mark.parametrize(
    ("times", "index", "message"),
    [
        ([1.0, 0.5], [0, 1], "not sorted"),
        ([-1.0, 0.5], [0, 1], "negative"),
        ([0.1, np.nan], [0, 1], "non-finite"),
        ([0.1, 0.2], [0, 2], "outside the unit table"),
    ],
)
def test_broken_spikes(times: list[float], index: list[int], message: str) -> None:
    with pytest.raises(InputError, match=message):
        spiking(times, index).check()


def test_spike_trains_follow_the_unit_table() -> None:
    first, second = spiking([0.1, 0.2, 0.3], [1, 0, 1]).spike_trains()
    np.testing.assert_array_equal(first, [0.2])
    np.testing.assert_array_equal(second, [0.1, 0.3])


def test_duration_and_rate() -> None:
    assert fmri().duration == pytest.approx(20.0)
    assert fmri().sampling_rate == 0.5
    assert spiking([0.1, 7.5], [0, 1]).duration == 7.5


@pytest.mark.parametrize("content", [b"", b"no NetCDF", None])
def test_unreadable_file_is_one_line(content: bytes | None, tmp_path: Path) -> None:
    path = tmp_path / "r.nc"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match="neuropipe ingest"):
        Recording.read(path)


def test_foreign_netcdf_is_refused(tmp_path: Path) -> None:
    xr.Dataset({"x": ("t", [1, 2])}).to_netcdf(tmp_path / "x.nc", engine="h5netcdf")
    with pytest.raises(InputError, match="format"):
        Recording.read(tmp_path / "x.nc")


def test_text_table_makes_missing_text_explicit() -> None:
    table = text_table(pd.DataFrame({"a": ["x", None], "b": [1, None]}), "unit")
    assert list(table["a"]) == ["x", "n/a"]
    assert np.isnan(table["b"].iloc[1])
    assert json.dumps(list(table.index)) == '["0", "1"]'
