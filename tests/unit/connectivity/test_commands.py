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


@pytest.fixture(scope="module")
def twenty(tmp_path_factory):
    """Lock of a written dataset of twenty short recordings, beside it."""
    return _written(cohort(20, n_times=60), tmp_path_factory.mktemp("recordings"))


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
def test_wrong_settings_are_one_line_and_leave_nothing(twenty, tmp_path, settings, error, word):
    with pytest.raises(error, match=word) as caught:
        connectivity_group(
            lock=twenty,
            dataset="toy",
            recordings=twenty.parent,
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


def test_one_recording_is_a_dataset(tmp_path):
    lock = _written([recording("a", n_times=200)], tmp_path / "recordings")
    connectivity_group(
        lock=lock,
        dataset="toy",
        recordings=tmp_path / "recordings",
        settings=json.dumps({**FAST, "targets": ["group"]}),
        output=tmp_path / "out",
    )
    result = Result.read(tmp_path / "out")
    said = " ".join(result.warnings)
    assert "One subject" in said
    assert "1 subjects, fewer than 20" in said
    assert [m.name for m in result.metrics] == [
        "mean connectivity", "homologous connectivity", "network contrast",
    ]  # fmt: skip
    assert all(m.interval is None for m in result.metrics)
    assert "similarity" not in result.arrays


@pytest.mark.parametrize("n_subjects", [2, 3, 4])
def test_a_handful_of_subjects(n_subjects, tmp_path):
    found = cohort(n_subjects)
    result = analyse_group(found, "toy", ConnectivitySettings(**FAST))
    similarity = result.metric("similarity between subjects")
    assert -1 <= similarity.value <= 1
    assert (similarity.interval is None) == (n_subjects < 4)
    low, high = result.metric("mean connectivity").interval
    assert low < result.metric("mean connectivity").value < high
    result.write(tmp_path / "out")  # strict: no NaN among the numbers
    assert Result.read(tmp_path / "out").metric("mean connectivity").n == n_subjects


def test_a_target_with_missing_labels(tmp_path):
    found = cohort(30, effect=1.0)
    for one in found[:6]:
        one.participant["group"] = "n/a"
    settings = ConnectivitySettings(**FAST, targets=("group",), kinds=("correlation",))
    result = analyse_group(found, "toy", settings)
    metric = result.metric("group: AUROC (correlation)")
    assert metric.n == 24
    assert metric.value > 0.7
    result.write(tmp_path / "out")
    decision = result.arrays["group/decision_correlation"].values
    assert np.isnan(decision[:, :6]).all()


def test_rows_with_confounds_count_their_own_subjects():
    found = cohort(30, effect=1.0)
    for k, one in enumerate(found):
        one.participant["weight"] = 60.0 + k if k >= 4 else None
    settings = ConnectivitySettings(
        **FAST, targets=("group",), kinds=("correlation",), confounds=("weight",)
    )
    result = analyse_group(found, "toy", settings)
    assert result.metric("group: AUROC (correlation)").n == 30
    assert result.metric("group: AUROC (confounds alone)").n == 26


def test_confounds_of_too_few_are_said_not_crashed():
    found = cohort(24, effect=1.0)
    for one in found[:2]:
        one.participant["weight"] = 60.0
    settings = ConnectivitySettings(
        **FAST, targets=("group",), kinds=("correlation",), confounds=("weight",)
    )
    result = analyse_group(found, "toy", settings)
    assert "weight (confounds) known of 2 subjects" in " ".join(result.warnings)
    assert not any("confounds" in m.name for m in result.metrics)


@pytest.mark.parametrize("name", ["duration", "mean", "runs", "typicality", "subject"])
def test_a_target_may_be_named_like_an_array(name, tmp_path):
    found = cohort(20)
    for one in found:
        one.participant[name] = one.participant["group"]
    settings = ConnectivitySettings(**FAST, targets=(name,), kinds=("correlation",), n_splits=2)
    result = analyse_group(found, "toy", settings)
    result.write(tmp_path / "out")
    arrays = Result.read(tmp_path / "out").arrays
    assert "decision_correlation" in arrays[f"{name}_target"]
    assert "mean" in arrays


def test_targets_that_differ_in_signs_only_both_stay():
    found = cohort(20)
    for one in found:
        one.participant |= {"a-b": one.participant["group"], "a_b": one.participant["group"]}
    settings = ConnectivitySettings(
        **FAST, targets=("a-b", "a_b"), kinds=("correlation",), n_splits=2
    )
    arrays = analyse_group(found, "toy", settings).arrays
    assert {"a_b", "a_b_target"} <= set(arrays.children)


def test_sessions_of_one_subject_stay_on_one_side():
    found = []
    for k, one in enumerate(cohort(20, effect=1.0)):
        for session in "12":
            again = recording(
                one.subject, run=session, seed=100 * k + int(session),
                values=one.signals.values.astype(float), **one.participant,
            )  # fmt: skip
            again.session = session
            found.append(again)
    settings = ConnectivitySettings(**FAST, targets=("group",), kinds=("correlation",))
    result = analyse_group(found, "toy", settings)
    assert result.facts["subjects"] == "20"
    assert result.facts["recordings"] == "40"
    assert result.metric("group: AUROC (correlation)").n == 20
    assert result.arrays["group/fold"].shape == (1, 20)
    assert result.metric("similarity between runs").value == pytest.approx(1.0, abs=1e-6)


def test_different_unit_sets_are_predicted_on_what_is_shared():
    found = cohort(24, effect=1.0)
    for k, one in enumerate(found[:5]):
        kept = np.delete(np.arange(12), k)
        found[k] = recording(
            one.subject, values=one.signals.values[:, kept], units=one.units.iloc[kept],
            **one.participant,
        )  # fmt: skip
    settings = ConnectivitySettings(**FAST, targets=("group",), kinds=("tangent",))
    result = analyse_group(found, "toy", settings)
    assert result.facts["units shared"] == "7"
    assert "7 units are shared" in " ".join(result.warnings)
    assert result.metric("group: AUROC (tangent)").value is not None


def test_numbered_neurons_end_in_a_page_without_predictions():
    found = cohort(20)
    units = unit_table(6)[[]]
    units.index = [str(k) for k in range(12)]
    found = [
        recording(r.subject, values=r.signals.values, units=units, modality="calcium",
                  **r.participant)
        for r in found
    ]  # fmt: skip
    result = analyse_group(found, "toy", ConnectivitySettings(**FAST, targets=("group",)))
    assert [m.name for m in result.metrics] == ["mean connectivity"]
    assert result.facts["units shared"] == "none"
    assert "cannot be matched" in " ".join(result.warnings)


def test_no_recording_is_usable():
    flat = [recording(s, values=np.ones((100, 12))) for s in "ab"]
    with pytest.raises(UnfitRecordingError, match="no recording of toy can be used") as caught:
        analyse_group(flat, "toy", ConnectivitySettings(**FAST))
    assert "\n" not in str(caught.value)
    with pytest.raises(UnfitRecordingError, match="the lock is empty"):
        analyse_group([], "toy", ConnectivitySettings(**FAST))


def test_a_regression_target_reaches_the_page(tmp_path):
    found = cohort(24)
    for one in found:
        r = np.corrcoef(one.signals.values.T)[0, 5]
        one.participant["trait"] = 10 + 5 * float(r)
    settings = ConnectivitySettings(**FAST, targets=("trait",))
    result = analyse_group(found, "toy", settings)
    for kind in ("correlation", "partial", "tangent"):
        r2 = result.metric(f"trait: R2 ({kind})")
        assert r2.baseline_name == "training mean"
        assert result.metric(f"trait: mean absolute error ({kind})").better == "lower"
    result.write(tmp_path / "out")
    predicted = Result.read(tmp_path / "out").arrays["trait/predicted_tangent"].values
    assert np.isfinite(predicted).all()
