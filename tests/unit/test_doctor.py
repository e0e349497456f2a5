"""The doctor names what is missing and what to do about it."""

from __future__ import annotations

import shutil
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

from neuropipe import doctor


def by_name(folder: Path) -> dict[str, doctor.Finding]:
    return {finding.what: finding for finding in doctor.diagnose(folder)}


def test_this_machine_can_run_the_workflow(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert doctor.print_diagnosis(tmp_path) == 0
    printed = "".join(capsys.readouterr().out.split())
    assert "snakemake" in printed
    assert "neuropipe[bench]" in printed or "extrabenchok" in printed


def test_a_missing_package_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def version(name: str) -> str:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "version", version)
    finding = by_name(tmp_path)["nilearn"]
    assert finding.state == "missing"
    assert finding.remedy
    assert doctor.print_diagnosis(tmp_path) == 1


@pytest.mark.parametrize(
    ("present", "state"), [((), "optional"), (("sbatch",), "optional"), (("sbatch", "sacct"), "ok")]
)
def test_scheduler(
    present: tuple[str, ...], state: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: name if name in present else None)
    assert by_name(tmp_path)["SLURM"].state == state


def test_a_full_disk_is_a_finding(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def usage(_: Any) -> Any:
        return shutil._ntuple_diskusage(100, 99, 1)  # type: ignore[attr-defined]

    monkeypatch.setattr(shutil, "disk_usage", usage)
    assert by_name(tmp_path)["disk"].state == "missing"
