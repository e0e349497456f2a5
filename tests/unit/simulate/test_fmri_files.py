"""Simulated fMRI on disk, as nibabel and neuropipe's readers see it."""

from __future__ import annotations

import hashlib
import json

import nibabel as nib
import numpy as np
import pandas as pd
import pytest

from neuropipe.ingest.read import discover, read_recording
from neuropipe.ingest.settings import FmriReadSettings
from neuropipe.ingest.source import SourceFiles
from neuropipe.simulate.fmri import sim_fmri
from neuropipe.simulate.fmri_files import SPACE, recordings, write
from neuropipe.simulate.settings import FmriSimulation
from neuropipe.simulate.truth import read_summary, read_truth

SETTINGS = FmriSimulation(n_subjects=2, n_rois=40, duration=130, n_blocks=2, n_runs=2)
STEM = "sub-01/func/sub-01_task-blocks_run-1"


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    folder = tmp_path_factory.mktemp("fmri")
    write(SETTINGS, folder)
    return folder


def read_all(folder, **settings):
    paths = sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())
    read = FmriReadSettings(**settings)
    found = discover(paths, "fmri", read)
    return [read_recording(SourceFiles("demo", folder, one), "fmri", read) for one in found]


def test_the_image_opens_with_its_clock_and_space(tree):
    image = nib.load(tree / f"{STEM}_space-{SPACE}_desc-preproc_bold.nii.gz")
    assert image.shape[3] == 130
    assert image.get_data_dtype() == np.int16
    assert image.header.get_zooms()[3] == 1.0
    assert image.header["sform_code"] == 4
    assert image.dataobj.slope == 0.5
    mask = nib.load(tree / f"{STEM}_space-{SPACE}_desc-brain_mask.nii.gz")
    assert np.array_equal(mask.affine, image.affine)
    values = image.get_fdata()
    assert ((values.mean(axis=3) > 0) == (mask.get_fdata() > 0)).all()
    sidecar = json.loads((tree / f"{STEM}_space-{SPACE}_desc-preproc_bold.json").read_text())
    assert sidecar["RepetitionTime"] == 1.0
    assert sidecar["TaskName"] == "blocks"


def test_tables_agree_with_each_other(tree):
    confounds = pd.read_csv(tree / f"{STEM}_desc-confounds_timeseries.tsv", sep="\t")
    assert len(confounds) == 130
    assert np.isnan(confounds["framewise_displacement"][0])
    jerks = read_truth(tree, "sub-01_task-blocks_run-1")["jerk"].values
    assert (confounds["framewise_displacement"][jerks] > 0.5).all()
    events = pd.read_csv(tree / f"{STEM}_events.tsv", sep="\t")
    assert events.columns.tolist() == ["onset", "duration", "trial_type"]
    assert len(events) == 2
    labels = pd.read_csv(tree / "atlas/atlas-Sim40_dseg.tsv", sep="\t")
    atlas = nib.load(tree / "atlas/atlas-Sim40_dseg.nii.gz")
    assert set(np.unique(np.asarray(atlas.dataobj))) == {0, *labels["index"]}
    people = pd.read_csv(tree / "participants.tsv", sep="\t")
    described = json.loads((tree / "participants.json").read_text())
    assert set(described) | {"participant_id"} == set(people.columns)


def test_neuropipe_reads_volumes_and_finds_the_truth(tree):
    found = read_all(tree, parcellation="atlas/atlas-Sim40_dseg.nii.gz")
    assert [one.recording for one in found] == [name for name, _, _ in recordings(SETTINGS)]
    for one in found:
        truth = read_truth(tree, one.recording)
        assert list(one.units.index) == truth["roi"].values.tolist()
        quiet = np.setdiff1d(np.arange(130), truth["jerk"].values)
        pairs = zip(one.signals.values[quiet].T, truth["bold"].values[quiet].T, strict=True)
        assert min(np.corrcoef(a, b)[0, 1] for a, b in pairs) > 0.8
        assert one.sampling_rate == 1.0
        assert len(one.events) == 2
        assert one.participant["family_id"] == "F01"
        assert {"framewise_displacement", "trans_x"} <= set(one.confounds)


def test_neuropipe_reads_series_without_loss(tmp_path):
    settings = SETTINGS.model_copy(update={"files": "timeseries", "n_runs": 1})
    write(settings, tmp_path)
    data = sim_fmri(settings)
    for subject, one in enumerate(read_all(tmp_path)):
        assert np.allclose(one.signals.values, data.bold[subject], rtol=1e-4, atol=1e-4)
        assert list(one.units.index) == data.population.rois["name"].tolist()


def test_the_truth_holds_what_the_arrays_held(tree):
    data = sim_fmri(SETTINGS, run=1, subjects=[1])
    truth = read_truth(tree, "sub-02_task-blocks_run-2")
    assert np.array_equal(truth["bold"].values, data.bold[0])
    assert np.array_equal(truth["state"].values, data.states[0])
    assert np.allclose(truth["loading"].values, data.loadings[0])
    facts = read_summary(tree)["facts"]["recordings"]
    assert facts["sub-02_task-blocks_run-2"]["participant"]["participant_id"] == "sub-02"


def test_the_same_seed_writes_the_same_bytes(tree, tmp_path):
    write(SETTINGS, tmp_path)
    for pattern in ("*.nii.gz", "*.tsv", "*.json"):
        files = sorted(tree.rglob(pattern))
        assert files
        for file in files:
            again = (tmp_path / file.relative_to(tree)).read_bytes()
            assert hashlib.sha256(again).digest() == hashlib.sha256(file.read_bytes()).digest()


def test_demo_files_are_small(tmp_path):
    write(FmriSimulation(n_subjects=1), tmp_path)
    sizes = [file.stat().st_size for file in tmp_path.rglob("*.nii.gz")]
    assert max(sizes) < 3_000_000
    assert not list(tmp_path.rglob("*_events.tsv"))
