"""The Recording: one subject's one run in one modality, in one NetCDF-4 file.

Groups of the file, present where they apply (see docs/architecture.md):

=============== ======================================================================
``signals``     float32 (time, unit); attribute ``sampling_rate`` in Hz; NaN is missing
``spikes``      ``spike_times`` in s, sorted, and ``unit_index`` into the unit table
``responses``   float32 (repeat, stimulus, unit); NaN where a trial is missing
``units``       one row a unit, indexed by its name
``events``      ``onset`` and ``duration`` in s, ``trial_type`` and further columns
``stimuli``     one row a stimulus, indexed by its id; ``path`` where it is a file
``confounds``   (time,) traces on the time axis of ``signals``: motion, global signal
``behavior``    one group a sampling rate, each with its own ``time`` in s
=============== ======================================================================
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, fields
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from neuropipe import recording_checks as checks
from neuropipe.atomic import atomic_file
from neuropipe.errors import InputError
from neuropipe.names import check_name
from neuropipe.recording_checks import MODALITIES

__all__ = [
    "MISSING",
    "MODALITIES",
    "Recording",
    "behavior_series",
    "responses_array",
    "signals_array",
    "text_table",
]

MISSING = "n/a"  # missing text, as in BIDS
FORMAT = "neuropipe-recording-1"
_TEXT = ("dataset", "recording", "subject", "session", "task", "run", "modality", "species")
_JSON = ("participant", "sources", "history", "software", "attrs")
_TABLES = {"units": "unit", "stimuli": "stimulus", "events": "event"}


@dataclass(kw_only=True)
class Recording:
    """One subject's one run in one modality.

    Parameters
    ----------
    dataset, recording, subject : str
        Names, safe as parts of a path; `subject` carries no ``sub-`` prefix.
    modality : {"fmri", "calcium", "spikes", "images"}
        What was recorded.
    session, task, run : str
        Further entities; ``""`` where the data have none.
    species : str
        Binomial name, ``""`` when unknown.
    signals : xarray.DataArray of shape (n_times, n_units), float32, optional
        Uniformly sampled traces; see `signals_array`.
    spikes : xarray.Dataset, optional
        ``spike_times`` (spike) float64 in s, sorted, and ``unit_index`` (spike) int32.
    responses : xarray.DataArray of shape (n_repeats, n_stimuli, n_units), float32, optional
        Responses to stimuli; NaN where a trial is missing.
    units : pandas.DataFrame
        One row a unit, indexed by unique names; columns such as region, x, y, z (m), quality.
    events, stimuli : pandas.DataFrame, optional
        See the module's table.
    confounds : xarray.Dataset, optional
        Traces on the time axis of `signals`.
    behavior : dict of str to xarray.Dataset
        Behavioural series by group name; see `behavior_series`.
    participant : dict
        The subject's row of the participants table: labels such as age (years) or diagnosis.
    sources : list of dict
        ``role``, ``path``, ``bytes``, ``sha256`` of every file read.
    history : list of str
        Every step done to the data, in order.
    software : dict of str to str
        Versions of the packages that read it.
    attrs : dict
        Further facts of the modality, such as the parcellation, in SI units.
    """

    dataset: str
    recording: str
    subject: str
    modality: str
    units: pd.DataFrame
    session: str = ""
    task: str = ""
    run: str = ""
    species: str = ""
    signals: xr.DataArray | None = None
    spikes: xr.Dataset | None = None
    responses: xr.DataArray | None = None
    events: pd.DataFrame | None = None
    stimuli: pd.DataFrame | None = None
    confounds: xr.Dataset | None = None
    behavior: dict[str, xr.Dataset] = field(default_factory=dict)
    participant: dict[str, Any] = field(default_factory=dict)
    sources: list[dict[str, Any]] = field(default_factory=list)
    history: list[str] = field(default_factory=list)
    software: dict[str, str] = field(default_factory=dict)
    attrs: dict[str, Any] = field(default_factory=dict)

    @property
    def n_units(self) -> int:
        """Number of units."""
        return len(self.units)

    @property
    def sampling_rate(self) -> float | None:
        """Sampling rate of the signals in Hz, None where there are none."""
        return None if self.signals is None else float(self.signals.attrs["sampling_rate"])

    @property
    def duration(self) -> float:
        """Length of the recording in s: of the signals, or up to the last spike or event.

        Image responses have no clock; their duration is 0.
        """
        if self.signals is not None:
            return self.signals.sizes["time"] / float(self.signals.attrs["sampling_rate"])
        ends = [0.0]
        if self.spikes is not None and self.spikes.sizes["spike"]:
            ends.append(float(self.spikes["spike_times"].values[-1]))
        if self.events is not None and len(self.events):
            ends.append(float(np.nanmax(self.events["onset"] + self.events["duration"].fillna(0))))
        ends += [float(d["time"].values[-1]) for d in self.behavior.values() if d.sizes["time"]]
        return max(ends)

    def spike_trains(self) -> list[np.ndarray]:
        """Spike times in s of every unit, in the order of the unit table."""
        if self.spikes is None:
            return [np.empty(0) for _ in range(self.n_units)]
        index = self.spikes["unit_index"].values
        times = self.spikes["spike_times"].values
        order = np.argsort(index, kind="stable")
        bounds = np.searchsorted(index[order], np.arange(self.n_units + 1))
        ordered = times[order]
        return [ordered[a:b] for a, b in pairwise(bounds)]

    def check(self) -> Recording:
        """Check the whole contract and return self.

        Raises
        ------
        InputError
            Naming the first thing that breaks it.
        """
        checks.check_identity(
            {name: getattr(self, name) for name in _TEXT},
            {name: getattr(self, name) for name in _JSON},
        )
        checks.check_units(self.units)
        checks.check_main(self.modality, vars(self))
        if self.signals is not None:
            checks.check_signals(self.signals, self.units.index)
        if self.responses is not None:
            n_stimuli = None if self.stimuli is None else len(self.stimuli)
            checks.check_responses(self.responses, self.n_units, n_stimuli)
        if self.spikes is not None:
            checks.check_spikes(self.spikes, self.n_units)
        if self.events is not None:
            checks.check_events(self.events)
        if self.stimuli is not None:
            checks.check_table(self.stimuli, "stimuli")
        if self.confounds is not None:
            n_times = None if self.signals is None else self.signals.sizes["time"]
            checks.check_confounds(self.confounds, n_times)
        for name, data in self.behavior.items():
            checks.check_behavior(name, data)
        return self

    def write(self, path: Path) -> None:
        """Check the contract and write one NetCDF-4 file, whole or not at all.

        Raises
        ------
        InputError
            If the recording breaks the contract.
        """
        try:
            self.check()
        except InputError as error:
            given = f"recording {self.recording}: {error.given}"
            raise InputError(given, error.expected, error.remedy) from error
        tree = xr.DataTree.from_dict(self._groups())
        with atomic_file(Path(path)) as temporary:
            tree.to_netcdf(temporary, engine="h5netcdf")

    @classmethod
    def read(cls, path: Path) -> Recording:
        """Read and check a file written by `write`.

        Raises
        ------
        InputError
            If it is missing, no recording, or breaks the contract.
        """
        path = Path(path)
        remedy = "make it again with `neuropipe ingest`"
        try:
            with xr.open_datatree(path, engine="h5netcdf") as opened:
                tree = opened.load()
        # Whatever h5py, h5netcdf and xarray raise on a damaged file; a KeyError names the part.
        except Exception as error:
            raise InputError(f"{path}: {error}", "a readable recording", remedy) from error
        if tree.attrs.get("format") != FORMAT:
            raise InputError(f"{path} has format {tree.attrs.get('format')!r}", FORMAT, remedy)
        try:
            return cls._from_tree(tree).check()
        except InputError as error:
            raise InputError(f"{path}: {error.given}", error.expected, error.remedy) from error
        except (KeyError, ValueError, TypeError, AttributeError, RecursionError) as error:
            raise InputError(
                f"{path} is incomplete: {error}", "a whole recording", remedy
            ) from error

    def _groups(self) -> dict[str, xr.Dataset]:
        root = {name: getattr(self, name) for name in _TEXT}
        root |= {name: json.dumps(getattr(self, name), allow_nan=False) for name in _JSON}
        groups = {"/": xr.Dataset(attrs={"format": FORMAT, **root})}
        for name in ("signals", "responses"):
            array = getattr(self, name)
            if array is not None:
                data = array.drop_vars("unit", errors="ignore").rename(name)
                groups[f"/{name}"] = data.to_dataset().assign_attrs(array.attrs)
        for name, index in _TABLES.items():
            table = getattr(self, name)
            if table is not None:
                groups[f"/{name}"] = _table_to_dataset(table, index)
        for name in ("spikes", "confounds"):
            if getattr(self, name) is not None:
                groups[f"/{name}"] = getattr(self, name)
        groups |= {f"/behavior/{name}": data for name, data in self.behavior.items()}
        return groups

    @classmethod
    def _from_tree(cls, tree: xr.DataTree) -> Recording:
        values: dict[str, Any] = {name: tree.attrs[name] for name in _TEXT}
        values |= {name: json.loads(tree.attrs[name]) for name in _JSON}
        for name, index in _TABLES.items():
            if name in tree.children:
                values[name] = _dataset_to_table(_group(tree, name), index)
        for name in ("signals", "responses"):
            if name in tree.children:
                data = _group(tree, name)
                array = data[name].assign_coords(unit=values["units"].index.to_numpy(object))
                values[name] = array.assign_attrs(data.attrs)
        for name in ("spikes", "confounds"):
            if name in tree.children:
                values[name] = _group(tree, name)
        if "behavior" in tree.children:
            behavior = tree.children["behavior"]
            values["behavior"] = {name: _group(behavior, name) for name in behavior.children}
        known = {f.name for f in fields(cls)}
        return cls(**{k: v for k, v in values.items() if k in known})


def _group(tree: xr.DataTree, name: str) -> xr.Dataset:
    return tree.children[name].to_dataset(inherit=False)


def signals_array(
    values: np.ndarray, sampling_rate: float, units: pd.Index, *, start: float = 0.0, unit: str = ""
) -> xr.DataArray:
    """Wrap traces as the `signals` of a recording.

    Parameters
    ----------
    values : array of shape (n_times, n_units)
        Traces; NaN is missing.
    sampling_rate : float
        In Hz.
    units : pandas.Index of length n_units
        Names of the units.
    start : float
        Time of the first sample, in s.
    unit : str
        What the values are measured in; ``""`` for arbitrary units.
    """
    time = start + np.arange(len(values)) / sampling_rate
    return xr.DataArray(
        np.asarray(values, dtype=np.float32),
        dims=("time", "unit"),
        coords={"time": time, "unit": np.asarray(units, dtype=object)},
        attrs={"sampling_rate": float(sampling_rate), "unit": unit},
        name="signals",
    )


def responses_array(values: np.ndarray, units: pd.Index, *, unit: str = "") -> xr.DataArray:
    """Wrap responses to stimuli as the `responses` of a recording.

    Parameters
    ----------
    values : array of shape (n_repeats, n_stimuli, n_units)
        Responses; NaN where a trial is missing.
    units : pandas.Index of length n_units
        Names of the units.
    unit : str
        What the values are measured in; ``""`` for arbitrary units.
    """
    return xr.DataArray(
        np.asarray(values, dtype=np.float32),
        dims=("repeat", "stimulus", "unit"),
        coords={"unit": np.asarray(units, dtype=object)},
        attrs={"unit": unit},
        name="responses",
    )


def behavior_series(
    series: dict[str, np.ndarray], time: np.ndarray, units: dict[str, str] | None = None
) -> xr.Dataset:
    """Bundle behavioural series that share their sampling times.

    Parameters
    ----------
    series : dict of str to array of shape (n_times,)
        Values by name; NaN is missing.
    time : array of shape (n_times,)
        Sampling times in s, increasing.
    units : dict of str to str, optional
        Unit of each series.

    Returns
    -------
    xarray.Dataset
        With ``sampling_rate`` in Hz (of the median step) among its attributes.
    """
    time = np.asarray(time, dtype=np.float64)
    rate = float(1 / np.median(np.diff(time))) if len(time) > 1 else 0.0
    units = units or {}
    return xr.Dataset(
        {
            check_name(name, "behaviour series"): (
                "time",
                np.asarray(values, dtype=np.float64),
                {"unit": units.get(name, "")},
            )
            for name, values in series.items()
        },
        coords={"time": time},
        attrs={"sampling_rate": rate},
    )


def text_table(table: pd.DataFrame, index: str) -> pd.DataFrame:
    """Bring a table into the form that recordings hold: text, float64, int64 or bool columns.

    Parameters
    ----------
    table : pandas.DataFrame
        Any table; columns that mix types become text, missing text becomes ``n/a``.
    index : str
        Name given to the index, whose entries become text.

    Returns
    -------
    pandas.DataFrame
        A new table.
    """
    columns = {str(name): _plain_column(table[name]) for name in table.columns}
    labels = pd.Index([str(label) for label in table.index], dtype=object, name=index)
    return pd.DataFrame(columns, index=labels)


def _plain_column(column: pd.Series) -> np.ndarray:
    if pd.api.types.is_bool_dtype(column.dtype) and not column.hasnans:
        return column.to_numpy(bool)
    if pd.api.types.is_integer_dtype(column.dtype) and not column.hasnans:
        return column.to_numpy(np.int64)
    if pd.api.types.is_numeric_dtype(column.dtype):
        return column.to_numpy(np.float64, na_value=np.nan)
    return np.array([MISSING if pd.isna(v) else str(v) for v in column], dtype=object)


def _table_to_dataset(table: pd.DataFrame, index: str) -> xr.Dataset:
    columns = {name: (index, _storable(table[name].to_numpy())) for name in table.columns}
    labels = np.asarray(table.index, dtype=object)
    # Column order is kept beside the columns: NetCDF sorts variables by name.
    attrs = {"columns": json.dumps(list(table.columns))}
    return xr.Dataset({"__index__": (index, _storable(labels)), **columns}, attrs=attrs)


def _storable(values: np.ndarray) -> np.ndarray:
    # An empty object array has no type that NetCDF could store.
    return values.astype("U1") if values.dtype == object and not len(values) else values


def _dataset_to_table(data: xr.Dataset, index: str) -> pd.DataFrame:
    names = json.loads(data.attrs["columns"])
    columns = {name: _loaded(data[name].values) for name in names}
    labels = pd.Index(_loaded(data["__index__"].values), dtype=object, name=index)
    return pd.DataFrame(columns, index=labels)


def _loaded(values: np.ndarray) -> np.ndarray:
    return values.astype(object) if values.dtype.kind in "UOST" else values
