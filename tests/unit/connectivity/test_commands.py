"""Commands write whole result folders that say what they hold, or one line and nothing."""

from __future__ import annotations

import json

import numpy as np
import pytest

from neuropipe.connectivity.commands import (
    analyse_group,
    analyse_recording,
    connectivity_group,
    connectivity_recording,
)
from neuropipe.connectivity.settings import ConnectivitySettings
from neuropipe.connectivity.text import REFERENCES
from neuropipe.errors import InputError, NeuropipeError, SettingsError, UnfitRecordingError
from neuropipe.manifest import LockedFile, LockedRecording, write_lock
from neuropipe.results import Result
from tests.unit.connectivity.builders import cohort, recording, series, unit_table

FAST = {"seeds": [0], "n_permutations": 19, "n_resamples": 200, "n_shuffles": 99}


def _written(found, folder):
    folder.mkdir(exist_ok=True)
    rows = []
    for one in found:
        one.write(folder / f"{one.recording}.nc")
        rows.append(
            LockedRecording(one.recording, one.subject, "", "", "", (LockedFile("data", "x.tsv"),))
        )
    write_lock(folder / "lock.tsv", rows)
    return folder / "lock.tsv"


def test_a_recording_to_its_result_folder(tmp_path):
    recording(n_times=400).write(tmp_path / "one.nc")
    connectivity_recording(recording=tmp_path / "one.nc", settings="", output=tmp_path / "out")
    result = Result.read(tmp_path / "out")
    assert result.title == "Functional connectivity between ROIs"
    names = [m.name for m in result.metrics]
    assert names == [
        "mean connectivity", "homologous connectivity", "network contrast",
        "split-half reliability", "effective frames", "significant edges",
    ]  # fmt: skip
    homologous = result.metric("homologous connectivity")
    assert homologous.value > homologous.baseline
    assert homologous.interval[0] < homologous.value < homologous.interval[1]
    assert homologous.chance == pytest.approx(homologous.baseline, abs=0.1)
    assert homologous.verdict == "good"
    assert result.metric("network contrast").verdict == "good"
    assert result.metric("split-half reliability").value > 0.8
    assert result.metric("effective frames").value < 400
    matrix = result.arrays["correlation"]
    assert list(matrix["unit"].values) == list(unit_table(6).index)
    assert np.allclose(matrix.values, matrix.values.T)
    assert [f.name for f in result.figures] == ["connectivity-matrix", "connectivity-edges"]
    assert all(f.path.stat().st_size < 60_000 for f in result.figures)
    assert set(result.references) <= set(REFERENCES)
    assert all(f"[{key}]" in result.methods for key in result.references)
    assert result.provenance["settings"]["min_samples"] == 50


def test_the_same_recording_gives_the_same_bytes(tmp_path):
    recording().write(tmp_path / "one.nc")
    for name in ("a", "b"):
        connectivity_recording(recording=tmp_path / "one.nc", settings="", output=tmp_path / name)
    for part in ("metrics.json", "section.json", "figures/connectivity-matrix.svg"):
        assert (tmp_path / "a" / part).read_bytes() == (tmp_path / "b" / part).read_bytes()


def test_neurons_without_known_structure():
    units = unit_table(6)[[]]
    result = analyse_recording(
        recording(modality="calcium", units=units), ConnectivitySettings(n_shuffles=99)
    )
    assert result.title == "Functional connectivity between neurons"
    assert "homologous connectivity" not in [m.name for m in result.metrics]
    assert "no known structure" in result.figures[1].caption
    assert result.warnings == []  # five minutes are a matter of fMRI


def test_noise_has_no_structure():
    noise = np.random.default_rng(0).standard_normal((300, 12))
    result = analyse_recording(recording(values=noise), ConnectivitySettings())
    assert result.metric("homologous connectivity").verdict == "doubtful"
    assert result.metric("significant edges").value < 5
    low, high = result.metric("mean connectivity").interval
    assert low < 0 < high


def test_a_unit_silent_in_one_half_leaves_the_reliability_out():
    x = series(200, 6, np.random.default_rng(0))
    x[:100, 4] = 1.0
    result = analyse_recording(recording(values=x), ConnectivitySettings(n_shuffles=99))
    reliability = result.metric("split-half reliability")
    assert reliability.value is None
    assert "constant" in reliability.description
    json.dumps([m.value for m in result.metrics], allow_nan=False)


def test_without_shrinkage_as_many_units_as_frames_are_refused():
    x = np.random.default_rng(0).standard_normal((60, 70))
    units = unit_table(35)
    settings = ConnectivitySettings(shrinkage="none")
    with pytest.raises(UnfitRecordingError, match="singular"):
        analyse_recording(recording(values=x, units=units), settings)
    assert analyse_recording(recording(values=x, units=units), ConnectivitySettings())


