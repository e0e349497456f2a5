"""Results of a run and of a dataset hold what their models and scores say."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from neuropipe.brainmae.group_result import analyse_group
from neuropipe.brainmae.heldout import OURS
from neuropipe.brainmae.recording_result import analyse_recording
from neuropipe.brainmae.summary import score_difference
from neuropipe.results import Result
from tests.unit.brainmae.result_builders import Study, recording, runs_of


def of_recording(study: Study, number: int, folder) -> Result:
    runs = study.one(number, folder)
    return analyse_recording(
        study.recordings[number], runs, study.final, study.stores, study.settings
    )


@pytest.fixture(scope="module")
def first(study, tmp_path_factory) -> Result:
    return of_recording(study, 0, tmp_path_factory.mktemp("run"))


@pytest.fixture(scope="module")
def group(study) -> Result:
    return analyse_group(study.runs, "toy", study.stores, study.predictions, study.settings)


def test_masked_r2_of_a_run_is_that_of_the_model_that_has_not_seen_it(study, first):
    name = first.metrics[0].split.rpartition(" ")[2]
    assert "toy/00" not in study.store(name).card["subjects"]
    scores = study.store(name).scores
    of_run = scores[(scores["recording"] == "sub-00_run-1") & (scores["ratio"] == 0.5)]
    by_name = of_run.set_index("predictor")["r2"]
    metric = first.metric("masked R2, 50 % hidden")
    assert metric.value == pytest.approx(by_name[OURS])
    assert metric.baseline == pytest.approx(by_name.drop(OURS).max())
    assert metric.baseline_name == by_name.drop(OURS).idxmax()
    assert (metric.better, metric.chance) == ("higher", 0.0)


def test_a_run_is_written_and_read(first, tmp_path):
    first.write(tmp_path / "out")
    read = Result.read(tmp_path / "out")
    assert (read.analysis, read.dataset, read.recording) == ("brainmae", "toy", "sub-00_run-1")
    assert [f.name for f in read.figures] == [
        "brainmae-scores", "brainmae-example", "brainmae-plane", "brainmae-attention",
        "brainmae-similarity",
    ]  # fmt: skip
    assert read.arrays["masked_r2"].sel(predictor=OURS, ratio=0.5) == pytest.approx(
        read.metric("masked R2, 50 % hidden").value
    )
    assert read.arrays["attention"].sum() == pytest.approx(1, abs=1e-5)
    assert read.arrays["start"].values.tolist() == [15.0 * k for k in range(8)]
    assert read.arrays["example_truth"].dims == ("segment", "unit", "point")
    assert all("units" in read.arrays[name].attrs for name in ("states", "token", "example_model"))
    assert read.facts["segments"] == "8 of 15 s"
    assert read.facts["model"].startswith("pretrained on 10 subjects, 12 steps")
    assert not read.warnings
    assert set(read.references) >= {"Yang2024", "Abnar2020"}


def test_an_absent_roi_is_said(study, tmp_path):
    found = of_recording(study, 2, tmp_path)
    assert found.subject == "01"
    assert found.facts["ROIs"] == "8, 1 absent"
    assert any(words.startswith("1 of 8 ROIs are absent: L0.") for words in found.warnings)
    assert not found.arrays["example_hidden"].sel(unit="L0").any()


def test_what_is_not_there_is_said_not_drawn(study, tmp_path):
    """A run of no fold, shorter than the context."""
    stranger = recording("77", "1", 7, n_times=47)
    runs = runs_of([stranger], study.settings, tmp_path, study.final.card["units"])
    found = analyse_recording(stranger, runs, study.final, study.stores, study.settings)
    assert found.metrics == []
    names = [figure.name for figure in found.figures]
    assert "brainmae-scores" not in names
    assert "brainmae-example" not in names
    assert any(words.startswith("Every model has seen this run") for words in found.warnings)
    assert any("3 segments, fewer than the 6" in words for words in found.warnings)
    assert "cross-validation" not in found.methods
    found.write(tmp_path / "out")


def test_a_dataset_is_written_and_read(study, group, tmp_path):
    group.write(tmp_path / "out")
    read = Result.read(tmp_path / "out")
    assert read.facts["subjects"] == "10"
    assert read.facts["recordings"] == "11"
    assert read.arrays["runs/plane"].shape == (11, 2)
    table = read.arrays["scores"].to_dataset().to_dataframe()
    assert len(table) == 11 * 4 * 2
    ours = table[(table["predictor"] == OURS) & (table["ratio"] == 0.5)]
    expected = 1 - ours["sse"].sum() / ours["sst"].sum()
    metric = read.metric("masked R2, 50 % hidden")
    assert metric.value == pytest.approx(expected)
    assert metric.interval[0] < expected < metric.interval[1]
    assert metric.n == 10
    assert metric.split == "2 folds by subject, 1 seed"
    stored = read.arrays["reconstruction/masked_r2"].sel(predictor=OURS, ratio=0.5)
    assert float(stored) == pytest.approx(expected)
    assert read.arrays["group"].attrs["target"] == "group"
    figures = [figure.name for figure in read.figures]
    assert figures == [
        "brainmae-scores", "brainmae-similarity", "brainmae-runs", "prediction-1-group",
    ]  # fmt: skip


def test_the_difference_is_paired_and_a_model_below_is_warned_of(study, group):
    metric = next(m for m in group.metrics if m.name.startswith("masked R2 above"))
    other = metric.name.removeprefix("masked R2 above ").partition(",")[0]
    assert (metric.baseline, metric.baseline_name) == (0.0, "no difference")
    scores = [store.scores for store in study.stores]
    value, interval = score_difference(
        pd.concat(scores, ignore_index=True), 0.25, OURS, other, n_resamples=200, seed=0
    )
    assert metric.value == pytest.approx(value)
    assert metric.interval == pytest.approx(interval)
    below = any("worse than a simple predictor" in words for words in group.warnings)
    ends = [m.interval[1] for m in group.metrics if m.name.startswith("masked R2 above")]
    assert below == any(end < 0 for end in ends)


def test_predictions_stand_beside_connectivity(group):
    rows = {m.name.partition("(")[2].rstrip(")"): m for m in group.metrics if "AUROC" in m.name}
    assert {"BrainMAE", "correlation", "tangent", "correlation + BrainMAE"} <= set(rows)
    assert rows["BrainMAE"].baseline == pytest.approx(rows["correlation"].value)
    assert rows["BrainMAE"].baseline_name == "correlation"
    assert "not refitted" in rows["BrainMAE, fine-tuned"].description
    assert "Bengio2004" in group.references


def test_identification_is_a_rate_beside_chance(group):
    metric = group.metric("halves identified")
    assert metric.chance == pytest.approx(10)
    assert metric.baseline_name == "static connectivity"
    assert 0 <= metric.interval[0] <= metric.value <= metric.interval[1] <= 100
    shares = group.arrays["identification/embedding"]
    assert metric.value == pytest.approx(100 * float(np.mean(shares)))


def test_one_subject_is_said(study, tmp_path):
    runs = study.runs.select([0, 1])
    names = [run.recording for run in runs.runs]
    both = pd.concat([store.scores for store in study.stores])
    stores = []
    for store, left_out in zip(study.stores, ["", *names], strict=True):
        fake = replace(store)  # as if each fold had left out one run
        scores = both[both["recording"] == left_out].assign(model=store.name)
        fake.__dict__.update(scores=scores, arrays=store.arrays.sel(recording=names))
        stores.append(fake)
    found = analyse_group(runs, "toy", stores, [], study.settings)
    assert any(words.startswith("One subject") for words in found.warnings)
    assert any("not predicted" in words for words in found.warnings)
    assert found.facts["subjects"] == "1"
    for metric in found.metrics:
        assert metric.interval is None, metric.name
    assert isinstance(found.arrays, xr.DataTree)
