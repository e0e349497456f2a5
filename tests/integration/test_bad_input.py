"""Recorded files that must be refused, each as everything it could be mistaken for."""

from __future__ import annotations

import shutil

import pytest

from neuropipe.manifest import read_lock
from tests.malformed import (
    assert_refused,
    files_below,
    ingest_arguments,
    lock_arguments,
    neuropipe,
    write_manifest,
)

MODALITIES = ("fmri", "calcium", "spikes", "images")
# What each holds, by the word that its refusal must carry when it is read as what it claims to be.
FILES = {
    "git-lfs-pointer.nwb": {"calcium": "Git-LFS pointer", "spikes": "Git-LFS pointer"},
    "nwb-version-1.nwb": {"calcium": "nwb_version", "spikes": "nwb_version"},
    "nwb-without-signals.nwb": {"calcium": "no response series", "spikes": "no units"},
    "timeseries-without-data.nwb": {"calcium": "no response series", "spikes": "no units"},
    "truncated.nwb": {"calcium": "truncated", "spikes": "truncated"},
    "truncated_bold.nii.gz": {"fmri": "cut short"},
    "bids-with-empty-images": {"fmri": "zero bytes"},
}


@pytest.fixture
def bad_input(shared_data):
    folder = shared_data / "bad-input"
    if not folder.is_dir():
        pytest.skip("the folder of malformed files is absent")
    return folder


def test_every_file_is_covered(bad_input):
    assert {path.name for path in bad_input.iterdir()} == set(FILES)


def _through(study, modality, read):
    """Lock and, where that succeeds, ingest every recording; all refusals."""
    write_manifest(study, modality, read)
    before = files_below(study)
    locking = neuropipe(*lock_arguments(study))
    if locking.status:
        assert_refused(locking, [f"no {modality}"])
        assert files_below(study) == before
        return [locking.error]
    (study / "out").mkdir(exist_ok=True)
    before = files_below(study)
    refusals = []
    for recording in read_lock(study / "config" / "recordings" / "d.tsv", "d"):
        run = neuropipe(*ingest_arguments(study, modality, read, recording.recording))
        assert_refused(run, [recording.files[0].path])
        assert files_below(study) == before
        refusals.append(run.error)
    return refusals


@pytest.mark.parametrize("modality", MODALITIES)
@pytest.mark.parametrize("name", FILES)
def test_refused_as_whatever_it_is_taken_for(name, modality, bad_input, tmp_path):
    source = bad_input / name
    data = tmp_path / "data"
    if source.is_dir():
        shutil.copytree(source, data)
        for path in (data, *data.rglob("*")):
            path.chmod(0o755 if path.is_dir() else 0o644)
    else:
        data.mkdir()
        stem = "sub-01_task-rest_bold.nii.gz" if name.endswith(".nii.gz") else f"sub-01_{name}"
        shutil.copyfile(source, data / stem)
    refusals = _through(tmp_path, modality, {})
    assert refusals
    expected = FILES[name].get(modality)
    if expected is None:
        assert all(f"no {modality}" in error for error in refusals), refusals
    else:
        assert all(expected in error for error in refusals), refusals


@pytest.mark.parametrize("name", FILES)
def test_refused_under_another_suffix(name, bad_input, tmp_path):
    """The same bytes called ROI series, an image or responses."""
    source = bad_input / name
    if source.is_dir():
        source = next(source.rglob("*_events.tsv"))
    for suffix in ("tsv", "csv", "npy", "npz", "mat", "1D", "nii.gz"):
        study = tmp_path / suffix
        kind = "bold" if suffix == "nii.gz" else "timeseries"
        target = study / "data" / f"sub-01/func/sub-01_task-rest_{kind}.{suffix}"
        target.parent.mkdir(parents=True)
        shutil.copyfile(source, target)
        assert _through(study, "fmri", {"repetition_time": 2.0})
    for suffix in ("npy", "mat", "h5"):
        study = tmp_path / f"images-{suffix}"
        (study / "data" / "images").mkdir(parents=True)
        shutil.copyfile(source, study / "data" / "images" / "a.png")
        shutil.copyfile(source, study / "data" / f"responses.{suffix}")
        assert _through(study, "images", {})
    study = tmp_path / "suite2p"
    target = study / "data" / "m1" / "suite2p" / "plane0"
    target.mkdir(parents=True)
    for array in ("F", "iscell", "ops"):
        shutil.copyfile(source, target / f"{array}.npy")
    assert _through(study, "calcium", {})
