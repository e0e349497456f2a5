"""What a unit is in an image: a region of a parcellation, a voxel of a mask, a cube of a grid.

Voxels are numbered in Fortran order (x fastest), the order in which NIfTI stores them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from neuropipe.errors import InputError
from neuropipe.ingest.grids import Grid, on_grid, read_image
from neuropipe.recording import MISSING

_CHOOSE = "choose another parcellation, mask or space"


@dataclass(frozen=True)
class UnitMap:
    """Which voxels make up which unit.

    Parameters
    ----------
    voxels : array of shape (n_support,), int64
        Flat voxel numbers to read: those of the units first, then the rest of the brain.
    starts : array of shape (n_units,), int64, or None
        Where each unit's voxels begin in `voxels`; None for weighted maps.
    n_in_units : int
        How many of `voxels` belong to units.
    weights : array of shape (n_in_units, n_units), float32, or None
        Weighted maps over the first `n_in_units` voxels.
    table : pandas.DataFrame
        Unit table: ``region``, ``hemisphere``, ``network``, ``x``, ``y``, ``z`` (m), ``atlas_size``
        (voxels, or summed weight, before any brain mask).
    brain : {"mask", "units"}
        Whether the support is a brain mask or just the voxels of the units.
    history : list of str
        How the map was brought onto the grid.
    """

    voxels: np.ndarray
    starts: np.ndarray | None
    n_in_units: int
    weights: np.ndarray | None
    table: pd.DataFrame
    brain: str
    history: list[str] = field(default_factory=list)


def parcellation_map(
    path: Path, labels: pd.DataFrame | None, grid: Grid, brain: np.ndarray | None
) -> UnitMap:
    """Map a parcellation onto a run's grid.

    Parameters
    ----------
    path : Path
        3-D labels (0 is background), or 4-D region weights.
    labels : pandas.DataFrame or None
        See `read_labels`; for weights, the rows in order of index are the maps.
    grid : Grid
    brain : array of shape (n_voxels,), bool, or None
        Voxels outside it are left out.

    Raises
    ------
    InputError
        If the image holds no label on the grid, or the table has another number of maps.
    """
    image_is_4d = len(read_image(path, "parcellation").shape) == 4
    method = "continuous" if image_is_4d else "nearest"
    values, notes = on_grid(path, grid, method, "parcellation")
    if values.ndim == 4 and values.shape[3] > 1:
        return _weighted_map(path, values, labels, grid, brain, notes)
    flat = values.ravel(order="F")
    rounded = np.rint(flat).astype(np.int64)
    if np.abs(flat - rounded).max() > 1e-3:
        raise InputError(
            f"{path} holds values such as {flat[np.abs(flat - rounded).argmax()]:g}",
            "whole labels in 3-D, or one weight map a region in 4-D",
            _CHOOSE,
        )
    present = np.unique(rounded[rounded > 0])
    if not len(present):
        raise InputError(
            f"{path} holds no label on the image's grid", "regions that overlap the image", _CHOOSE
        )
    table, more = _label_rows(present, labels)
    code = np.zeros(grid.n_voxels, dtype=np.int64)
    inside = rounded > 0
    code[inside] = np.searchsorted(present, rounded[inside]) + 1
    return labelled_map(code, table, grid, brain, notes + more)


def _label_rows(present: np.ndarray, labels: pd.DataFrame | None) -> tuple[pd.DataFrame, list[str]]:
    """Table rows of the labels in the image, and what differs between image and table."""
    notes: list[str] = []
    if labels is None:
        names = [f"roi-{label}" for label in present]
        return pd.DataFrame({"name": names}, index=present), notes
    lost = labels[~labels.index.isin(present)]
    if len(lost):
        notes.append(f"absent from the image: {', '.join(lost['name'])}")
    unnamed = [int(label) for label in present if label not in labels.index]
    if unnamed:
        notes.append(f"labels without a name in the table: {', '.join(map(str, unnamed))}")
    rows = labels.reindex(present).fillna(MISSING)
    rows["name"] = [
        f"roi-{label}" if label in unnamed else name
        for label, name in zip(present, rows["name"], strict=True)
    ]
    return rows, notes


def labelled_map(
    code: np.ndarray,
    table: pd.DataFrame,
    grid: Grid,
    brain: np.ndarray | None,
    history: list[str],
) -> UnitMap:
    """Map units given by one label a voxel.

    Parameters
    ----------
    code : array of shape (n_voxels,), int
        0 is no unit, k is row k - 1 of the table; each row has voxels.
    table : pandas.DataFrame
        ``name`` and optional columns.
    grid : Grid
    brain : array of shape (n_voxels,), bool, or None
    history : list of str
    """
    size = np.bincount(code, minlength=len(table) + 1)[1:]
    inside = code > 0
    where = np.flatnonzero(inside)
    centres = np.stack(
        [
            np.bincount(code[where], weights=axis, minlength=len(table) + 1)[1:] / size
            for axis in grid.indices(where).T
        ],
        axis=1,
    )
    units = _unit_table(table, centres, size, grid)
    kept = inside if brain is None else inside & brain
    left = np.bincount(code[kept], minlength=len(table) + 1)[1:]
    if not left.any():
        raise InputError("no unit lies inside the brain mask", "units in the brain", _CHOOSE)
    outside = [str(name) for name in units.index[left == 0]]
    notes = [f"outside the brain mask: {', '.join(outside)}"] if outside else []
    members = np.flatnonzero(kept)
    members = members[np.argsort(code[members], kind="stable")]
    rest = np.empty(0, np.int64) if brain is None else np.flatnonzero(brain & ~inside)
    left = left[left > 0]
    return UnitMap(
        voxels=np.concatenate([members, rest]),
        starts=np.cumsum(left) - left,
        n_in_units=len(members),
        weights=None,
        table=units.drop(index=outside),
        brain="units" if brain is None else "mask",
        history=history + notes,
    )


def _weighted_map(
    path: Path,
    values: np.ndarray,
    labels: pd.DataFrame | None,
    grid: Grid,
    brain: np.ndarray | None,
    history: list[str],
) -> UnitMap:
    n_maps = values.shape[3]
    if labels is not None and len(labels) != n_maps:
        raise InputError(
            f"{path} has {n_maps} maps, its table {len(labels)} rows", "one row a map", _CHOOSE
        )
    if labels is None:
        table = pd.DataFrame({"name": [f"roi-{k + 1}" for k in range(n_maps)]})
    else:
        table = labels.sort_index()
    weights = values.reshape(grid.n_voxels, n_maps, order="F")
    strength = np.abs(weights)
    total = strength.sum(axis=0, dtype=np.float64)
    inside = strength.any(axis=1)
    kept = inside if brain is None else inside & brain
    members = np.flatnonzero(kept)
    used: np.ndarray = np.asarray(weights[members].any(axis=0))
    if not used.any():
        raise InputError(f"{path} is empty on the image's grid", "regions in the image", _CHOOSE)
    where = np.flatnonzero(inside)
    centres = (grid.indices(where).T @ strength[where]).T / np.where(total > 0, total, 1)[:, None]
    units = _unit_table(table, centres, total, grid)
    lost = [str(name) for name in units.index.to_numpy()[~used]]
    notes = [f"absent from the image: {', '.join(lost)}"] if lost else []
    rest = np.empty(0, np.int64) if brain is None else np.flatnonzero(brain & ~inside)
    return UnitMap(
        voxels=np.concatenate([members, rest]),
        starts=None,
        n_in_units=len(members),
        weights=weights[members][:, used],
        table=units.iloc[np.flatnonzero(used)],
        brain="units" if brain is None else "mask",
        history=history + notes,
    )


def mask_map(mask: np.ndarray, grid: Grid, history: list[str]) -> UnitMap:
    """Make every voxel of a mask a unit, named by its indices (``x12y03z00``)."""
    where = np.flatnonzero(mask)
    code = np.zeros(grid.n_voxels, dtype=np.int64)
    code[where] = np.arange(1, len(where) + 1)
    table = pd.DataFrame({"name": _index_names(grid.indices(where), grid.shape)})
    return labelled_map(code, table, grid, mask, history)


def grid_map(mask: np.ndarray, grid: Grid, edge: int) -> UnitMap:
    """Cut the brain into cubes of `edge` voxels, named by their place in the grid of cubes."""
    where = np.flatnonzero(mask)
    cubes = grid.indices(np.arange(grid.n_voxels)) // edge
    n_cubes = tuple(-(-n // edge) for n in grid.shape)
    number = np.ravel_multi_index(tuple(cubes.T), n_cubes, order="F")
    present = np.unique(number[where])
    code = np.zeros(grid.n_voxels, dtype=np.int64)
    found = np.isin(number, present)
    code[found] = np.searchsorted(present, number[found]) + 1
    places = np.stack(np.unravel_index(present, n_cubes, order="F"), axis=1)
    table = pd.DataFrame({"name": _index_names(places, n_cubes)})
    return labelled_map(code, table, grid, mask, [f"grid of cubes of {edge} voxels"])


def _index_names(indices: np.ndarray, shape: tuple[int, ...]) -> list[str]:
    width = max(len(str(n - 1)) for n in shape)
    return [f"x{x:0{width}}y{y:0{width}}z{z:0{width}}" for x, y, z in indices]


def _unit_table(
    table: pd.DataFrame, centres: np.ndarray, size: np.ndarray, grid: Grid
) -> pd.DataFrame:
    metres = (centres @ grid.affine[:3, :3].T + grid.affine[:3, 3]) / 1000
    names = pd.Index(table["name"].astype(object), name="unit")
    columns: dict[str, Any] = {
        key: table[key].to_numpy(object) if key in table else np.full(len(table), MISSING, object)
        for key in ("region", "hemisphere", "network")
    }
    columns |= {axis: metres[:, k] for k, axis in enumerate("xyz")}
    return pd.DataFrame({**columns, "atlas_size": size.astype(np.float64)}, index=names)
