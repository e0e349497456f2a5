"""The command line: light at start, one line and status 2 on bad input."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = ("numpy", "pandas", "xarray", "torch", "nilearn", "matplotlib", "mne", "pynwb")


def neuropipe(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "neuropipe", *arguments], capture_output=True, text=True, check=False
    )


def test_start_imports_nothing_heavy() -> None:
    code = "import sys, neuropipe.cli; print(*sorted({m.split('.')[0] for m in sys.modules}))"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()
    assert not set(HEAVY) & set(loaded)


def test_planning_imports_nothing_heavy() -> None:
    code = "import sys, neuropipe.study; print(*sorted({m.split('.')[0] for m in sys.modules}))"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()
    # results.py types its arrays with xarray; nothing that draws, fits or reads data is loaded.
    assert not (set(HEAVY) - {"numpy", "pandas", "xarray"}) & set(loaded)


@pytest.mark.parametrize("command", [["--help"], ["--version"], ["manifest", "--help"]])
def test_help(command: list[str]) -> None:
    run = neuropipe(*command)
    assert run.returncode == 0
    assert run.stdout


@pytest.mark.parametrize(
    "command",
    [
        ["quality", "missing.nc", "--output", "out"],
        ["quality", "missing.nc", "--output", "out", "--settings", "{"],
        ["quality", "missing.nc", "--output", "out", "--settings", '{"fmry": {}}'],
        ["connectivity", "recording", "missing.nc", "--output", "out"],
        ["connectivity", "group", "d", "--lock", "no.tsv", "--recordings", "x", "--output", "out"],
        ["connectome", "group", "d", "--lock", "no.tsv", "--recordings", "x", "--output", "out"],
        ["connectome", "recording", "sub-1", "--group", "missing", "--output", "out"],
        ["ingest", "r", "--dataset", "d", "--modality", "fmri", "--lock", "no.tsv", "--root", ".",
         "--output", "out"],
        ["ingest", "r", "--dataset", "d", "--modality", "eeg", "--lock", "no.tsv", "--root", ".",
         "--output", "out"],
        ["simulate", "eeg", "--output", "out"],
        ["simulate", "fmri", "--output", "out", "--settings", '{"n_subjects": -1}'],
        ["fetch", "r", "--dataset", "d", "--lock", "no.tsv", "--root", "out"],
        ["report", "subject", "s", "missing", "--dataset", "{}", "--output", "out"],
        ["manifest", "lock", "d", "--manifest", "none.yaml"],
        ["manifest", "check", "--manifest", "none.yaml"],
        ["validate", "nothing"],
        ["benchmark", "nothing"],
        ["atlas", "no-such-atlas", "--output", "out"],
    ],
)  # fmt: skip
def test_bad_input_is_one_line_and_status_2(
    command: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    run = neuropipe(*command)
    assert run.returncode == 2, run.stderr
    assert run.stderr.startswith("neuropipe: ")
    assert run.stderr.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_init_writes_a_study_once(tmp_path: Path) -> None:
    first = neuropipe("init", str(tmp_path / "study"))
    assert first.returncode == 0
    assert "manifest add" in first.stdout
    assert (tmp_path / "study" / "config" / "recordings" / "demo.tsv").is_file()
    manifest = tmp_path / "study" / "data_manifest.yaml"
    manifest.write_text(manifest.read_text() + "# mine\n")
    second = neuropipe("init", str(tmp_path / "study"))
    assert second.returncode == 2
    assert manifest.read_text().endswith("# mine\n")


def test_a_fresh_study_is_sound(tmp_path: Path) -> None:
    from neuropipe.init import init_study
    from neuropipe.manifest import load_yaml
    from neuropipe.study import Config, Study

    init_study(tmp_path)
    config = load_yaml((tmp_path / "config" / "config.yaml").read_text())
    study = Study.load(config, tmp_path)
    assert study.datasets_of("simulated") == ["demo"]
    assert study.subjects("demo") == ["01", "02"]
    assert study.config == Config()
