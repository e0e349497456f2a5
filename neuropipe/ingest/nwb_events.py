"""Events and stimuli of an NWB file: interval tables, event codes, annotations, image series.

A series becomes events, not behaviour, when its times are the information: annotations (text),
interval series (starts and stops), and whole-number codes at irregular times, such as the TTL
markers of an acquisition system. Codes repeat what a curated interval table says, so they are read
only where the file has no such table, or where the setting ``event_series`` names them.
"""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import Any

import h5py
import numpy as np
import pandas as pd

from neuropipe.errors import InputError
from neuropipe.ingest.arrays import read_dataset
from neuropipe.ingest.nwb import is_a, is_known, path_of, plain_columns, series_times
from neuropipe.ingest.settings import NwbReadSettings
from neuropipe.names import check_relative
from neuropipe.recording import MISSING, text_table

_TYPE_COLUMNS = ("trial_type", "condition", "stimulus_name")
_RESERVED = {"onset", "duration", "trial_type", "table", "start_time", "stop_time"}
_DAY = 86_400.0
_IRREGULAR = 0.5  # of the median step; more than a tenth of the steps beyond it is no sampling
_MOST_CODES = 1_000_000


def read_events(
    nwb: Any, settings: NwbReadSettings, what: str
) -> tuple[pd.DataFrame | None, list[str]]:
    """Read all events of a file.

    Parameters
    ----------
    nwb : pynwb.NWBFile
    settings : NwbReadSettings
    what : str
        Name of the file, for errors.

    Returns
    -------
    events : pandas.DataFrame or None
        ``onset`` and ``duration`` in s, ``trial_type``, ``table`` (where the row comes from) and
        every column of one value a row; sorted by onset.
    notes : list of str

    Raises
    ------
    InputError
        If a named column or series is absent.
    """
    tables = [o for o in nwb.objects.values() if is_a(o, "TimeIntervals")]
    tables.sort(key=lambda table: str(table.name))
    parts: list[pd.DataFrame] = []
    notes: list[str] = []
    with_column = 0
    for table in tables:
        if not len(table.id):
            notes.append(f"interval table {table.name} is empty")
            continue
        columns, skipped = plain_columns(table, f"{what}: table {table.name}")
        notes += [note.removeprefix(f"{what}: ") for note in skipped]
        with_column += settings.trial_type in columns
        parts.append(_interval_rows(columns, str(table.name), settings.trial_type, what, notes))
    if settings.trial_type is not None and not with_column:
        names = ", ".join(str(table.name) for table in tables) or "(none)"
        raise InputError(
            f"{what}: no interval table has the column {settings.trial_type}",
            f"a column of one of {names}",
            "correct the setting trial_type",
        )
    parts += _series_events(nwb, settings, what, has_tables=bool(tables), notes=notes)
    parts = [part for part in parts if len(part)]
    if not parts:
        return None, notes
    events = pd.concat(parts, ignore_index=True)
    events = events.iloc[np.argsort(events["onset"].to_numpy(), kind="stable")]
    return text_table(events.reset_index(drop=True), "event"), notes


def _interval_rows(
    columns: pd.DataFrame, name: str, column: str | None, what: str, notes: list[str]
) -> pd.DataFrame:
    if "start_time" not in columns or columns["start_time"].dtype.kind not in "iuf":
        raise InputError(
            f"{what}: table {name} has no numeric start_time", "times in s", "mend the table"
        )
    onset = columns["start_time"].to_numpy(np.float64)
    duration = np.full(len(onset), np.nan)
    if "stop_time" in columns and columns["stop_time"].dtype.kind in "iuf":
        duration = columns["stop_time"].to_numpy(np.float64) - onset
    backward = duration < 0
    if backward.any():
        duration[backward] = np.nan
        notes.append(
            f"table {name}: {int(backward.sum())} rows stop before they start; no duration"
        )
    chosen = column if column in columns else next((c for c in _TYPE_COLUMNS if c in columns), None)
    kinds = [name] * len(onset) if chosen is None else [_label(v) for v in columns[chosen]]
    rows = {"onset": onset, "duration": duration, "trial_type": kinds, "table": name}
    others = {
        (f"{c}_column" if c in _RESERVED else str(c)): columns[c].to_numpy()
        for c in columns
        if c not in ("start_time", "stop_time", "trial_type")
    }
    return _with_onset(pd.DataFrame(rows | others), name, notes)


def _label(value: Any) -> str:
    if isinstance(value, float | np.floating) and float(value).is_integer():
        return str(int(value))
    return str(value) if is_known(value) else MISSING


def _with_onset(rows: pd.DataFrame, name: str, notes: list[str]) -> pd.DataFrame:
    onset = rows["onset"].to_numpy(np.float64)
    # A clock that was not set yet stamps its first marker years away.
    good: np.ndarray = np.isfinite(onset) & (onset > -_DAY)
    if not good.all():
        notes.append(f"{name}: {int((~good).sum())} rows without a believable onset left out")
    kept: pd.DataFrame = rows[good]
    return kept


