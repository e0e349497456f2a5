"""What was run, on what, with what: the record beside every result."""

from __future__ import annotations

import platform
import shlex
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping
from functools import lru_cache
from importlib import metadata
from pathlib import Path
from typing import Any

from neuropipe.fingerprint import sha256_path

_PACKAGES = (
    "neuropipe", "numpy", "scipy", "pandas", "xarray", "scikit-learn", "nilearn", "nibabel",
    "pynwb", "mne", "torch", "tensorly", "matplotlib",
)  # fmt: skip
_STARTED = time.monotonic()


def software_versions() -> dict[str, str]:
    """Versions of Python, neuropipe and the packages of its methods that are installed."""
    versions = {"python": platform.python_version()}
    for name in _PACKAGES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return versions


@lru_cache(maxsize=1)
def git_commit() -> str:
    """Commit of the checkout that this package is run from, ``""`` outside a checkout.

    A ``+changes`` marks a working tree that differs from the commit.
    """
    here = Path(__file__).parent
    try:
        run = subprocess.run(
            ["git", "-C", str(here), "describe", "--always", "--abbrev=12", "--exclude=*",
             "--dirty=+changes"],
            capture_output=True, text=True, timeout=10, check=False,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return run.stdout.strip() if run.returncode == 0 else ""


def command() -> str:
    """Tell how this process was started, quoted so that a shell takes it."""
    program = Path(sys.argv[0]).name
    name = "python -m neuropipe" if program == "__main__.py" else program
    return f"{name} {shlex.join(sys.argv[1:])}".rstrip()


def provenance(
    inputs: Iterable[Path],
    *,
    settings: Mapping[str, Any],
    seed: int | None = None,
    device: str = "cpu",
) -> dict[str, Any]:
    """Describe this process and its inputs.

    Parameters
    ----------
    inputs : iterable of Path
        Files or folders that were read; each is hashed.
    settings : mapping
        The validated settings of the command.
    seed : int, optional
        Seed of its random numbers.
    device : str
        ``"cpu"`` or the name of the accelerator.

    Returns
    -------
    dict
        ``command``, ``software``, ``git_commit``, ``platform``, ``device``, ``seed``,
        ``settings``, ``inputs`` (path, sha256) and ``wall_time`` in s since the process started.
    """
    return {
        "command": command(),
        "software": software_versions(),
        "git_commit": git_commit(),
        "platform": f"{platform.system()} {platform.machine()}",
        "device": device,
        "seed": seed,
        "settings": dict(settings),
        "inputs": [{"path": str(p), "sha256": sha256_path(Path(p))} for p in inputs],
        "wall_time": round(time.monotonic() - _STARTED, 3),
    }
