"""Connectivity of real recordings, against the results known on them."""

from __future__ import annotations

import numpy as np
import pytest

from neuropipe.connectivity.commands import analyse_group, analyse_recording
from neuropipe.connectivity.settings import ConnectivitySettings
from neuropipe.ingest.read import discover, read_recording
from neuropipe.ingest.settings import READ_SETTINGS
from neuropipe.ingest.source import SourceFiles
from neuropipe.stats.decoding import leave_one_run_out_accuracy

MASK = "derivatives/masks/sub-{subject}/sub-{subject}_desc-brain_mask.nii.gz"


def recordings(root, modality="fmri", **options):
    settings = READ_SETTINGS[modality](**options)
    paths = [p.relative_to(root).as_posix() for p in root.rglob("*") if p.is_file()]
    return [
        read_recording(SourceFiles("real", root, one), modality, settings)
        for one in discover(paths, modality, settings)
    ]


@pytest.fixture(scope="module")
def hcp(shared_data):
    return recordings(shared_data / "roi-hcp-rest", homologues="alternating")


def test_hcp_homologues_and_subjects(hcp):
    """Known: homotopic 0.53 against 0.25 over all pairs; 0.67 between subjects."""
    result = analyse_group(hcp, "hcp", ConnectivitySettings())
    homologous = result.metric("homologous connectivity")
    assert homologous.value == pytest.approx(0.53, abs=0.01)
    assert homologous.baseline == pytest.approx(0.25, abs=0.01)
    assert homologous.chance == pytest.approx(0.25, abs=0.02)
    similarity = result.metric("similarity between subjects")
    assert similarity.value == pytest.approx(0.67, abs=0.01)
    assert similarity.interval[1] - similarity.interval[0] < 0.1
    assert abs(similarity.chance) < 0.01
    assert homologous.n == 24


def test_one_hcp_subject(hcp, tmp_path):
    result = analyse_recording(hcp[0], ConnectivitySettings())
    assert result.metric("homologous connectivity").verdict == "good"
    assert result.metric("split-half reliability").value > 0.8
    # 1200 frames at 0.72 s are worth far fewer independent ones.
    assert 300 < result.metric("effective frames").value < 1000
    result.write(tmp_path / "out")
    assert sum(p.stat().st_size for p in (tmp_path / "out/figures").iterdir()) < 150_000


def test_worm_neurons(shared_data):
    """Known: 38 left/right pairs 0.59 against 0.055 over all pairs; AVAL-AVAR 0.97."""
    (worm,) = recordings(shared_data / "nwb-worm", "calcium")
    result = analyse_recording(worm, ConnectivitySettings())
    homologous = result.metric("homologous connectivity")
    assert homologous.n == 38
    assert homologous.value == pytest.approx(0.59, abs=0.01)
    assert homologous.baseline == pytest.approx(0.055, abs=0.003)
    matrix = result.arrays["correlation"]
    assert float(matrix.sel(unit="AVAL", other_unit="AVAR")) == pytest.approx(0.97, abs=0.01)
    assert result.title.endswith("neurons")


def test_abide_diagnosis(shared_data):
    """Known, on all 175 NYU subjects: AUROC 0.72-0.75; label permutations 0.35-0.65."""
    cohort = recordings(shared_data / "roi-abide-nyu")
    settings = ConnectivitySettings(targets=("diagnosis", "age"), seeds=(0, 1))
    result = analyse_group(cohort, "abide", settings)
    best = result.metric("diagnosis: AUROC (tangent)")
    assert 0.62 < best.value < 0.80
    assert best.interval[0] > 0.5
    for kind in ("correlation", "partial", "tangent"):
        null = result.arrays[f"diagnosis/null_auroc_{kind}"].values
        assert np.mean((null > 0.35) & (null < 0.65)) > 0.93
        assert null.mean() == pytest.approx(0.5, abs=0.03)
        age = result.metric(f"age: R2 ({kind})")
        assert age.value > 0.05
        assert age.value > age.chance
    assert result.metric("age: r (tangent)").value > 0.5


def test_haxby_categories_leave_one_run_out(shared_data):
    """Known: 74 % of eight categories from run averages, chance 12.5 %."""
    runs = recordings(
        shared_data / "bids-haxby", mask=MASK, detrend=True, standardize="zscore_sample"
    )
    patterns, labels, run_of = [], [], []
    for recording in runs:
        time = recording.signals["time"].values
        for category, shown in recording.events.groupby("trial_type"):
            onset = shown["onset"].min() + 5.0  # haemodynamic delay
            end = (shown["onset"] + shown["duration"]).max() + 5.0
            patterns.append(recording.signals.values[(time >= onset) & (time < end)].mean(axis=0))
            labels.append(category)
            run_of.append(recording.run)
    found = leave_one_run_out_accuracy(
        np.array(patterns, dtype=float), labels, run_of, n_permutations=19
    )
    assert found.accuracy == pytest.approx(0.74, abs=0.06)
    assert found.chance == 0.125
    assert found.null.mean() == pytest.approx(0.125, abs=0.03)
    assert found.p_value == pytest.approx(0.05)
