"""Reader of ROI time series: XCP-D and BIDS tables, AFNI .1D, NumPy and MATLAB arrays."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from neuropipe.errors import InputError
from neuropipe.ingest.bids import confound_roles, locked
from neuropipe.ingest.bids_names import (
    BidsName,
    BidsTree,
    fill_pattern,
    parse_name,
    recording_names,
)
from neuropipe.ingest.fmri import RegionSeries, finish
from neuropipe.ingest.label_tables import normalised_sides
from neuropipe.ingest.settings import FmriReadSettings
from neuropipe.ingest.source import SourceFiles
from neuropipe.ingest.tables import read_sidecars, read_table
from neuropipe.ingest.timeseries_files import EXTENSIONS, Series, read_series
from neuropipe.ingest.timing import repetition_time
from neuropipe.manifest import LockedFile, LockedRecording
from neuropipe.recording import MISSING, Recording

_SERIES_SUFFIXES = ("timeseries", "bold")
# Tables of a BIDS dataset that hold no series.
_OTHER_SUFFIXES = {
    "participants", "events", "scans", "sessions", "samples", "channels", "electrodes", "physio",
    "stim", "phenotype", "motion", "outliers", "coverage", "relmat", "alff", "reho", "qc", "dseg",
    "probseg", "mixing", "regressors", "blood", "aslcontext", "dataset_description",
}  # fmt: skip
_NO_SERIES_DESC = ("confounds", "coverage")


def matches(paths: Sequence[str]) -> bool:
    """Whether any file may hold ROI series."""
    return bool(_candidates(BidsTree(paths), FmriReadSettings()))


def discover(paths: Sequence[str], settings: FmriReadSettings) -> list[LockedRecording]:
    """Group a tree's files into runs, by names only.

    Parameters
    ----------
    paths : sequence of str
        Relative POSIX paths of all files.
    settings : FmriReadSettings

    Returns
    -------
    list of LockedRecording
        With the roles ``data``, ``sidecar``, ``events``, ``confounds``, ``confounds_sidecar``,
        ``labels`` and ``participants``. Where names carry no ``sub-``, the folder or the file's
        stem is the subject.

    Raises
    ------
    InputError
        If two files are one run, or a path setting names no file.
    """
    tree = BidsTree(paths)
    data = _with_subjects(_candidates(tree, settings))
    recordings = []
    for recording, name in zip(recording_names(data), data, strict=True):
        roles: list[tuple[str, str | None]] = [("data", name.path)]
        roles += [("sidecar", p) for p in tree.inherited_anywhere(name, name.suffix, ".json")]
        roles += [("events", p) for p in tree.inherited_anywhere(name, "events", ".tsv")[-1:]]
        roles += confound_roles(tree, name) or _motion_role(tree, name)
        if settings.unit_table is not None:
            table = fill_pattern(settings.unit_table, name, "unit_table")
            if table not in tree.paths:
                raise InputError(
                    f"read.unit_table names {table}, which is not in the dataset",
                    f"one of its {len(tree.paths)} files",
                    "correct the setting or add the file",
                )
            roles.append(("labels", table))
        roles.append(("participants", tree.participants(name)))
        files = [LockedFile(role, path) for role, path in roles if path is not None]
        recordings.append(locked(recording, name, files))
    return recordings


def _candidates(tree: BidsTree, settings: FmriReadSettings) -> list[BidsName]:
    """Files of series: those named ``_timeseries``, or where there are none, any array or table."""
    other = {path for path in (settings.unit_table, settings.labels) if path is not None}
    found = [
        name
        for name in tree.find(None, EXTENSIONS)
        if name.suffix not in _OTHER_SUFFIXES
        and name.entities.get("desc") not in _NO_SERIES_DESC
        and name.entities.get("stat") not in _NO_SERIES_DESC
        and name.path not in other
        and not name.path.startswith("phenotype/")
        and (settings.folder is None or name.path.startswith(settings.folder.strip("/") + "/"))
        and settings.select.items() <= name.entities.items()
        and settings.space in (None, name.entities.get("space", settings.space))
    ]
    named = [n for n in found if n.suffix == "timeseries" and "sub" in n.entities]
    if named:
        return named
    # A bare .txt or .tsv at the root is a note or a table of the dataset, no recording.
    return [
        n
        for n in found
        if n.suffix in _SERIES_SUFFIXES
        or "sub" in n.entities
        or n.extension in (".1D", ".npy", ".npz", ".mat")
        or (n.extension in (".csv", ".tsv", ".txt") and n.root == n.folder and _numbered(n))
    ]


def _numbered(name: BidsName) -> bool:
    """Whether a stem carries a number, as subjects do and "README.txt" does not."""
    return any(c.isdigit() for c in name.path[len(name.folder) :].partition(".")[0])


def _with_subjects(names: Sequence[BidsName]) -> list[BidsName]:
    """Give each file a subject: its entity, else its stem, else its folder and stem."""
    stems = Counter(_stem(n) for n in names if "sub" not in n.entities)
    result = []
    for name in names:
        if "sub" in name.entities:
            result.append(name)
            continue
        stem = _stem(name)
        if stems[stem] > 1:
            folder = name.folder.rstrip("/").rpartition("/")[2]
            stem = f"{folder}-{stem}" if folder else stem
        entities = {"sub": stem.replace(".", "-").replace(" ", "-"), **name.entities}
        result.append(replace(name, entities=entities))
    return result


def _stem(name: BidsName) -> str:
    return name.path[len(name.folder) :].removesuffix(name.extension)


def _motion_role(tree: BidsTree, data: BidsName) -> list[tuple[str, str | None]]:
    """XCP-D's table of motion, which has a framewise displacement."""
    plain = {key: data.entities[key] for key in data.entities if key in ("sub", "ses", "task")}
    found = tree.beside(replace(data, entities=dict(data.entities)), "motion", ".tsv", **plain)
    return [("confounds", found)] if found else []


