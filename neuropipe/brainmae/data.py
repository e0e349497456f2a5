"""From recordings to one memory-mapped array of standardised series, and to crops and segments.

Axis legend: r runs, t samples of all runs one after another, n ROIs, k segments, l points.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from neuropipe.brainmae.segments import (
    Segments,
    native_points,
    native_segments,
    segment_crops,
)
from neuropipe.brainmae.settings import BrainmaeSettings, SegmentSettings
from neuropipe.errors import InputError, UnfitRecordingError
from neuropipe.prediction.participants import participant_labels
from neuropipe.recording import MISSING, Recording
from neuropipe.stats.connectivity_matrices import varying
from neuropipe.units import draw_units

__all__ = ["Run", "Runs", "cut", "read_runs", "runs_of_arrays", "segment_seconds"]

_FEWEST = 2  # segments of a run: features are also taken of its halves


@dataclass(frozen=True)
class Run:
    """What is known of one run besides its series.

    Parameters
    ----------
    dataset, recording, subject : str
    step : float
        Repetition time in s.
    n_samples : int
    mean, sd : array of shape (n_rois,)
        Of the series before standardisation, in its unit; NaN where a ROI is missing.
    labels : dict
        The participant's, see `participant_labels`.
    events : pandas.DataFrame or None
        ``onset``, ``duration`` (s), ``trial_type``.
    """

    dataset: str
    recording: str
    subject: str
    step: float
    n_samples: int
    mean: np.ndarray
    sd: np.ndarray
    labels: dict[str, Any] = field(default_factory=dict)
    events: pd.DataFrame | None = None

    @property
    def duration(self) -> float:
        """In s."""
        return self.n_samples * self.step

    @property
    def owner(self) -> str:
        """The subject, told apart from namesakes in other datasets."""
        return f"{self.dataset}/{self.subject}"


@dataclass(frozen=True)
class Runs:
    """Standardised series of some runs on common ROIs.

    Parameters
    ----------
    series : array of shape (n_samples_of_all, n_rois), float32
        One run after another, each ROI in z units of its run (or of the dataset); NaN is missing.
        Memory-mapped where it was read from recordings.
    start : array of int of shape (n_runs,)
        First row of each run.
    runs : list of Run
    units : pandas.DataFrame
        ROIs, in the order of the columns.
    parcellation : str
        Name of the atlas, ``"n/a"`` where it is unknown.
    warnings : list of str
        What was left out.
    scale : tuple of two arrays of shape (n_rois,), optional
        Mean and sd, in the unit of the recordings, that take the place of each run's own.
    """

    series: np.ndarray
    start: np.ndarray
    runs: list[Run]
    units: pd.DataFrame
    parcellation: str = MISSING
    warnings: list[str] = field(default_factory=list)
    scale: tuple[np.ndarray, np.ndarray] | None = None

    @property
    def n_rois(self) -> int:
        """Number of ROIs."""
        return len(self.units)

    @property
    def owners(self) -> list[str]:
        """Subject of every run."""
        return [run.owner for run in self.runs]

    @property
    def steps(self) -> np.ndarray:
        """Repetition time of every run in s."""
        return np.array([run.step for run in self.runs])

    def values(self, i: int) -> np.ndarray:
        """Series of a run, shape (n_samples, n_rois)."""
        z, run = self._stored(i), self.runs[i]
        return z if self.scale is None else standardised(z * run.sd + run.mean, *self.scale)

    def _stored(self, i: int) -> np.ndarray:
        """Series of a run in z units of its own."""
        first = int(self.start[i])
        return self.series[first : first + self.runs[i].n_samples]

    def scaled(self, scale: tuple[np.ndarray, np.ndarray]) -> Runs:
        """The same series standardised by a common mean and sd, in the recordings' unit."""
        mean, sd = (np.asarray(part, dtype=np.float64) for part in scale)
        return replace(self, scale=(mean, sd))

    def pooled_scale(self) -> tuple[np.ndarray, np.ndarray]:
        """Mean and sd of every ROI over all runs, in the unit of the recordings."""
        means = np.stack([run.mean for run in self.runs])
        variance = np.stack([run.sd for run in self.runs]) ** 2
        weight = np.stack([np.isfinite(self._stored(i)).sum(axis=0) for i in range(len(means))])
        total = np.maximum(weight.sum(axis=0), 1)
        mean = np.nansum(weight * np.nan_to_num(means), axis=0) / total
        spread = np.nan_to_num(variance + (means - mean) ** 2)
        return mean, np.sqrt((weight * spread).sum(axis=0) / total)

    def select(self, chosen: Sequence[int] | np.ndarray) -> Runs:
        """Some of the runs; the series are shared."""
        picked = [int(i) for i in chosen]
        return replace(self, start=self.start[picked], runs=[self.runs[i] for i in picked])

    def crops(
        self, chosen: Sequence[int], first: Sequence[int], duration: float
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Read stretches of runs.

        Parameters
        ----------
        chosen : sequence of int of length b
            Runs.
        first : sequence of int of length b
            First sample of each stretch.
        duration : float
            In s; what lies beyond the end of a run is missing.

        Returns
        -------
        series : tensor of shape (b, w, n_rois)
            One sample longer than `duration`, for interpolation.
        step, left : tensors of shape (b,)
            Repetition time, and time from the first sample to the end of the run, in s.
        """
        steps = self.steps[list(chosen)]
        width = int(np.ceil(duration / steps.min())) + 2
        out = np.full((len(chosen), width, self.n_rois), np.nan, dtype=np.float32)
        for row, (i, begin) in enumerate(zip(chosen, first, strict=True)):
            part = self.values(i)[begin : begin + width]
            out[row, : len(part)] = part
        samples = np.array([self.runs[i].n_samples for i in chosen]) - np.asarray(first)
        left = torch.tensor(samples * steps, dtype=torch.float32)
        return torch.from_numpy(out), torch.tensor(steps, dtype=torch.float32), left

    def n_segments(self, i: int, settings: SegmentSettings) -> int:
        """Whole segments of a run."""
        return _whole(self.runs[i].duration, segment_seconds(settings, self.runs[i].step))

    def segments(self, i: int, settings: SegmentSettings) -> Segments:
        """All whole segments of a run, from its start; a batch of one."""
        n = self.n_segments(i, settings)
        duration = n * segment_seconds(settings, self.runs[i].step)
        series, step, left = self.crops([i], [0], duration)
        return cut(series, step, left, settings, n_segments=n)

    def n_points(self, settings: SegmentSettings) -> int:
        """L: points of a segment.

        Raises
        ------
        UnfitRecordingError
            If `native_tr` is set and the runs have several repetition times.
        """
        if not settings.native_tr:
            return settings.n_points
        steps = sorted(set(self.steps.round(4).tolist()))
        if len(steps) > 1:
            raise UnfitRecordingError(
                f"repetition times of {', '.join(f'{s:g}' for s in steps[:4])} s with native_tr",
                "one repetition time in all runs",
                "set native_tr to false",
            )
        return native_points(settings.duration, steps[0])


def segment_seconds(settings: SegmentSettings, step: float) -> float:
    """Length of a segment in s: whole samples of `step` s where `native_tr` is set."""
    duration = settings.duration
    return native_points(duration, step) * step if settings.native_tr else duration


def _whole(duration: float, length: float) -> int:
    """How often a length fits, but for rounding."""
    return int(duration / length + 1e-6)


def cut(
    series: Tensor,
    step: Tensor,
    left: Tensor,
    settings: SegmentSettings,
    *,
    n_segments: int,
    slower: Tensor | None = None,
) -> Segments:
    """Cut crops into segments as the settings say; arguments as in `segment_crops`."""
    if settings.native_tr:
        return native_segments(
            series, step, left, n_segments=n_segments, duration=settings.duration
        )
    return segment_crops(
        series,
        step,
        left,
        n_segments=n_segments,
        n_points=settings.n_points,
        duration=settings.duration,
        slower=slower,
    )


def standardised(values: np.ndarray, mean: np.ndarray, sd: np.ndarray) -> np.ndarray:
    """(value - mean) / sd as float32; NaN for a ROI without spread."""
    with np.errstate(invalid="ignore", divide="ignore"):
        z = (values - mean) / np.where(sd > 0, sd, np.nan)
    return np.asarray(z, dtype=np.float32)


def runs_of_arrays(
    arrays: Sequence[np.ndarray],
    steps: Sequence[float],
    *,
    subjects: Sequence[str] | None = None,
    labels: Sequence[dict[str, Any]] | None = None,
    units: pd.DataFrame | None = None,
    dataset: str = "arrays",
) -> Runs:
    """Standardise series that are in memory.

    Parameters
    ----------
    arrays : sequence of arrays of shape (n_samples, n_rois)
    steps : sequence of float
        Repetition time of each in s.
    subjects : sequence of str, optional
        By default each its own.
    labels : sequence of dict, optional
        Participants' labels.
    units : pandas.DataFrame, optional
        ROIs; numbered by default.
    dataset : str
    """
    n_rois = arrays[0].shape[1]
    names = subjects or [f"{k:04d}" for k in range(len(arrays))]
    table = pd.DataFrame(index=[f"roi{k}" for k in range(n_rois)]) if units is None else units
    found, parts = [], []
    for k, values in enumerate(arrays):
        mean, sd = _scale(np.asarray(values, dtype=np.float64))
        parts.append(standardised(values, mean, sd))
        known = {} if labels is None else dict(labels[k])
        found.append(
            Run(dataset, f"run{k:04d}", names[k], float(steps[k]), len(values), mean, sd, known)
        )
    start = np.cumsum([0, *(len(part) for part in parts[:-1])])
    return Runs(np.concatenate(parts), start, found, table)


def _scale(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and sd of every column, NaN where it is empty or does not vary."""
    varies = varying(values)
    known = np.where(varies, values, np.nan)
    count = np.maximum(np.isfinite(known).sum(axis=0), 1)
    mean = np.nansum(known, axis=0) / count
    sd = np.sqrt(np.nansum((known - mean) ** 2, axis=0) / count)
    return np.where(varies, mean, np.nan), np.where(varies, sd, np.nan)


def read_runs(
    recordings: Callable[[], Iterable[Recording]],
    settings: BrainmaeSettings,
    folder: Path,
    *,
    units: Sequence[str] | None = None,
) -> Runs:
    """Read recordings into one memory-mapped array.

    Parameters
    ----------
    recordings : callable
        Gives the recordings, one at a time; called twice.
    settings : BrainmaeSettings
    folder : Path
        Where the array is written.
    units : sequence of str, optional
        ROIs and their order, from weights; by default those that at least half of the recordings
        have, in the order of the first.

    Returns
    -------
    Runs
        Recordings that cannot be used are left out and named in the warnings.

    Raises
    ------
    UnfitRecordingError
        If none can be used.
    InputError
        If the recordings are of several parcellations.
    """
    facts, unfit = _survey(recordings(), settings)
    if not facts:
        raise UnfitRecordingError(
            "no recording can be used; the first: " + (unfit[0] if unfit else "there is none"),
            f"signals of {settings.min_rois} ROIs over {_FEWEST} segments of "
            f"{settings.segments.duration:g} s",
            "leave brainmae out of this dataset's analyses",
        )
    parcellation = _one_parcellation(facts)
    table = _common_units(facts, settings) if units is None else _given_units(facts, units)
    names = list(table.index)
    kept = []
    for fact in facts:
        share = len(set(names) & fact.present) / len(names)
        if share < 1 - settings.max_missing_rois:
            unfit.append(f"{fact.recording} has {share:.0%} of the {len(names)} ROIs")
        else:
            kept.append((fact.dataset, fact.recording))
    if not kept:
        raise UnfitRecordingError(
            f"no recording has its ROIs: {unfit[-1]}",
            f"at least {1 - settings.max_missing_rois:.0%} of them",
            "use data of the same parcellation, or raise max_missing_rois",
        )
    total = sum(f.n_samples for f in facts if (f.dataset, f.recording) in set(kept))
    series = np.memmap(folder / "series.dat", np.float32, "w+", shape=(total, len(names)))
    runs: list[Run] = []
    start, place = [], 0
    for recording in recordings():
        if (recording.dataset, recording.recording) not in kept:
            continue
        values, run = _run(recording, names, settings.max_missing)
        series[place : place + len(values)] = values
        start.append(place)
        runs.append(run)
        place += len(values)
    series.flush()
    warnings = [f"Recording left out: {words}." for words in unfit[:10]]
    if len(unfit) > 10:
        warnings.append(f"{len(unfit) - 10} more recordings left out.")
    return Runs(series, np.array(start), runs, table, parcellation, warnings)


@dataclass(frozen=True)
class _Fact:
    """What the first look at a recording tells."""

    dataset: str
    recording: str
    n_samples: int
    units: pd.DataFrame
    present: set[str]
    parcellation: str


def _survey(
    recordings: Iterable[Recording], settings: BrainmaeSettings
) -> tuple[list[_Fact], list[str]]:
    facts, unfit = [], []
    for recording in recordings:
        try:
            facts.append(_fact(recording, settings))
        except UnfitRecordingError as error:
            unfit.append(error.given)
    return facts, unfit


def _fact(recording: Recording, settings: BrainmaeSettings) -> _Fact:
    """Look at a recording; raises UnfitRecordingError where it cannot be used."""
    name = f"recording {recording.recording}"
    if recording.signals is None:
        raise UnfitRecordingError(f"{name} has no signals", "ROI series", "leave it out")
    assert recording.sampling_rate is not None
    length = segment_seconds(settings.segments, 1 / recording.sampling_rate)
    if _whole(recording.duration, length) < _FEWEST:
        raise UnfitRecordingError(
            f"{name} lasts {recording.duration:.0f} s",
            f"at least two segments of {length:g} s",
            "leave it out, or shorten segments.duration",
        )
    values = recording.signals.values
    usable = varying(values) & (np.isnan(values).mean(axis=0) <= settings.max_missing)
    if usable.sum() < settings.min_rois:
        raise UnfitRecordingError(
            f"{name} has {int(usable.sum())} usable ROIs",
            f"at least {settings.min_rois} (min_rois)",
            "leave it out",
        )
    present = {str(u) for u, good in zip(recording.units.index, usable, strict=True) if good}
    return _Fact(
        recording.dataset,
        recording.recording,
        len(values),
        recording.units,
        present,
        str(recording.attrs.get("parcellation") or MISSING),
    )


def _one_parcellation(facts: Sequence[_Fact]) -> str:
    names = sorted({fact.parcellation for fact in facts})
    if len(names) > 1:
        raise InputError(
            f"recordings of the parcellations {', '.join(names[:3])}",
            "one parcellation",
            "pool only datasets of the same atlas",
        )
    return names[0]


def _common_units(facts: Sequence[_Fact], settings: BrainmaeSettings) -> pd.DataFrame:
    """ROIs that at least half of the recordings have."""
    order = dict.fromkeys(str(name) for fact in facts for name in fact.units.index)
    count = {name: sum(name in fact.present for fact in facts) for name in order}
    names = np.array([name for name in order if 2 * count[name] >= len(facts)], dtype=object)
    if len(names) < settings.min_rois:
        raise UnfitRecordingError(
            f"{len(names)} ROIs are in at least half of the recordings",
            f"at least {settings.min_rois} (min_rois)",
            "pool recordings of one parcellation",
        )
    drawn = names[draw_units(names, settings.max_rois)]
    return _rows(facts, list(drawn))


def _given_units(facts: Sequence[_Fact], units: Sequence[str]) -> pd.DataFrame:
    return _rows(facts, list(units))


def _rows(facts: Sequence[_Fact], names: list[str]) -> pd.DataFrame:
    """Rows of the unit tables, each from the first recording that has the ROI."""
    every = pd.concat([fact.units for fact in facts[:1]])
    for fact in facts[1:]:
        new = fact.units.loc[~fact.units.index.isin(every.index)]
        if len(new):
            every = pd.concat([every, new])
    return every.reindex(names)


def _run(recording: Recording, names: Sequence[str], max_missing: float) -> tuple[np.ndarray, Run]:
    assert recording.signals is not None
    assert recording.sampling_rate is not None
    where = recording.units.index.get_indexer(pd.Index(names, dtype=object))
    values = recording.signals.values[:, np.maximum(where, 0)].astype(np.float64)
    values[:, (where < 0) | (np.isnan(values).mean(axis=0) > max_missing)] = np.nan
    mean, sd = _scale(values)
    run = Run(
        recording.dataset,
        recording.recording,
        recording.subject,
        1 / recording.sampling_rate,
        len(values),
        mean,
        sd,
        participant_labels(recording),
        recording.events,
    )
    return standardised(values, mean, sd), run
