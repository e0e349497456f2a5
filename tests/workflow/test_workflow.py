"""The workflow as its users run it: a run, a rerun, a change, a fault, a kill, a plan."""

from __future__ import annotations

import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from tests.workflow.conftest import (
    MANIFEST,
    ROOT,
    make_large_study,
    make_study,
    planned_rules,
    run_snakemake,
    series_path,
)

pytestmark = pytest.mark.workflow


def pages(folder: Path) -> set[str]:
    return {p.name for p in (folder / "results" / "rest" / "report").glob("*.html")}


def arrays(folder: Path) -> dict[str, xr.DataTree]:
    found = {}
    for path in sorted((folder / "results").rglob("[!.]*.nc")):
        with xr.open_datatree(path, engine="h5netcdf") as tree:
            found[str(path.relative_to(folder))] = tree.load()
    return found


def test_one_command_ends_in_reports(finished_study: Path) -> None:
    assert pages(finished_study) == {"index.html", "sub-01.html", "sub-02.html", "sub-03.html"}
    assert (finished_study / "results" / "index.html").is_file()
    page = (finished_study / "results" / "rest" / "report" / "sub-01.html").read_text()
    for heading in ("Quality", "onnectivity", "Methods", "Provenance", "Errors and warnings"):
        assert heading in page, heading


def test_a_second_run_does_nothing_and_says_so(finished_study: Path) -> None:
    start = time.monotonic()
    run = run_snakemake(finished_study)
    assert "Nothing to be done" in run.stdout + run.stderr
    assert time.monotonic() - start < 15


REPORTS = {"default": 1, "report_subject": 3, "report_index": 1, "report_home": 1}


@pytest.mark.parametrize(
    ("change", "rules"),
    [
        ("connectivity: {}", {}),
        ("quality: {fmri: {length: {good: 400, bad: 120}}}", {"quality": 3, **REPORTS}),
        (
            "connectivity: {n_permutations: 77}",
            {"connectivity": 3, "connectivity_group": 1, **REPORTS},
        ),
    ],
)
def test_a_changed_setting_reruns_its_part(change: str, rules: dict[str, int], study: Path) -> None:
    manifest = study / "data_manifest.yaml"
    manifest.write_text(MANIFEST.replace("brainmae: false", f"brainmae: false, {change}"))
    assert planned_rules(study) == rules


def test_a_changed_reading_option_reruns_its_dataset(study: Path) -> None:
    (study / "data_manifest.yaml").write_text(MANIFEST + "    read: {homologues: none}\n")
    rules = {"ingest": 3, "quality": 3, "connectivity": 3, "connectivity_group": 1, **REPORTS}
    assert planned_rules(study) == rules


