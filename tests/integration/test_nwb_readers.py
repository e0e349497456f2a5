"""Calcium and spiking NWB files of laboratories, against what is known of them."""

from __future__ import annotations

import numpy as np
import pytest

from neuropipe.errors import InputError
from neuropipe.ingest.read import discover, read_recording
from neuropipe.ingest.settings import READ_SETTINGS
from neuropipe.ingest.source import SourceFiles
from neuropipe.manifest import LockedFile, LockedRecording
from neuropipe.recording import Recording

WIRING = ["connectome_chemical.csv", "connectome_gapjn.csv"]


def read(root, modality, tmp_path, **options):
    """Discover, read, write and read again the one recording of a folder."""
    settings = READ_SETTINGS[modality](**options)
    paths = [p.relative_to(root).as_posix() for p in sorted(root.rglob("*")) if p.is_file()]
    (locked,) = discover(paths, modality, settings)
    read_recording(SourceFiles("set", root, locked), modality, settings).write(tmp_path / "r.nc")
    return Recording.read(tmp_path / "r.nc")


def test_worm(shared_data, tmp_path):
    found = read(shared_data / "nwb-worm", "calcium", tmp_path, wiring=WIRING)
    assert (found.recording, found.subject) == ("sub-20220802", "20220802")
    assert found.species == "Caenorhabditis elegans"
    assert found.signals.shape == (1600, 98)
    assert found.sampling_rate == pytest.approx(1.6623, abs=1e-4)
    assert found.attrs["wiring"] == WIRING
    assert [s["role"] for s in found.sources] == ["data", "wiring", "wiring"]

    r = np.corrcoef(found.signals.values, rowvar=False)
    at = {name: i for i, name in enumerate(found.units.index)}
    assert r[at["AVAL"], at["AVAR"]] == pytest.approx(0.97, abs=0.005)
    assert r[at["AVAL"], at["AVEL"]] == pytest.approx(0.91, abs=0.005)
    partners = [(at[u], at[h]) for u, h in found.units["homologue"].items() if h != "n/a"]
    pairs = sorted({(min(p), max(p)) for p in partners})
    assert len(pairs) == 38
    assert np.mean([r[p] for p in pairs]) == pytest.approx(0.59, abs=0.005)
    assert r[np.triu_indices(98, 1)].mean() == pytest.approx(0.055, abs=0.0005)


def test_place_cells(shared_data, tmp_path):
    found = read(shared_data / "nwb-place-cells", "spikes", tmp_path)
    assert (found.n_units, found.subject, found.species) == (49, "animal1", "Rattus norvegicus")
    assert found.spikes.sizes["spike"] == 97_000
    assert found.duration == pytest.approx(1460, abs=0.1)
    position = found.behavior["position"]
    assert position.attrs["sampling_rate"] == pytest.approx(30, abs=0.01)
    assert list(position.data_vars) == ["position_x", "position_y"]

    # Skaggs information on 10 x 10 bins, unsmoothed: median 1.2 bits a spike, 43 units over 0.5.
    x, y = position["position_x"].values, position["position_y"].values
    edges = [np.linspace(v.min(), v.max(), 11) for v in (x, y)]
    seconds = np.histogram2d(x, y, edges)[0] / 30
    share = seconds / seconds.sum()
    information = []
    for train in found.spike_trains():
        xs, ys = (np.interp(train, position["time"].values, v) for v in (x, y))
        counts = np.histogram2d(xs, ys, edges)[0]
        rate = np.divide(counts, seconds, out=np.zeros_like(counts), where=seconds > 0)
        relative = rate / (share * rate).sum()
        log = np.log2(relative, out=np.zeros_like(relative), where=relative > 0)
        information.append((share * relative * log).sum())
    assert np.median(information) == pytest.approx(1.2, abs=0.01)
    assert sum(i > 0.5 for i in information) == 43


def test_human_medial_temporal_lobe(shared_data, tmp_path):
    found = read(shared_data / "nwb-human-mtl", "spikes", tmp_path)
    assert (found.recording, found.subject, found.session) == ("sub-4_ses-4", "4", "4")
    assert (found.n_units, found.spikes.sizes["spike"]) == (35, 214_278)
    assert found.participant == {"age": 49.0, "sex": "M"}
    assert found.events["table"].value_counts().to_dict() == {
        "recognition_table": 180,
        "timediscrimination_table": 180,
        "encoding_table": 90,
    }
    clips = found.events[found.events["table"] == "encoding_table"]
    assert {"boundary1_time", "boundary2_time", "boundary3_time"} <= set(clips)
    inside = clips["boundary1_time"].between(clips["onset"], clips["onset"] + clips["duration"])
    assert inside.all()
    assert len(found.stimuli) == 90
    assert found.stimuli.index.tolist() == clips["Clip_name"].tolist()
    assert found.units["region"].str.startswith(("hippocampus", "amygdala")).all()
    assert found.units["x"].abs().max() == pytest.approx(0.02663)  # MNI millimetres, stored in m
    assert found.behavior == {}  # its two series are event codes

    codes = read(
        shared_data / "nwb-human-mtl", "spikes", tmp_path, event_series=["events"],
        trial_type="stimCategory",
    )  # fmt: skip
    assert (codes.events["table"] == "events").sum() == 1716  # the first has no clock yet
    clips = codes.events[codes.events["table"] == "encoding_table"]
    assert set(clips["trial_type"]) == {"0", "1", "2"}


@pytest.mark.parametrize("modality", ["calcium", "spikes"])
@pytest.mark.parametrize(
    ("name", "match"),
    [
        ("git-lfs-pointer", "is a Git-LFS pointer; .*; run `git lfs pull` there"),
        ("nwb-version-1", "has nwb_version '2.0b'; expected 2.0.0 or later"),
        ("nwb-without-signals", "has no (response series|units with spike times)"),
        ("timeseries-without-data", "has no (response series|units with spike times)"),
        ("truncated", "truncated file"),
    ],
)
def test_bad_input_is_refused_in_one_line(shared_data, name, match, modality):
    files = (LockedFile("data", f"{name}.nwb"),)
    locked = LockedRecording("x", "x", "", "", "", files)
    source = SourceFiles("set", shared_data / "bad-input", locked)
    with pytest.raises(InputError, match=match) as caught:
        read_recording(source, modality, READ_SETTINGS[modality]())
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 400
