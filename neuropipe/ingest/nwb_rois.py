"""Unit tables of imaged ROIs: names, places, left and right partners."""

from __future__ import annotations

import re
from typing import Any

import h5py
import numpy as np
import pandas as pd

from neuropipe.errors import InputError
from neuropipe.ingest.arrays import read_dataset
from neuropipe.ingest.homologues import pair_homologues
from neuropipe.ingest.nwb import is_known, plain_columns, text_or_missing
from neuropipe.recording import MISSING, text_table

#: Columns that hold neurons' names, likeliest first, compared without case, spaces and underscores.
_NAME_COLUMNS = (
    "neuronname", "neuropalid", "neuropalids", "neuronid", "cellname", "idlabels", "labels",
    "label", "name", "roiname", "cellid", "roiid", "id",
)  # fmt: skip
_METRES = {
    "meters": 1.0, "meter": 1.0, "metres": 1.0, "m": 1.0, "millimeters": 1e-3, "mm": 1e-3,
    "micrometers": 1e-6, "microns": 1e-6, "um": 1e-6, "micron": 1e-6, "micrometer": 1e-6,
}  # fmt: skip
_MASKS = ("pixel_mask", "voxel_mask", "image_mask")
_LARGEST_MASKS = 200 << 20  # bytes; dense image masks beyond it cost more than centroids are worth


def roi_table(table: Any, rows: np.ndarray, what: str, history: list[str]) -> pd.DataFrame:
    """Describe the ROIs of a response series.

    Parameters
    ----------
    table : pynwb.ophys.PlaneSegmentation
        Or any table of ROIs.
    rows : array of shape (n_units,)
        Rows of the table.
    what : str
        Name of the file, for errors.
    history : list of str
        Takes the notes.

    Returns
    -------
    pandas.DataFrame
        One row a ROI: the table's own columns of one value, ``region`` of the imaging plane, and
        the mask's centre: ``x``, ``y``, ``z`` in m where the plane's grid spacing is known,
        ``x_px``, ``y_px``, ``z_px`` in pixels otherwise.
    """
    columns, notes = plain_columns(table, f"{what}: table {table.name}", _MASKS)
    history += [note.removeprefix(f"{what}: ") for note in notes]
    columns = columns.iloc[rows].reset_index(drop=True)
    plane = getattr(table, "imaging_plane", None)
    place = text_or_missing(getattr(plane, "location", None))
    if place != MISSING and "region" not in columns:
        columns["region"] = place
    if not {"x", "y"} <= set(columns):
        centres = _centres(table, rows, what)
        if centres is not None:
            for name, values in _positions(centres, plane).items():
                columns[name] = values
    return columns


def _centres(table: Any, rows: np.ndarray, what: str) -> np.ndarray | None:
    """Weighted centres of the masks in pixels, of shape (n_units, 2 or 3)."""
    group = table.id.data.parent if isinstance(table.id.data, h5py.Dataset) else {}
    for name in ("pixel_mask", "voxel_mask"):
        if name in group and f"{name}_index" in group:
            mask = read_dataset(group[name], what)
            ends = read_dataset(group[f"{name}_index"], what).astype(np.int64)
            axes = [axis for axis in "xyz" if axis in (mask.dtype.names or ())]
            if len(axes) < 2 or len(ends) <= int(rows.max(initial=-1)):
                return None
            return np.array([_centre(mask, ends, row, axes) for row in rows])
    if "image_mask" in group and group["image_mask"].ndim == 3:
        stored = group["image_mask"]
        if stored.size * stored.dtype.itemsize <= _LARGEST_MASKS:
            images = read_dataset(stored, what).astype(np.float64)[rows]
            total = images.sum(axis=(1, 2))
            with np.errstate(invalid="ignore", divide="ignore"):
                # Image masks are indexed by row (x) and column (y), as pixel masks are.
                x = (images.sum(axis=2) @ np.arange(images.shape[1])) / total
                y = (images.sum(axis=1) @ np.arange(images.shape[2])) / total
            return np.stack([x, y], axis=1)
    return None


