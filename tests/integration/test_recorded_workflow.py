"""One call of the workflow on real recordings of every kind ends in a page for each subject."""

from __future__ import annotations

import json
from copy import deepcopy
from pathlib import Path

import pytest
import yaml

from neuropipe.lock import lock_command
from neuropipe.manifest import read_lock, write_lock
from neuropipe.reference import default_config
from tests.workflow.conftest import run_snakemake

MANIFEST = Path(__file__).parents[1] / "recorded" / "data_manifest.yaml"
SUBJECTS = {
    "bids-haxby": 1, "roi-hcp-rest": 24, "roi-abide-nyu": 100, "nwb-worm": 1, "nwb-place-cells": 1,
    "nwb-human-mtl": 1, "images-v4": 4,
}  # fmt: skip
BRIEF = {
    "n_windows": 2, "n_bootstrap": 0, "affinity": {"affinity_smoothing": 4.0},
    "factorization": {"rank": 2, "n_restarts": 2, "max_iterations": 30},
    "communities": {"n_runs": 2, "degree_correction": "off"},
}  # fmt: skip
FEW = {
    "n_bootstrap": 50, "n_permutations": 99, "max_conditions": 40,
    "topology": {"n_null": 19, "step": 0.1, "n_cells": 3},
}  # fmt: skip
# One dataset each is enough here; BrainMAE learns from recordings in a test of its own, and has
# others of its place in the workflow.
SHORTENED = {
    "bids-haxby": {"brainmae": False, "connectome": False, "trsa": FEW},
    "roi-hcp-rest": {"brainmae": False, "connectome": False},
    "roi-abide-nyu": {"connectivity": False, "brainmae": False, "connectome": False},
    "nwb-worm": {"connectome": BRIEF, "trsa": False},
    "images-v4": {"trsa": FEW},
}


@pytest.fixture(scope="module")
def recorded(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study of all recorded datasets, locked; two recordings of each are kept and run."""
    folder = tmp_path_factory.mktemp("recorded")
    text = MANIFEST.read_text().replace("../../../shared/data", str(shared_data))
    (folder / "data_manifest.yaml").write_text(text)
    (folder / "config").mkdir()
    (folder / "config" / "config.yaml").write_text(default_config())
    lock_command(manifest=folder / "data_manifest.yaml", names=[], all_=True)
    for name, n_subjects in SUBJECTS.items():
        lock = folder / "config" / "recordings" / f"{name}.tsv"
        recordings = read_lock(lock, name)
        assert len({r.subject for r in recordings}) == n_subjects
        write_lock(lock, recordings[:2])
    manifest = yaml.safe_load(text)
    for name, changed in SHORTENED.items():
        manifest["datasets"][name]["analyses"] = deepcopy(changed)  # YAML has no aliases here
    (folder / "data_manifest.yaml").write_text(yaml.safe_dump(manifest))
    run_snakemake(folder)
    return folder


@pytest.mark.workflow
def test_every_subject_has_a_page(recorded: Path) -> None:
    for name in SUBJECTS:
        pages = list((recorded / "results" / name / "report").glob("sub-*.html"))
        subjects = {r.subject for r in read_lock(recorded / f"config/recordings/{name}.tsv", name)}
        assert {p.name for p in pages} == {f"sub-{s}.html" for s in subjects}
        assert all(p.stat().st_size < 3e6 for p in pages)
    assert (recorded / "results" / "index.html").is_file()


@pytest.mark.workflow
@pytest.mark.parametrize(
    ("result", "metric", "known", "tolerance"),
    [
        ("nwb-worm/connectivity/sub-20220802", "homologous connectivity", 0.59, 0.01),
        ("nwb-worm/connectivity/sub-20220802", "mean connectivity", 0.055, 0.002),
        ("nwb-place-cells/quality/sub-animal1", "spatial information", 1.2, 0.1),
        ("images-v4/quality/session-201016", "split-half reliability", 0.74, 0.01),
        # Two of the twelve runs; chance is 12.5 %.
        ("bids-haxby/trsa/sub-1", "conditions told apart", 37.5, 6.3),
        ("images-v4/trsa/sub-201016", "conditions told apart", 90.6, 2.0),
        ("images-v4/trsa/sub-201016", "RDM repeats in halves", 0.61, 0.02),
    ],
)
def test_known_numbers_stand_in_the_results(
    result: str, metric: str, known: float, tolerance: float, recorded: Path
) -> None:
    metrics = json.loads((recorded / "results" / result / "metrics.json").read_text())
    found = {m["name"]: m["value"] for m in metrics}
    assert found[metric] == pytest.approx(known, abs=tolerance)


@pytest.mark.workflow
@pytest.mark.parametrize(
    ("result", "said"),
    [
        ("nwb-place-cells/trsa/sub-animal1", "recording sub-animal1 has no events"),
        ("nwb-human-mtl/trsa/sub-4", "recording sub-4_ses-4 has 3 conditions"),
        ("images-v4/trsa/group", "no two subjects share all their conditions"),
    ],
)
def test_where_representations_do_not_apply_the_result_says_why(
    result: str, said: str, recorded: Path
) -> None:
    section = json.loads((recorded / "results" / result / "section.json").read_text())
    (warning,) = section["warnings"]
    assert warning.startswith(f"Not made: {said}")


@pytest.mark.workflow
def test_rest_has_no_representations(recorded: Path) -> None:
    for name in ("roi-hcp-rest", "roi-abide-nyu", "nwb-worm"):
        assert not (recorded / "results" / name / "trsa").exists()
