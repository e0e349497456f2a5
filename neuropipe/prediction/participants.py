"""The table of participants: labels of every subject, from all its recordings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from neuropipe.prediction.settings import MOTION
from neuropipe.prediction.targets import is_missing
from neuropipe.recording import Recording

__all__ = ["mean_displacement", "participant_labels", "participants_table"]


def mean_displacement(recording: Recording) -> float:
    """Mean framewise displacement in mm, NaN where the recording does not tell it."""
    confounds = recording.confounds
    if confounds is None or "framewise_displacement" not in confounds:
        return float("nan")
    values = confounds["framewise_displacement"].values.astype(float)
    return float(np.nanmean(values)) if np.isfinite(values).any() else float("nan")


def participant_labels(recording: Recording) -> dict[str, Any]:
    """Labels of a recording's participant, with the mean displacement where it is known.

    Parameters
    ----------
    recording : Recording

    Returns
    -------
    dict
        The displacement, in mm, under the name `MOTION`.
    """
    labels = dict(recording.participant)
    displacement = mean_displacement(recording)
    if np.isfinite(displacement):
        labels[MOTION] = displacement
    return labels


def participants_table(
    rows: Sequence[tuple[str, Mapping[str, Any]]],
) -> tuple[pd.DataFrame, list[str]]:
    """Labels of every subject; one that differs between its runs is taken from the first with it.

    Mean displacement is a mean over runs.

    Parameters
    ----------
    rows : sequence of (str, mapping)
        Subject and labels of every run, as `participant_labels` gives them.

    Returns
    -------
    table : pandas.DataFrame
        One row a subject, in the order of their first runs, as read (mixed types); None is missing.
    notes : list of str
        Sentences about columns that differ between runs of one subject.
    """
    of_subject: dict[str, dict[str, Any]] = {subject: {} for subject, _ in rows}
    motion: dict[str, list[float]] = {subject: [] for subject in of_subject}
    differing: set[str] = set()
    for subject, labels in rows:
        row = of_subject[subject]
        for name, value in labels.items():
            if name == MOTION:
                motion[subject].append(float(value))
            elif is_missing(value):
                continue
            elif row.setdefault(name, value) != value:
                differing.add(name)
    for subject, values in motion.items():
        if values:
            of_subject[subject][MOTION] = float(np.mean(values))
    names = dict.fromkeys(name for _, labels in rows for name in labels)
    records = [{name: row.get(name) for name in names} for row in of_subject.values()]
    index = pd.Index(list(of_subject))
    table = pd.DataFrame(records, index=index, columns=list(names), dtype=object)
    return table, [
        f"Column {name} differs between runs of one subject; the first run's value was taken."
        for name in sorted(differing)
    ]
