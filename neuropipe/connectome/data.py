"""From recordings to the traces of all animals: matched units on one time axis.

Axis legend: a animals (one recording each), n units, t samples.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd

from neuropipe.connectome.alignment import Clock, Timeline, align, event_samples
from neuropipe.connectome.merging import known_pairs, merge_rows, merged_names
from neuropipe.connectome.runs import Run, ordered_union, read_runs, resampled
from neuropipe.connectome.settings import UnitSettings
from neuropipe.errors import UnfitRecordingError
from neuropipe.recording import MISSING, Recording, text_table
from neuropipe.stats.connectivity_matrices import varying
from neuropipe.units import draw_units

__all__ = ["Animals", "build_animals"]

_NOUNS = {"fmri": "ROI", "calcium": "neuron"}
_SAME_RATE = 0.01


@dataclass(frozen=True)
class Animals:
    """Traces of all animals of a dataset; an animal is one recording of one subject.

    Parameters
    ----------
    traces : array of float32 of shape (n_animals, n_units, n_samples)
        NaN for absent units (the whole row) and, on the clock ``own``, after a recording's end.
    presence : array of bool of shape (n_animals, n_units)
    lengths : array of int of shape (n_animals,)
        Samples in use of each animal.
    units : pandas.DataFrame
        Text columns of the unit table (region, network, ...), indexed by name.
    recordings, subjects : list of str of length n_animals
    sampling_rate : float
        In Hz.
    clock : {"shared", "events", "own"}
        See `neuropipe.connectome.alignment`.
    events : pandas.DataFrame
        ``trial_type``, ``start`` and ``stop`` in samples of the tensor's time axis; on the clock
        ``own`` the column ``recording`` too.
    segments : array of int of shape (n_segments, 2)
        Start and stop, in samples, of stretches that are contiguous in time. The clock ``events``
        joins windows: nothing may be smoothed or differentiated across their borders.
    noun : {"neuron", "ROI", "unit"}
    modality : str
    warnings : list of str
    merged : dict of str to str
        Name of the merged unit of every unit of a left/right pair; empty without merging.
    """

    traces: np.ndarray
    presence: np.ndarray
    lengths: np.ndarray
    units: pd.DataFrame
    recordings: list[str]
    subjects: list[str]
    sampling_rate: float
    clock: Clock
    events: pd.DataFrame
    segments: np.ndarray
    noun: str
    modality: str
    warnings: list[str] = field(default_factory=list)
    merged: dict[str, str] = field(default_factory=dict)

    @property
    def names(self) -> list[str]:
        """Names of the units."""
        return [str(name) for name in self.units.index]


def build_animals(recordings: Iterable[Recording], dataset: str, settings: UnitSettings) -> Animals:
    """Bring the traces of all recordings together.

    Units are matched by name. A unit that is constant in a recording or misses more than
    `max_missing` of its frames counts as absent there; shorter gaps are filled linearly. Recordings
    that cannot be used are left out with a warning.

    Parameters
    ----------
    recordings : iterable of Recording
        Read one at a time; only traces are kept.
    dataset : str
        For messages.
    settings : UnitSettings

    Raises
    ------
    UnfitRecordingError
        If no recording can be used, units cannot be matched, sampling rates differ by more than
        1 %, too few units remain, or too few frames are common.
    """
    runs, warnings = read_runs(recordings, dataset, settings)
    rate = _common_rate(runs, dataset)
    runs = [replace(run, traces=resampled(run.traces, run.sampling_rate, rate)) for run in runs]
    merged: dict[str, str] = {}
    if settings.merge_homologues:
        runs, merged, notes = _merge(runs)
        warnings += notes
    names, notes = _chosen_units(runs, settings)
    warnings += notes
    runs, notes = _with_pairs(runs, names)
    warnings += notes
    _check_number(len(names) if runs else 0, dataset, settings)
    timeline = align(
        {r.recording: event_samples(r.events, r.first, rate, r.traces.shape[1]) for r in runs},
        [run.traces.shape[1] for run in runs],
        rate,
        settings,
    )
    traces = _tensor(runs, names, timeline)
    presence = np.isfinite(traces).any(axis=2)
    kept = presence.any(axis=0)
    _check_number(int(kept.sum()), dataset, settings)
    return Animals(
        traces=traces[:, kept],
        presence=presence[:, kept],
        lengths=timeline.lengths,
        units=_unit_table(runs, [n for n, k in zip(names, kept, strict=True) if k], merged),
        recordings=[run.recording for run in runs],
        subjects=[run.subject for run in runs],
        sampling_rate=rate,
        clock=timeline.clock,
        events=timeline.events.reset_index(drop=True),
        segments=timeline.segments,
        noun=_NOUNS.get(runs[0].modality, "unit"),
        modality=runs[0].modality,
        warnings=warnings + timeline.warnings,
        merged=merged,
    )


def _common_rate(runs: Sequence[Run], dataset: str) -> float:
    rates = np.array([run.sampling_rate for run in runs])
    if rates.max() > (1 + _SAME_RATE) * rates.min():
        slow, fast = runs[int(rates.argmin())], runs[int(rates.argmax())]
        raise UnfitRecordingError(
            f"recordings of {dataset} have sampling rates of {rates.min():g} Hz "
            f"({slow.recording}) to {rates.max():g} Hz ({fast.recording})",
            "rates within 1 % of each other",
            "split the dataset by sampling rate, or set analyses: {connectome: false}",
        )
    return float(np.median(rates))


def _merge(runs: Sequence[Run]) -> tuple[list[Run], dict[str, str], list[str]]:
    names = ordered_union(runs)
    merged = merged_names(names, known_pairs(names, [pair for run in runs for pair in run.pairs]))
    if not merged:
        return list(runs), {}, ["No left/right pairs are known: no units were merged."]
    return [_merged_run(run, merged) for run in runs], merged, []


def _merged_run(run: Run, merged: dict[str, str]) -> Run:
    traces, names = merge_rows(run.traces, run.names, merged)
    units = run.units.rename(index=merged)
    units = units[~units.index.duplicated()].loc[names]
    return replace(run, traces=traces, units=units, pairs=[])


def _chosen_units(runs: Sequence[Run], settings: UnitSettings) -> tuple[list[str], list[str]]:
    """Units that enough recordings have, at most `max_units` of them."""
    names = np.array(ordered_union(runs), dtype=object)
    count = pd.Series([name for run in runs for name in run.names]).value_counts()
    often = count[names].to_numpy() >= settings.min_presence * len(runs) - 1e-9
    frequent = names[often]
    drawn = frequent[draw_units(frequent, settings.max_units)]
    warnings = []
    if not often.all():
        rare = names[~often]
        warnings.append(
            f"{len(rare)} of {len(names)} units left out (present in fewer than "
            f"{settings.min_presence:.0%} of the recordings): {_some(rare)}."
        )
    if len(drawn) < len(frequent):
        warnings.append(f"{len(drawn)} of {len(frequent)} units drawn (max_units).")
    return [str(name) for name in drawn], warnings


def _with_pairs(runs: Sequence[Run], names: Sequence[str]) -> tuple[list[Run], list[str]]:
    """Leave out recordings that hold no pair of the chosen units."""
    chosen = set(names)
    kept = [run for run in runs if len(chosen & set(run.names)) > 1]
    lost = [run.recording for run in runs if run not in kept]
    return kept, [f"Recordings left out (fewer than 2 units in use): {_some(lost)}."] * bool(lost)


def _tensor(runs: Sequence[Run], names: Sequence[str], timeline: Timeline) -> np.ndarray:
    """Traces (a, n, t); a unit that is constant on the time axis in use is absent."""
    tensor = np.full((len(runs), len(names), timeline.n_samples), np.nan, dtype=np.float32)
    for animal, run in enumerate(runs):
        place = run.units.index.get_indexer(pd.Index(names, dtype=object))
        there = np.flatnonzero(place >= 0)
        placed = timeline.place(run.traces[place[there]], animal)
        varies = varying(placed.T.astype(np.float64))
        tensor[animal, there[varies]] = placed[varies]
    return tensor


def _check_number(n_units: int, dataset: str, settings: UnitSettings) -> None:
    if n_units < settings.min_units:
        raise UnfitRecordingError(
            f"recordings of {dataset} share {n_units} units",
            f"at least {settings.min_units} (min_units)",
            "lower min_presence, or set analyses: {connectome: false}",
        )


def _unit_table(runs: Sequence[Run], names: list[str], merged: dict[str, str]) -> pd.DataFrame:
    """Text columns as the first recording with a unit states them; numbers differ between them."""
    table = pd.concat([run.units.select_dtypes(exclude="number") for run in runs])
    table = table[~table.index.duplicated()].loc[names]
    of_pair = table.index.isin(list(merged.values()))
    for column in {"hemisphere", "homologue", "neuron_name"} & set(table.columns):
        table[column] = table[column].where(~of_pair, MISSING)
    if "homologue" in table and not merged:
        for left, right in (pair for run in runs for pair in run.pairs):
            if left in table.index and right in table.index:
                table.loc[[left, right], "homologue"] = [right, left]
    return text_table(table, "unit")


def _some(names: Sequence[str] | np.ndarray) -> str:
    return ", ".join(str(name) for name in names[:5]) + (", ..." if len(names) > 5 else "")
