"""What every fMRI reader does once it has the series of its units: drop, count, clean, assemble."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from neuropipe.errors import InputError
from neuropipe.ingest.cleaning import clean_series, describe, is_cleaned, unit_statistics
from neuropipe.ingest.confounds import (
    confound_columns,
    confound_matrix,
    motion_traces,
    read_confounds,
)
from neuropipe.ingest.homologues import keep_present, pair_homologues, sides
from neuropipe.ingest.settings import FmriReadSettings
from neuropipe.ingest.source import SourceFiles
from neuropipe.ingest.tables import read_events, read_participant, read_sidecars
from neuropipe.recording import MISSING, Recording, signals_array, text_table

_NAMED = 12  # names spelt out in a history line


@dataclass
class RegionSeries:
    """Series of one run before cleaning.

    Parameters
    ----------
    raw : array of shape (n_times, n_units)
        As measured; NaN is missing.
    units : pandas.DataFrame
        Unit table, indexed by name.
    names : sequence of str
        Names of all units that the parcellation or table has, in order, with those absent here.
    repetition_time, start : float
        In s; `start` is the time of the first row.
    n_volumes : int
        Length of the run with its dummy scans.
    global_signal, dvars : array of shape (n_times,)
    over : {"voxels", "units"}
        What the two above are computed over.
    smoothed : array of shape (n_times, n_units), optional
        Series of smoothed volumes, which are cleaned instead of `raw`.
    history : list of str
    attrs : dict
    """

    raw: np.ndarray
    units: pd.DataFrame
    names: Sequence[str]
    repetition_time: float
    start: float
    n_volumes: int
    global_signal: np.ndarray
    dvars: np.ndarray
    over: str
    smoothed: np.ndarray | None = None
    history: list[str] = field(default_factory=list)
    attrs: dict[str, Any] = field(default_factory=dict)


def finish(files: SourceFiles, settings: FmriReadSettings, found: RegionSeries) -> Recording:
    """Turn the series of a run into its recording.

    Parameters
    ----------
    files : SourceFiles
        With the roles ``confounds``, ``confounds_sidecar``, ``events`` and ``participants`` where
        there are such files.
    settings : FmriReadSettings
    found : RegionSeries

    Raises
    ------
    InputError
        If no unit has signal, or a table contradicts the run.
    """
    history = list(found.history)
    keep, notes = _with_signal(found.raw, found.units.index, settings.max_missing)
    history += notes
    raw = found.raw[:, keep]
    units = found.units.iloc[np.flatnonzero(keep)].copy()
    units = units.assign(**unit_statistics(raw))
    units = _with_homologues(units, found.names, settings.homologues)

    table = _confound_table(files, found, settings.dummy_scans)
    traces = motion_traces(table)
    kept, notes = _scrubbed(traces, settings.fd_threshold, len(raw))
    history += notes
    source = raw if found.smoothed is None else found.smoothed[:, keep]
    regressors, columns = _regressors(files, settings, table)
    if is_cleaned(settings) or kept is not None:
        source = clean_series(source, found.repetition_time, settings, regressors, kept)
        history += describe(settings, columns)

    measured = {False: "", "zscore_sample": "sd", "psc": "%"}[settings.standardize]
    signals = signals_array(
        source, 1 / found.repetition_time, units.index, start=found.start, unit=measured
    )
    events = files.optional("events")
    scan_end = found.n_volumes * found.repetition_time + max(found.start, 0.0)
    participant, notes = _participant(files)
    history += notes
    locked = files.locked
    return Recording(
        dataset=files.dataset,
        recording=locked.recording,
        subject=locked.subject,
        session=locked.session,
        task=locked.task,
        run=locked.run,
        modality="fmri",
        species=str(participant.get("species", "Homo sapiens")),  # the default of BIDS
        units=text_table(units, "unit"),
        signals=signals,
        events=None if events is None else read_events(events, scan_end),
        confounds=_confound_dataset(found, traces, signals["time"].values),
        participant=participant,
        history=history,
        attrs={
            "repetition_time": found.repetition_time,
            "cleaning": "; ".join(describe(settings, columns)) or "none",
            "motion_known": "framewise_displacement" in traces,
            "absent_units": [str(name) for name in found.names if name not in units.index],
            **found.attrs,
        },
    )


def _with_signal(
    raw: np.ndarray, names: pd.Index, max_missing: float
) -> tuple[np.ndarray, list[str]]:
    """Units that are measured and vary; a unit without signal is absent, not zero."""
    known = np.isfinite(raw)
    with np.errstate(invalid="ignore"):
        low = np.where(known, raw, np.inf).min(axis=0)
        high = np.where(known, raw, -np.inf).max(axis=0)
    empty = ~known.any(axis=0)
    constant = ~empty & (low == high)
    keep = ~empty & ~constant
    notes = [
        f"absent, {why}: {_listed(names[np.flatnonzero(which)])}"
        for which, why in ((empty, "without any value"), (constant, "constant"))
        if which.any()
    ]
    if not keep.any():
        raise InputError(
            f"none of {len(names)} units has a signal", "units that vary in time", "leave it out"
        )
    missing = np.where(keep, 1 - known.mean(axis=0), 0.0)
    worst = int(np.argmax(missing))
    if missing[worst] > max_missing:
        raise InputError(
            f"unit {names[worst]} misses {missing[worst]:.0%} of its samples",
            f"at most {max_missing:.0%}",
            "raise read.max_missing, or leave the run out",
        )
    return keep, notes


def _listed(names: pd.Index) -> str:
    shown = ", ".join(map(str, names[:_NAMED]))
    return shown if len(names) <= _NAMED else f"{shown} and {len(names) - _NAMED} more"


def _with_homologues(units: pd.DataFrame, names: Sequence[str], mode: str) -> pd.DataFrame:
    partners = pair_homologues(names, mode)
    side = dict(zip(names, sides(names, partners, mode), strict=True))
    partner = dict(zip(names, partners, strict=True))
    known = units["hemisphere"] if "hemisphere" in units else pd.Series(MISSING, units.index)
    hemisphere = [
        side[name] if told == MISSING else told
        for name, told in zip(units.index, known, strict=True)
    ]
    present = keep_present([partner[name] for name in units.index], list(units.index))
    return units.assign(hemisphere=hemisphere, homologue=present)


def _confound_table(
    files: SourceFiles, found: RegionSeries, dummy_scans: int
) -> pd.DataFrame | None:
    path = files.optional("confounds")
    if path is None:
        return None
    return read_confounds(path, found.n_volumes).iloc[dummy_scans:].reset_index(drop=True)


def _scrubbed(
    traces: dict[str, tuple[np.ndarray, str]], threshold: float | None, n_times: int
) -> tuple[np.ndarray | None, list[str]]:
    if threshold is None:
        return None, []
    if "framewise_displacement" not in traces:
        raise InputError(
            "read.fd_threshold is set, the run has no motion parameters",
            "a confounds table with framewise_displacement or trans_x to rot_z",
            "run fMRIPrep, or leave fd_threshold out",
        )
    displacement = traces["framewise_displacement"][0]
    kept = ~(displacement > threshold)  # the first volume has none and stays
    left = int(kept.sum())
    if left < 2:
        raise InputError(
            f"{left} of {n_times} volumes move less than {threshold:g} mm", "2", "leave it out"
        )
    note = f"{n_times - left} of {n_times} volumes scrubbed: more than {threshold:g} mm of motion"
    return kept, [note]


def _regressors(
    files: SourceFiles, settings: FmriReadSettings, table: pd.DataFrame | None
) -> tuple[np.ndarray | None, list[str]]:
    if not settings.confounds:
        return None, []
    if table is None:
        raise InputError(
            f"read.confounds is set, {files.locked.recording} has no confounds table",
            "*_desc-confounds_timeseries.tsv beside the image",
            "run fMRIPrep, or leave confounds out",
        )
    sidecar = files.optional("confounds_sidecar")
    meta = read_sidecars([sidecar]) if sidecar else {}
    where = str(files.one("confounds"))
    columns = confound_columns(settings.confounds, table, meta, where)
    return (confound_matrix(table, columns, where) if columns else None), columns


def _confound_dataset(
    found: RegionSeries, traces: dict[str, tuple[np.ndarray, str]], time: np.ndarray
) -> xr.Dataset:
    over = {"unit": "", "over": found.over}
    variables: dict[str, Any] = {
        "global_signal": ("time", found.global_signal, over),
        "dvars": ("time", found.dvars, over),
    }
    for name, (values, unit) in traces.items():
        variables[name] = ("time", values, {"unit": unit})
    return xr.Dataset(variables, coords={"time": time})


def _participant(files: SourceFiles) -> tuple[dict[str, Any], list[str]]:
    path: Path | None = files.optional("participants")
    if path is None:
        return {}, []
    row = read_participant(path, files.locked.subject)
    if row is None:
        return {}, [f"{path.name} does not name sub-{files.locked.subject}"]
    return row, []
