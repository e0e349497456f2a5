from __future__ import annotations

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neuropipe.errors import InputError
from neuropipe.ingest.nwb_electrodes import electrode_unit
from neuropipe.ingest.nwb_spikes import isi_violations, merge_trains
from tests.nwb_files import add_series, add_units, built, new_nwb, read_nwb

trains_of_units = st.lists(
    st.lists(st.floats(0, 1e5), max_size=20).map(lambda t: np.sort(np.array(t, dtype=float))),
    min_size=1,
    max_size=6,
).filter(lambda trains: sum(map(len, trains)) > 0)


@given(trains_of_units)
@settings(max_examples=8, deadline=None)
def test_spikes_read_back(tmp_path_factory, trains):
    path = built(tmp_path_factory.mktemp("s") / "a.nwb", lambda nwb: add_units(nwb, trains))
    found = read_nwb(path, "spikes")
    assert found.n_units == len(trains)
    for one, other in zip(found.spike_trains(), trains, strict=True):
        np.testing.assert_array_equal(one, other)


@given(trains_of_units)
def test_merged_trains_are_sorted_and_complete(trains):
    merged = merge_trains(trains)
    times, index = merged["spike_times"].values, merged["unit_index"].values
    assert (np.diff(times) >= 0).all()
    for unit, train in enumerate(trains):
        np.testing.assert_array_equal(times[index == unit], train)


def test_duplicate_spikes_and_silent_units_are_kept(tmp_path):
    trains = [np.array([1.0, 1.0, 2.0]), np.empty(0), np.array([1.0])]
    found = read_nwb(built(tmp_path / "a.nwb", lambda nwb: add_units(nwb, trains)), "spikes")
    assert [len(t) for t in found.spike_trains()] == [3, 0, 1]
    assert found.units.index.tolist() == ["unit-0000", "unit-0001", "unit-0002"]
    assert (found.subject, found.species) == ("m1", "Mus musculus")


@pytest.mark.parametrize(
    ("train", "match"),
    [
        ([-0.5, 1.0], "unit unit-0001 has a spike at -0.5 s; .*; set read: shift_to_zero"),
        ([0.5, np.nan], "unit unit-0001 has a spike at nan s"),
        ([0.5, np.inf], "unit unit-0001 has a spike at inf s"),
        ([2.0, 1.0], "unit unit-0001 has spike times out of order .*; set read: sort_spikes"),
    ],
)
def test_impossible_spikes_name_their_unit(tmp_path, train, match):
    trains = [np.array([0.1, 5.0]), np.array(train), np.array([0.2])]
    path = built(tmp_path / "a.nwb", lambda nwb: add_units(nwb, trains))
    with pytest.raises(InputError, match=match):
        read_nwb(path, "spikes")


def test_order_is_repaired_on_request(tmp_path):
    trains = [np.array([3.0, 1.0, 2.0]), np.array([0.5])]
    path = built(tmp_path / "a.nwb", lambda nwb: add_units(nwb, trains))
    found = read_nwb(path, "spikes", sort_spikes=True)
    assert found.spike_trains()[0].tolist() == [1, 2, 3]
    assert "sorted the spike times of 1 units" in found.history


def test_clocks_are_shifted_together_on_request(tmp_path):
    def build(nwb):
        add_units(nwb, [np.array([-2.0, 1.0]), np.array([0.0])])
        nwb.add_trial(start_time=1.0, stop_time=3.0)
        add_series(nwb, "speed", np.zeros(5), rate=1.0, starting_time=-2.0)

    found = read_nwb(built(tmp_path / "a.nwb", build), "spikes", shift_to_zero=True)
    assert [t.tolist() for t in found.spike_trains()] == [[0, 3], [2]]
    assert found.events["onset"].tolist() == [3]
    assert found.behavior["speed"]["time"].values[0] == 0
    assert any("shifted by 2 s" in line for line in found.history)


def test_filters_leave_units_absent(tmp_path):
    rng = np.random.default_rng(0)
    trains = [np.sort(rng.uniform(0, 100, n)) for n in (500, 50, 5)]
    trains[0][-1] = 100
    trains.append(np.sort(np.concatenate([np.arange(50.0), np.arange(50) + 1e-3])))
    path = built(
        tmp_path / "a.nwb",
        lambda nwb: add_units(
            nwb, trains, quality=["good", "good", "mua", "good"], snr=[1.0, 2.0, 3.0, 4.0]
        ),
    )

    def kept(**options):
        return [name[-1] for name in read_nwb(path, "spikes", **options).units.index]

    assert kept() == ["0", "1", "2", "3"]
    assert kept(quality=["good"]) == ["0", "1", "3"]
    assert kept(min_rate=0.4) == ["0", "1", "3"]
    assert kept(max_isi_violations=0.2) == ["0", "1", "2"]
    assert kept(filters={"snr": [2, 3]}) == ["1", "2"]
    assert kept(quality=["good"], filters={"snr": [None, 1.5]}) == ["0"]
    found = read_nwb(path, "spikes", quality=["mua"])
    np.testing.assert_array_equal(found.spike_trains()[0], trains[2])
    assert "1 of 4 units pass the filters of the settings" in found.history
    with pytest.raises(InputError, match="none of 4 units passes"):
        read_nwb(path, "spikes", min_rate=1e4)


