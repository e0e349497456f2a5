"""Which runs a model learns from, and which it never sees.

Pretraining looks at no label, but it does look at the runs: what is said of a subject comes from
models that have not seen it, in the folds that its labels are predicted in.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from neuropipe.brainmae.data import Runs
from neuropipe.brainmae.names import split_name
from neuropipe.brainmae.settings import BrainmaeSettings
from neuropipe.prediction.design import Design, Partitions, read_design
from neuropipe.prediction.participants import participants_table
from neuropipe.prediction.targets import split_groups
from neuropipe.stats.splits import Fold, grouped_folds

__all__ = ["Split", "split_dataset"]


@dataclass(frozen=True)
class Split:
    """The subjects of a dataset, parted into folds once a seed.

    Parameters
    ----------
    subjects : list of str
    participants : pandas.DataFrame
        Their labels.
    own : array of int of shape (n_own_runs,)
        Runs of this dataset; others only join pretraining.
    member : array of int of shape (n_own_runs,)
        Position of each own run's subject; of the run itself where there is one subject.
    partitions : list (n_seeds) of list of Fold
        Over the positions that `member` counts; fewer folds than the settings ask for where fewer
        subjects or families can be used, none for a single run.
    design : Design or None
        Of the prediction of labels; None where nothing is predicted.
    notes : list of str
        What cannot be predicted, and what differs between runs of a subject.
    """

    subjects: list[str]
    participants: pd.DataFrame
    own: np.ndarray
    member: np.ndarray
    partitions: Partitions
    design: Design | None
    notes: list[str]

    def runs_of(self, name: str, settings: BrainmaeSettings, n_runs: int) -> Fold:
        """Runs that a model is trained on, and those it leaves out.

        Parameters
        ----------
        name : str
            Of the model, see `neuropipe.brainmae.names`.
        settings : BrainmaeSettings
        n_runs : int
            Of all datasets.

        Returns
        -------
        Fold
            Nothing is left out by the final model, and where fewer subjects can be used than
            there are folds.
        """
        place = split_name(name, settings)
        if place is None or place[1] >= len(self.partitions[place[0]]):
            return Fold(np.arange(n_runs), np.array([], dtype=int))
        seed, fold = place
        out = self.own[np.isin(self.member, self.partitions[seed][fold].test)]
        return Fold(np.setdiff1d(np.arange(n_runs), out), out)


def split_dataset(runs: Runs, dataset: str, settings: BrainmaeSettings) -> Split:
    """Part the subjects of a dataset into folds.

    Parameters
    ----------
    runs : Runs
        Of the dataset, and of those that join its pretraining.
    dataset : str
    settings : BrainmaeSettings

    Raises
    ------
    UnfitRecordingError
        If a target cannot be predicted in these folds.
    """
    own = np.array([i for i, run in enumerate(runs.runs) if run.dataset == dataset])
    rows = [(runs.runs[i].subject, runs.runs[i].labels) for i in own]
    participants, notes = participants_table(rows)
    subjects = [str(name) for name in participants.index]
    member = np.array([subjects.index(subject) for subject, _ in rows])
    design = None
    if settings.targets and len(subjects) >= settings.min_subjects:
        design, left_out = read_design(participants, settings)
        notes += left_out
    elif settings.targets:
        notes.append(
            f"{len(subjects)} subjects, fewer than {settings.min_subjects} (min_subjects): "
            f"{', '.join(settings.targets)} not predicted."
        )
    if design is not None:
        parts = design.partitions
    else:
        groups = split_groups(participants, settings)
        if len(subjects) == 1:
            member = np.arange(len(own))
            groups = [runs.runs[i].recording for i in own]
        n_splits = min(settings.n_splits, len(set(groups)))
        parts = [
            grouped_folds(groups, n_splits=n_splits, seed=seed) if n_splits > 1 else []
            for seed in settings.seeds
        ]
    return Split(subjects, participants, own, member, parts, design, notes)
