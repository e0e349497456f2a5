from __future__ import annotations

import numpy as np
import pytest

from neuropipe.errors import InputError, SettingsError
from neuropipe.ingest.settings import FmriReadSettings
from neuropipe.ingest.timeseries import discover, matches
from neuropipe.recording import Recording
from tests.bids_files import lock, read_tree, write_text

BASE = "sub-01/func/sub-01_task-rest_space-MNI152_seg-Gordon_stat-mean_timeseries"


def table(values, names):
    lines = ["\t".join("n/a" if np.isnan(v) else f"{v:.6g}" for v in row) for row in values]
    return "\n".join(["\t".join(names), *lines]) + "\n"


@pytest.fixture
def tree(tmp_path):
    """An XCP-D-like tree of one run: 60 times, four regions, TR 2 s."""
    values = 100 + np.random.default_rng(0).standard_normal((60, 4))
    write_text(tmp_path / f"{BASE}.tsv", table(values, ["V1_L", "V1_R", "M1_L", "Stem"]))
    write_text(tmp_path / f"{BASE}.json", {"RepetitionTime": 2})
    return tmp_path, values


def rewrite(root, values, names=("V1_L", "V1_R", "M1_L", "Stem")):
    write_text(root / f"{BASE}.tsv", table(values, names))


def test_a_run_becomes_a_recording(tree, tmp_path):
    root, values = tree
    write_text(root / "participants.tsv", "participant_id\tage\nsub-01\t30\n")
    (recording,) = read_tree(root)
    assert recording.recording == "sub-01_task-rest"
    assert recording.sampling_rate == 0.5
    np.testing.assert_allclose(recording.signals.values, values, rtol=1e-5)
    assert list(recording.units["homologue"]) == ["V1_R", "V1_L", "n/a", "n/a"]
    assert list(recording.units["hemisphere"]) == ["L", "R", "L", "n/a"]
    assert recording.attrs["parcellation"] == "Gordon"
    assert recording.attrs["motion_known"] is False
    assert recording.participant == {"age": 30.0}
    np.testing.assert_allclose(recording.confounds["global_signal"], values.mean(axis=1), rtol=1e-5)
    steps = np.sqrt((np.diff(values, axis=0) ** 2).mean(axis=1))
    np.testing.assert_allclose(recording.confounds["dvars"][1:], steps, rtol=1e-3)
    assert recording.confounds["dvars"].attrs["over"] == "units"
    recording.write(tmp_path / "r.nc")
    assert Recording.read(tmp_path / "r.nc").attrs == recording.attrs


def test_regions_without_signal_are_absent_and_named(tree):
    root, values = tree
    values[:, 1] = 0
    values[:, 2] = np.nan
    rewrite(root, values)
    (recording,) = read_tree(root)
    assert list(recording.units.index) == ["V1_L", "Stem"]
    assert "absent, without any value: M1_L" in recording.history
    assert "absent, constant: V1_R" in recording.history
    assert recording.units["homologue"].iloc[0] == "n/a"
    np.testing.assert_allclose(
        recording.confounds["global_signal"], values[:, [0, 3]].mean(axis=1), rtol=1e-5
    )
    values[:] = 0
    rewrite(root, values)
    with pytest.raises(InputError, match="none of 4 units has a signal"):
        read_tree(root)


def test_alternating_homologues_survive_an_absent_region(tree):
    root, values = tree
    values[:, 0] = 0
    rewrite(root, values, ["a", "b", "c", "d"])
    (recording,) = read_tree(root, homologues="alternating")
    assert list(recording.units["homologue"]) == ["n/a", "d", "c"]
    assert list(recording.units["hemisphere"]) == ["R", "L", "R"]


def test_gaps_stay_missing_up_to_a_share(tree):
    root, values = tree
    values[10:20, 0] = np.nan
    rewrite(root, values)
    (recording,) = read_tree(root)
    assert np.isnan(recording.signals.values[10:20, 0]).all()
    assert np.isfinite(recording.signals.values[:, 1:]).all()
    with pytest.raises(InputError, match=r"V1_L misses 17% of its samples.*max_missing"):
        read_tree(root, max_missing=0.1)


def test_repetition_time_comes_from_sidecar_or_setting(tree):
    root, _ = tree
    (root / f"{BASE}.json").unlink()
    with pytest.raises(InputError, match=r"no repetition time.*read\.repetition_time"):
        read_tree(root)
    assert read_tree(root, repetition_time=0.8)[0].sampling_rate == pytest.approx(1.25)
    write_text(root / "task-rest_timeseries.json", {"SamplingFrequency": 0.5})
    assert read_tree(root)[0].attrs["repetition_time"] == 2
    with pytest.raises(InputError, match=r"2 s in its sidecar, 0\.8 s"):
        read_tree(root, repetition_time=0.8)
    write_text(root / "task-rest_timeseries.json", {"RepetitionTime": 2500})
    with pytest.raises(InputError, match="milliseconds"):
        read_tree(root)


