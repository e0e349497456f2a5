from __future__ import annotations

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from neuropipe.errors import InputError
from neuropipe.ingest.fluorescence import delta_f_over_f, subtract_neuropil
from neuropipe.ingest.nwb_rois import unique_names
from tests.nwb_files import add_rois, add_traces, add_units, built, read_nwb

RNG = np.random.default_rng(0)
Z = RNG.normal(size=(40, 3)).astype(np.float32)  # looks normalised
RAW = (200 + 20 * RNG.random((400, 3))).astype(np.float32)


def file_of(folder, data=Z, n_rois=3, columns=None, **options):
    return built(
        folder / "a.nwb",
        lambda nwb: add_traces(nwb, add_rois(nwb, n_rois, **(columns or {})), data, **options),
    )


traces = hnp.arrays(
    np.float32,
    st.tuples(st.integers(2, 15), st.integers(1, 4)),
    elements=st.floats(-1e3, 1e3, width=32) | st.just(np.nan),
).filter(lambda a: np.isfinite(a).any(axis=0).all() and np.nanmax(np.nanstd(a, axis=0)) > 0)


@given(traces, st.floats(0.5, 100), st.floats(0, 50))
@settings(max_examples=8, deadline=None)
def test_dff_reads_back(tmp_path_factory, data, rate, start):
    path = file_of(
        tmp_path_factory.mktemp("o"), data, data.shape[1], kind="DfOverF", rate=rate,
        starting_time=start,
    )  # fmt: skip
    found = read_nwb(path, "calcium")
    np.testing.assert_array_equal(found.signals.values, data)
    assert found.sampling_rate == pytest.approx(rate)
    assert float(found.signals["time"][0]) == pytest.approx(start)
    assert found.units.index.tolist() == [f"unit-{i:04d}" for i in range(1, data.shape[1] + 1)]


def test_raw_fluorescence_becomes_dff(tmp_path):
    path = file_of(tmp_path, RAW)
    found = read_nwb(path, "calcium", baseline_window=5)
    expected = delta_f_over_f(RAW, 10.0, window=5, percentile=10)
    np.testing.assert_allclose(found.signals.values, expected, rtol=1e-6)
    assert found.signals.attrs["unit"] == "dF/F"
    assert any("10th percentile over 5 s" in line for line in found.history)
    kept = read_nwb(path, "calcium", dff="never")
    np.testing.assert_array_equal(kept.signals.values, RAW)


def test_normalised_traces_are_left_alone(tmp_path):
    found = read_nwb(file_of(tmp_path), "calcium")
    np.testing.assert_array_equal(found.signals.values, Z)
    assert any("normalised already" in line for line in found.history)


def test_neuropil_beside_it_is_subtracted(tmp_path):
    around = (50 + 10 * RNG.random(RAW.shape)).astype(np.float32)

    def build(nwb):
        table = add_rois(nwb, 3)
        add_traces(nwb, table, RAW)
        add_traces(nwb, table, around, container="Neuropil")

    path = built(tmp_path / "a.nwb", build)
    found = read_nwb(path, "calcium")
    corrected = subtract_neuropil(RAW, around, 0.7)
    expected = delta_f_over_f(corrected, 10.0, window=60, percentile=10)
    np.testing.assert_allclose(found.signals.values, expected, rtol=1e-5)
    assert "neuropil subtracted with factor 0.7" in found.history
    plain = read_nwb(path, "calcium", neuropil_factor=0)
    assert not any("neuropil" in line for line in plain.history)


def test_dff_is_preferred_and_others_are_named(tmp_path):
    def build(nwb):
        table = add_rois(nwb, 3)
        add_traces(nwb, table, RAW)
        add_traces(nwb, table, Z, kind="DfOverF")
        add_traces(nwb, table, 2 * Z, container="Deconvolved", name="spikes")

    path = built(tmp_path / "a.nwb", build)
    np.testing.assert_array_equal(read_nwb(path, "calcium").signals.values, Z)
    for name in ("Deconvolved", "spikes", "ophys/Deconvolved/spikes"):
        np.testing.assert_array_equal(read_nwb(path, "calcium", series=name).signals.values, 2 * Z)
    assert (
        read_nwb(path, "calcium", series="Fluorescence").attrs["series"]
        == "ophys/Fluorescence/traces"
    )
    with pytest.raises(
        InputError, match=r"has the series ophys/Deconvolved/spikes, .*; expected the series F"
    ):
        read_nwb(path, "calcium", series="F")


