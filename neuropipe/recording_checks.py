"""The contract of a Recording: one function a group, each naming the first rule that is broken."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from neuropipe.errors import InputError
from neuropipe.names import check_name

MODALITIES = ("fmri", "calcium", "spikes", "images")
_SLOWEST, _FASTEST = 1e-3, 1e5  # Hz; beyond them lies no imaging, but ms, MHz or a damaged file
_LISTS = ("sources", "history")  # the other plain parts are dictionaries
_MAIN = {"fmri": "signals", "calcium": "signals", "spikes": "spikes", "images": "responses"}
_TIME_TOLERANCE = 1e-3  # of one sampling step


def _broken(given: str, expected: str) -> InputError:
    return InputError(given, expected, "correct the source or its reading options")


def check_identity(entities: Mapping[str, str], plain: Mapping[str, Any]) -> None:
    """Check the names that become parts of paths, and that the rest can be stored as JSON.

    Parameters
    ----------
    entities : mapping
        ``dataset``, ``recording``, ``subject``, ``session``, ``task``, ``run``, ``modality``.
    plain : mapping
        Whatever is stored as JSON.
    """
    for name in ("dataset", "recording", "subject"):
        check_name(entities[name], name)
    for name in ("session", "task", "run"):
        if entities[name] != "":
            check_name(entities[name], name)
    if entities["modality"] not in MODALITIES:
        raise _broken(f"modality is {entities['modality']!r}", f"one of {', '.join(MODALITIES)}")
    for name, value in plain.items():
        kind = list if name in _LISTS else dict
        if not isinstance(value, kind):
            raise _broken(f"{name} is a {type(value).__name__}", f"a {kind.__name__}")
        try:
            json.dumps(value, allow_nan=False)
        except (TypeError, ValueError) as error:
            raise _broken(f"{name} cannot be stored: {error}", "plain finite values") from error


def check_main(modality: str, groups: Mapping[str, object]) -> None:
    """Check that the group that a modality is about is there."""
    main = _MAIN[modality]
    if groups[main] is None:
        raise _broken(f"{modality} recording without {main}", f"the group {main}")


def check_table(table: pd.DataFrame, name: str) -> None:
    """Check a table's names and the kinds of its columns."""
    labels = list(table.index)
    if not all(isinstance(label, str) and label and "\0" not in label for label in labels):
        raise _broken(f"{name} has an index entry that is no text", "non-empty text names")
    if not table.index.is_unique:
        twice = table.index[table.index.duplicated()][0]
        raise _broken(f"{name} names {twice!r} more than once", "unique names")
    if not table.columns.is_unique:
        raise _broken(f"{name} has two columns of one name", "unique column names")
    for column in table.columns:
        if not isinstance(column, str) or not column or "/" in column or "\0" in column:
            raise _broken(f"{name} has a column named {column!r}", "text without '/'")
        kind = table[column].to_numpy().dtype.kind
        if kind not in "biufOU":
            raise _broken(f"{name}.{column} holds {table[column].dtype}", "numbers, bools or text")


def check_units(units: pd.DataFrame) -> None:
    """Check the unit table: at least one unit, each with a name of its own."""
    check_table(units, "units")
    if len(units) == 0:
        raise _broken("units is empty", "at least one unit")


def check_signals(signals: xr.DataArray, units: pd.Index) -> None:
    """Check traces: their units, a uniform clock, finite values or NaN."""
    if signals.dims != ("time", "unit") or signals.dtype != np.float32:
        raise _broken(
            f"signals has dimensions {signals.dims} of {signals.dtype}", "float32 (time, unit)"
        )
    if list(signals["unit"].values) != list(units):
        raise _broken("signals names other units than the unit table", "the same names in order")
    if signals.sizes["time"] < 2:
        raise _broken(f"signals has {signals.sizes['time']} samples", "at least two samples")
    rate = signals.attrs.get("sampling_rate")
    if not isinstance(rate, float | np.floating) or not np.isfinite(rate) or rate <= 0:
        raise _broken(f"signals has sampling_rate {rate!r}", "a positive rate in Hz")
    if not _SLOWEST <= rate <= _FASTEST:
        raise _broken(
            f"signals has a sampling rate of {rate:g} Hz", f"{_SLOWEST:g} to {_FASTEST:g} Hz"
        )
    time = signals["time"].values
    ideal = time[0] + np.arange(len(time)) / rate
    if not np.all(np.abs(time - ideal) <= _TIME_TOLERANCE / rate):
        raise _broken("signals is not sampled at its sampling_rate", "uniform time steps")
    if np.isinf(signals.values).any():
        raise _broken("signals holds infinite values", "finite values, NaN where missing")
    if np.isnan(signals.values).all():
        raise _broken("signals holds only NaN", "at least one measured value")