def read(files: SourceFiles, settings: FmriReadSettings) -> Recording:
    """Read the series of one run.

    Parameters
    ----------
    files : SourceFiles
    settings : FmriReadSettings

    Returns
    -------
    Recording
        Units whose column is missing, constant or zero throughout are absent; the history names
        them. ``global_signal`` and ``dvars`` are over units, since voxels are gone.

    Raises
    ------
    InputError
        If a file is malformed or contradicts another one.
    """
    path = files.one("data")
    sidecar = read_sidecars(files.many("sidecar"))
    step = repetition_time(str(path), sidecar, None, settings.repetition_time)
    series = read_series(path, settings.orientation, settings.key)
    table = _unit_table(files, series)
    n_volumes = len(series.values)
    values = series.values[settings.dummy_scans :]
    if len(values) < 3:
        raise InputError(f"{path} has {len(values)} rows", "three volumes or more", "leave it out")
    history = [f"read {n_volumes} times of {len(table)} units from {path.name}", *series.notes]
    if settings.dummy_scans:
        history.append(f"{settings.dummy_scans} dummy scans left out")
    alive = _varying(values)
    entities = parse_name(files.locked.paths("data")[0]).entities
    start = sidecar.get("StartTime", 0.0)
    start = float(start) if isinstance(start, int | float) else 0.0
    found = RegionSeries(
        raw=values,
        units=table,
        names=list(table.index),
        repetition_time=step,
        start=start + settings.dummy_scans * step,
        n_volumes=n_volumes,
        global_signal=_mean(values[:, alive]),
        dvars=_change(values[:, alive]),
        over="units",
        history=history,
        attrs={
            "units": "parcellation",
            "parcellation": entities.get("seg", entities.get("atlas", MISSING)),
            "space": entities.get("space", settings.space) or MISSING,
        },
    )
    return finish(files, settings, found)


def _unit_table(files: SourceFiles, series: Series) -> pd.DataFrame:
    """Unit table from `unit_table`, else from the header, else by number."""
    n_units = series.values.shape[1]
    path: Path | None = files.optional("labels")
    if path is None:
        width = len(str(n_units))
        names = series.names or [f"roi-{k + 1:0{width}}" for k in range(n_units)]
        return pd.DataFrame(index=pd.Index(names, dtype=object, name="unit")).assign(
            region=MISSING, hemisphere=MISSING, network=MISSING
        )
    table = read_table(path).rename(columns=str.lower)
    if "name" not in table and "label" in table:
        table = table.rename(columns={"label": "name"})
    if "name" not in table or table["name"].isna().any() or table["name"].duplicated().any():
        raise InputError(f"{path} names no units", "a column name, all different", "correct it")
    if len(table) != n_units:
        raise InputError(
            f"{path} names {len(table)} units, the series have {n_units}", "one row a unit",
            "correct read.unit_table",
        )  # fmt: skip
    kept = table.reindex(columns=["region", "hemisphere", "network"]).fillna(MISSING)
    kept["hemisphere"] = normalised_sides(list(kept["hemisphere"]))
    kept.index = pd.Index(table["name"].astype(object), name="unit")
    if series.names is not None and set(series.names) == set(kept.index):
        kept = kept.loc[series.names]  # the header's order rules
    return kept


def _varying(values: np.ndarray) -> np.ndarray:
    """Units that have values and are not constant, of shape (n_units,)."""
    with np.errstate(invalid="ignore"):
        low = np.where(np.isnan(values), np.inf, values).min(axis=0)
        high = np.where(np.isnan(values), -np.inf, values).max(axis=0)
    return np.asarray(high > low)


def _mean(values: np.ndarray) -> np.ndarray:
    """Mean over the units known at each time, NaN where none is."""
    known = np.isfinite(values)
    with np.errstate(invalid="ignore"):
        sums = np.where(known, values, 0).sum(axis=1, dtype=np.float64)
        return np.asarray(sums / known.sum(axis=1))


def _change(values: np.ndarray) -> np.ndarray:
    """Root mean square change from the time before; the first is NaN."""
    squared = _mean(np.diff(values.astype(np.float64), axis=0) ** 2)
    return np.concatenate([[np.nan], np.sqrt(squared)])
