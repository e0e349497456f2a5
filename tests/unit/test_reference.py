"""Generated files agree with the models; environments agree with each other."""

from __future__ import annotations

import json
import re
from pathlib import Path

import yaml

from neuropipe.manifest import load_manifest
from neuropipe.reference import reference_files, write_reference
from neuropipe.study import Config, Study

ROOT = Path(__file__).parents[2]


def test_generated_files_are_current() -> None:
    for name, text in reference_files().items():
        assert (ROOT / name).read_text(encoding="utf-8") == text, f"{name}: run `make docs`"


def test_default_configuration_is_the_models_defaults() -> None:
    parsed = yaml.safe_load(reference_files()["config/config.yaml"])
    assert Config.model_validate(parsed) == Config()
    assert "$schema" in json.loads(reference_files()["config/schema.json"])


def test_check_finds_a_stale_file(tmp_path: Path) -> None:
    assert write_reference(tmp_path, check=True) == 1
    write_reference(tmp_path)
    assert write_reference(tmp_path, check=True) == 0
    (tmp_path / "config" / "config.yaml").write_text("quality: {}\n")
    assert write_reference(tmp_path, check=True) == 1


def test_every_key_is_explained() -> None:
    for line in reference_files()["docs/configuration.md"].splitlines():
        if line.startswith("| `"):
            assert line.rsplit("|", 2)[1].strip(), f"no description: {line}"


def test_shipped_manifest_is_sound_and_locked() -> None:
    study = Study.load({}, ROOT)
    study.check_locks()
    kinds = ("fmri", "calcium", "spikes", "vision", "representations")
    assert set(study.datasets) == {f"demo-{kind}" for kind in kinds}
    public = [
        d for d in load_manifest(ROOT / "data_manifest.yaml").datasets.values() if not d.enabled
    ]
    kinds = {type(d.source).__name__ for d in public}
    assert len(public) >= 4
    assert {"OpenNeuroSource", "DandiSource", "NilearnSource"} <= kinds


def pins(text: str) -> dict[str, str]:
    found = re.findall(r"^\s*-?\s*([A-Za-z0-9_.-]+)==([^\s#]+)", text, flags=re.MULTILINE)
    return dict(found)


def test_environments_install_the_same_versions() -> None:
    constraints = pins((ROOT / "envs" / "constraints.txt").read_text())
    conda = pins((ROOT / "envs" / "neuropipe.yaml").read_text())
    assert conda
    assert conda.items() <= constraints.items()
    for name in ("snakemake", "nilearn", "nibabel", "pynwb", "tensorly", "torch", "mne", "pandas",
                 "xarray", "h5netcdf", "pydantic", "typer"):  # fmt: skip
        assert name in conda
    assert "envs/constraints.txt" in (ROOT / "envs" / "neuropipe.Dockerfile").read_text()
