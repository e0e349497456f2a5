"""Spiking units of NWB files."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Any

import h5py
import numpy as np
import pandas as pd
import xarray as xr

from neuropipe.errors import InputError
from neuropipe.ingest.arrays import read_dataset
from neuropipe.ingest.nwb import discover as discover
from neuropipe.ingest.nwb import (
    filter_units,
    identity,
    is_a,
    open_nwb,
    plain_columns,
)
from neuropipe.ingest.nwb import matches as matches
from neuropipe.ingest.nwb_behavior import read_behavior
from neuropipe.ingest.nwb_electrodes import place_columns
from neuropipe.ingest.nwb_events import read_events, read_stimuli
from neuropipe.ingest.settings import SpikesReadSettings
from neuropipe.ingest.source import SourceFiles
from neuropipe.recording import Recording, text_table

_QUALITY = ("quality", "KSLabel", "group")
_READ_APART = ("spike_times", "obs_intervals", "electrodes", "electrode_group")
_MOST_INTERVALS = 1000
_LONG = 6 * 3600.0  # s; spans beyond it are looked at twice
_SLOW = 0.5  # s; neurons fire again within it far more often than once in a hundred spikes


def read(files: SourceFiles, settings: SpikesReadSettings) -> Recording:
    """Read the sorted units of one NWB file.

    Parameters
    ----------
    files : SourceFiles
        With one file of role ``data``.
    settings : SpikesReadSettings

    Returns
    -------
    Recording
        Of modality ``spikes``; units of the file that a filter removed are absent.

    Raises
    ------
    InputError
        If the file is no readable NWB 2, has no units, holds impossible spike times, or a setting
        names something absent.
    """
    path = files.one("data")
    with open_nwb(path) as nwb:
        known = identity(nwb, files)
        history: list[str] = known.pop("history")
        source = _units_of(nwb, str(path))
        trains, labels = _spike_trains(source, str(path), settings, history)
        _refuse_other_clock(trains, str(path))
        units = _unit_table(source, str(path), labels, settings, known["species"], history)
        events, notes = read_events(nwb, settings, str(path))
        behavior, more = read_behavior(nwb, settings, str(path))
        history += notes + more
        folder = PurePosixPath(files.locked.paths("data")[0]).parent.as_posix()
        stimuli = read_stimuli(nwb, files.root, folder)
        if settings.shift_to_zero:
            trains, events, behavior = _shifted(trains, events, behavior, history)
        _refuse_negative(trains, labels, str(path))
        span = max([0.0, *(float(train[-1]) for train in trains if len(train))])
        known["attrs"] |= _observed(source, len(trains), history)
    keep = _chosen(units, trains, span, settings)
    if not keep.any():
        raise InputError(
            f"{path}: none of {len(trains)} units passes the filters",
            "at least one unit",
            "loosen quality, min_rate, max_isi_violations or filters",
        )
    if not keep.all():
        history.append(f"{int(keep.sum())} of {len(keep)} units pass the filters of the settings")
    return Recording(
        modality="spikes",
        units=text_table(units[keep], "unit"),
        spikes=merge_trains([train for train, k in zip(trains, keep, strict=True) if k]),
        events=events,
        stimuli=stimuli,
        behavior=behavior,
        history=history,
        **known,
    )


def merge_trains(trains: list[np.ndarray]) -> xr.Dataset:
    """Merge the spike trains of all units into one list, sorted by time.

    Parameters
    ----------
    trains : list of array of shape (n_spikes_of_unit,)
        Times in s, increasing within each unit.

    Returns
    -------
    xarray.Dataset
        ``spike_times`` in s and ``unit_index``; simultaneous spikes keep the order of the units.
    """
    times = np.concatenate([np.empty(0), *trains]).astype(np.float64)
    index = np.repeat(np.arange(len(trains), dtype=np.int32), [len(train) for train in trains])
    order = np.argsort(times, kind="stable")
    return xr.Dataset(
        {
            "spike_times": ("spike", times[order], {"unit": "s"}),
            "unit_index": ("spike", index[order]),
        }
    )


def isi_violations(train: np.ndarray, refractory_period: float) -> float:
    """Share of a unit's inter-spike intervals that are shorter than its refractory period.

    Parameters
    ----------
    train : array of shape (n_spikes,)
        Times in s, increasing.
    refractory_period : float
        In s.

    Returns
    -------
    float
        In [0, 1]; 0 for a unit of fewer than two spikes.
    """
    return float(np.mean(np.diff(train) < refractory_period)) if len(train) > 1 else 0.0


def _units_of(nwb: Any, what: str) -> Any:
    """The units table, at its own place or, if that is empty, the only other one."""
    others = [o for o in nwb.objects.values() if is_a(o, "Units")]
    units = nwb.units if nwb.units is not None else (others[0] if len(others) == 1 else None)
    if units is None or not len(units.id) or "spike_times" not in units.colnames:
        raise InputError(
            f"{what} has no units with spike times", "a units table", "choose another modality"
        )
    return units


def _spike_trains(
    units: Any, what: str, settings: SpikesReadSettings, history: list[str]
) -> tuple[list[np.ndarray], list[str]]:
    """Spike times of every unit, checked, and the units' names."""
    index, data = units.spike_times_index, units.spike_times
    times = _vector(getattr(data, "data", None), f"{what}: spike_times")
    ends = _vector(getattr(index, "data", None), f"{what}: spike_times_index").astype(np.int64)
    labels = _labels(read_dataset(units.id.data, what))
    whole = len(ends) == len(labels) and (np.diff(ends, prepend=0) >= 0).all()
    if not whole or (len(ends) and ends[-1] != len(times)):
        raise InputError(
            f"{what}: spike_times_index does not divide {len(times)} spikes among "
            f"{len(labels)} units",
            "increasing ends, the last one the number of spikes",
            "write the units table again",
        )
    starts = np.concatenate([[0], ends[:-1]])
    bad = np.flatnonzero(~np.isfinite(times))
    if len(bad):
        unit = labels[int(np.searchsorted(ends, bad[0], side="right"))]
        raise InputError(
            f"{what}: unit {unit} has a spike at {times[bad[0]]} s", "finite times", "remove it"
        )
    late = np.flatnonzero(np.diff(times) < 0) + 1
    late = late[~np.isin(late, starts)]
    trains = [times[a:b] for a, b in zip(starts, ends, strict=True)]
    if len(late):
        which = np.unique(np.searchsorted(ends, late, side="right"))
        if not settings.sort_spikes:
            raise InputError(
                f"{what}: unit {labels[int(which[0])]} has spike times out of order "
                f"(and {len(which) - 1} more units)",
                "increasing times",
                "set read: sort_spikes: true",
            )
        for unit in which:
            trains[unit] = np.sort(trains[unit])
        history.append(f"sorted the spike times of {len(which)} units")
    return trains, labels