def test_two_traces_of_one_roi_are_never_guessed(tmp_path):
    def build(nwb):
        table = add_rois(nwb, 3)
        add_traces(nwb, table, Z, name="green")
        add_traces(nwb, table, Z, name="red")

    path = built(tmp_path / "a.nwb", build)
    with pytest.raises(InputError, match=r"green and .*/red are traces of the same ROIs"):
        read_nwb(path, "calcium")
    assert read_nwb(path, "calcium", series="green").n_units == 3


def test_planes_stand_side_by_side(tmp_path):
    def build(nwb):
        add_traces(nwb, add_rois(nwb, 3, "one"), Z, name="plane0", rate=10.0)
        add_traces(
            nwb, add_rois(nwb, 3, "two"), 2 * Z, name="plane1", rate=10.0, starting_time=0.05
        )

    found = read_nwb(built(tmp_path / "a.nwb", build), "calcium")
    np.testing.assert_array_equal(found.signals.values, np.concatenate([Z, 2 * Z], axis=1))
    assert (
        found.units["plane"].tolist()
        == ["ophys/Fluorescence/plane0"] * 3 + ["ophys/Fluorescence/plane1"] * 3
    )
    assert any("start up to 0.05 s apart" in line for line in found.history)


def test_planes_of_other_rates_are_resampled(tmp_path):
    def build(nwb):
        slow = np.sin(np.arange(20) / 5)[:, None] * [1, -1]
        fast = np.sin(np.arange(39) / 10)[:, None] * [1, -1]
        add_traces(nwb, add_rois(nwb, 2, "one"), slow, name="plane0", rate=5.0)
        add_traces(nwb, add_rois(nwb, 2, "two"), fast, name="plane1", rate=10.0)

    found = read_nwb(built(tmp_path / "a.nwb", build), "calcium")
    assert found.sampling_rate == 5
    np.testing.assert_allclose(found.signals.values[:, 0], found.signals.values[:, 2], atol=1e-6)


def test_swapped_axes_are_turned(tmp_path):
    found = read_nwb(file_of(tmp_path, np.ascontiguousarray(Z.T)), "calcium")
    np.testing.assert_array_equal(found.signals.values, Z)
    assert any("transposed" in line for line in found.history)


def test_timestamps_with_a_gap_are_resampled(tmp_path):
    times = np.delete(np.arange(44) / 4, [20, 21, 22, 23])
    found = read_nwb(file_of(tmp_path, Z, timestamps=times), "calcium")
    assert found.sampling_rate == pytest.approx(4)
    assert np.flatnonzero(np.isnan(found.signals.values[:, 0])).tolist() == [20, 21, 22, 23]


@pytest.mark.parametrize(
    ("data", "options", "match"),
    [
        (np.zeros((0, 3)), {}, "series ophys/Fluorescence/traces holds no samples"),
        (np.full((9, 3), np.nan), {}, "none of 3 ROIs has values"),
        (np.zeros((9, 4)), {}, r"has shape \(9, 4\) for 3 ROIs"),
        (np.zeros((1, 3)), {}, "one sample"),
        (Z, {"timestamps": np.zeros(40)}, "does not come after"),
        (Z, {"rate": 0.0}, "rate 0.0|rate None"),
    ],
)
def test_impossible_series_are_named(tmp_path, data, options, match):
    path = file_of(tmp_path, data, **options)
    with pytest.raises(InputError, match=match):
        read_nwb(path, "calcium", dff="never")


