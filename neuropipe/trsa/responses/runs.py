"""Runs of a subject, and their patterns: estimates of a GLM, or means of single responses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from neuropipe.recording import Recording
from neuropipe.trsa.noise import Noise
from neuropipe.trsa.patterns import Patterns
from neuropipe.trsa.responses.conditions import condition_events, condition_labels
from neuropipe.trsa.responses.glm import fit_glm
from neuropipe.trsa.responses.trials import Trials, contiguous_folds, trial_patterns
from neuropipe.trsa.responses.windows import event_responses, image_responses
from neuropipe.trsa.settings import ResponseSettings, TrsaSettings
from neuropipe.units import are_anonymous

__all__ = ["Folds", "Run", "condition_table", "run_patterns"]

Folds = Literal["runs", "trials", "repeats"]

_SHARED = 0.5  # of the conditions: runs that share fewer are different experiments


@dataclass(frozen=True, eq=False)
class Run:
    """A recording with the conditions of its trials.

    Parameters
    ----------
    recording : Recording
    events : pandas.DataFrame or None
        See `condition_events`; None where the recording holds responses to stimuli.
    names : tuple of str
        Of its conditions.
    """

    recording: Recording
    events: pd.DataFrame | None
    names: tuple[str, ...]

    @classmethod
    def of(cls, recording: Recording, settings: TrsaSettings) -> Run:
        """Name the conditions of a recording.

        Raises
        ------
        UnfitRecordingError
            See `condition_events`.
        """
        if recording.responses is not None:
            assert recording.stimuli is not None  # the contract of a recording of images
            return cls(recording, None, tuple(map(str, recording.stimuli.index)))
        events = condition_events(recording, settings.responses)
        return cls(recording, events, tuple(sorted(set(events["condition"]))))

    def joins(self, other: Run) -> bool:
        """Whether it shares units and conditions with another."""
        a, b = self.recording, other.recording
        names = list(map(str, a.units.index))
        if names != list(map(str, b.units.index)) or self.events is None:
            return False
        if are_anonymous(a.modality, names) and a.session != b.session:
            return False
        mine, theirs = set(self.names), set(other.names)
        return len(mine & theirs) >= _SHARED * len(mine | theirs)


def run_patterns(
    runs: Sequence[Run], names: tuple[str, ...], settings: TrsaSettings
) -> tuple[Patterns, Folds]:
    """Estimate the patterns of runs that share units and conditions.

    Parameters
    ----------
    runs : sequence of Run
        Each is a fold. The trials of a single one are parted into folds in the order of time, its
        repeats of stimuli where it holds those.
    names : tuple of str
        Conditions that are wanted.
    settings : TrsaSettings

    Returns
    -------
    patterns : Patterns
        Of all units, whatever they miss.
    folds : {"runs", "trials", "repeats"}
        What the folds are.
    """
    if runs[0].recording.modality == "fmri":
        return _fmri(runs, names, settings)
    return _from_trials(runs, names, settings)


def _fmri(
    runs: Sequence[Run], names: tuple[str, ...], settings: TrsaSettings
) -> tuple[Patterns, Folds]:
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
            if np.isfinite(beta).any():
                n_trials[where] = int((events["condition"] == name).sum())
        residuals.append(found.residuals)
        df += found.df
    stacked = np.concatenate(residuals)
    known = np.isfinite(stacked).all(axis=0)
    noise = None
    if known.any():
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
    runs: Sequence[Run], names: tuple[str, ...], settings: TrsaSettings
) -> tuple[Patterns, Folds]:
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
    kind: Folds = "repeats" if runs[0].events is None else "runs"
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


def condition_table(
    runs: Sequence[Run], conditions: Sequence[str], settings: ResponseSettings
) -> pd.DataFrame:
    """Gather what the tables tell of conditions, where it is the same for all trials of one.

    Parameters
    ----------
    runs : sequence of Run
    conditions : sequence of str
    settings : ResponseSettings

    Returns
    -------
    pandas.DataFrame
        Indexed by condition.
    """
    tables = []
    for run in runs:
        recording = run.recording
        if run.events is None:
            assert recording.stimuli is not None  # the contract of a recording of images
            tables.append(recording.stimuli)
        elif settings.bin_width is not None:
            tables.append(run.events.set_index("condition")[["event", "time"]])
        else:
            assert recording.events is not None  # its conditions come from there
            events = recording.events.drop(columns=["onset", "duration"])
            labels = condition_labels(events.pop(settings.condition))
            tables.append(events.set_index(labels.to_numpy(object)))
    index = pd.Index(list(conditions), name="condition", dtype=object)
    joined = pd.concat(tables)
    joined.index = joined.index.astype(str)
    joined = joined[joined.index.isin(index)]
    grouped = joined.groupby(level=0)
    constant = {
        name: grouped[name].first()
        for name in joined.columns
        if grouped[name].nunique(dropna=False).max() == 1
    }
    return pd.DataFrame(constant, index=index)
