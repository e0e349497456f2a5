from __future__ import annotations

import gzip

import nibabel
import numpy as np
import pandas as pd
import pytest

from neuropipe.errors import InputError, LockError, NeuropipeError, SettingsError
from neuropipe.ingest import atlases
from neuropipe.recording import Recording
from tests.bids_files import (
    block_labels,
    brain_series,
    lock,
    read_tree,
    save_image,
    write_text,
)

FUNC = "sub-01/func/sub-01_task-rest_"
NAMES = (
    "index\tname\themisphere\tnetwork\n3\tV1_L\tn/a\tVis\n130\tV1_R\tn/a\tVis\n"
    "300\tM1\tleft\tMot\n1001\tStem\tn/a\tn/a\n"
)
PARCELLATION = {"parcellation": "atlas/atlas-X_dseg.nii.gz"}


@pytest.fixture
def tree(tmp_path):
    """One raw run of 40 volumes, TR 2 s, and a parcellation of four regions."""
    save_image(tmp_path / f"{FUNC}bold.nii.gz", brain_series(np.random.default_rng(0)), tr=2.0)
    write_text(tmp_path / "task-rest_bold.json", {"RepetitionTime": 2.0, "EchoTime": 0.03})
    save_image(tmp_path / "atlas/atlas-X_dseg.nii.gz", block_labels())
    write_text(tmp_path / "atlas/atlas-X_dseg.tsv", NAMES)
    return tmp_path


@pytest.fixture
def prep(tmp_path):
    """A derivative with a brain mask and confounds, its raw events outside."""
    base = tmp_path / "derivatives/fmriprep"
    run = base / f"{FUNC}space-MNI152NLin6Asym_desc-preproc_bold.nii.gz"
    values = brain_series(np.random.default_rng(1))
    save_image(run, values, tr=2.0)
    mask = values.any(axis=3).astype(np.uint8)
    save_image(base / f"{FUNC}space-MNI152NLin6Asym_desc-brain_mask.nii.gz", mask)
    rng = np.random.default_rng(2)
    table = pd.DataFrame(
        0.05 * rng.standard_normal((40, 6)),
        columns=["trans_x", "trans_y", "trans_z", "rot_x", "rot_y", "rot_z"],
    )
    table[["rot_x", "rot_y", "rot_z"]] /= 50
    table.loc[20:, "trans_x"] += 2.0
    table["trans_x_derivative1"] = table["trans_x"].diff()
    table.to_csv(base / f"{FUNC}desc-confounds_timeseries.tsv", sep="\t", index=False, na_rep="n/a")
    write_text(tmp_path / f"{FUNC}events.tsv", "onset\tduration\ttrial_type\n4\t2\tgo\n")
    save_image(tmp_path / "atlas/atlas-X_dseg.nii.gz", block_labels())
    write_text(tmp_path / "atlas/atlas-X_dseg.tsv", NAMES)
    return tmp_path


def test_raw_run_becomes_a_recording(tree, tmp_path):
    write_text(tree / "participants.tsv", "participant_id\tage\nsub-01\t30\n")
    (recording,) = read_tree(tree, **PARCELLATION)
    assert recording.signals.shape == (40, 4)
    assert list(recording.units.index) == ["V1_L", "V1_R", "M1", "Stem"]
    assert list(recording.units["homologue"]) == ["V1_R", "V1_L", "n/a", "n/a"]
    assert list(recording.units["hemisphere"]) == ["L", "R", "L", "n/a"]
    assert list(recording.units["network"]) == ["Vis", "Vis", "Mot", "n/a"]
    assert recording.units["coverage"].eq(1).all()
    # A mean of n voxels of 1000 with sd 20 has a temporal SNR of 50 sqrt(n).
    expected = 50 * np.sqrt(recording.units["n_voxels"])
    np.testing.assert_allclose(recording.units["tsnr"], expected, rtol=0.3)
    assert recording.attrs["space"] == "n/a"
    assert recording.attrs["EchoTime"] == 0.03
    assert recording.attrs["parcellation"] == "atlas-X_dseg.nii.gz"
    np.testing.assert_allclose(recording.attrs["voxel_size"], [0.003, 0.003, 0.004])
    assert recording.attrs["cleaning"] == "none"
    assert recording.species == "Homo sapiens"
    assert recording.history == [
        "read 40 volumes of (8, 9, 6) voxels",
        "mean over voxels with signal: 4 regions of atlas-X_dseg.nii.gz",
    ]
    recording.write(tmp_path / "r.nc")
    again = Recording.read(tmp_path / "r.nc")
    np.testing.assert_array_equal(again.signals.values, recording.signals.values)
    assert again.attrs == recording.attrs