def test_text_and_rois_outside_the_table_are_refused(tmp_path):
    group = "processing/ophys/Fluorescence/traces"
    for name, data, match in (
        ("data", np.full((40, 3), b"x"), "holds"),
        ("rois", np.array([0, 1, 9]), "point outside their table|readable NWB"),
    ):
        path = file_of(tmp_path)
        with h5py.File(path, "a") as file:
            attrs = dict(file[f"{group}/{name}"].attrs)
            del file[f"{group}/{name}"]
            file.create_dataset(f"{group}/{name}", data=data).attrs.update(attrs)
        with pytest.raises(InputError, match=match):
            read_nwb(path, "calcium")


def test_absent_rois_and_infinite_values(tmp_path):
    data = Z.copy()
    data[:, 1] = np.nan
    data[3, 0] = np.inf
    found = read_nwb(file_of(tmp_path, data, columns={"label": ["a", "b", "c"]}), "calcium")
    assert found.units.index.tolist() == ["a", "c"]
    assert np.isnan(found.signals.values[3, 0])
    assert any("1 infinite values set to NaN" in line for line in found.history)


def test_neurons_are_named_and_paired(tmp_path):
    columns = {
        "id_labels": ["AVAL", "", "AVAR"],
        "score": [1.0, 2.0, 3.0],
        "spacing": [1.0, 2.0, 4.0],
    }
    found = read_nwb(file_of(tmp_path, columns=columns), "calcium")
    assert found.units.index.tolist() == ["AVAL", "unit-0002", "AVAR"]
    assert found.units["homologue"].tolist() == ["AVAR", "n/a", "AVAL"]
    assert found.units["score"].tolist() == [1, 2, 3]
    assert found.units["region"].tolist() == ["V1"] * 3
    np.testing.assert_allclose(found.units["x"], [0, 1e-6, 2e-6])
    np.testing.assert_allclose(found.units["y"], [0, 4e-6, 8e-6])
    assert "2 of 3 units named by the column id_labels" in found.history


def test_places_without_spacing_stay_in_pixels(tmp_path):
    found = read_nwb(file_of(tmp_path), "calcium")
    assert found.units["y_px"].tolist() == [0, 2, 4]
    assert "x" not in found.units


def test_the_name_column_can_be_chosen(tmp_path):
    path = file_of(tmp_path, columns={"label": ["a", "b", "c"], "number": [7, 8, 9]})
    assert read_nwb(path, "calcium").units.index.tolist() == ["a", "b", "c"]
    found = read_nwb(path, "calcium", unit_names="number", filters={"number": [8, None]})
    assert found.units.index.tolist() == ["8", "9"]
    with pytest.raises(InputError, match="no column nmae; expected one of label, number"):
        read_nwb(path, "calcium", unit_names="nmae")


def test_hostile_neuron_names_are_only_text(tmp_path):
    names = ["../x", "a\nb", "/etc/passwd"]
    found = read_nwb(file_of(tmp_path, columns={"label": names}), "calcium")
    assert found.units.index.tolist() == ["../x", "a b", "/etc/passwd"]
    found.write(tmp_path / "r.nc")
    assert type(found).read(tmp_path / "r.nc").units.index.tolist() == found.units.index.tolist()


@given(st.lists(st.sampled_from(["", "AVAL", "AVAL-2", "unit-0002", "AVAR"]), max_size=8))
def test_names_become_unique_and_the_first_keeps_its_own(given_names):
    names = unique_names(given_names, [])
    assert len(set(names)) == len(names) == len(given_names)
    for i, name in enumerate(given_names):
        if name and name not in given_names[:i]:
            assert names[i] == name


def test_the_second_roi_of_a_name_is_numbered():
    history: list[str] = []
    assert unique_names(["AVAL", "RIS", "AVAL"], history) == ["AVAL", "RIS", "AVAL-2"]
    assert history == ["several units are called AVAL; numbered from 2"]


def test_spikes_alone_are_no_calcium(tmp_path):
    path = built(tmp_path / "a.nwb", lambda nwb: add_units(nwb, [np.ones(1)]))
    with pytest.raises(InputError, match="has no response series"):
        read_nwb(path, "calcium")