def _centre(mask: np.ndarray, ends: np.ndarray, row: int, axes: list[str]) -> list[float]:
    pixels = mask[(ends[row - 1] if row else 0) : ends[row]]
    weighted = "weight" in (pixels.dtype.names or ())
    weights = pixels["weight"].astype(np.float64) if weighted else None
    if not len(pixels) or (weights is not None and weights.sum() <= 0):
        return [float("nan")] * len(axes)
    return [float(np.average(pixels[axis].astype(np.float64), weights=weights)) for axis in axes]


def _positions(centres: np.ndarray, plane: Any) -> dict[str, np.ndarray]:
    spacing = getattr(plane, "grid_spacing", None)
    unit = _METRES.get(str(getattr(plane, "grid_spacing_unit", "")).lower())
    names = "xyz"[: centres.shape[1]]
    if spacing is None or unit is None or len(spacing[:]) < len(names):
        return {f"{axis}_px": centres[:, i] for i, axis in enumerate(names)}
    steps = np.asarray(spacing[:], dtype=np.float64) * unit
    return {axis: centres[:, i] * steps[i] for i, axis in enumerate(names)}


def finish_units(
    units: pd.DataFrame, column: str | None, homologues: str, what: str, history: list[str]
) -> pd.DataFrame:
    """Name the units and pair left with right.

    Parameters
    ----------
    units : pandas.DataFrame
        As of `roi_table`, one row a unit.
    column : str, optional
        Column of the names; by default the first usual text column that names any unit.
    homologues : {"auto", "alternating", "none"}
        As of `pair_homologues`.
    what : str
        Name of the file, for errors.
    history : list of str
        Takes the notes.

    Returns
    -------
    pandas.DataFrame
        Indexed by unique names: ``unit-0001`` for an unidentified unit, ``AVAL-2`` for the second
        ROI called AVAL; with the column ``homologue``.

    Raises
    ------
    InputError
        If the named column is absent.
    """
    chosen = name_column(units, column, what)
    given = [""] * len(units) if chosen is None else [_name(v) for v in units[chosen]]
    names = unique_names(given, history)
    table = text_table(units.set_axis(pd.Index(names, dtype=object), axis=0), "unit")
    if chosen is not None:
        n_known = sum(bool(name) for name in given)
        history.append(f"{n_known} of {len(names)} units named by the column {chosen}")
    partners = pair_homologues(names, homologues)
    if any(partner != MISSING for partner in partners):
        table["homologue"] = np.array(partners, dtype=object)
    return table


def name_column(units: pd.DataFrame, column: str | None, what: str) -> str | None:
    """Find the column that names the units; None where there is none.

    Raises
    ------
    InputError
        If `column` is given and absent.
    """
    if column is not None:
        if column not in units:
            raise InputError(
                f"{what}: the ROI table has no column {column}",
                f"one of {', '.join(map(str, units.columns)) or '(none)'}",
                "correct the setting unit_names",
            )
        return column
    plain = {re.sub(r"[\s_]", "", str(name)).lower(): str(name) for name in reversed(units.columns)}
    for key in _NAME_COLUMNS:
        column = plain.get(key)
        if column is None or units[column].dtype.kind != "O":
            continue
        if any(_name(value) for value in units[column]):
            return column
    return None


def _name(value: object) -> str:
    if isinstance(value, float) and not float(value).is_integer():
        return ""
    text = str(int(value)) if isinstance(value, float) else str(value)
    return " ".join(text.replace("\0", " ").split()) if is_known(text) else ""


def unique_names(given: list[str], history: list[str]) -> list[str]:
    """Make names unique: ``unit-0001`` where empty, ``-2`` and so on where repeated.

    Parameters
    ----------
    given : list of str
        Names; ``""`` where unknown.
    history : list of str
        Takes one note naming what was repeated.
    """
    given_names = {name for name in given if name}
    taken: set[str] = set()
    names: list[str] = []
    repeated: set[str] = set()
    for position, name in enumerate(given, start=1):
        base = name or f"unit-{position:04d}"
        free, count = base, 2
        # The first of a repeated name keeps it; a made name must not meet a given one.
        while free in taken or (free in given_names and free != name):
            free, count = f"{base}-{count}", count + 1
        if name and free != name:
            repeated.add(name)
        taken.add(free)
        names.append(free)
    if repeated:
        history.append(f"several units are called {', '.join(sorted(repeated))}; numbered from 2")
    return names