def _refuse_other_clock(trains: list[np.ndarray], what: str) -> None:
    """Refuse a file without a spike, and spike times that are milliseconds or sample numbers."""
    intervals = np.concatenate([np.empty(0), *map(np.diff, trains)])
    ends = [(train[0], train[-1]) for train in trains if len(train)]
    if not ends:
        raise InputError(f"{what}: none of {len(trains)} units has a spike", "spikes", "leave out")
    span = max(last for _, last in ends) - min(first for first, _ in ends)
    if span > _LONG and len(intervals) >= 100 and np.quantile(intervals, 0.01) > _SLOW:
        raise InputError(
            f"{what}: spikes span {span:.6g} s and 99 % of their intervals exceed {_SLOW:g} s",
            "spike times in s (are these ms or samples?)",
            "write them in s",
        )


def _vector(data: Any, what: str) -> np.ndarray:
    if not isinstance(data, h5py.Dataset):
        raise InputError(f"{what} is absent", "a vector of numbers", "write the units table again")
    values = read_dataset(data, what)
    if values.ndim != 1 or values.dtype.kind not in "iuf":
        raise InputError(
            f"{what} holds {values.dtype} of shape {values.shape}",
            "a vector of numbers",
            "write the units table again",
        )
    return values.astype(np.float64)


