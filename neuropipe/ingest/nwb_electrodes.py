"""Where the units of an NWB file were recorded: regions and positions of their electrodes."""

from __future__ import annotations

from typing import Any

import numpy as np

from neuropipe.errors import InputError
from neuropipe.ingest.arrays import read_dataset
from neuropipe.ingest.nwb import is_known, plain_columns, text_or_missing
from neuropipe.recording import MISSING

_PER_METRE = {"um": 1e6, "mm": 1e3, "m": 1.0}
_BRAIN = 0.5  # m; no electrode lies farther from the origin of its brain


def place_columns(
    units: Any, setting: str, species: str, what: str, history: list[str]
) -> dict[str, np.ndarray]:
    """Region and position of every unit.

    Parameters
    ----------
    units : pynwb.misc.Units
    setting : {"auto", "um", "mm", "m"}
        Length unit of the positions.
    species : str
        Binomial name, ``""`` when unknown.
    what : str
        Name of the file, for errors.
    history : list of str
        Takes the notes.

    Returns
    -------
    dict of str to array of shape (n_units,)
        ``region``, the commonest location of the unit's electrodes, and ``x``, ``y``, ``z``, their
        mean position in m; only what the file tells.

    Raises
    ------
    InputError
        If a unit lies on an electrode that does not exist.
    """
    found: dict[str, np.ndarray] = {}
    if "electrodes" in units.colnames:
        found = _of_electrodes(units, setting, species, what, history)
    if "electrode_group" in units.colnames and "region" not in found:
        groups = units["electrode_group"]
        places = [text_or_missing(groups[i].location) for i in range(len(units.id))]
        found["region"] = np.array(places, dtype=object)
    return found


def _of_electrodes(
    units: Any, setting: str, species: str, what: str, history: list[str]
) -> dict[str, np.ndarray]:
    column, n_units = units["electrodes"], len(units.id)
    region, ends = column, np.arange(1, n_units + 1)
    if type(column).__name__ == "VectorIndex":
        region, ends = column.target, read_dataset(column.data, what).astype(np.int64)
    rows = read_dataset(region.data, what).astype(np.int64)
    electrodes, _ = plain_columns(region.table, f"{what}: electrodes")
    outside = len(rows) and (rows.min() < 0 or rows.max() >= len(electrodes))
    if outside or len(ends) != n_units or (n_units and ends[-1] > len(rows)):
        raise InputError(
            f"{what}: the units' electrodes point outside the electrode table",
            f"rows 0 to {len(electrodes) - 1} for each of {n_units} units",
            "write the units table again",
        )
    own = [rows[a:b] for a, b in zip(np.concatenate([[0], ends[:-1]]), ends, strict=True)]
    found: dict[str, np.ndarray] = {}
    if "location" in electrodes:
        places = electrodes["location"].to_numpy()
        found["region"] = np.array([_commonest(places[r]) for r in own], dtype=object)
    axes = [a for a in ("x", "y", "z") if a in electrodes and electrodes[a].dtype.kind in "iuf"]
    positions = electrodes[axes].to_numpy(np.float64)
    if not np.isfinite(positions).any():
        return found
    unit, reason = electrode_unit(positions, setting, species)
    history.append(f"electrode positions taken as {unit} ({reason}) and stored in m")
    for a, axis in enumerate(axes):
        values = positions[:, a] / _PER_METRE[unit]
        found[axis] = np.array([values[r].mean() if len(r) else np.nan for r in own])
    return found


def electrode_unit(positions: np.ndarray, setting: str, species: str) -> tuple[str, str]:
    """Judge the length unit of electrode positions.

    The NWB standard says micrometres, yet files hold metres, and coordinates of human templates
    (MNI) hold millimetres.

    Parameters
    ----------
    positions : array of shape (n_electrodes, n_axes)
        NaN where unknown.
    setting : {"auto", "um", "mm", "m"}
    species : str

    Returns
    -------
    unit : {"um", "mm", "m"}
    reason : str
    """
    if setting != "auto":
        return setting, "by the setting electrode_unit"
    largest = float(np.nanmax(np.abs(positions)))
    if 0 < largest < _BRAIN:
        return "m", f"none is farther than {largest:.3g}"
    if species == "Homo sapiens" and largest < _BRAIN * _PER_METRE["mm"]:
        return "mm", f"human template coordinates up to {largest:.3g}"
    return "um", "as the NWB standard says"


def _commonest(places: np.ndarray) -> str:
    known = [str(place) for place in places if is_known(place)]
    return max(known, key=known.count) if known else MISSING
