"""What this machine has, and what to do about what is missing."""

from __future__ import annotations

import importlib.util
import platform
import shutil
import sys
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Literal

import psutil
from rich.console import Console
from rich.markup import escape
from rich.table import Table

State = Literal["ok", "optional", "missing"]
_GIB = 2**30
_MIN_DISK, _MIN_MEMORY = 5, 4  # GiB that the demo and a small dataset want
#: What each optional extra is for, and a module that shows it is installed.
EXTRAS = {
    "remote": ("dandi", "uploading to and inspecting DANDI"),
    "backbones": ("timm", "pretrained image features"),
    "bench": ("rsatoolbox", "peers of `neuropipe benchmark`"),
    "test": ("pytest", "the test suite"),
}
_MARKS: dict[State, str] = {
    "ok": "[green]ok[/]", "optional": "[yellow]optional[/]", "missing": "[red]missing[/]",
}  # fmt: skip


@dataclass(frozen=True)
class Finding:
    """One fact about the machine.

    Parameters
    ----------
    what : str
        The thing looked for.
    state : {"ok", "optional", "missing"}
        ``missing`` is what the workflow cannot do without.
    found : str
        What was found.
    remedy : str
        What to do when it is absent.
    """

    what: str
    state: State
    found: str
    remedy: str = ""


def diagnose(folder: Path = Path()) -> list[Finding]:
    """Look at Python, the packages, accelerator, scheduler, memory and disk.

    Parameters
    ----------
    folder : Path
        Where the study's results will lie; its disk is measured.
    """
    return [
        _python(),
        *(_package(name) for name in ("snakemake", "torch", "nilearn", "pynwb", "mne")),
        _gpu(),
        _slurm(),
        _memory(),
        _disk(folder),
        *(_extra(name) for name in EXTRAS),
    ]


def print_diagnosis(folder: Path = Path()) -> int:
    """Print the findings as a table.

    Returns
    -------
    int
        0, or 1 when something that the workflow needs is missing.
    """
    findings = diagnose(folder)
    table = Table("what", "state", "found", "what to do", box=None, pad_edge=False)
    for finding in findings:
        found, remedy = escape(finding.found), escape(finding.remedy)
        table.add_row(finding.what, _MARKS[finding.state], found, remedy)
    Console().print(table)
    return int(any(finding.state == "missing" for finding in findings))


def _python() -> Finding:
    version = platform.python_version()
    if (3, 11) <= sys.version_info[:2] <= (3, 13):
        return Finding("Python", "ok", version)
    return Finding("Python", "missing", version, "use Python 3.11, 3.12 or 3.13")


def _package(name: str) -> Finding:
    try:
        return Finding(name, "ok", metadata.version(name))
    except metadata.PackageNotFoundError:
        return Finding(name, "missing", "not installed", "run `make run`, or pip install neuropipe")


def _gpu() -> Finding:
    if importlib.util.find_spec("torch") is None:
        return Finding("GPU", "optional", "unknown without torch")
    import torch

    if not torch.cuda.is_available():
        return Finding("GPU", "optional", "none: networks run on the CPU",
                       "install a CUDA build of torch where there is a GPU")  # fmt: skip
    names = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    return Finding("GPU", "ok", ", ".join(names))


def _slurm() -> Finding:
    if shutil.which("sbatch") is None:
        return Finding("SLURM", "optional", "no sbatch: jobs run here",
                       "on a cluster use `--profile workflow/profiles/slurm`")  # fmt: skip
    if shutil.which("sacct") is None:
        return Finding("SLURM", "optional", "sbatch without sacct",
                       "add `--slurm-status-command squeue`")  # fmt: skip
    return Finding("SLURM", "ok", "sbatch and sacct")


def _memory() -> Finding:
    total = psutil.virtual_memory().total / _GIB
    found = f"{total:.0f} GiB, {psutil.cpu_count()} cores"
    if total < _MIN_MEMORY:
        return Finding("memory", "missing", found, f"{_MIN_MEMORY} GiB or more are needed")
    return Finding("memory", "ok", found)


def _disk(folder: Path) -> Finding:
    free = shutil.disk_usage(folder).free / _GIB
    found = f"{free:.0f} GiB free"
    if free < _MIN_DISK:
        return Finding("disk", "missing", found, f"free {_MIN_DISK} GiB, or work elsewhere")
    return Finding("disk", "ok", found)


def _extra(name: str) -> Finding:
    module, purpose = EXTRAS[name]
    if importlib.util.find_spec(module) is not None:
        return Finding(f"extra {name}", "ok", purpose)
    return Finding(f"extra {name}", "optional", f"not installed ({purpose})",
                   f"pip install 'neuropipe[{name}]'")  # fmt: skip