def test_a_new_recording_runs_alone(study: Path) -> None:
    from neuropipe.lock import lock_command
    from tests.workflow.conftest import write_series

    write_series(study / "data" / series_path("04"), seed=4)
    lock_command(manifest=study / "data_manifest.yaml", names=["rest"], all_=False)
    rules = planned_rules(study)
    assert (rules["ingest"], rules["quality"], rules["connectivity"]) == (1, 1, 1)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of the code that a test may edit."""
    root = tmp_path / "checkout"
    for name in ("neuropipe", "workflow"):
        shutil.copytree(ROOT / name, root / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "Snakefile", root)
    return root


@pytest.mark.parametrize(
    ("module", "text", "rules"),
    [
        ("quality/commands.py", "\n# a comment\n", {}),
        ("quality/commands.py", "\nCHANGED = 1\n", {"quality": 3, **REPORTS}),
        ("report/commands.py", "\nCHANGED = 1\n", REPORTS),
        (
            "connectivity/commands.py",
            "\nCHANGED = 1\n",
            {"connectivity": 3, "connectivity_group": 1, **REPORTS},
        ),
        ("ingest/nwb_spikes.py", "\nCHANGED = 1\n", {}),
    ],
)
def test_changed_code_reruns_its_part(
    module: str, text: str, rules: dict[str, int], study: Path, checkout: Path
) -> None:
    with (checkout / "neuropipe" / module).open("a") as stream:
        stream.write(text)
    assert planned_rules(study, root=checkout) == rules


def test_one_bad_recording_stops_nobody_else(tmp_path: Path) -> None:
    folder = make_study(tmp_path / "study")
    bad = folder / "data" / series_path("02")
    bad.write_text(bad.read_text().replace("\t", "\tx", 40))
    run = run_snakemake(folder, "--keep-going", check=False)
    assert run.returncode == 1
    log = (folder / "logs" / "rest" / "ingest" / "sub-02_task-rest.log").read_text()
    assert log.startswith("neuropipe: ")
    assert log.count("\n") == 1
    assert log.strip() in run.stdout + run.stderr
    assert pages(folder) == {"index.html", "sub-01.html", "sub-03.html"}
    assert not list((folder / "results").rglob("*sub-02*"))
    index = (folder / "results" / "rest" / "report" / "index.html").read_text()
    assert "not finished" in index
    assert (folder / "results" / "index.html").is_file()


def test_a_run_that_was_killed_twice_ends_with_the_same_arrays(
    finished_study: Path, tmp_path: Path
) -> None:
    folder = make_study(tmp_path / "study")
    command = [sys.executable, "-m", "snakemake", "-s", str(ROOT / "Snakefile"), "--directory",
               str(folder), "--cores", "2"]  # fmt: skip
    for delay in (4.0, 7.0):  # while recordings are read, and while they are analysed
        process = subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
        )
        time.sleep(delay)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        run_snakemake(folder, "--unlock")
    assert not (folder / "results" / "index.html").exists()
    run_snakemake(folder)
    expected, found = arrays(finished_study), arrays(folder)
    assert expected.keys() == found.keys()
    for name, tree in expected.items():
        for group in tree.subtree:
            other = found[name][group.path]
            for variable in group.data_vars:
                np.testing.assert_array_equal(
                    group[variable].values, other[variable].values, err_msg=f"{name}: {variable}"
                )


def test_planning_a_thousand_recordings_is_quick(tmp_path: Path) -> None:
    folder = make_large_study(tmp_path / "study", 1000)
    # Processor time: the machine may be busy with other tests.
    start = resource.getrusage(resource.RUSAGE_CHILDREN)
    rules = planned_rules(folder)
    end = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = end.ru_utime + end.ru_stime - start.ru_utime - start.ru_stime
    assert rules["report_subject"] == 1000
    assert seconds < 20, f"{seconds:.1f} s"


@pytest.mark.parametrize(
    ("manifest", "message"),
    [
        (MANIFEST.replace("rest:", "other:"), "neuropipe manifest lock other"),
        (MANIFEST.replace("modality: fmri", "modality: eeg"), "datasets.rest.modality is 'eeg'"),
        (MANIFEST.replace("brainmae", "conectivity"), "analyses.conectivity"),
        (
            MANIFEST.replace("brainmae: false", "brainmae: {weights_of: rest}"),
            "another enabled dataset",
        ),
        (MANIFEST + "    read: {parcelation: x}\n", "parcelation"),
    ],
)
def test_a_faulty_study_ends_in_one_line(manifest: str, message: str, study: Path) -> None:
    (study / "data_manifest.yaml").write_text(manifest)
    run = run_snakemake(study, "--dry-run", check=False)
    assert run.returncode != 0
    assert message in run.stderr + run.stdout
    assert "Traceback" not in run.stderr + run.stdout


def test_it_is_a_module_of_another_workflow(study: Path) -> None:
    (study / "Snakefile").write_text(
        'configfile: "config/config.yaml"\n'
        "module neuropipe:\n"
        f'    snakefile: "{ROOT}/workflow/Snakefile"\n'
        "    config: config\n"
        "use rule * from neuropipe as neuropipe_*\n"
        "rule mine:\n"
        "    default_target: True\n"
        '    input: "results/rest/connectivity/group"\n'
    )
    rules = planned_rules(study, "--forceall", root=study)
    assert rules["neuropipe_ingest"] == 3
    assert rules["mine"] == 1


def test_snakemake_report(study: Path) -> None:
    run_snakemake(study, "--report", "report.zip")
    assert (study / "report.zip").stat().st_size > 10_000