def _labels(ids: np.ndarray) -> list[str]:
    names = [f"unit-{int(i):04d}" if int(i) >= 0 else f"unit-{k:04d}" for k, i in enumerate(ids)]
    return names if len(set(names)) == len(names) else [f"unit-{k:04d}" for k in range(len(names))]


def _unit_table(
    units: Any,
    what: str,
    labels: list[str],
    settings: SpikesReadSettings,
    species: str,
    history: list[str],
) -> pd.DataFrame:
    table, notes = plain_columns(units, f"{what}: units", _READ_APART)
    history += [note.removeprefix(f"{what}: ") for note in notes]
    table.index = pd.Index(labels, dtype=object, name="unit")
    places = place_columns(units, settings.electrode_unit, species, what, history)
    for name, values in places.items():
        table[name] = values
    return table


def _shifted(
    trains: list[np.ndarray],
    events: pd.DataFrame | None,
    behavior: dict[str, xr.Dataset],
    history: list[str],
) -> tuple[list[np.ndarray], pd.DataFrame | None, dict[str, xr.Dataset]]:
    """Move every clock so that the earliest spike falls on zero."""
    first = min((float(train[0]) for train in trains if len(train)), default=0.0)
    if events is not None:
        # Other columns of times keep the file's clock; the history says by how much it moved.
        events = events.assign(onset=events["onset"] - first)
    moved = {k: d.assign_coords(time=d["time"] - first) for k, d in behavior.items()}
    history.append(f"times shifted by {-first:.9g} s so that the earliest spike falls on 0 s")
    return [train - first for train in trains], events, moved


def _refuse_negative(trains: list[np.ndarray], labels: list[str], what: str) -> None:
    early = [(train[0], label) for train, label in zip(trains, labels, strict=True)
             if len(train) and train[0] < 0]  # fmt: skip
    if early:
        time, label = min(early)
        raise InputError(
            f"{what}: unit {label} has a spike at {time:g} s",
            "spike times from 0 s on",
            "set read: shift_to_zero: true",
        )


def _observed(units: Any, n_units: int, history: list[str]) -> dict[str, Any]:
    """Intervals in which units were watched, in s: one list for all units, or their union."""
    if "obs_intervals" not in units.colnames:
        return {}
    column = units["obs_intervals"]
    each = [np.asarray(column[i], dtype=np.float64).reshape(-1, 2) for i in range(n_units)]
    alike = all(np.array_equal(each[0], other) for other in each)
    spans = each[0] if alike else _union(np.concatenate(each))
    if not alike:
        history.append("units were observed at different times; obs_intervals holds their union")
    if not np.isfinite(spans).all() or len(spans) > _MOST_INTERVALS:
        history.append(f"obs_intervals ({len(spans)} rows) not kept")
        return {}
    return {"obs_intervals": spans.tolist()}


def _union(spans: np.ndarray) -> np.ndarray:
    merged: list[list[float]] = []
    for start, stop in sorted(spans.tolist()):
        if merged and start <= merged[-1][1]:
            merged[-1][1] = max(merged[-1][1], stop)
        else:
            merged.append([start, stop])
    return np.array(merged).reshape(-1, 2)


def _chosen(
    units: pd.DataFrame, trains: list[np.ndarray], span: float, settings: SpikesReadSettings
) -> np.ndarray:
    keep = filter_units(units, settings.filters)
    if settings.quality is not None:
        column = next((c for c in _QUALITY if c in units), None)
        if column is None:
            raise InputError(
                "the setting quality is given, but the units have no such column",
                f"a column {', '.join(_QUALITY)}",
                "leave the setting out, or use filters",
            )
        keep &= units[column].astype(str).isin(settings.quality).to_numpy()
    if settings.min_rate is not None:
        rates = np.array([len(train) for train in trains]) / span if span > 0 else 0.0
        keep &= rates >= settings.min_rate
    if settings.max_isi_violations is not None:
        shares = [isi_violations(train, settings.refractory_period) for train in trains]
        keep &= np.array(shares) <= settings.max_isi_violations
    return keep
