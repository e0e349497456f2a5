"""Recordings of a subject to response patterns: runs brought together where they can be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from neuropipe.errors import InputError, UnfitRecordingError
from neuropipe.recording import Recording
from neuropipe.trsa.patterns import Patterns
from neuropipe.trsa.responses.runs import Folds, Run, condition_table, run_patterns
from neuropipe.trsa.settings import TrsaSettings
from neuropipe.units import column, draw_units

__all__ = ["Responses", "subject_responses"]

_IN_BLOCKS = 0.5  # of the variance of onsets; trials in random order have about 1 / n_repeats


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
        What is known of every condition, indexed by its name: columns of the stimulus or event
        table that are the same for all its trials; of stretches of events, ``event`` and ``time``
        in s.
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
    folds: Folds
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
                f"one of {', '.join(map(str, self.units.columns)) or 'none: there are no columns'}",
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
        If no recording has events, and enough conditions and units. Where only some have not (rest
        beside a task), they are left out, and the first of the responses says so.
    """
    if not recordings:
        raise InputError("no recordings", "those of one subject", "check the dataset")
    refusals: list[UnfitRecordingError] = []
    groups: list[list[Run]] = []
    for recording in recordings:
        try:
            run = Run.of(recording, settings)
        except UnfitRecordingError as error:
            refusals.append(error)
            continue
        for group in groups:
            if run.joins(group[0]):
                group.append(run)
                break
        else:
            groups.append([run])
    found = []
    for group, name in zip(groups, _names(groups), strict=True):
        try:
            found.append(_brought_together(group, name, settings))
        except UnfitRecordingError as error:
            refusals.append(error)
    if not found:
        raise refusals[0]
    found[0].warnings.extend(f"Left out: {error.given}." for error in refusals)
    return found


def _names(groups: list[list[Run]]) -> list[str]:
    """Tell the sets of one subject apart: by session, task, or their first recording."""
    if len(groups) == 1:
        return [""]
    firsts = [group[0].recording for group in groups]
    for names in ([one.session for one in firsts], [one.task for one in firsts]):
        if all(names) and len(set(names)) == len(names):
            return names
    return [one.recording for one in firsts]


def _brought_together(runs: list[Run], name: str, settings: TrsaSettings) -> Responses:
    first = runs[0].recording
    names = tuple(sorted({name for run in runs for name in run.names}))
    warnings = []
    _check_conditions(first, names, settings)
    if len(names) > settings.max_conditions:
        chosen = draw_units(names, settings.max_conditions)
        warnings.append(
            f"{settings.max_conditions} of {len(names)} conditions were drawn (max_conditions)."
        )
        names = tuple(names[k] for k in chosen)
    patterns, folds = run_patterns(runs, names, settings)
    if folds == "trials" and _share_of_time(runs[0], names) > _IN_BLOCKS:
        warnings.append(
            "Each condition has a time of its own in the run: slow drifts look like differences "
            "between conditions, and crossvalidation over the run does not undo that."
        )
    left_out = [names[k] for k in np.flatnonzero(~patterns.present.any(axis=0))]
    if left_out:
        warnings.append(f"Conditions without any trial were left out: {', '.join(left_out[:5])}.")
    _check_conditions(
        first, sorted(set(names) - set(left_out)), settings, " in the time that was recorded"
    )
    n_units, present = len(patterns.channels), patterns.present
    known = (np.isfinite(patterns.values) | ~present[:, :, None]).all(axis=(0, 1))
    usable = known if patterns.noise is None else known & ~patterns.noise.silent
    if usable.sum() < max(2, settings.min_units):
        raise UnfitRecordingError(
            f"recording {first.recording} has {usable.sum()} usable units of {n_units} (without "
            "gaps, and with noise)",
            f"at least {max(2, settings.min_units)} (min_units)",
            "set a smaller min_units, or analyses: {trsa: false}",
        )
    patterns = patterns.complete()
    if len(patterns.channels) < n_units:
        warnings.append(
            f"{n_units - len(patterns.channels)} of {n_units} units were left out because a "
            "response is missing."
        )
    if patterns.noise is None:
        warnings.append(
            "The noise covariance is not known (hardly a condition has two trials in which all "
            "units were recorded): dissimilarities are not whitened."
        )
    elif patterns.noise.silent.any():
        # Such as voxels outside the brain, or units that never fire.
        patterns = patterns.of_channels(~patterns.noise.silent)
        warnings.append(
            f"{known.sum() - len(patterns.channels)} units without any noise were left out."
        )
    return Responses(
        name=name,
        recordings=tuple(run.recording.recording for run in runs),
        session=first.session,
        patterns=patterns,
        units=first.units.loc[list(patterns.channels)],
        conditions=condition_table(runs, patterns.conditions, settings.responses),
        folds=folds,
        warnings=warnings,
    )


def _share_of_time(run: Run, names: Sequence[str]) -> float:
    """Share of the variance of onsets that conditions explain: 0 mixed in time, 1 in blocks."""
    assert run.events is not None  # only events have onsets
    events = run.events[run.events["condition"].isin(names)]
    onsets = events["onset"]
    total = float(((onsets - onsets.mean()) ** 2).sum())
    within = onsets - onsets.groupby(events["condition"]).transform("mean")
    return 1 - float((within**2).sum()) / total if total > 0 else 0.0


def _check_conditions(
    recording: Recording, names: Sequence[str], settings: TrsaSettings, where: str = ""
) -> None:
    if len(names) < settings.min_conditions:
        shown = f" ({', '.join(names[:5])})" if names else ""
        raise UnfitRecordingError(
            f"recording {recording.recording} has {len(names)} "
            f"condition{'s' * (len(names) != 1)}{where}{shown}",
            f"at least {settings.min_conditions} (min_conditions)",
            "name another column (responses: {condition: ...}), cut events (bin_width), or set "
            "analyses: {trsa: false}",
        )
