from __future__ import annotations

import h5py
import numpy as np
import pandas as pd
import pytest

from neuropipe.errors import InputError
from neuropipe.ingest import nwb as module
from neuropipe.ingest.nwb import (
    age_in_years,
    discover,
    filter_units,
    matches,
    open_nwb,
    plain_columns,
    species_name,
)
from neuropipe.ingest.settings import SpikesReadSettings
from tests.nwb_files import add_units, built, new_nwb, read_nwb, save, source


@pytest.fixture(scope="module")
def units_file(tmp_path_factory):
    """A sound file of two units."""
    return built(
        tmp_path_factory.mktemp("nwb") / "sub-m1.nwb",
        lambda nwb: add_units(nwb, [np.array([0.5, 1.5]), np.array([1.0])]),
    )


def copy_of(path, folder):
    target = folder / path.name
    target.write_bytes(path.read_bytes())
    return target


def refused(path, match):
    with pytest.raises(InputError, match=match) as caught, open_nwb(path):
        pass
    assert "\n" not in str(caught.value)


def test_files_that_are_no_nwb_2_are_refused(tmp_path, units_file):
    (tmp_path / "text.nwb").write_text("hello")
    refused(tmp_path / "text.nwb", "HDF5")
    raw = units_file.read_bytes()
    (tmp_path / "half.nwb").write_bytes(raw[: len(raw) // 2])
    refused(tmp_path / "half.nwb", "truncated")
    with h5py.File(tmp_path / "plain.nwb", "w") as file:
        file["x"] = 1
    refused(tmp_path / "plain.nwb", "without the attribute nwb_version")
    with h5py.File(tmp_path / "old.nwb", "w") as file:
        file["nwb_version"] = "NWB-1.0.6"  # a dataset, as NWB 1 has it
    refused(tmp_path / "old.nwb", "nwb_version 'NWB-1.0.6'")
    with h5py.File(tmp_path / "hollow.nwb", "w") as file:
        file.attrs["nwb_version"] = "2.5.0"
    refused(tmp_path / "hollow.nwb", "readable NWB 2")


@pytest.mark.parametrize("place", ["general/elsewhere", "units/elsewhere", "elsewhere"])
def test_external_links_are_refused_before_they_are_followed(tmp_path, units_file, place):
    path = copy_of(units_file, tmp_path)
    with h5py.File(path, "a") as file:
        file[place] = h5py.ExternalLink("/etc/passwd", "/")
    refused(path, "points to another file")


def test_a_broken_namespace_is_refused(tmp_path, units_file):
    path = copy_of(units_file, tmp_path)
    with h5py.File(path, "a") as file:
        for version in file["specifications/core"].values():
            del version["namespace"]
            version["namespace"] = "{ no json"
    refused(path, "readable NWB 2")


def test_a_damaged_chunk_is_named_when_it_is_read(tmp_path):
    path = built(
        tmp_path / "sub-m1.nwb",
        lambda nwb: add_units(nwb, [np.sort(np.random.default_rng(0).random(5000))]),
    )
    with h5py.File(path, "a") as file:
        times = file["units/spike_times"][()]
        attrs = dict(file["units/spike_times"].attrs)
        del file["units/spike_times"]
        made = file.create_dataset("units/spike_times", data=times, compression="gzip")
        made.attrs.update(attrs)
        offset = made.id.get_chunk_info(0).byte_offset
    raw = bytearray(path.read_bytes())
    raw[offset : offset + 200] = b"\xff" * 200
    path.write_bytes(raw)
    with pytest.raises(InputError, match="spike_times"):
        read_nwb(path, "spikes")


def test_random_damage_is_refused_or_harmless(tmp_path, units_file):
    rng = np.random.default_rng(0)
    raw, refusals = units_file.read_bytes(), []
    for _ in range(12):
        damaged = bytearray(raw)
        for place in rng.integers(0, len(raw), 60):
            damaged[place] = rng.integers(0, 256)
        (tmp_path / "a.nwb").write_bytes(damaged)
        try:
            read_nwb(tmp_path / "a.nwb", "spikes")
        except InputError as error:
            refusals.append(str(error))
    assert len(refusals) > 2
    assert not any("\n" in line for line in refusals)


def test_identity_comes_from_path_and_file(tmp_path):
    path = save(add_units(new_nwb("other", sex="F", strain="B6"), [np.ones(1)]), tmp_path / "a.nwb")
    (tmp_path / "participants.tsv").write_text("participant_id\tage\tgroup\nsub-m1\t2\tA\n")
    files = source(tmp_path, [("data", path.name), ("participants", "participants.tsv")])
    with open_nwb(path) as nwb:
        known = module.identity(nwb, files)
    assert (known["subject"], known["species"]) == ("m1", "Mus musculus")
    assert known["participant"] == {"age": 2.0, "sex": "F", "strain": "B6", "group": "A"}
    assert known["attrs"]["session_id"] == "s1"
    assert "'other'" in known["history"][0]


def test_names_alone_find_recordings():
    paths = ["sub-1/sub-1_ecephys.nwb", "sub-2/sub-2_ecephys.NWB", "w.csv", "participants.tsv"]
    assert matches(paths)
    assert not matches(["a.nwb.txt"])
    found = discover(paths, SpikesReadSettings(wiring=["w.csv"]))
    assert [f.recording for f in found] == ["sub-1", "sub-2"]
    assert found[0].paths("data") == ["sub-1/sub-1_ecephys.nwb"]
    assert found[1].paths("wiring") == ["w.csv"]
    assert found[1].paths("participants") == ["participants.tsv"]


def test_wiring_is_kept_in_the_attributes(tmp_path):
    path = built(tmp_path / "a.nwb", lambda nwb: add_units(nwb, [np.ones(1)]))
    files = source(tmp_path, [("data", path.name), ("wiring", "w.csv")])
    with open_nwb(path) as nwb:
        assert module.identity(nwb, files)["attrs"]["wiring"] == ["w.csv"]


def test_columns_of_one_value_are_read_and_others_named(tmp_path):
    def build(nwb):
        nwb.add_unit_column("depth", "number")
        nwb.add_unit_column("label", "text")
        nwb.add_unit_column("good", "flag")
        nwb.add_unit_column("lists", "ragged", index=True)
        for i in range(3):
            nwb.add_unit(spike_times=[1.0], depth=float(i), label=f"é{i}", good=i > 0, lists=[1, 2],
                         waveform_mean=np.zeros(4))  # fmt: skip

    path = built(tmp_path / "a.nwb", build)
    with open_nwb(path) as nwb:
        table, notes = plain_columns(nwb.units, "units", apart=("spike_times",))
    assert table["depth"].tolist() == [0, 1, 2]
    assert table["label"].tolist() == ["é0", "é1", "é2"]
    assert table["good"].tolist() == [False, True, True]
    assert list(table) == ["depth", "label", "good"]
    assert len(notes) == 1
    assert {"lists", "waveform_mean"} <= set(notes[0].partition("(")[2].rstrip(")").split(", "))


@pytest.mark.parametrize(
    ("text", "years"),
    [("P90D", 0.2464), ("P49Y", 49.0), ("P1Y6M", 1.5), ("P3W", 0.0575), ("P1Y/P2Y", 1.0),
     ("adult", None), (None, None), ("P", None)],
)  # fmt: skip
def test_ages_become_years(text, years):
    assert age_in_years(text) == years


def test_species_by_taxonomy_number():
    assert species_name("http://purl.obolibrary.org/obo/NCBITaxon_10090") == "Mus musculus"
    assert species_name("Homo sapiens") == "Homo sapiens"
    assert species_name("unknown") == ""
    assert species_name(None) == ""


def test_filters_bound_numeric_columns():
    table = pd.DataFrame({"snr": [1.0, 3.0, np.nan, 9.0], "label": list("abcd")})
    assert filter_units(table, {"snr": (3, None)}).tolist() == [False, True, False, True]
    assert filter_units(table, {"snr": (None, 3)}).tolist() == [True, True, False, False]
    assert filter_units(table, {}).all()
    with pytest.raises(InputError, match=r"column depth is absent; expected one of .* snr"):
        filter_units(table, {"depth": (0, 1)})
    with pytest.raises(InputError, match="column label holds text"):
        filter_units(table, {"label": (0, 1)})
