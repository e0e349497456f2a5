"""Representations in the workflow: reports, model RDMs, what reruns, what stops."""

from __future__ import annotations

import json
import re
import shutil
from collections import Counter
from pathlib import Path

import pytest

from neuropipe.lock import lock_command
from neuropipe.reference import default_config
from neuropipe.simulate.representations_files import write
from neuropipe.simulate.settings_stimuli import RepresentationsSimulation
from tests.workflow.conftest import planned_rules, run_snakemake

pytestmark = pytest.mark.workflow

MANIFEST = """\
datasets:
  pictures:
    title: Two subjects who see the same pictures
    modality: images
    source: {{path: data}}
    license: CC0-1.0
    citation: made by the test
    analyses:{analyses}
"""
TINY = """
      trsa:
        circular: {{angle: 360}}
        n_bootstrap: {n_bootstrap}
        n_permutations: 99
        topology: {{n_null: 19, step: 0.1, n_cells: 3}}
        models: [rdms/hue.tsv]
"""
GROUP = "results/pictures/trsa/group"


def write_manifest(folder: Path, analyses: str | None = None, n_bootstrap: int = 50) -> None:
    chosen = TINY.format(n_bootstrap=n_bootstrap) if analyses is None else f" {analyses}"
    (folder / "data_manifest.yaml").write_text(MANIFEST.format(analyses=chosen))


def make_study(folder: Path) -> Path:
    """Write two subjects, and beside the manifest the RDM that their region `ring` shares."""
    (folder / "data").mkdir()
    simulation = RepresentationsSimulation(
        n_subjects=2, n_repeats=3, ceiling=0.95, individuality=0.0, seed=5
    )
    write(simulation, folder / "data")
    (folder / "rdms").mkdir()
    shutil.copyfile(folder / "data" / "truth" / "ring.tsv", folder / "rdms" / "hue.tsv")
    shutil.rmtree(folder / "data" / "truth")
    write_manifest(folder)
    (folder / "config").mkdir()
    (folder / "config" / "config.yaml").write_text(default_config())
    lock_command(manifest=folder / "data_manifest.yaml", names=[], all_=True)
    return folder


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The dataset, run to its reports; do not change it."""
    folder = make_study(tmp_path_factory.mktemp("trsa"))
    run_snakemake(folder)
    return folder


@pytest.fixture
def study(finished: Path, tmp_path: Path) -> Path:
    """A copy of the finished study that a test may change."""
    return Path(shutil.copytree(finished, tmp_path / "study", symlinks=True))


def metrics_of(folder: Path) -> dict[str, dict[str, object]]:
    return {one["name"]: one for one in json.loads((folder / "metrics.json").read_text())}


def test_its_sections_stand_in_the_reports(finished: Path) -> None:
    report = finished / "results" / "pictures" / "report"
    index = (report / "index.html").read_text()
    for words in (
        "Representational geometry and topology of the dataset", "regions identified: rank RDM",
        "model hue: all units", "What tells regions apart", "Models and noise ceiling",
    ):  # fmt: skip
        assert words in index, words
    pages = sorted(report.glob("sub-*.html"))
    assert [page.name for page in pages] == ["sub-01.html", "sub-02.html"]
    for page in pages:
        text = page.read_text()
        for words in ("Representational geometry and topology", "conditions told apart",
                      "Shape: Betti curves", "Walther A, Nili H"):  # fmt: skip
            assert words in text, words
        assert page.stat().st_size < 3e6
    assert {path.name for path in (finished / "results/pictures/trsa").iterdir()} >= {
        "sub-01", "sub-02", "group",
    }  # fmt: skip


def test_planted_numbers_stand_in_the_results(finished: Path) -> None:
    own = metrics_of(finished / "results/pictures/trsa/sub-01")
    assert own["conditions told apart"]["value"] > 90
    group = metrics_of(finished / GROUP)
    assert group["regions identified: rank RDM"]["value"] == 100.0
    # The model of the file that the manifest names is the truth of its region.
    assert group["model hue: ring"]["value"] > 0.8
    inputs = json.loads((finished / "results/pictures/trsa/sub-01/provenance.json").read_text())
    assert any(one["path"].endswith("rdms/hue.tsv") for one in inputs["inputs"])


def test_a_second_run_does_nothing(finished: Path) -> None:
    assert planned_rules(finished) == {}


def planned(folder: Path) -> tuple[dict[str, int], list[str]]:
    """Rules that a run would start, with their number, and its commands of representations."""
    run = run_snakemake(folder, "--dry-run", "--printshellcmds")
    rules = re.findall(r"^(?:local)?rule (\w+):", run.stdout + run.stderr, re.MULTILINE)
    commands = [line for line in run.stdout.splitlines() if "-m neuropipe trsa" in line]
    return dict(Counter(rules)), commands


REPORTS = {"default": 1, "report_subject": 2, "report_index": 1, "report_home": 1}


def test_a_changed_setting_reruns_it_and_the_reports_alone(study: Path) -> None:
    write_manifest(study, n_bootstrap=60)
    rules, commands = planned(study)
    assert rules == {**REPORTS, "trsa": 2, "trsa_group": 1}
    # The manifest asks for it: a subject that it does not fit is an error.
    assert all(("trsa group" in line) == ("--optional" in line) for line in commands)
    assert len(commands) == 3


def test_what_is_not_asked_for_stops_nothing(study: Path) -> None:
    write_manifest(study, "{connectivity: false}")
    rules, commands = planned(study)
    assert rules == {**REPORTS, "trsa": 2, "trsa_group": 1}
    assert len(commands) == 3
    assert all("--optional" in line for line in commands)


def test_a_changed_model_makes_it_anew(study: Path) -> None:
    path = study / "rdms" / "hue.tsv"
    path.write_text(path.read_text() + "\n")
    rules = planned_rules(study)
    assert (rules["trsa"], rules["trsa_group"]) == (2, 1)
    assert "quality" not in rules


def test_a_model_that_is_not_there_ends_in_one_line(study: Path) -> None:
    (study / "rdms" / "hue.tsv").unlink()
    run = run_snakemake(study, "--dry-run", check=False)
    assert run.returncode == 1
    said = run.stderr + run.stdout
    assert "datasets.pictures.analyses.trsa.models names rdms/hue.tsv" in said
    assert "Traceback" not in said