def test_a_dataset_to_its_result_folder(tmp_path):
    lock = _written(cohort(30, effect=0.6), tmp_path / "recordings")
    settings = {**FAST, "targets": ["group", "age"], "confounds": ["age"]}
    connectivity_group(
        lock=lock,
        dataset="toy",
        recordings=tmp_path / "recordings",
        settings=json.dumps(settings),
        output=tmp_path / "out",
    )
    result = Result.read(tmp_path / "out")
    assert (result.recording, result.subject) == ("group", "")
    auroc = result.metric("group: AUROC (tangent)")
    assert auroc.value > 0.8
    assert auroc.baseline == result.metric("group: AUROC (confounds alone)").value
    assert 0.3 < auroc.chance < 0.7
    assert 0.5 < auroc.interval[0] <= auroc.value <= auroc.interval[1]
    assert auroc.better == "higher"
    assert result.metric("age: mean absolute error (partial)").better == "lower"
    assert auroc.n == 30
    assert "p = 0.05" in auroc.description
    assert result.metric("group: sensitivity (partial)").value > 0.6
    assert result.metric("age: R2 (correlation)").baseline == 0.0
    assert result.metric("age: mean absolute error (correlation)").baseline > 5
    # Age is its own confound: nothing to regress, so that row does not exist.
    with pytest.raises(KeyError):
        result.metric("age: R2 (correlation, confounds regressed)")
    assert result.metric("similarity between subjects").value > 0.5
    assert [f.name for f in result.figures] == [
        "group-matrix", "group-similarity", "prediction-1-group", "prediction-2-age",
    ]  # fmt: skip
    tree = result.arrays
    assert tree["mean_correlation"].shape == (12, 12)
    assert tree["group/decision_tangent"].shape == (1, 30, 1)
    assert list(tree["group"].attrs["classes"]) == ["control", "patient"]
    assert np.isfinite(tree["age/predicted_correlation"].values).all()
    assert "[Varoquaux2010]" in result.methods


def test_few_subjects_are_not_predicted():
    result = analyse_group(cohort(12), "toy", ConnectivitySettings(targets=("group",)))
    assert "12 subjects, fewer than 20" in result.warnings[0]
    assert not any("AUROC" in m.name for m in result.metrics)
    assert "predicted" not in result.methods


def test_one_subject_says_so():
    runs = [recording("a", run=str(k), seed=k) for k in (1, 2)]
    result = analyse_group(runs, "toy", ConnectivitySettings(targets=("group",)))
    assert "One subject" in " ".join(result.warnings)
    assert result.metric("mean connectivity").interval is None
    assert result.metric("similarity between runs").value > 0.5
    assert result.metric("similarity between runs").baseline is None
    assert [f.name for f in result.figures] == ["group-matrix"]


def test_three_classes(tmp_path):
    found = cohort(30, effect=1.0)
    for k, one in enumerate(found):
        one.participant["arm"] = "abc"[k % 3]
    settings = ConnectivitySettings(**{**FAST, "targets": ("arm",), "kinds": ("correlation",)})
    result = analyse_group(found, "toy", settings)
    assert result.metric("arm: balanced accuracy (correlation)").baseline == pytest.approx(1 / 3)
    assert result.metric("arm: recall of b (correlation)").value is not None
    result.write(tmp_path / "out")  # all figures draw
    assert (tmp_path / "out/figures/prediction-1-arm.svg").is_file()


@pytest.mark.parametrize(
    ("settings", "error", "word"),
    [
        ('{"targets": ["iq"]}', UnfitRecordingError, "iq"),
        ('{"targets": ["site"]}', UnfitRecordingError, "only the class 'one'"),
        ('{"kinds": ["magic"]}', SettingsError, "magic"),
        ('{"target": ["group"]}', SettingsError, "target"),
        ("{", SettingsError, "JSON"),
    ],
)
def test_wrong_settings_are_one_line_and_leave_nothing(tmp_path, settings, error, word):
    lock = _written(cohort(20, n_times=60), tmp_path / "recordings")
    with pytest.raises(error, match=word) as caught:
        connectivity_group(
            lock=lock,
            dataset="toy",
            recordings=tmp_path / "recordings",
            settings=settings,
            output=tmp_path / "out",
        )
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_missing_files_are_one_line(tmp_path):
    lock = _written(cohort(3), tmp_path / "recordings")
    (tmp_path / "recordings" / "sub-01.nc").unlink()
    with pytest.raises(InputError, match=r"sub-01\.nc"):
        connectivity_group(
            lock=lock,
            dataset="toy",
            recordings=tmp_path / "recordings",
            settings="",
            output=tmp_path / "out",
        )
    with pytest.raises(NeuropipeError):
        connectivity_recording(recording=tmp_path / "none.nc", settings="", output=tmp_path / "out")
    assert not (tmp_path / "out").exists()
