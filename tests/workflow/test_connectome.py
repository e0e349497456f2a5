"""The connectome in the workflow: reports, wiring, what reruns, what stops."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from neuropipe.lock import lock_command
from neuropipe.reference import default_config
from neuropipe.simulate.calcium_files import write
from neuropipe.simulate.settings import CalciumSimulation
from tests.workflow.conftest import planned_rules, run_snakemake

TINY = (
    "n_windows: 2, n_bootstrap: 2, factorization: {rank: 2, n_restarts: 2, max_iterations: 30},"
    " communities: {n_runs: 2, degree_correction: 'off'}"
)
MANIFEST = """\
datasets:
  cells:
    title: Two communities of neurons that change between epochs
    modality: calcium
    source: {{path: data}}
    license: CC0-1.0
    citation: made by the test
    analyses:
      connectivity: false
      connectome: {{{tiny}, wiring: [wiring.csv]{more}}}
"""
GROUP = "results/cells/connectome/group"


def write_manifest(folder: Path, more: str = "") -> None:
    (folder / "data_manifest.yaml").write_text(MANIFEST.format(tiny=TINY, more=more))


def make_study(folder: Path) -> Path:
    """Write a dataset of three animals and the wiring of its neurons."""
    (folder / "data").mkdir()
    simulation = CalciumSimulation(
        n_animals=3, n_neurons=24, duration=90, n_epochs=2, n_communities=2, last_epoch_share=1.0,
        homologues=0.5, noise=0.15, seed=5,
    )  # fmt: skip
    write(simulation, folder / "data")
    shutil.rmtree(folder / "data" / "truth")
    rows = [f"N{k:02d}L,N{k:02d}R,{k}" for k in range(1, 13)]
    (folder / "wiring.csv").write_text("\n".join(["pre,post,weight", *rows]) + "\n")
    write_manifest(folder)
    (folder / "config").mkdir()
    (folder / "config" / "config.yaml").write_text(default_config())
    lock_command(manifest=folder / "data_manifest.yaml", names=[], all_=True)
    return folder


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The dataset, run to its reports; do not change it."""
    folder = make_study(tmp_path_factory.mktemp("connectome"))
    run_snakemake(folder)
    return folder


@pytest.fixture
def study(finished: Path, tmp_path: Path) -> Path:
    """A copy of the finished study that a test may change."""
    return Path(shutil.copytree(finished, tmp_path / "study", symlinks=True))


def complaint(folder: Path, name: str) -> str:
    """The only line of a job's log."""
    text = (folder / "logs" / "cells" / "connectome" / f"{name}.log").read_text()
    assert text.startswith("neuropipe: ")
    assert text.count("\n") == 1
    return text


def test_its_sections_stand_in_the_reports(finished: Path) -> None:
    report = finished / "results" / "cells" / "report"
    index = (report / "index.html").read_text()
    for words in ("Dynamic connectome of neurons of the dataset", "motifs", "circular shifts"):
        assert words in index, words
    pages = sorted(report.glob("sub-*.html"))
    assert len(pages) == 3
    for page in pages:
        text = page.read_text()
        assert "Dynamic connectome of neurons" in text
        assert "explained by other recordings" in text
        assert page.stat().st_size < 3e6


def test_wiring_is_read_from_beside_the_manifest(finished: Path) -> None:
    metrics = json.loads((finished / GROUP / "metrics.json").read_text())
    assert "correlation with wiring" in [metric["name"] for metric in metrics]


def test_a_second_run_does_nothing(finished: Path) -> None:
    assert planned_rules(finished) == {}


def test_changed_wiring_makes_it_anew(study: Path) -> None:
    with (study / "wiring.csv").open("a") as stream:
        stream.write("N01L,N02L,9\n")
    rules = planned_rules(study)
    assert rules["connectome_group"] == 1
    assert "quality" not in rules


def test_a_changed_setting_reruns_the_connectome_alone(study: Path) -> None:
    write_manifest(study, ", seed: 3")
    rules = planned_rules(study)
    assert (rules.pop("connectome_group"), rules.pop("connectome")) == (1, 3)
    assert set(rules) <= {"default", "all", "report_subject", "report_index", "report_home"}


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (", n_shifts: 2", "datasets.cells.analyses.connectome: n_shifts"),
        (", n_window: 3", "datasets.cells.analyses.connectome: n_window"),
    ],
)
def test_a_bad_setting_ends_in_one_line(more: str, words: str, study: Path) -> None:
    write_manifest(study, more)
    run = run_snakemake(study, "--dry-run", check=False)
    assert run.returncode == 1
    assert words in run.stderr + run.stdout
    assert "Traceback" not in run.stderr + run.stdout


def test_a_wiring_table_that_is_not_there_ends_in_one_line(study: Path) -> None:
    (study / "wiring.csv").unlink()
    run = run_snakemake(study, "--dry-run", check=False)
    assert run.returncode == 1
    said = run.stderr + run.stdout
    assert "datasets.cells.analyses.connectome.wiring names wiring.csv" in said
    assert "Traceback" not in said


def test_too_few_units_end_in_one_line(study: Path) -> None:
    write_manifest(study, ", min_units: 30, max_units: 40")
    run = run_snakemake(study, GROUP, check=False)
    assert run.returncode == 1
    assert "has 19 usable units" in complaint(study, "group")
    assert "analyses: {connectome: false}" in complaint(study, "group")
    assert not (study / GROUP).exists()


def test_a_recording_that_was_left_out_says_so_and_keeps_the_others(study: Path) -> None:
    write_manifest(study, ", max_missing: 0.0")
    shutil.rmtree(study / "results" / "cells" / "connectome")
    ingested = study / "results" / "cells" / "recordings" / "sub-animal02.nc"
    spoil(ingested)
    targets = [f"results/cells/connectome/sub-animal0{k}" for k in (1, 2, 3)]
    run = run_snakemake(study, *targets, "--keep-going", "--rerun-triggers", "params", check=False)
    assert run.returncode == 1
    assert "is no part of the connectome of cells" in complaint(study, ingested.stem)
    others = {path.name for path in (study / "results" / "cells" / "connectome").iterdir()}
    assert len(others - {"group"}) == 2


def spoil(path: Path) -> None:
    """Leave a recording three units."""
    from neuropipe.recording import Recording

    recording = Recording.read(path)
    assert recording.signals is not None
    recording.signals[:, 3:] = float("nan")
    recording.write(path)
