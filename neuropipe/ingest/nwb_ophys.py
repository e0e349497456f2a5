"""Calcium imaging of NWB files: response series of ROIs, their names and places."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

import h5py
import numpy as np
import pandas as pd

from neuropipe.errors import InputError
from neuropipe.ingest.arrays import read_dataset
from neuropipe.ingest.clock import Sampled, align, uniform
from neuropipe.ingest.fluorescence import delta_f_over_f, is_normalised, subtract_neuropil
from neuropipe.ingest.nwb import discover as discover
from neuropipe.ingest.nwb import filter_units, identity, is_a, open_nwb, path_of, series_times
from neuropipe.ingest.nwb import matches as matches
from neuropipe.ingest.nwb_behavior import read_behavior
from neuropipe.ingest.nwb_events import read_events, read_stimuli
from neuropipe.ingest.nwb_rois import finish_units, roi_table
from neuropipe.ingest.settings import CalciumReadSettings
from neuropipe.ingest.source import SourceFiles
from neuropipe.recording import Recording, signals_array

_NEUROPIL = re.compile(r"neuropil|f_?neu|npil", re.IGNORECASE)
_DECONVOLVED = re.compile(r"deconv|spks|spikes|spike_rate|inferred", re.IGNORECASE)
_DFF = re.compile(r"d_?f_?f|delta_?f|df_?over_?f|dff", re.IGNORECASE)
_LARGEST = 4 << 30  # bytes of one series; beyond it a workstation's memory is at stake


@dataclass(frozen=True)
class _Plane:
    """One response series: its traces and the rows of its ROI table."""

    name: str
    unit: str
    sampled: Sampled
    table: Any
    rows: np.ndarray


def read(files: SourceFiles, settings: CalciumReadSettings) -> Recording:
    """Read the calcium traces of one NWB file.

    Parameters
    ----------
    files : SourceFiles
        With one file of role ``data``.
    settings : CalciumReadSettings

    Returns
    -------
    Recording
        Of modality ``calcium``; ROIs without a single value are absent.

    Raises
    ------
    InputError
        If the file is no readable NWB 2, has no response series, several that could be meant, or
        one without data, and if a setting names something absent.
    """
    path = files.one("data")
    what = str(path)
    with open_nwb(path) as nwb:
        known = identity(nwb, files)
        history: list[str] = known.pop("history")
        chosen, kind = choose_series(nwb, settings.series, what)
        planes = [_read_plane(series, what, history) for series in chosen]
        neuropil = None
        if kind == "fluorescence" and settings.dff == "auto" and settings.neuropil_factor > 0:
            neuropil = _neuropil_of(planes, nwb, what)
        arrays, clock = align([plane.sampled for plane in planes], [p.name for p in planes])
        traces = np.concatenate(arrays, axis=1)
        history += clock.notes
        history.append(f"read {', '.join(path_of(series) for series in chosen)}")
        unit = planes[0].unit
        if kind == "fluorescence":
            traces, unit = _normalised(traces, unit, clock.rate, neuropil, settings, history)
        units = pd.concat(
            [roi_table(p.table, p.rows, what, history) for p in planes], ignore_index=True
        )
        if len(planes) > 1:
            units["plane"] = np.repeat([p.name for p in planes], [len(p.rows) for p in planes])
        attrs = known["attrs"] | _imaging(planes[0].table, ", ".join(map(path_of, chosen)))
        events, notes = read_events(nwb, settings, what)
        behavior, more = read_behavior(nwb, settings, what)
        folder = PurePosixPath(files.locked.paths("data")[0]).parent.as_posix()
        stimuli = read_stimuli(nwb, files.root, folder)
    present = np.isfinite(traces).any(axis=0)
    keep = present & filter_units(units, settings.filters)
    if not keep.any():
        raise InputError(
            f"{what}: none of {len(keep)} ROIs has values and passes the filters",
            "at least one unit",
            "choose another series, or loosen the setting filters",
        )
    if not keep.all():
        history.append(
            f"{int(keep.sum())} of {len(keep)} ROIs kept; {int((~present).sum())} hold only NaN"
        )
    known["attrs"] = attrs
    table = finish_units(units[keep], settings.unit_names, settings.homologues, what, history)
    return Recording(
        modality="calcium",
        units=table,
        signals=signals_array(
            traces[:, keep], clock.rate, table.index, start=clock.start, unit=unit
        ),
        events=events,
        stimuli=stimuli,
        behavior=behavior,
        history=history + notes + more,
        **known,
    )


def series_kind(series: Any) -> str:
    """Tell what a response series holds, by its container's type and by names.

    Parameters
    ----------
    series : pynwb.ophys.RoiResponseSeries

    Returns
    -------
    {"dff", "fluorescence", "neuropil", "deconvolved"}
    """
    names = f"{series.parent.name} {series.name}"
    if _NEUROPIL.search(names):
        return "neuropil"
    if _DECONVOLVED.search(names):
        return "deconvolved"
    if is_a(series.parent, "DfOverF") or _DFF.search(names):
        return "dff"
    return "fluorescence"


def choose_series(nwb: Any, wanted: str | None, what: str) -> tuple[list[Any], str]:
    """Choose the response series to read; several only if they are planes of one kind.

    Parameters
    ----------
    nwb : pynwb.NWBFile
    wanted : str, optional
        Name of a series, of its container, or a path of both; by default dF/F before fluorescence.
    what : str
        Name of the file, for errors.

    Returns
    -------
    series : list of pynwb.ophys.RoiResponseSeries
    kind : str
        As of `series_kind`.

    Raises
    ------
    InputError
        If there is none, or two describe the same ROIs.
    """
    found = [o for o in nwb.objects.values() if is_a(o, "RoiResponseSeries")]
    found.sort(key=path_of)
    listed = ", ".join(path_of(series) for series in found) or "(none)"
    if wanted is not None:
        chosen = [s for s in found if wanted in (path_of(s), str(s.name), str(s.parent.name))]
        kind = series_kind(chosen[0]) if chosen else ""
    else:
        kinds = [series_kind(series) for series in found]
        kind = next((k for k in ("dff", "fluorescence") if k in kinds), "")
        chosen = [s for s, k in zip(found, kinds, strict=True) if k == kind]
    if not chosen:
        raise InputError(
            f"{what} has {'no response series' if not found else f'the series {listed}'}",
            f"the series {wanted}" if wanted else "dF/F or fluorescence of ROIs",
            "name one with the setting series" if found else "choose another modality or file",
        )
    for i, series in enumerate(chosen):
        for other in chosen[:i]:
            if _share_rois(series, other):
                raise InputError(
                    f"{what}: {path_of(other)} and {path_of(series)} are traces of the same ROIs",
                    "one trace a ROI",
                    "name one of them with the setting series",
                )
    return chosen, kind


def _share_rois(one: Any, other: Any) -> bool:
    if one.rois.table is not other.rois.table:
        return False
    return bool(np.isin(_rows(one, one.name), _rows(other, other.name)).any())


def _rows(series: Any, what: str) -> np.ndarray:
    data = series.rois.data
    values = read_dataset(data, str(what)) if isinstance(data, h5py.Dataset) else np.asarray(data)
    n_rois = len(series.rois.table.id)
    if values.dtype.kind not in "iu" or (
        values.size and (values.min() < 0 or values.max() >= n_rois)
    ):
        raise InputError(
            f"{what}: rois of {path_of(series)} point outside their table",
            f"rows 0 to {n_rois - 1}",
            "write the series again",
        )
    return values.astype(np.int64)


def _read_plane(series: Any, what: str, history: list[str]) -> _Plane:
    label = f"{what}: series {path_of(series)}"
    data = series.data
    if not isinstance(data, h5py.Dataset) or not data.size or not len(data):
        raise InputError(f"{label} holds no samples", "traces", "choose another series or file")
    if data.dtype.kind not in "biuf" or data.ndim > 2:
        raise InputError(
            f"{label} holds {data.dtype} of shape {data.shape}",
            "numbers of shape (time, ROI)",
            "write the series again",
        )
    if data.size * 4 > _LARGEST:
        raise InputError(
            f"{label} has shape {data.shape}, {data.size * 4 / 2**30:.0f} GiB",
            "at most 4 GiB",
            "split the recording",
        )
    rows = _rows(series, what)
    values = read_dataset(data, what).reshape(len(data), -1)
    if values.shape[1] != len(rows):
        if values.shape[0] != len(rows):
            raise InputError(
                f"{label} has shape {data.shape} for {len(rows)} ROIs",
                "(time, ROI)",
                "write the series again",
            )
        values = values.T
        history.append(f"series {path_of(series)} is stored as (ROI, time) and was transposed")
    values = values.astype(np.float32)
    conversion, offset = float(series.conversion), float(getattr(series, "offset", 0.0) or 0.0)
    if conversion != 1 or offset != 0:
        values = values * np.float32(conversion) + np.float32(offset)
    infinite = np.isinf(values)
    if infinite.any():
        values[infinite] = np.nan
        history.append(f"{path_of(series)}: {int(infinite.sum())} infinite values set to NaN")
    times = series_times(series, len(values), what)
    if series.timestamps is None:
        sampled = Sampled(values, float(series.rate), float(times[0]))
    else:
        sampled = uniform(values, times, label)
    if len(sampled.values) < 2:
        raise InputError(f"{label} has one sample", "at least two", "choose another series or file")
    return _Plane(path_of(series), str(series.unit), sampled, series.rois.table, rows)


def _neuropil_of(planes: list[_Plane], nwb: Any, what: str) -> np.ndarray | None:
    """Neuropil traces of the same ROIs on the same clock, None where a plane has none."""
    around = [s for s in nwb.objects.values() if is_a(s, "RoiResponseSeries")]
    around = [s for s in around if series_kind(s) == "neuropil"]
    found: list[Sampled] = []
    for plane in planes:
        for series in around:
            if series.rois.table is plane.table and np.array_equal(_rows(series, what), plane.rows):
                sampled = _read_plane(series, what, []).sampled
                if sampled.values.shape == plane.sampled.values.shape:
                    found.append(sampled)
                    break
        else:
            return None
    return np.concatenate(align(found, [plane.name for plane in planes])[0], axis=1)


def _normalised(
    traces: np.ndarray,
    unit: str,
    rate: float,
    neuropil: np.ndarray | None,
    settings: CalciumReadSettings,
    history: list[str],
) -> tuple[np.ndarray, str]:
    """Turn raw fluorescence into dF/F, or say why not."""
    if settings.dff == "never":
        history.append("fluorescence kept as stored (setting dff: never)")
        return traces, unit
    if is_normalised(traces):
        history.append("traces are normalised already; no dF/F computed")
        return traces, unit
    if neuropil is not None:
        traces = subtract_neuropil(traces, neuropil, settings.neuropil_factor)
        history.append(f"neuropil subtracted with factor {settings.neuropil_factor:g}")
    result = delta_f_over_f(
        traces, rate, window=settings.baseline_window, percentile=settings.baseline_percentile
    )
    history.append(
        f"dF/F with F0 the running {settings.baseline_percentile:g}th percentile over "
        f"{settings.baseline_window:g} s; {int(np.isnan(result).all(axis=0).sum())} ROIs without a "
        "positive F0 left out"
    )
    return result, "dF/F"


def _imaging(table: Any, series: str) -> dict[str, Any]:
    """Facts of the imaging plane for the recording's attributes."""
    plane = getattr(table, "imaging_plane", None)
    facts: dict[str, Any] = {"series": series}
    for name in ("indicator", "location", "imaging_rate"):
        value = getattr(plane, name, None)
        if value is not None:
            facts[name] = float(value) if name == "imaging_rate" else str(value)
    return facts
