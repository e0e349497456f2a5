"""The truth of simulated data, stored beside the data: arrays a recording, one summary in JSON.

``truth/<recording>.nc`` holds what is true of one recording; ``truth/truth.json`` the kind of
simulation, its settings and what holds for all recordings. Readers of the data never look there.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from neuropipe.errors import InputError
from neuropipe.names import check_name
from neuropipe.simulate.settings_base import Simulation

FOLDER = "truth"
SUMMARY = f"{FOLDER}/truth.json"
_REMEDY = "write the dataset again with `neuropipe simulate`"


def truth_path(recording: str) -> str:
    """Path of a recording's truth, relative to the dataset."""
    return f"{FOLDER}/{check_name(recording, 'recording')}.nc"


def write_truth(folder: Path, recording: str, truth: xr.Dataset) -> None:
    """Write the arrays that are true of one recording.

    Parameters
    ----------
    folder : Path
        Of the dataset.
    recording : str
        As the lock names it.
    truth : xarray.Dataset
        With units in the attributes of its variables.
    """
    path = folder / truth_path(recording)
    path.parent.mkdir(parents=True, exist_ok=True)
    truth.to_netcdf(path, engine="h5netcdf")


def write_summary(folder: Path, kind: str, settings: Simulation, facts: Mapping[str, Any]) -> None:
    """Write what holds for all recordings.

    Parameters
    ----------
    folder : Path
        Of the dataset.
    kind : str
        Kind of simulation.
    settings : Simulation
        As validated; enough to make the same data again.
    facts : mapping
        Further truth; numpy numbers and arrays are written as plain ones.
    """
    summary = {"kind": kind, "settings": settings.model_dump(), "facts": _plain(dict(facts))}
    path = folder / SUMMARY
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(summary, indent=1, allow_nan=False) + "\n", encoding="utf-8")


def read_truth(folder: Path, recording: str) -> xr.Dataset:
    """Read the arrays that are true of one recording.

    Raises
    ------
    InputError
        If there are none.
    """
    path = folder / truth_path(recording)
    try:
        return xr.load_dataset(path, engine="h5netcdf")
    except (OSError, ValueError, KeyError) as error:
        raise InputError(f"{path}: {error}", "the truth of a recording", _REMEDY) from error


def read_summary(folder: Path) -> dict[str, Any]:
    """Read ``truth/truth.json``: ``kind``, ``settings`` and ``facts``.

    Raises
    ------
    InputError
        If it is missing or malformed.
    """
    path = folder / SUMMARY
    try:
        summary = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: {error}", "the truth of a dataset", _REMEDY) from error
    if not isinstance(summary, dict):
        raise InputError(f"{path} holds no mapping", "kind, settings and facts", _REMEDY)
    return summary


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(entry) for entry in value]
    if isinstance(value, np.ndarray):
        return _plain(value.tolist())
    return value.item() if isinstance(value, np.generic) else value