def test_unit_table_names_the_columns(tmp_path):
    values = 10 + np.random.default_rng(1).standard_normal((50, 3))
    (tmp_path / "sub-1").mkdir()
    np.save(tmp_path / "sub-1" / "sub-1_task-x_timeseries.npy", values)
    write_text(
        tmp_path / "rois.tsv",
        "index\tname\tnetwork\themisphere\n1\tA\tVis\tleft\n2\tB\tn/a\tR\n3\tC\tDMN\tn/a\n",
    )
    (recording,) = read_tree(tmp_path, unit_table="rois.tsv", repetition_time=1)
    assert list(recording.units.index) == ["A", "B", "C"]
    assert list(recording.units["network"]) == ["Vis", "n/a", "DMN"]
    assert list(recording.units["hemisphere"]) == ["L", "R", "n/a"]
    (plain,) = read_tree(tmp_path, repetition_time=1)
    assert list(plain.units.index) == ["roi-1", "roi-2", "roi-3"]
    write_text(tmp_path / "rois.tsv", "name\nA\nB\n")
    with pytest.raises(InputError, match="names 2 units, the series have 3"):
        read_tree(tmp_path, unit_table="rois.tsv", repetition_time=1)
    with pytest.raises(InputError, match=r"read\.unit_table names other\.tsv"):
        read_tree(tmp_path, unit_table="other.tsv", repetition_time=1)


def test_cleaning_events_and_dummy_scans(tree):
    root, _ = tree
    write_text(root / "sub-01/func/sub-01_task-rest_events.tsv", "onset\tduration\n10\t2\n")
    (recording,) = read_tree(root, standardize="zscore_sample", dummy_scans=5)
    assert recording.signals.sizes["time"] == 55
    assert recording.signals["time"].values[0] == 10.0
    assert list(recording.events["onset"]) == [10.0]
    np.testing.assert_allclose(recording.signals.values.std(axis=0, ddof=1), 1, rtol=1e-4)
    assert recording.signals.attrs["unit"] == "sd"
    assert recording.units["mean"].between(99, 101).all()
    assert recording.history[-2:] == ["5 dummy scans left out", "z-scored"]
    write_text(root / "sub-01/func/sub-01_task-rest_events.tsv", "onset\tduration\n130\t2\n")
    with pytest.raises(InputError, match="130 s, the scan ends at 120 s"):
        read_tree(root)


def test_motion_table_of_xcpd_is_found_and_scrubs(tree):
    root, _ = tree
    displacement = np.full(60, 0.1)
    displacement[[7, 30]] = 0.9
    text = "framewise_displacement\n" + "\n".join(f"{d:g}" for d in displacement) + "\n"
    write_text(root / "sub-01/func/sub-01_task-rest_motion.tsv", text)
    (recording,) = read_tree(root, fd_threshold=0.5)
    assert recording.attrs["motion_known"] is True
    missing = np.isnan(recording.signals.values).all(axis=1)
    assert list(np.flatnonzero(missing)) == [7, 30]
    assert "2 of 60 volumes scrubbed: more than 0.5 mm of motion" in recording.history
    (root / "sub-01/func/sub-01_task-rest_motion.tsv").unlink()
    with pytest.raises(InputError, match="no motion parameters"):
        read_tree(root, fd_threshold=0.5)


def test_subjects_of_names_without_entities(tmp_path):
    for name in ("NYU_0050952.1D", "NYU_0050953.1D"):
        write_text(tmp_path / name, "1 2\n3 4\n5 7\n")
    write_text(tmp_path / "README.txt", "no data")
    assert [r.subject for r in lock(tmp_path)] == ["NYU_0050952", "NYU_0050953"]
    assert lock(tmp_path)[0].recording == "sub-NYU_0050952"
    paths = ["a1/rois.npy", "b2/rois.npy", "sub-3/rois.npy", "sub-4/ses-x/rois.npy"]
    found = discover(paths, FmriReadSettings())
    assert [r.recording for r in found] == ["sub-a1-rois", "sub-b2-rois", "sub-3", "sub-4_ses-x"]


def test_other_tables_are_no_series():
    others = [
        "participants.tsv", "phenotype/iq.tsv", "sub-1/sub-1_sessions.tsv", "README.txt",
        "notes.csv", "sub-1/func/sub-1_task-x_events.tsv",
        "sub-1/func/sub-1_task-x_desc-confounds_timeseries.tsv",
        "sub-1/func/sub-1_task-x_seg-A_stat-coverage_timeseries.tsv",
    ]  # fmt: skip
    assert not matches(others)
    series = ["sub-1/func/sub-1_task-x_timeseries.tsv", "sub-1/x_timeseries.csv"]
    found = discover([*others, *series[:1]], FmriReadSettings())
    assert [r.paths("data") for r in found] == [series[:1]]


def test_two_parcellations_of_a_run_need_a_choice():
    paths = [f"sub-1/func/sub-1_task-x_seg-{s}_timeseries.tsv" for s in ("A", "B")]
    with pytest.raises(InputError, match=r"read\.select.*seg"):
        discover(paths, FmriReadSettings())
    (found,) = discover(paths, FmriReadSettings(select={"seg": "B"}))
    assert found.paths("data") == paths[1:]


def test_short_or_unpaired_runs_are_refused(tree):
    root, values = tree
    with pytest.raises(InputError, match="has 0 rows"):
        read_tree(root, dummy_scans=70)
    rewrite(root, values[:, :3], ["a", "b", "c"])
    with pytest.raises(SettingsError, match="alternating with 3 units"):
        read_tree(root, homologues="alternating")


def test_nilearn_stays_unloaded_without_cleaning(tree):
    import subprocess
    import sys

    root, _ = tree
    code = (
        "import sys; from tests.bids_files import read_tree;"
        f"read_tree({str(root)!r}); print('nilearn' in sys.modules, 'sklearn' in sys.modules)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.split() == ["False", "False"]
