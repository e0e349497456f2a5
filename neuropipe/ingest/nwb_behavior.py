"""Behavioural series of an NWB file: position, speed, pupil, licking, any sampled channel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import h5py
import numpy as np
import xarray as xr

from neuropipe.errors import InputError
from neuropipe.ingest.arrays import read_dataset
from neuropipe.ingest.clock import check_times
from neuropipe.ingest.entities import safe_name
from neuropipe.ingest.nwb import is_a, path_of, series_times
from neuropipe.ingest.nwb_events import is_event_series
from neuropipe.ingest.settings import NwbReadSettings
from neuropipe.recording import behavior_series

_MOST_COLUMNS = 16
_MOST_VALUES = 20_000_000
# Signals of neurons and images are read elsewhere or not at all; a time series of any other type
# (also one of an extension) is behaviour.
_OTHER = {"RoiResponseSeries", "ElectricalSeries", "PatchClampSeries", "ImageSeries",
          "IndexSeries", "DecompositionSeries", "AnnotationSeries", "IntervalSeries"}  # fmt: skip
_AXES = ("x", "y", "z")
_NAMES = {
    ("m", 1.0): ("m", "meter", "meters", "metre", "metres"),
    ("m", 1e-2): ("cm", "centimeter", "centimeters"),
    ("m", 1e-3): ("mm", "millimeter", "millimeters"),
    ("m", 1e-6): ("um", "micrometer", "micrometers", "microns"),
    ("m/s", 1.0): ("m/s", "meters/second", "meters per second"),
    ("m/s", 1e-2): ("cm/s", "centimeters/second", "centimeters per second"),
    ("s", 1.0): ("s", "second", "seconds"),
    ("s", 1e-3): ("ms", "millisecond", "milliseconds"),
    ("rad", 1.0): ("rad", "radian", "radians"),
    ("rad", float(np.pi / 180)): ("deg", "degree", "degrees"),
    ("V", 1.0): ("v", "volt", "volts"),
}
_SI = {name: si for si, names in _NAMES.items() for name in names}


@dataclass(frozen=True)
class _Series:
    name: str
    columns: dict[str, np.ndarray]
    times: np.ndarray
    unit: str


def read_behavior(
    nwb: Any, settings: NwbReadSettings, what: str
) -> tuple[dict[str, xr.Dataset], list[str]]:
    """Read the behavioural series, one group a time base.

    A group of one series carries the series' name; series that share their sampling times stand in
    one group named after its rate, such as ``behavior-30hz``. A series of several columns becomes
    ``position_x``, ``position_y`` (up to three columns of a spatial series) or ``name_1``...

    Parameters
    ----------
    nwb : pynwb.NWBFile
    settings : NwbReadSettings
    what : str
        Name of the file, for errors.

    Returns
    -------
    groups : dict of str to xarray.Dataset
        Values in SI units where the file's unit is a known one; NaN is kept.
    notes : list of str

    Raises
    ------
    InputError
        If a named series is absent, or timestamps of a series do not increase.
    """
    candidates = [o for o in nwb.objects.values() if _is_behavior(o)]
    candidates.sort(key=path_of)
    chosen, notes = _choose(candidates, settings.behavior, what)
    series: list[_Series] = []
    taken: set[str] = set()
    for item in chosen:
        name = safe_name(str(item.name), f"{what}: behaviour series")
        if name in taken:  # two containers may hold series of one name
            name = safe_name(path_of(item).replace("/", "_"), f"{what}: behaviour series")
        taken.add(name)
        one = _read_series(item, name, what)
        if one is None:
            notes.append(f"series {path_of(item)} holds no data")
        else:
            series.append(one)
    return _grouped(series), notes


def _is_behavior(item: object) -> bool:
    if not is_a(item, "TimeSeries") or is_a(item, *_OTHER):
        return False
    data = getattr(item, "data", None)
    numeric = isinstance(data, h5py.Dataset) and data.dtype.kind in "biuf" and data.ndim in (1, 2)
    return numeric and not is_event_series(item)


def _choose(
    candidates: list[Any], wanted: list[str] | None, what: str
) -> tuple[list[Any], list[str]]:
    if wanted is not None:
        chosen = []
        for name in wanted:
            found = [c for c in candidates if name in _names(c)]
            if not found:
                known = ", ".join(path_of(c) for c in candidates) or "(none)"
                raise InputError(
                    f"{what} has no behavioural series {name}",
                    f"one of {known}",
                    "correct the setting behavior",
                )
            chosen += [c for c in found if c not in chosen]
        return chosen, []
    small = [c for c in candidates if c.data.size <= _MOST_VALUES and
             (c.data.ndim == 1 or c.data.shape[1] <= _MOST_COLUMNS)]  # fmt: skip
    left = [path_of(c) for c in candidates if c not in small]
    return small, [f"series {name} is too large for behaviour unless named" for name in left]


def _names(item: Any) -> set[str]:
    """Names that choose a series: its own, those of its containers, and its path."""
    path = path_of(item)
    return {path, *path.split("/"), safe_name(str(item.name), "series")}


def _read_series(item: Any, name: str, what: str) -> _Series | None:
    data = read_dataset(item.data, what)
    if not data.size:
        return None
    values = data.reshape(len(data), -1).astype(np.float64)
    # Booleans and codes keep their values; a conversion of 1 costs nothing.
    values = values * float(item.conversion) + float(getattr(item, "offset", 0.0) or 0.0)
    unit, factor = _SI.get(str(item.unit).strip().lower(), (str(item.unit), 1.0))
    values *= factor
    label = f"{what}: series {path_of(item)}"
    times = check_times(series_times(item, len(values), what), label)
    n = values.shape[1]
    if item.data.ndim == 1:
        endings = [""]
    elif is_a(item, "SpatialSeries") and n <= len(_AXES):
        endings = [f"_{axis}" for axis in _AXES[:n]]
    else:
        endings = [f"_{i + 1}" for i in range(n)]
    columns = {f"{name}{end}": values[:, i] for i, end in enumerate(endings)}
    return _Series(name, columns, times, unit)


def _grouped(series: list[_Series]) -> dict[str, xr.Dataset]:
    bundles: list[list[_Series]] = []
    for one in series:
        for bundle in bundles:
            taken = {name for other in bundle for name in other.columns}
            if not taken & set(one.columns) and np.array_equal(bundle[0].times, one.times):
                bundle.append(one)
                break
        else:
            bundles.append([one])
    groups: dict[str, xr.Dataset] = {}
    for bundle in bundles:
        columns = {k: v for one in bundle for k, v in one.columns.items()}
        units = {k: one.unit for one in bundle for k in one.columns}
        data = behavior_series(columns, bundle[0].times, units)
        rate = f"{data.attrs['sampling_rate']:.6g}".replace(".", "-")
        name = bundle[0].name if len(bundle) == 1 else f"behavior-{rate}hz"
        free, count = name, 2
        while free in groups:
            free, count = f"{name}-{count}", count + 1
        groups[free] = data
    return groups