def check_responses(responses: xr.DataArray, n_units: int, n_stimuli: int | None) -> None:
    """Check responses: their units, their stimuli, finite values or NaN."""
    if responses.dims != ("repeat", "stimulus", "unit") or responses.dtype != np.float32:
        raise _broken(
            f"responses has dimensions {responses.dims} of {responses.dtype}",
            "float32 (repeat, stimulus, unit)",
        )
    if responses.sizes["unit"] != n_units:
        raise _broken(
            f"responses has {responses.sizes['unit']} units", f"{n_units} as in the unit table"
        )
    if responses.sizes["stimulus"] != n_stimuli:
        raise _broken(
            f"responses has {responses.sizes['stimulus']} stimuli",
            f"as many as the stimulus table ({n_stimuli})",
        )
    if np.isinf(responses.values).any() or np.isnan(responses.values).all():
        raise _broken("responses is infinite or all NaN", "finite values, NaN where missing")


def check_spikes(spikes: xr.Dataset, n_units: int) -> None:
    """Check spikes: sorted times from 0 on, each of a known unit."""
    if set(spikes.data_vars) != {"spike_times", "unit_index"}:
        raise _broken(
            f"spikes holds {sorted(map(str, spikes.data_vars))}", "spike_times, unit_index"
        )
    times, index = spikes["spike_times"].values, spikes["unit_index"].values
    if times.dtype != np.float64 or times.ndim != 1 or index.dtype != np.int32:
        raise _broken("spikes has other types", "float64 spike_times and int32 unit_index")
    if not np.isfinite(times).all() or (times < 0).any():
        raise _broken("spike_times has negative or non-finite times", "times in s from 0 on")
    if (np.diff(times) < 0).any():
        raise _broken("spike_times is not sorted", "increasing times")
    if len(index) and (index.min() < 0 or index.max() >= n_units):
        raise _broken("unit_index points outside the unit table", f"0 to {n_units - 1}")


def check_events(events: pd.DataFrame) -> None:
    """Check events: finite onsets, durations from 0 on."""
    check_table(events, "events")
    for column in ("onset", "duration"):
        if column not in events or events[column].dtype.kind not in "fiu":
            raise _broken(f"events has no numeric {column}", "onset and duration in s")
    if not np.isfinite(events["onset"].to_numpy(float)).all():
        raise _broken("events has an onset that is no number", "onsets in s")
    if (events["duration"].to_numpy(float) < 0).any():
        raise _broken("events has a negative duration", "durations in s from 0 on")


def check_confounds(confounds: xr.Dataset, n_times: int | None) -> None:
    """Check that confounds share the time axis of the signals."""
    if n_times is None or set(confounds.dims) != {"time"}:
        raise _broken("confounds stands without signals", "traces on the signals' time axis")
    if confounds.sizes["time"] != n_times:
        raise _broken(
            f"confounds has {confounds.sizes['time']} samples", f"{n_times} as in signals"
        )


def check_behavior(name: str, data: xr.Dataset) -> None:
    """Check a behaviour group: its name, increasing times, numeric series."""
    check_name(name, "behaviour group")
    if set(data.dims) != {"time"} or "time" not in data.coords or not data.sizes["time"]:
        raise _broken(f"behaviour group {name} has no time axis", "series over time in s")
    time = data["time"].values
    if not np.isfinite(time).all() or (np.diff(time) <= 0).any():
        raise _broken(f"behaviour group {name} has times out of order", "increasing times in s")
    for series in data.data_vars:
        if data[series].dtype.kind not in "fiub":
            raise _broken(f"behaviour {name}.{series} is no number", "numeric series")