def test_derivative_has_motion_events_and_cleaning(prep):
    (recording,) = read_tree(
        prep, **PARCELLATION, confounds=["motion-basic", "trans_x_derivative1"], detrend=True,
        standardize="zscore_sample", fd_threshold=1.0,
    )  # fmt: skip
    assert recording.attrs["space"] == "MNI152NLin6Asym"
    assert recording.attrs["motion_known"] is True
    displacement = recording.confounds["framewise_displacement"]
    assert displacement.attrs["unit"] == "mm"
    assert 1.5 < displacement.values[20] < 2.6
    assert list(np.flatnonzero(np.isnan(recording.signals.values).all(axis=1))) == [20]
    assert recording.events["trial_type"].iloc[0] == "go"
    assert recording.units["mean"].between(990, 1010).all()  # kept from before the cleaning
    regressor = recording.confounds["trans_y"].values[np.arange(40) != 20]
    series = recording.signals.values[np.arange(40) != 20]
    assert abs(np.corrcoef(series[:, 0], regressor - regressor.mean())[0, 1]) < 0.1
    assert any("7 confounds regressed out: trans_x" in line for line in recording.history)
    assert "linear trend removed" in recording.attrs["cleaning"]


def test_cleaned_series_equal_nilearns_masker(prep):
    """From file to cleaned series as nilearn's loader and masker do it."""
    from nilearn.maskers import NiftiLabelsMasker

    (ours,) = read_tree(
        prep, **PARCELLATION, confounds=["trans_x", "rot_z"], detrend=True, low_pass=0.1,
        high_pass=0.02, standardize="zscore_sample", smoothing_fwhm=5.0,
    )  # fmt: skip
    base = prep / "derivatives/fmriprep"
    table = pd.read_csv(base / f"{FUNC}desc-confounds_timeseries.tsv", sep="\t", na_values="n/a")
    masker = NiftiLabelsMasker(
        str(prep / "atlas/atlas-X_dseg.nii.gz"), detrend=True, low_pass=0.1, high_pass=0.02,
        standardize="zscore_sample", smoothing_fwhm=5.0, t_r=2.0, resampling_target="data",
        keep_masked_labels=False,
        mask_img=str(base / f"{FUNC}space-MNI152NLin6Asym_desc-brain_mask.nii.gz"),
    )  # fmt: skip
    run = base / f"{FUNC}space-MNI152NLin6Asym_desc-preproc_bold.nii.gz"
    oracle = masker.fit_transform(str(run), confounds=table[["trans_x", "rot_z"]])
    np.testing.assert_allclose(ours.signals.values, oracle, atol=2e-4)


def test_units_follow_the_settings(prep):
    (grid,) = read_tree(prep, grid_edge=3)
    assert grid.attrs["units"] == "grid"
    (voxels,) = read_tree(prep, units="mask")
    assert voxels.attrs["units"] == "mask"
    assert voxels.n_units == 6 * 7 * 4
    with pytest.raises(InputError, match=r"168 units.*max_units"):
        read_tree(prep, units="mask", max_units=100)
    with pytest.raises(SettingsError, match=r"read\.parcellation or read\.atlas"):
        read_tree(prep, units="parcellation")


