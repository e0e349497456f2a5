"""Head motion and other nuisance of a run: fMRIPrep's confounds table and what follows from it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from neuropipe.errors import InputError, SettingsError
from neuropipe.ingest.tables import check_columns

TRANSLATIONS = ("trans_x", "trans_y", "trans_z")  # mm
ROTATIONS = ("rot_x", "rot_y", "rot_z")  # rad
_HEAD_RADIUS = 50.0  # mm, Power et al. 2012
_MOTION_TERMS = {
    "basic": ("",),
    "power2": ("", "_power2"),
    "derivatives": ("", "_derivative1"),
    "full": ("", "_derivative1", "_power2", "_derivative1_power2"),
}
_N_COMPCOR = 6  # anatomical components where no sidecar says which are combined


def read_confounds(path: Path, n_volumes: int) -> pd.DataFrame:
    """Read a confounds table.

    Parameters
    ----------
    path : Path
        Tab-separated, one row a volume, ``n/a`` where missing.
    n_volumes : int
        Length of the run.

    Returns
    -------
    pandas.DataFrame
        (n_volumes, n_columns), numbers; columns of text stay text.

    Raises
    ------
    InputError
        If it is no table, or has another number of rows than the run has volumes.
    """
    try:
        with path.open(encoding="utf-8-sig") as stream:
            header = stream.readline().rstrip("\r\n").split("\t")
        table = pd.read_csv(path, sep="\t", na_values=["n/a"], encoding="utf-8-sig")
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: {error}", "a confounds table", "restore it") from error
    check_columns(header, path)
    if len(table) != n_volumes or not isinstance(table.index, pd.RangeIndex):
        raise InputError(
            f"{path} has {len(table)} rows, the run {n_volumes} volumes",
            "one row a volume",
            "take the confounds of this very run",
        )
    return table


def confound_columns(
    requested: Sequence[str], table: pd.DataFrame, meta: Mapping[str, Any], where: str
) -> list[str]:
    """Expand the names of strategies to columns of the table.

    Parameters
    ----------
    requested : sequence of str
        Columns, or ``motion`` (24 terms), ``motion-basic`` (6), ``motion-derivatives`` (12),
        ``motion-power2`` (12), ``wm_csf``, ``global_signal``, ``high_pass`` (cosines),
        ``compcor`` (combined anatomical components).
    table : pandas.DataFrame
        fMRIPrep's confounds.
    meta : mapping
        The table's JSON sidecar, which says how each component was made.
    where : str
        The file, for errors.

    Returns
    -------
    list of str
        Columns without repetition.

    Raises
    ------
    InputError
        If the table lacks a column.
    SettingsError
        If components are asked for without the high-pass terms they were computed with.

    Notes
    -----
    The strategies are those of `nilearn.interfaces.fmriprep.load_confounds`: motion "full" follows
    Satterthwaite et al. 2013, compcor Behzadi et al. 2007.
    """
    found: list[str] = []
    for name in requested:
        kind, _, detail = name.partition("-")
        if name in table:
            found.append(name)
        elif kind == "motion" and (detail or "full") in _MOTION_TERMS:
            terms = _MOTION_TERMS[detail or "full"]
            found += [axis + term for axis in (*TRANSLATIONS, *ROTATIONS) for term in terms]
        elif name == "wm_csf":
            found += ["white_matter", "csf"]
        elif name == "high_pass":
            # A short run has no cosine below fMRIPrep's cutoff: nothing to remove then.
            found += [str(c) for c in table if str(c).startswith("cosine")]
        elif name == "compcor":
            found += _components(table, meta, where)
        else:
            found.append(name)
    if "compcor" in requested and not any(str(c).startswith("cosine") for c in found):
        raise SettingsError(
            "read.confounds has compcor without high_pass",
            "both: the components were computed from high-passed series",
            "add high_pass",
        )
    columns = list(dict.fromkeys(found))
    for column in columns:
        if column not in table:
            known = ", ".join(map(str, table.columns[:12]))
            raise InputError(
                f"{where} has no column {column}", f"one of {known}...", "correct read.confounds"
            )
    return columns


def _components(table: pd.DataFrame, meta: Mapping[str, Any], where: str) -> list[str]:
    named = [str(c) for c in table if str(c).startswith("a_comp_cor_")]
    combined = [
        name
        for name in named
        if isinstance(meta.get(name), dict) and meta[name].get("Mask") == "combined"
    ]
    chosen = combined or named[:_N_COMPCOR]
    if not chosen:
        raise InputError(f"{where} has no a_comp_cor column", "fMRIPrep's compcor", "leave it out")
    return chosen


def confound_matrix(table: pd.DataFrame, columns: Sequence[str], where: str) -> np.ndarray:
    """Take columns as regressors.

    Parameters
    ----------
    table : pandas.DataFrame
    columns : sequence of str
    where : str
        The file, for errors.

    Returns
    -------
    array of shape (n_volumes, n_columns), float64
        A missing first row (derivatives have none) takes the values of the second.

    Raises
    ------
    InputError
        If a column is text or has a value missing after its first row.
    """
    matrix = np.empty((len(table), len(columns)))
    for k, name in enumerate(columns):
        values = table[name].to_numpy()
        if values.dtype.kind not in "iufb":
            raise InputError(f"{where}: column {name} holds text", "numbers", "correct it")
        matrix[:, k] = values
        if np.isnan(matrix[0, k]) and len(matrix) > 1:
            matrix[0, k] = matrix[1, k]
        bad = np.flatnonzero(~np.isfinite(matrix[:, k]))
        if len(bad):
            raise InputError(
                f"{where}: column {name} has no number in row {bad[0] + 1}",
                "numbers in all rows after the first",
                "leave that confound out",
            )
    return matrix


def framewise_displacement(
    translations: np.ndarray, rotations: np.ndarray, radius: float = _HEAD_RADIUS
) -> np.ndarray:
    """Displacement of the head from one volume to the next.

    Parameters
    ----------
    translations : array of shape (n_times, 3)
        In mm.
    rotations : array of shape (n_times, 3)
        In rad.
    radius : float
        Of the sphere that turns rotations into arcs, in mm.

    Returns
    -------
    array of shape (n_times,)
        In mm; the first is NaN.

    Notes
    -----
    Sum of the absolute changes of the six parameters, Power et al. 2012, NeuroImage 59, 2142.
    """
    moved = np.abs(np.diff(translations, axis=0)).sum(axis=1)
    turned = np.abs(np.diff(rotations, axis=0)).sum(axis=1)
    return np.concatenate([[np.nan], moved + radius * turned])


def motion_traces(table: pd.DataFrame | None) -> dict[str, tuple[np.ndarray, str]]:
    """Traces of head motion, each with its unit.

    Parameters
    ----------
    table : pandas.DataFrame or None
        fMRIPrep's confounds, or any table with a ``framewise_displacement`` column.

    Returns
    -------
    dict of str to (array of shape (n_times,), str)
        ``framewise_displacement`` (mm) and the six parameters where known; empty where none is.
    """
    if table is None:
        return {}
    traces: dict[str, tuple[np.ndarray, str]] = {}
    numeric = {str(c) for c in table if table[c].to_numpy().dtype.kind in "iuf"}
    for names, unit in ((TRANSLATIONS, "mm"), (ROTATIONS, "rad")):
        if numeric.issuperset(names):
            traces |= {name: (table[name].to_numpy(np.float64), unit) for name in names}
    if "framewise_displacement" in numeric:
        displacement = table["framewise_displacement"].to_numpy(np.float64)
        traces["framewise_displacement"] = (displacement, "mm")
    elif len(traces) == 6:
        moved = np.stack([traces[name][0] for name in TRANSLATIONS], axis=1)
        turned = np.stack([traces[name][0] for name in ROTATIONS], axis=1)
        traces["framewise_displacement"] = (framewise_displacement(moved, turned), "mm")
    return traces
