"""What every modality's assessment shares: its form, and the facts of a recording."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import xarray as xr

from neuropipe.quality.verdicts import Bounds, share_of
from neuropipe.recording import MISSING, Recording
from neuropipe.results import Metric, ResultFigure

_UNITS = {"fmri": "regions", "calcium": "neurons", "spikes": "units", "images": "units"}


@dataclass(kw_only=True)
class Assessment:
    """Everything that the checks of one modality say.

    Parameters
    ----------
    metrics : list of Metric
    arrays : xarray.Dataset
        Numbers per unit and per sample.
    figures : list of ResultFigure
    methods : str
        Past tense, with ``[key]`` marks into `references`.
    references : dict of str to str
    warnings : list of str
    """

    metrics: list[Metric]
    arrays: xr.Dataset
    figures: list[ResultFigure]
    methods: str
    references: dict[str, str]
    warnings: list[str] = field(default_factory=list)


def explained(metrics: list[Metric], reason: str) -> list[Metric]:
    """Let the description of every number that could not be computed say why.

    Parameters
    ----------
    metrics : list of Metric
    reason : str
        For those that do not give a reason of their own.
    """
    return [
        replace(metric, description=f"Not computed: {reason}. {metric.description}")
        if metric.value is None and not metric.description.startswith("Not computed")
        else metric
        for metric in metrics
    ]


def dataset(
    variables: dict[str, tuple[tuple[str, ...], np.ndarray, str, str]], recording: Recording
) -> xr.Dataset:
    """Bundle named arrays with their units of measurement.

    Parameters
    ----------
    variables : dict of str to (dimensions, values, unit, description)
    recording : Recording
        Gives the names of the units.
    """
    data = {
        name: (dims, values, {"unit": unit, "description": text})
        for name, (dims, values, unit, text) in variables.items()
    }
    labels = recording.units.index.to_numpy(object)
    return xr.Dataset(data, coords={"unit": labels})


def missing_samples(signals: np.ndarray, bounds: Bounds) -> Metric:
    """Judge the share of missing samples.

    Parameters
    ----------
    signals : array of shape (n_times, n_units)
        NaN is missing.
    bounds : Bounds
    """
    return share_of(
        "missing samples",
        np.isnan(signals),
        bounds,
        description="Share of samples that are missing; lower is better.",
    )


def facts(recording: Recording) -> dict[str, str]:
    """Short facts of a recording for the overview, in reading order, only those known.

    Parameters
    ----------
    recording : Recording

    Returns
    -------
    dict of str to str
    """
    attrs, rate = recording.attrs, recording.sampling_rate
    units = f"{_count(recording.n_units)} {_UNITS[recording.modality]}"
    found: dict[str, Any] = {
        "Species": recording.species,
        "Units": units,
        "Duration": _duration(recording.duration) if recording.duration else "",
    }
    if recording.responses is not None:
        found["Stimuli"] = _count(recording.responses.sizes["stimulus"])
        repeats = recording.responses.sizes["repeat"]
        found["Repeats"] = f"up to {repeats}" if repeats > 1 else "one response per image"
    if rate is not None and recording.modality == "fmri":
        found["Repetition time"] = f"{attrs.get('repetition_time', 1 / rate):g} s"
    elif rate is not None:
        found["Sampling rate"] = f"{rate:.4g} Hz"
    found["Parcellation"] = attrs.get("parcellation", "")
    for name in ("space", "cleaning", "indicator", "location"):
        found[name.capitalize()] = attrs.get(name, "")
    for name in ("session", "task", "run"):
        found[name.capitalize()] = getattr(recording, name)
    for name, value in recording.participant.items():
        label = _age(value) if name.lower() == "age" else _label(value)
        found.setdefault(name.replace("_", " ").capitalize(), label)
    return {name: str(value) for name, value in found.items() if value not in ("", None, MISSING)}


def _count(n: int) -> str:
    return f"{n:,}".replace(",", "\u202f") if n >= 10_000 else str(n)  # as the tables do


def _label(value: Any) -> str:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    return f"{value:g}" if isinstance(value, float) else str(value)


def _age(value: Any) -> str:
    """Age in years (BIDS), in months or days where it is a small number of years."""
    if not isinstance(value, int | float) or not math.isfinite(value):
        return _label(value)
    if value >= 2:
        return f"{value:g} years"
    return f"{12 * value:.2g} months" if value >= 1 / 6 else f"{365.25 * value:.2g} days"


def _duration(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.3g} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"