def test_mask_is_needed_for_voxels_only(tree):
    with pytest.raises(InputError, match="no brain mask"):
        read_tree(tree, units="mask")
    (recording,) = read_tree(tree)
    assert recording.attrs["units"] == "grid"
    assert "EPI mask" in " ".join(recording.history)


def test_atlas_by_name(prep, tree, tmp_path, monkeypatch):
    """A named atlas comes from its folder, or is fetched into the cache once."""
    fetched = []

    def fetch(name, folder):
        fetched.append(name)
        save_image(folder / atlases.IMAGE, block_labels(labels=(1, 2, 3, 4)))
        write_text(folder / atlases.TABLE, "index\tname\n1\ta\n2\tb\n3\tc\n4\td\n")

    monkeypatch.setattr(atlases, "fetch_atlas", fetch)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    for _ in range(2):
        (recording,) = read_tree(prep, atlas="aal")
        assert list(recording.units.index) == list("abcd")
    assert fetched == ["aal"]
    assert recording.attrs["parcellation"].startswith("aal (sha256 ")
    with pytest.raises(InputError, match="neuropipe atlas aal"):
        read_tree(prep, atlas="aal", atlas_folder=str(tmp_path / "nowhere"))
    with pytest.raises(SettingsError, match="atlas is 'brodmann'"):
        read_tree(prep, atlas="brodmann")


def test_atlas_is_refused_in_native_space(tree):
    with pytest.raises(InputError, match=r"its own space, not in MNI space.*read\.space"):
        read_tree(tree, atlas="aal")


def test_sessions_runs_and_lengths_differ(tmp_path):
    for session, run, n in (("a", "1", 30), ("a", "2", 25), ("b", "1", 40)):
        path = (
            tmp_path / f"sub-01/ses-{session}/func/sub-01_ses-{session}_task-x_run-{run}_bold.nii"
        )
        save_image(path, brain_series(np.random.default_rng(n), n_times=n), tr=1.5)
    save_image(tmp_path / "m.nii", np.ones((8, 9, 6), np.uint8))
    found = read_tree(tmp_path, mask="m.nii")
    assert [(r.session, r.run, r.signals.sizes["time"]) for r in found] == [
        ("a", "1", 30), ("a", "2", 25), ("b", "1", 40),
    ]  # fmt: skip
    # Voxels of the mask without signal are absent.
    assert {r.n_units for r in found} == {6 * 7 * 4}


def test_header_in_milliseconds_and_start_time(tree):
    values = brain_series(np.random.default_rng(0))
    save_image(tree / f"{FUNC}bold.nii.gz", values, tr=2000.0, unit="msec")
    write_text(tree / "task-rest_bold.json", {"RepetitionTime": 2.0, "StartTime": 0.975})
    (recording,) = read_tree(tree, **PARCELLATION, dummy_scans=4)
    assert recording.sampling_rate == 0.5
    assert recording.signals["time"].values[0] == pytest.approx(8.975)
    assert recording.signals.sizes["time"] == 36
    write_text(tree / "task-rest_bold.json", {})
    assert read_tree(tree, **PARCELLATION)[0].sampling_rate == 0.5


def test_subject_missing_from_participants_is_said(tree):
    write_text(tree / "participants.tsv", "participant_id\tage\nsub-02\t30\n")
    (recording,) = read_tree(tree, **PARCELLATION)
    assert recording.participant == {}
    assert "participants.tsv does not name sub-01" in recording.history


def break_sidecar(tree):
    write_text(tree / "task-rest_bold.json", "{RepetitionTime: 2}")


def milliseconds(tree):
    write_text(tree / "task-rest_bold.json", {"RepetitionTime": 2500})


def other_time(tree):
    write_text(tree / "task-rest_bold.json", {"RepetitionTime": 2.2})


def no_time(tree):
    write_text(tree / "task-rest_bold.json", {})
    save_image(tree / f"{FUNC}bold.nii.gz", brain_series(np.random.default_rng(0)), tr=0.0)


