"""BrainMAE in the workflow: models, folds, other datasets' weights, what reruns, what stops."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from neuropipe.lock import lock_command
from neuropipe.reference import default_config
from tests.workflow.conftest import (
    ROOT,
    planned_rules,
    run_snakemake,
    series_path,
    write_series,
)

TINY = (
    "n_splits: 2, model: {width: 16}, segments: {n_points: 8, n_segments: 8},"
    " pretraining: {max_steps: 12, steps_per_epoch: 12},"
    " reconstruction_baselines: [mean, Wiener], ratios: [0.5]"
)
ENTRY = """\
  {name}:
    title: Noise with two shared signals
    modality: fmri
    source: {{path: {name}}}
    license: CC0-1.0
    citation: made by the test
    analyses: {{connectivity: false, connectome: false, brainmae: {{{tiny}{more}}}}}
"""
REPORTS = {"default": 1, "report_subject": 6, "report_index": 2, "report_home": 1}


def write_manifest(folder: Path, more: str = "", other: str = ", weights_of: rest") -> None:
    entries = [
        ENTRY.format(name="rest", tiny=TINY, more=more),
        ENTRY.format(name="other", tiny=TINY, more=other),
    ]
    (folder / "data_manifest.yaml").write_text("datasets:\n" + "".join(entries))


def make_study(folder: Path, n_units: int = 12) -> Path:
    """Write two datasets of the same ROIs; the second takes the first one's model."""
    for seed, subject in enumerate(("01", "02", "03", "04")):
        write_series(folder / "rest" / series_path(subject), seed)
    for seed, subject in enumerate(("01", "02")):
        write_series(folder / "other" / series_path(subject), seed + 10, n_units)
    write_manifest(folder)
    (folder / "config").mkdir()
    (folder / "config" / "config.yaml").write_text(default_config())
    lock_command(manifest=folder / "data_manifest.yaml", names=[], all_=True)
    return folder


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Both datasets, run to their reports; do not change it."""
    folder = make_study(tmp_path_factory.mktemp("brainmae"))
    run_snakemake(folder)
    return folder


@pytest.fixture
def study(finished: Path, tmp_path: Path) -> Path:
    """A copy of the finished study that a test may change."""
    return Path(shutil.copytree(finished, tmp_path / "study", symlinks=True))


def card(folder: Path, dataset: str, model: str) -> dict:
    path = folder / "results" / dataset / "models" / "brainmae" / model / "settings.json"
    return json.loads(path.read_text())["card"]


def test_its_sections_stand_in_the_reports(finished: Path) -> None:
    report = finished / "results" / "rest" / "report"
    page = (report / "sub-01.html").read_text()
    for words in ("BrainMAE", "masked R2", "ROI"):
        assert words in page, words
    assert "BrainMAE" in (report / "index.html").read_text()


def test_each_fold_leaves_its_subjects_out(finished: Path) -> None:
    trained = [set(card(finished, "rest", f"seed-0_fold-{f}")["subjects"]) for f in (0, 1)]
    everybody = {f"rest/{subject}" for subject in ("01", "02", "03", "04")}
    assert trained[0] | trained[1] == everybody
    assert not trained[0] & trained[1]
    assert set(card(finished, "rest", "final")["subjects"]) == everybody


def test_another_dataset_uses_the_same_weights(finished: Path) -> None:
    models = finished / "results"
    weights = [
        (models / name / "models" / "brainmae" / "final" / "model.safetensors").read_bytes()
        for name in ("rest", "other")
    ]
    assert weights[0] == weights[1]
    assert card(finished, "other", "seed-0_fold-0")["taken_from"] == "rest"


def test_nothing_is_left_of_the_training(finished: Path) -> None:
    assert not list((finished / "results").rglob("*.ckpt*"))


def test_a_second_run_does_nothing(finished: Path) -> None:
    assert planned_rules(finished) == {}


def test_what_training_does_not_look_at_trains_nothing_anew(study: Path) -> None:
    write_manifest(study, ", n_resamples: 300")
    of_rest = {**REPORTS, "report_subject": 4, "report_index": 1}
    assert planned_rules(study) == {"brainmae": 4, "brainmae_group": 1, **of_rest}


def test_other_steps_train_anew(study: Path) -> None:
    write_manifest(study, ", embedding_lr_scale: 4")
    assert planned_rules(study)["brainmae_pretrain"] == 6  # the other dataset takes the new model


@pytest.mark.parametrize(
    ("module", "n_models"), [("brainmae/figures.py", 0), ("brainmae/model.py", 6)]
)
def test_changed_code_reruns_what_depends_on_it(
    module: str, n_models: int, study: Path, tmp_path: Path
) -> None:
    root = tmp_path / "checkout"
    for name in ("neuropipe", "workflow"):
        shutil.copytree(ROOT / name, root / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "Snakefile", root)
    with (root / "neuropipe" / module).open("a") as stream:
        stream.write("\nCHANGED = 1\n")
    rules = planned_rules(study, root=root)
    assert rules["brainmae"] == 6
    assert rules.get("brainmae_pretrain", 0) == n_models


def test_a_bad_recording_leaves_the_others_their_pages(study: Path) -> None:
    bad = study / "rest" / series_path("02")
    bad.write_text(bad.read_text().replace("\t", "\tx", 40))
    lock_command(manifest=study / "data_manifest.yaml", names=["rest"], all_=False)
    shutil.rmtree(study / "results" / "rest")
    run = run_snakemake(study, "--keep-going", check=False)
    assert run.returncode == 1
    pages = {p.name for p in (study / "results" / "rest" / "report").glob("sub-*.html")}
    assert pages == {"sub-01.html", "sub-03.html", "sub-04.html"}


def test_weights_for_other_rois_are_refused(study: Path) -> None:
    for seed, subject in enumerate(("01", "02")):
        write_series(study / "other" / series_path(subject), seed + 10, n_units=10)
    lock_command(manifest=study / "data_manifest.yaml", names=["other"], all_=False)
    target = "results/other/models/brainmae/final"
    run = run_snakemake(study, target, check=False)
    assert run.returncode == 1
    log = (study / "logs" / "other" / "models" / "brainmae" / "final.log").read_text()
    assert log.startswith("neuropipe: ")
    assert "units" in log
    assert log.count("\n") == 1
    assert not (study / target).exists()
