"""Recordings of a subject to response patterns: runs brought together where they can be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from neuropipe.errors import UnfitRecordingError
from neuropipe.recording import Recording
from neuropipe.trsa.estimation.noise import Noise
from neuropipe.trsa.patterns import Patterns
from neuropipe.trsa.responses.conditions import condition_events
from neuropipe.trsa.responses.glm import fit_glm
from neuropipe.trsa.responses.trials import Trials, contiguous_folds, trial_patterns
from neuropipe.trsa.responses.windows import event_responses, image_responses
from neuropipe.trsa.settings import TrsaSettings
from neuropipe.units import are_anonymous, column, draw_units

__all__ = ["Responses", "subject_responses"]

_SHARED = 0.5  # of the conditions: runs that share fewer are different experiments


@dataclass(frozen=True, eq=False)
class Responses:
    """Patterns of one subject, over the recordings that share units and conditions.

    Parameters
    ----------
    name : str
        ``""`` where a subject has one such set, else its session or first recording.
    recordings : tuple of str
    session : str
    patterns : Patterns
        Of all units.
    units : pandas.DataFrame
        Rows of the unit table, in the order of the channels.
    conditions : pandas.DataFrame
        What is known of every condition (columns of the stimulus or event table that are the same
        for all its trials), indexed by its name.
    folds : {"runs", "trials", "repeats"}
        What the folds are.
    warnings : list of str
    """

    name: str
    recordings: tuple[str, ...]
    session: str
    patterns: Patterns
    units: pd.DataFrame
    conditions: pd.DataFrame
    folds: str
    warnings: list[str]

    def regions(self, settings: TrsaSettings) -> dict[str, np.ndarray]:
        """Positions of the units of every region that has enough; empty where there are no regions.

        Parameters
        ----------
        settings : TrsaSettings

        Raises
        ------
        UnfitRecordingError
            If the column that the settings name is not in the unit table.
        """
        if settings.region == "none":
            return {}
        wanted = ("region", "network") if settings.region == "auto" else (settings.region,)
        if settings.region != "auto" and settings.region not in self.units:
            raise UnfitRecordingError(
                f"units of recording {self.recordings[0]} have no column {settings.region!r}",
                f"one of {', '.join(self.units.columns)}",
                "correct trsa.region",
            )
        for name in wanted:
            values = column(self.units, name)
            if values is None:
                continue
            places = {
                str(region): np.flatnonzero(values == region)
                for region in sorted(set(values) - {"n/a", ""})
            }
            large = {k: v for k, v in places.items() if len(v) >= settings.min_units}
            if len(large) > 1:
                return large
        return {}


def subject_responses(recordings: Sequence[Recording], settings: TrsaSettings) -> list[Responses]:
    """Estimate the patterns of one subject.

    Parameters
    ----------
    recordings : sequence of Recording
        All of one subject and modality.
    settings : TrsaSettings

    Returns
    -------
    list of Responses
        One for every set of recordings that share units and conditions: runs of one scan, or a
        session of its own neurons.

    Raises
    ------
    UnfitRecordingError
        If a recording has no events, or too few conditions or units.
    """
    runs = [_Run.of(recording, settings) for recording in recordings]
    groups: list[list[_Run]] = []
    for run in runs:
        for group in groups:
            if run.joins(group[0]):
                group.append(run)
                break
        else:
            groups.append([run])
    return [_brought_together(group, len(groups) > 1, settings) for group in groups]


@dataclass(frozen=True, eq=False)
class _Run:
    """A recording with the conditions of its trials."""

    recording: Recording
    events: pd.DataFrame | None
    names: tuple[str, ...]

    @classmethod
    def of(cls, recording: Recording, settings: TrsaSettings) -> _Run:
        if recording.responses is not None:
            assert recording.stimuli is not None  # the contract of a recording of images
            return cls(recording, None, tuple(map(str, recording.stimuli.index)))
        events = condition_events(recording, settings.responses)
        return cls(recording, events, tuple(sorted(set(events["condition"]))))

    def joins(self, other: _Run) -> bool:
        """Whether it shares units and conditions with another."""
        a, b = self.recording, other.recording
        names = list(map(str, a.units.index))
        if names != list(map(str, b.units.index)) or self.events is None:
            return False
        if are_anonymous(a.modality, names) and a.session != b.session:
            return False
        mine, theirs = set(self.names), set(other.names)
        return len(mine & theirs) >= _SHARED * len(mine | theirs)


def _brought_together(runs: list[_Run], several: bool, settings: TrsaSettings) -> Responses:
    first = runs[0].recording
    names = tuple(sorted({name for run in runs for name in run.names}))
    warnings = []
    if len(names) < settings.min_conditions:
        raise UnfitRecordingError(
            f"recording {first.recording} has {len(names)} "
            f"condition{'s' * (len(names) != 1)} ({', '.join(names[:5])})",
            f"at least {settings.min_conditions} (min_conditions)",
            "name another column (responses: {condition: ...}), cut events (bin_width), or set "
            "analyses: {trsa: false}",
        )
    if len(names) > settings.max_conditions:
        chosen = draw_units(names, settings.max_conditions)
        warnings.append(
            f"{settings.max_conditions} of {len(names)} conditions were drawn (max_conditions)."
        )
        names = tuple(names[k] for k in chosen)
    if first.modality == "fmri":
        patterns, folds = _fmri(runs, names, settings)
    else:
        patterns, folds = _from_trials(runs, names, settings)
    left_out = [
        c for c, there in zip(names, patterns.present.any(axis=0), strict=True) if not there
    ]
    if left_out:
        warnings.append(f"Conditions without any trial were left out: {', '.join(left_out[:5])}.")
    n_units = len(patterns.channels)
    patterns = patterns.complete()
    if len(patterns.channels) < max(2, settings.min_units):
        raise UnfitRecordingError(
            f"recording {first.recording} has {len(patterns.channels)} usable units",
            f"at least {settings.min_units} (min_units)",
            "set analyses: {trsa: false}",
        )
    if len(patterns.channels) < n_units:
        warnings.append(
            f"{n_units - len(patterns.channels)} of {n_units} units were left out because a "
            "response is missing."
        )
    return Responses(
        name=(first.session or first.recording) if several else "",
        recordings=tuple(run.recording.recording for run in runs),
        session=first.session,
        patterns=patterns,
        units=first.units.loc[list(patterns.channels)],
        conditions=_condition_table(runs, patterns.conditions, settings.responses.condition),
        folds=folds,
        warnings=warnings,
    )


def _fmri(runs: list[_Run], names: tuple[str, ...], settings: TrsaSettings) -> tuple[Patterns, str]:
    """Betas of every run; of a single run, betas of contiguous folds of its trials."""
    place = {name: k for k, name in enumerate(names)}
    channels = tuple(map(str, runs[0].recording.units.index))
    tables, folds = [], []
    for run in runs:
        assert run.events is not None
        kept = run.events[run.events["condition"].isin(place)].reset_index(drop=True)
        fold = np.zeros(len(kept), dtype=int)
        if len(runs) == 1:
            numbers = kept["condition"].map(place).to_numpy(int)
            fold = contiguous_folds(numbers, settings.responses.n_folds)
        tables.append(kept)
        folds.append(fold)
    n_folds = len(runs) if len(runs) > 1 else int(folds[0].max(initial=0)) + 1
    values = np.full((n_folds, len(names), len(channels)), np.nan)
    n_trials = np.zeros(values.shape[:2], dtype=int)
    residuals, df = [], 0.0
    for r, (run, kept, fold) in enumerate(zip(runs, tables, folds, strict=True)):
        events = kept.assign(
            condition=[f"{k}|{c}" for k, c in zip(fold, kept["condition"], strict=True)]
        )
        found = fit_glm(run.recording, events, settings.responses)
        for name, beta in zip(found.names, found.values, strict=True):
            number, condition = name.split("|", 1)
            where = (r if len(runs) > 1 else int(number), place[condition])
            values[where] = beta
            n_trials[where] = int((events["condition"] == name).sum())
        residuals.append(found.residuals)
        df += found.df
    stacked = np.concatenate(residuals)
    known = np.isfinite(stacked).all(axis=0)
    noise = Noise.of_residuals(np.where(known, stacked, 0.0), df, settings.shrinkage)
    patterns = Patterns(
        values=np.where(known, values, np.nan),
        conditions=names,
        channels=channels,
        folds=tuple(run.recording.recording for run in runs)
        if len(runs) > 1
        else tuple(f"part {k + 1}" for k in range(n_folds)),
        n_trials=n_trials,
        noise=noise,
        unit=str(runs[0].recording.signals.attrs.get("unit", ""))
        if runs[0].recording.signals is not None
        else "",
    )
    return patterns, "runs" if len(runs) > 1 else "trials"


def _from_trials(
    runs: list[_Run], names: tuple[str, ...], settings: TrsaSettings
) -> tuple[Patterns, str]:
    """Responses to single trials, with runs, repeats or contiguous trials as folds."""
    place = {name: k for k, name in enumerate(names)}
    values, condition, fold, unit = [], [], [], ""
    for r, run in enumerate(runs):
        if run.events is None:
            found, stimulus, repeat = image_responses(run.recording)
            number = np.array([place.get(name, -1) for name in run.names])[stimulus]
            assert run.recording.responses is not None
            unit = str(run.recording.responses.attrs.get("unit", ""))
            own_fold = _few_repeats(repeat, settings.responses.n_folds)
        else:
            found, unit = event_responses(run.recording, run.events, settings.responses)
            number = run.events["condition"].map(place).fillna(-1).to_numpy(int)
            own_fold = np.full(len(number), r)
        kept = number >= 0
        values.append(found[kept])
        condition.append(number[kept])
        fold.append(own_fold[kept])
    numbers = np.concatenate(condition)
    folds = np.concatenate(fold)
    kind = "repeats" if runs[0].events is None else "runs"
    if kind == "runs" and len(runs) == 1:
        folds, kind = contiguous_folds(numbers, settings.responses.n_folds), "trials"
    n_folds = int(folds.max(initial=0)) + 1
    trials = Trials(
        values=np.concatenate(values),
        condition=numbers,
        fold=folds,
        conditions=names,
        folds=tuple(run.recording.recording for run in runs)
        if kind == "runs"
        else tuple(f"part {k + 1}" for k in range(n_folds)),
        channels=tuple(map(str, runs[0].recording.units.index)),
        unit=unit,
    )
    return trial_patterns(trials, settings.shrinkage), kind


def _few_repeats(repeat: np.ndarray, n_folds: int) -> np.ndarray:
    """Join successive repeats until there are no more than the folds asked for."""
    n = int(repeat.max(initial=0)) + 1
    return repeat if n <= n_folds else repeat * n_folds // n


def _condition_table(runs: list[_Run], conditions: Sequence[str], column_name: str) -> pd.DataFrame:
    """What the tables tell of every condition, where it is the same for all its trials."""
    tables = []
    for run in runs:
        recording = run.recording
        if run.events is None and recording.stimuli is not None:
            tables.append(recording.stimuli)
        elif recording.events is not None and column_name in recording.events:
            events = recording.events
            tables.append(events.drop(columns=["onset", "duration"]).set_index(column_name))
    index = pd.Index(list(conditions), name="condition", dtype=object)
    if not tables:
        return pd.DataFrame(index=index)
    joined = pd.concat(tables)
    joined.index = joined.index.astype(str)
    joined = joined[joined.index.isin(index)]
    constant = {
        name: joined[name].groupby(level=0).first()
        for name in joined.columns
        if joined[name].groupby(level=0).nunique(dropna=False).max() == 1
        and 1 < joined[name].nunique() < len(index)
    }
    return pd.DataFrame(constant, index=index)
