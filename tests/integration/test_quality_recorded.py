"""Quality of real recordings, against the results known on them."""

from __future__ import annotations

import numpy as np
import pytest

from neuropipe.ingest.read import discover, read_recording
from neuropipe.ingest.settings import READ_SETTINGS
from neuropipe.ingest.source import SourceFiles
from neuropipe.quality.commands import quality
from neuropipe.results import Result


def check(root, modality, tmp_path, which=0, **options):
    """Read one recording of a folder, check it, and read what was written."""
    settings = READ_SETTINGS[modality](**options)
    paths = [p.relative_to(root).as_posix() for p in root.rglob("*") if p.is_file()]
    locked = discover(paths, modality, settings)[which]
    recording = read_recording(SourceFiles("real", root, locked), modality, settings)
    recording.write(tmp_path / "recording.nc")
    quality(tmp_path / "recording.nc", "", tmp_path / "result")
    result = Result.read(tmp_path / "result")
    assert sum(figure.path.stat().st_size for figure in result.figures) < 250_000
    return result


def test_place_cells(shared_data, tmp_path):
    result = check(shared_data / "nwb-place-cells", "spikes", tmp_path)
    # Known: median 1.2 bits/spike, 43 of 49 units above 0.5.
    information = result.metric("spatial information")
    assert information.value == pytest.approx(1.2, abs=0.1)
    assert information.chance < 0.5
    assert (result.arrays["spatial_information"] > 0.5).sum() == pytest.approx(43, abs=2)
    assert result.metric("spatially tuned units").value > 0.9
    assert result.metric("contaminated units").value == pytest.approx(1 / 49)
    assert result.metric("spikes").value == 97_000
    assert [figure.name for figure in result.figures] == ["activity", "units", "rate-maps"]


def test_human_units_have_trials_and_no_place(shared_data, tmp_path):
    result = check(shared_data / "nwb-human-mtl", "spikes", tmp_path)
    assert result.metric("spikes").value == 214_278
    assert result.metric("Fano factor").n == 35
    assert "450 trials of the same type" in result.metric("Fano factor").description
    assert 0.8 < result.metric("Fano factor").value < 1.3
    assert "spatial_information" not in result.arrays


def test_v4_with_single_trials(shared_data, tmp_path):
    result = check(shared_data / "images-v4", "images", tmp_path, which=1)
    # Known: split-half reliability 0.74.
    reliability = result.metric("split-half reliability")
    assert reliability.value == pytest.approx(0.74, abs=0.01)
    assert reliability.verdict == "good"
    # Two ways to the same number: the ceiling of the mean is its squared correlation with truth.
    difference = result.arrays["noise_ceiling"] - result.arrays["reliability"]
    assert np.abs(difference).median() < 0.02
    assert result.metric("repeats").value == 6


def test_v4_with_means_only(shared_data, tmp_path):
    result = check(shared_data / "images-v4", "images", tmp_path, which=0)
    assert result.metric("split-half reliability").value is None
    assert result.metric("images").value == 1200
    assert len(result.warnings) == 1


def test_worm(shared_data, tmp_path):
    result = check(shared_data / "nwb-worm", "calcium", tmp_path)
    assert result.metric("signal to noise").value > 5
    assert result.metric("missing samples").value == 0
    assert "noise level" not in [metric.name for metric in result.metrics]  # z-scores, no dF/F
    assert result.facts["Species"] == "Caenorhabditis elegans"
    assert result.facts["Units"] == "98 neurons"


def test_hcp_regions(shared_data, tmp_path):
    result = check(shared_data / "roi-hcp-rest", "fmri", tmp_path)
    assert result.metric("length").value == pytest.approx(864)
    assert 100 < result.metric("temporal SNR").value < 1000
    assert result.metric("DVARS spikes").value < 0.05
    assert float(result.arrays["dvars"].median()) == pytest.approx(1, abs=0.05)
    assert result.facts["Parcellation"] == "AAL2"


def test_abide_regions_were_demeaned(shared_data, tmp_path):
    result = check(shared_data / "roi-abide-nyu", "fmri", tmp_path)
    assert result.metric("temporal SNR").value is None
    assert "demeaned" in result.metric("temporal SNR").description
    assert result.metric("length").verdict == "good"


def test_haxby_grid(shared_data, tmp_path):
    result = check(shared_data / "bids-haxby", "fmri", tmp_path)
    assert 50 < result.metric("temporal SNR").value < 500
    assert result.metric("coverage").n == 40
    assert result.metric("length").value == pytest.approx(302.5)