def test_quality_needs_its_column(tmp_path):
    path = built(tmp_path / "a.nwb", lambda nwb: add_units(nwb, [np.ones(1)]))
    with pytest.raises(InputError, match="no such column"):
        read_nwb(path, "spikes", quality=["good"])


def test_share_of_short_intervals():
    assert isi_violations(np.array([0, 0.001, 1, 1.001, 2]), 0.0015) == 0.5
    assert isi_violations(np.array([1.0]), 0.0015) == 0


def with_electrodes(nwb, scale):
    device = nwb.create_device("probe")
    group = nwb.create_electrode_group("g", "g", location="CA1", device=device)
    for i, place in enumerate(["CA1", "CA1", "CA3"]):
        nwb.add_electrode(x=scale * i, y=0.0, z=scale, location=place, group=group)
    for i, rows in enumerate([[0], [1, 2], [1, 1, 2]]):
        nwb.add_unit(spike_times=[float(i)], electrodes=rows, obs_intervals=[[0.0, 10.0]])


@pytest.mark.parametrize(
    ("scale", "unit", "metres"),
    [(1000.0, "auto", 1e-3), (0.001, "auto", 1e-3), (2.0, "mm", 2e-3)],
)
def test_units_lie_where_their_electrodes_are(tmp_path, scale, unit, metres):
    path = built(tmp_path / "a.nwb", lambda nwb: with_electrodes(nwb, scale))
    found = read_nwb(path, "spikes", electrode_unit=unit)
    assert found.units["region"].tolist()[::2] == ["CA1", "CA1"]
    np.testing.assert_allclose(found.units["x"], metres * np.array([0, 1.5, 4 / 3]))
    np.testing.assert_allclose(found.units["z"], metres)
    assert found.attrs["obs_intervals"] == [[0.0, 10.0]]


def test_length_units_are_judged_by_size():
    far = np.array([[30.0, -20, np.nan]])
    assert electrode_unit(far, "auto", "Homo sapiens")[0] == "mm"
    assert electrode_unit(far, "auto", "Mus musculus")[0] == "um"
    assert electrode_unit(far / 1e3, "auto", "Homo sapiens")[0] == "m"
    assert electrode_unit(far, "m", "")[0] == "m"


def test_groups_give_the_region_where_electrodes_do_not(tmp_path):
    def build(nwb):
        group = nwb.create_electrode_group("g", "g", location="CA3", device=nwb.create_device("p"))
        nwb.add_unit(spike_times=[1.0], electrode_group=group)

    assert read_nwb(built(tmp_path / "a.nwb", build), "spikes").units["region"].tolist() == ["CA3"]


def test_observation_intervals_are_joined(tmp_path):
    def build(nwb):
        nwb.add_unit(spike_times=[1.0], obs_intervals=[[0.0, 5.0], [8.0, 9.0]])
        nwb.add_unit(spike_times=[2.0], obs_intervals=[[4.0, 6.0]])

    found = read_nwb(built(tmp_path / "a.nwb", build), "spikes")
    assert found.attrs["obs_intervals"] == [[0.0, 6.0], [8.0, 9.0]]


def test_files_without_units_are_refused(tmp_path):
    with pytest.raises(InputError, match="has no units with spike times"):
        read_nwb(built(tmp_path / "a.nwb", lambda nwb: add_series(nwb, "s", np.zeros(3))), "spikes")


def replace(path, name, data):
    with h5py.File(path, "a") as file:
        attrs = dict(file[name].attrs)
        del file[name]
        file.create_dataset(name, data=data).attrs.update(attrs)


@pytest.mark.parametrize(
    ("name", "data", "match"),
    [
        ("units/spike_times_index", np.array([2, 9], np.uint8), "does not divide 3 spikes among 2"),
        ("units/spike_times_index", np.array([3, 2], np.uint8), "does not divide 3 spikes among 2"),
        ("units/spike_times_index", np.array([3], np.uint8), "."),
        ("units/spike_times", np.array(["a", "b", "c"], "S1"), "."),
        ("units/depth", np.array([1.0, 2.0, 3.0]), "."),
    ],
)
def test_tables_that_contradict_themselves_are_refused(tmp_path, name, data, match):
    path = built(
        tmp_path / "a.nwb",
        lambda nwb: add_units(nwb, [np.array([1.0, 2.0]), np.ones(1)], depth=[1.0, 2.0]),
    )
    replace(path, name, data)
    with pytest.raises(InputError, match=match):
        read_nwb(path, "spikes")


def test_units_elsewhere_are_found_when_alone(tmp_path):
    from pynwb.misc import Units

    def build(nwb):
        units = Units(name="sorted", description="d")
        units.add_unit(spike_times=[1.0, 2.0])
        nwb.create_processing_module("ecephys", "e").add(units)

    assert read_nwb(built(tmp_path / "a.nwb", build), "spikes").n_units == 1
    assert new_nwb().units is None
