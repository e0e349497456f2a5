"""A small study that Snakemake runs for real, once a session; tests work on copies of it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from neuropipe.manifest import LockedFile, LockedRecording, write_lock
from neuropipe.reference import default_config

ROOT = Path(__file__).parents[2]
Snakemake = Callable[..., subprocess.CompletedProcess[str]]

MANIFEST = """\
datasets:
  rest:
    title: Three subjects of noise with two shared signals
    modality: fmri
    source: {path: data}
    license: CC0-1.0
    citation: made by the test
    analyses: {brainmae: false, connectome: false}
"""


def run_snakemake(
    folder: Path, *arguments: str, root: Path = ROOT, check: bool = True
) -> subprocess.CompletedProcess[str]:
    """Run the workflow of a checkout in a study's folder."""
    command = [sys.executable, "-m", "snakemake", "-s", str(root / "Snakefile"), "--directory",
               str(folder), "--cores", "2", *arguments]  # fmt: skip
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    run = subprocess.run(
        command, capture_output=True, text=True, check=False, env=environment, timeout=550
    )
    if check and run.returncode:
        raise AssertionError(f"{' '.join(command)}\n{run.stdout}\n{run.stderr}")
    return run


def planned_rules(folder: Path, *arguments: str, root: Path = ROOT) -> dict[str, int]:
    """Rules that a run would start, with the number of their jobs."""
    run = run_snakemake(folder, "--dry-run", "--quiet", "host", "reason", *arguments, root=root)
    rules: dict[str, int] = {}
    lines = iter((run.stdout + run.stderr).splitlines())
    for line in lines:
        if line.split() == ["job", "count"]:
            next(lines)
            for row in lines:
                cells = row.split()
                if len(cells) != 2 or cells[0] == "total":
                    return rules
                rules[cells[0]] = int(cells[1])
    return rules


def write_series(path: Path, seed: int, n_units: int = 12, n_times: int = 160) -> None:
    """Write ROI series that two signals drive, named as XCP-D names them, with a sidecar."""
    rng = np.random.default_rng(seed)
    shared = np.cumsum(rng.normal(size=(n_times, 2)), axis=0) / 5
    series = 1000 + shared @ rng.normal(size=(2, n_units)) + rng.normal(size=(n_times, n_units))
    path.parent.mkdir(parents=True, exist_ok=True)
    names = [f"{side}_Region{i}" for i in range(n_units // 2) for side in ("L", "R")]
    rows = ["\t".join(names), *("\t".join(f"{v:.4f}" for v in row) for row in series)]
    path.write_text("\n".join(rows) + "\n")
    path.with_suffix(".json").write_text(json.dumps({"RepetitionTime": 2.0}))


def series_path(subject: str) -> str:
    return f"sub-{subject}/func/sub-{subject}_task-rest_seg-Test_timeseries.tsv"


def make_study(folder: Path, subjects: tuple[str, ...] = ("01", "02", "03")) -> Path:
    """Write a study of ROI series and lock it."""
    from neuropipe.lock import lock_command

    for seed, subject in enumerate(subjects):
        write_series(folder / "data" / series_path(subject), seed)
    (folder / "data_manifest.yaml").write_text(MANIFEST)
    (folder / "config").mkdir()
    (folder / "config" / "config.yaml").write_text(default_config())
    lock_command(manifest=folder / "data_manifest.yaml", names=[], all_=True)
    return folder


def make_large_study(folder: Path, n_recordings: int) -> Path:
    """Write a study whose lock names recordings that need not exist to be planned."""
    make_study(folder, ("01",))
    locked = []
    for i in range(n_recordings):
        subject = f"{i:04d}"
        file = LockedFile("data", series_path(subject), "", 1000, "0" * 64)
        name = f"sub-{subject}_task-rest"
        locked.append(LockedRecording(name, subject, "", "rest", "", (file,)))
    write_lock(folder / "config" / "recordings" / "rest.tsv", locked)
    return folder


@pytest.fixture(scope="session")
def finished_study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study that ran to its reports; do not change it."""
    folder = make_study(tmp_path_factory.mktemp("finished"))
    run_snakemake(folder)
    return folder


@pytest.fixture
def study(finished_study: Path, tmp_path: Path) -> Path:
    """A copy of the finished study that a test may change."""
    return Path(shutil.copytree(finished_study, tmp_path / "study", symlinks=True))