def _series_events(
    nwb: Any, settings: NwbReadSettings, what: str, *, has_tables: bool, notes: list[str]
) -> list[pd.DataFrame]:
    wanted = settings.event_series
    parts, seen = [], set()
    for series in nwb.objects.values():
        if not is_a(series, "TimeSeries"):
            continue
        name = str(series.name)
        if is_a(series, "IndexSeries"):
            parts.append(_index_rows(series, what, notes))
            continue
        if not is_event_series(series):
            continue
        seen |= {name, path_of(series)}
        curated = has_tables and not is_a(series, "AnnotationSeries")
        if wanted is None and curated:
            notes.append(f"event series {path_of(series)} not read: the file has interval tables")
        elif wanted is None or name in wanted or path_of(series) in wanted:
            parts.append(_code_rows(series, what, notes))
    absent = [name for name in wanted or [] if name not in seen]
    if absent:
        raise InputError(
            f"{what} has no event series {absent[0]}",
            f"one of {', '.join(sorted(seen)) or '(none)'}",
            "correct the setting event_series",
        )
    return parts


def is_event_series(series: Any) -> bool:
    """Tell whether a time series is a list of events rather than a sampled signal.

    Parameters
    ----------
    series : pynwb.TimeSeries

    Returns
    -------
    bool
        True for annotations, interval series, text, and whole numbers of one column at irregular
        times.
    """
    if is_a(series, "AnnotationSeries") or is_a(series, "IntervalSeries"):
        return True
    data, times = series.data, series.timestamps
    if not isinstance(data, h5py.Dataset) or data.ndim != 1 or times is None:
        return False
    if data.dtype.kind in "OSU":
        return True
    if data.dtype.kind not in "iu" or len(data) > _MOST_CODES:
        return False
    steps = np.diff(series_times(series, len(data), str(series.name)))
    if not len(steps):
        return True
    median = np.median(steps)
    return bool(np.mean(np.abs(steps - median) > _IRREGULAR * abs(median)) > 0.1)


def _code_rows(series: Any, what: str, notes: list[str]) -> pd.DataFrame:
    name = str(series.name)
    codes = read_dataset(series.data, what)
    times = series_times(series, len(codes), what)
    duration = np.zeros(len(times))
    if is_a(series, "IntervalSeries"):
        codes = codes.astype(np.int64)
        start = np.flatnonzero(codes > 0)
        # n opens interval n and the next -n closes it, as the standard says.
        ends = [times[i:][codes[i:] == -codes[i]][:1] for i in start]
        stop = np.array([end[0] if len(end) else np.nan for end in ends])
        codes, times, duration = codes[start], times[start], stop - times[start]
    kinds = [_label(c.decode("utf-8", "replace") if isinstance(c, bytes) else c) for c in codes]
    rows = {"onset": times, "duration": duration, "trial_type": kinds, "table": name}
    return _with_onset(pd.DataFrame(rows), name, notes)


def _index_rows(series: Any, what: str, notes: list[str]) -> pd.DataFrame:
    """One row a presentation of an indexed image."""
    index = read_dataset(series.data, what).astype(np.int64)
    name = str(series.name)
    onset = series_times(series, len(index), what)
    ids = _image_ids(series)
    if len(index) and ids and (index.min() < 0 or index.max() >= len(ids)):
        raise InputError(
            f"{what}: series {name} shows image {int(index.max())}",
            f"0 to {len(ids) - 1}, the images it indexes",
            "mend the file",
        )
    labels = [ids[i] if ids else str(i) for i in index]
    rows = {"onset": onset, "duration": np.nan, "trial_type": name, "table": name,
            "stimulus": labels}  # fmt: skip
    return _with_onset(pd.DataFrame(rows), name, notes)


def _image_ids(series: Any) -> list[str]:
    images = getattr(series, "indexed_images", None)
    if images is None:
        return []
    order = getattr(images, "order_of_images", None)
    listed = list(order[:]) if order is not None else list(images.images.values())
    return [str(image.name) for image in listed]


def read_stimuli(nwb: Any, root: Path, folder: str) -> pd.DataFrame | None:
    """List the stimuli that a file refers to; no pixels are read.

    Parameters
    ----------
    nwb : pynwb.NWBFile
    root : Path
        The dataset's root on this machine.
    folder : str
        POSIX folder of the NWB file, relative to the root.

    Returns
    -------
    pandas.DataFrame or None
        Indexed by the name of the image, external file or series: ``path`` relative to the
        dataset's root (``""`` for a stimulus inside the file, and for an external file that is
        absent or lies outside of the dataset), ``series``, and ``width`` and ``height`` in pixels
        where known. None where there is no stimulus.
    """
    rows: dict[str, dict[str, Any]] = {}
    for item in (*nwb.stimulus.values(), *nwb.stimulus_template.values()):
        if is_a(item, "Images"):
            for image in item.images.values():
                rows.setdefault(str(image.name), _row("", item, image.data.shape[1::-1]))
        elif is_a(item, "ImageSeries"):
            files = item.external_file
            names = [] if files is None else [_decoded(name) for name in files[:]]
            for name in names:
                rows.setdefault(name, _row(_inside(root, folder, name), item, item.dimension))
            if not names:
                rows.setdefault(str(item.name), _row("", item, item.dimension))
    return text_table(pd.DataFrame.from_dict(rows, orient="index"), "stimulus") if rows else None


def _decoded(name: Any) -> str:
    return name.decode("utf-8", "replace") if isinstance(name, bytes) else str(name)


def _row(path: str, item: Any, size: Any) -> dict[str, Any]:
    width, height = (float(n) for n in size[:2]) if size is not None else (np.nan, np.nan)
    return {"path": path, "series": str(item.name), "width": width, "height": height}


def _inside(root: Path, folder: str, name: str) -> str:
    """Path of an external file below the dataset's root, ``""`` where it leads out or is absent."""
    try:
        path = check_relative((PurePosixPath(folder) / name).as_posix(), "external file")
        return path if (root / path).is_file() else ""
    except (InputError, OSError, ValueError):
        return ""
