from __future__ import annotations

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from pynwb.base import TimeSeries
from pynwb.behavior import BehavioralTimeSeries, Position, SpatialSeries

from neuropipe.errors import InputError
from neuropipe.ingest.nwb import open_nwb
from neuropipe.ingest.nwb_behavior import read_behavior
from neuropipe.ingest.settings import SpikesReadSettings
from tests.nwb_files import add_series, built


def behavior_of(path, **options):
    with open_nwb(path) as nwb:
        return read_behavior(nwb, SpikesReadSettings(**options), "f")


def add_position(nwb, data, unit="meters", conversion=1.0, **clock):
    series = SpatialSeries(name="position", data=data, reference_frame="arena", unit=unit,
                           conversion=conversion, **clock)  # fmt: skip
    if "behavior" not in nwb.processing:
        nwb.create_processing_module("behavior", "b")
    nwb.processing["behavior"].add(Position(spatial_series=series))


values = hnp.arrays(
    np.float64,
    st.tuples(st.integers(2, 12), st.integers(1, 3)),
    elements=st.floats(-1e3, 1e3) | st.just(np.nan),
)


@given(values, st.floats(0.5, 500), st.floats(0, 100))
@settings(max_examples=8, deadline=None)
def test_position_reads_back(tmp_path_factory, data, rate, start):
    path = built(
        tmp_path_factory.mktemp("b") / "a.nwb",
        lambda nwb: add_position(nwb, data, rate=rate, starting_time=start),
    )
    groups, notes = behavior_of(path)
    assert notes == []
    found = groups["position"]
    names = ["position_x", "position_y", "position_z"][: data.shape[1]]
    assert list(found.data_vars) == names
    np.testing.assert_array_equal(np.stack([found[n] for n in names], axis=1), data)
    np.testing.assert_allclose(found["time"], start + np.arange(len(data)) / rate)
    assert found.attrs["sampling_rate"] == pytest.approx(rate)


def test_units_become_si_and_conversions_apply(tmp_path):
    path = built(
        tmp_path / "a.nwb", lambda nwb: add_position(nwb, np.ones((5, 2)), "cm", 2.0, rate=1.0)
    )
    found = behavior_of(path)[0]["position"]
    assert found["position_x"].attrs["unit"] == "m"
    np.testing.assert_allclose(found["position_x"], 0.02)


def test_series_on_one_clock_share_a_group(tmp_path):
    def build(nwb):
        times = np.arange(30) / 15
        add_position(nwb, np.zeros((30, 2)), timestamps=times)
        module = nwb.processing["behavior"]
        module.add(
            BehavioralTimeSeries(
                time_series=[
                    TimeSeries(name="speed", data=np.ones(30), unit="m/s", timestamps=times),
                    TimeSeries(name="pupil", data=np.ones(60), unit="a.u.", rate=30.0),
                ]
            )
        )

    groups, _ = behavior_of(built(tmp_path / "a.nwb", build))
    assert {k: sorted(map(str, v.data_vars)) for k, v in groups.items()} == {
        "behavior-15hz": ["position_x", "position_y", "speed"],
        "pupil": ["pupil"],
    }


def test_columns_of_one_name_stay_apart(tmp_path):
    def build(nwb):
        add_position(nwb, np.zeros((5, 2)), rate=1.0)
        add_series(nwb, "position_x", np.ones(5), rate=1.0)

    groups, _ = behavior_of(built(tmp_path / "a.nwb", build))
    assert groups["position"]["position_x"].values.tolist() == [0] * 5
    assert groups["position_x"]["position_x"].values.tolist() == [1] * 5


def test_names_choose_series(tmp_path):
    def build(nwb):
        add_position(nwb, np.zeros((5, 2)), rate=1.0)
        add_series(nwb, "wide", np.zeros((5, 20)))
        add_series(nwb, "speed", np.zeros(5))

    path = built(tmp_path / "a.nwb", build)
    groups, notes = behavior_of(path)
    assert set(groups) == {"position", "speed"}
    assert notes == ["series wide is too large for behaviour unless named"]
    assert set(behavior_of(path, behavior=["Position"])[0]) == {"position"}
    assert len(behavior_of(path, behavior=["wide"])[0]["wide"].data_vars) == 20
    assert behavior_of(path, behavior=[]) == ({}, [])
    with pytest.raises(InputError, match=r"no behavioural series velocity; .* speed"):
        behavior_of(path, behavior=["velocity"])


@pytest.mark.parametrize("times", [[0.0, 2.0, 1.0], [0.0, 1.0, 1.0], [0.0, np.nan, 2.0]])
def test_times_out_of_order_are_refused(tmp_path, times):
    path = built(
        tmp_path / "a.nwb", lambda nwb: add_series(nwb, "s", np.zeros(3), timestamps=times)
    )
    with pytest.raises(InputError, match="f: series s: timestamp"):
        behavior_of(path)


def test_another_number_of_timestamps_is_refused(tmp_path):
    path = built(
        tmp_path / "a.nwb", lambda nwb: add_series(nwb, "s", np.zeros(4), timestamps=np.arange(4.0))
    )
    with h5py.File(path, "a") as file:
        attrs = dict(file["acquisition/s/data"].attrs)
        del file["acquisition/s/data"]
        file.create_dataset("acquisition/s/data", data=np.zeros(3)).attrs.update(attrs)
    with pytest.raises(InputError, match="4 timestamps of float64; expected 3"):
        behavior_of(path)


def test_text_and_empty_series_are_left_out(tmp_path):
    def build(nwb):
        add_series(nwb, "words", ["a", "b"])
        add_series(nwb, "nothing", np.zeros(0))

    groups, notes = behavior_of(built(tmp_path / "a.nwb", build))
    assert groups == {}
    assert notes == ["series nothing holds no data"]


def test_hostile_names_become_safe(tmp_path):
    path = built(tmp_path / "a.nwb", lambda nwb: add_series(nwb, "..x y%", np.zeros(3)))
    assert list(behavior_of(path)[0]) == ["x-y"]