def cut_gzip(tree):
    path = tree / f"{FUNC}bold.nii.gz"
    path.write_bytes(path.read_bytes()[:-5000])


def flip_gzip(tree):
    path = tree / f"{FUNC}bold.nii.gz"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0xFF
    path.write_bytes(bytes(data))


def short_gzip(tree):
    """A sound gzip file that holds fewer volumes than its header says."""
    path = tree / f"{FUNC}bold.nii.gz"
    whole = gzip.decompress(path.read_bytes())
    path.write_bytes(gzip.compress(whole[: len(whole) // 2]))


def no_bytes(tree):
    (tree / f"{FUNC}bold.nii.gz").write_bytes(b"")


def one_volume(tree):
    save_image(tree / f"{FUNC}bold.nii.gz", np.ones((8, 9, 6), np.float32))


def all_nan(tree):
    save_image(tree / f"{FUNC}bold.nii.gz", np.full((8, 9, 6, 9), np.nan, np.float32), tr=2.0)


def text_onset(tree):
    write_text(tree / f"{FUNC}events.tsv", "onset\tduration\nsoon\t1\n")


def late_event(tree):
    write_text(tree / f"{FUNC}events.tsv", "onset\tduration\n81\t1\n")


def negative_duration(tree):
    write_text(tree / f"{FUNC}events.tsv", "onset\tduration\n1\t-1\n")


def empty_atlas(tree):
    save_image(tree / "atlas/atlas-X_dseg.nii.gz", np.zeros((8, 9, 6), np.int16))


def wrong_confounds(tree):
    write_text(tree / f"{FUNC}desc-confounds_timeseries.tsv", "csf\n1\n2\n")


def twice_the_subject(tree):
    write_text(tree / "participants.tsv", "participant_id\nsub-01\n01\n")


@pytest.mark.parametrize(
    ("spoil", "complaint"),
    [
        (break_sidecar, "JSON"),
        (milliseconds, "2500 s.*milliseconds"),
        (other_time, r"2\.2 s in its sidecar, 2 s in header"),
        (no_time, "no repetition time"),
        (cut_gzip, "cut short"),
        (flip_gzip, "cut short|sound gzip"),
        (short_gzip, "cut short.*volumes are whole"),
        (no_bytes, "zero bytes"),
        (one_volume, r"shape \(8, 9, 6\)"),
        (all_nan, "no signal"),
        (text_onset, "'soon'"),
        (late_event, "81 s, the scan ends at 80 s"),
        (negative_duration, "duration -1 s"),
        (empty_atlas, "no label on"),
        (wrong_confounds, "2 rows, the run 40 volumes"),
        (twice_the_subject, "sub-01 twice"),
    ],
)
def test_hostile_input_is_refused_in_one_line(tree, spoil, complaint):
    spoil(tree)
    with pytest.raises((InputError, LockError), match=complaint) as caught:
        read_tree(tree, **PARCELLATION)
    assert "\n" not in str(caught.value)


def test_confounds_without_a_table_are_refused(tree):
    with pytest.raises(InputError, match="no confounds table"):
        read_tree(tree, **PARCELLATION, confounds=["motion"])


def test_hostile_names_are_refused(tmp_path):
    save_image(tmp_path / "sub-a.b_task-x_bold.nii", np.ones((2, 2, 2, 3), np.float32))
    with pytest.raises(NeuropipeError, match="letters, digits"):
        lock(tmp_path)


def test_a_header_that_claims_terabytes_is_refused_at_once(tree):
    path = tree / f"{FUNC}bold.nii.gz"
    header = nibabel.Nifti1Header()
    header.set_data_shape((30_000, 30_000, 30_000, 300))
    header.set_data_dtype(np.float64)
    header["vox_offset"] = 352
    header["magic"] = b"n+1"
    path.write_bytes(gzip.compress(header.binaryblock + b"\0" * 400))
    with pytest.raises(InputError, match="file is too small"):
        read_tree(tree, **PARCELLATION)
