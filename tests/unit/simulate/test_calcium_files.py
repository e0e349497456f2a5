"""Simulated calcium imaging on disk, as pynwb and neuropipe's readers see it."""

from __future__ import annotations

import numpy as np
import pytest
from pynwb import NWBHDF5IO, validate

from neuropipe.ingest.read import discover, read_recording
from neuropipe.ingest.settings import CalciumReadSettings
from neuropipe.ingest.source import SourceFiles
from neuropipe.simulate.calcium import sim_calcium
from neuropipe.simulate.calcium_files import SPECIES, animal_names, write
from neuropipe.simulate.settings import CalciumSimulation
from neuropipe.simulate.truth import read_summary, read_truth

SETTINGS = CalciumSimulation(
    n_animals=3, n_neurons=40, duration=120, homologues=0.5, epoch_order="shuffled", seed=5
)


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    folder = tmp_path_factory.mktemp("calcium")
    write(SETTINGS, folder)
    return folder


def read_all(folder):
    paths = sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())
    read = CalciumReadSettings()
    found = discover(paths, "calcium", read)
    return [read_recording(SourceFiles("demo", folder, one), "calcium", read) for one in found]


def test_files_are_valid_nwb(tree):
    files = sorted(tree.rglob("*.nwb"))
    assert [f.name for f in files] == [f"sub-{n}_ophys.nwb" for n in animal_names(SETTINGS)]
    for file in files:
        assert list(validate(path=file)) == []


def test_pynwb_finds_the_neurons_that_are_there(tree):
    data = sim_calcium(SETTINGS)
    with NWBHDF5IO(tree / "sub-animal02/sub-animal02_ophys.nwb", "r") as io:
        nwb = io.read()
        series = nwb.processing["ophys"]["DfOverF"]["traces"]
        present = data.presence[1]
        assert np.array_equal(series.data[:].T, data.traces[1, present])
        names = series.rois.table["neuron_name"][:]
        assert list(names) == [n for n, there in zip(data.names, present, strict=True) if there]
        stimuli = nwb.intervals["stimuli"].to_dataframe()
        assert stimuli["start_time"].is_monotonic_increasing
        for row in stimuli.itertuples():
            epoch = int(row.stimulus_name.removeprefix("stimulus")) - 1
            assert data.epochs[1, epoch].tolist() == [row.start_time, row.stop_time]
        assert nwb.subject.species == SPECIES


def test_neuropipe_reads_every_animal(tree):
    data = sim_calcium(SETTINGS)
    found = read_all(tree)
    assert [one.subject for one in found] == animal_names(SETTINGS)
    for animal, one in enumerate(found):
        present = data.presence[animal]
        assert one.n_units == present.sum() == 32
        assert np.array_equal(one.signals.values.T, data.traces[animal, present])
        assert one.sampling_rate == 4.0
        assert one.species == SPECIES
        assert len(one.events) == 3
        assert any("speed" in group for group in one.behavior.values())
        partners = one.units["homologue"]
        assert (partners.loc[[p for p in partners if p != "n/a"]] != "n/a").all()


def test_the_animal_slows_while_community_0_is_active(tree):
    recording, truth = read_all(tree)[0], read_truth(tree, "sub-animal01")
    group = next(data for data in recording.behavior.values() if "speed" in data)
    active = np.zeros(SETTINGS.n_samples)
    for epoch, (start, stop) in enumerate(truth["epoch_bounds"].values):
        inside = (truth["time"].values >= start) & (truth["time"].values < stop)
        members = truth["partition"].values[epoch] == 0
        active[inside] = truth["activity"].values[np.ix_(members, inside)].mean(axis=0)
    recent = np.convolve(active, np.ones(16))[: SETTINGS.n_samples]
    level = np.interp(group["time"].values, truth["time"].values, recent)
    assert np.corrcoef(group["speed"].values, level)[0, 1] < -0.3


def test_the_summary_names_drivers_and_partitions(tmp_path):
    settings = CalciumSimulation(n_animals=1, design="hub", duration=60, unit="zscore")
    write(settings, tmp_path)
    facts = read_summary(tmp_path)["facts"]
    hub = facts["names"].index(facts["drivers"][0])
    assert np.argmax(np.array(facts["silencing_effects"])[:, 0]) == hub
    assert facts["partitions"][0][hub] == 0
    (one,) = read_all(tmp_path)
    assert one.signals.attrs["unit"] == "z-score"
    assert one.events["trial_type"].tolist() == ["spontaneous"]
