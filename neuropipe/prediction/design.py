"""Who is predicted, from what table, and in which folds: shared by all models of a dataset."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from neuropipe.prediction.settings import PredictionSettings
from neuropipe.prediction.targets import Target, read_target, split_groups
from neuropipe.stats.splits import Fold, fold_numbers, grouped_folds, joint_strata

__all__ = ["Design", "Partitions", "partitions", "read_design"]

Partitions = list[list[Fold]]


@dataclass(frozen=True)
class Design:
    """What all models of a dataset share, so that their scores can be compared.

    Parameters
    ----------
    settings : PredictionSettings
    participants : pandas.DataFrame
        One row a subject.
    targets : list of Target
        Those that enough subjects have.
    groups : array of str of shape (n_subjects,)
        See `split_groups`.
    partitions : list (n_seeds) of list (n_splits) of Fold
        Positions count the rows of `participants`.
    """

    settings: PredictionSettings
    participants: pd.DataFrame
    targets: list[Target]
    groups: np.ndarray
    partitions: Partitions

    @property
    def folds(self) -> np.ndarray:
        """Fold in which each subject is tested, of shape (n_seeds, n_subjects)."""
        return np.stack([fold_numbers(part, len(self.participants)) for part in self.partitions])

    def is_enough(self, target: Target) -> bool:
        """Whether a target that has lost subjects can still be predicted."""
        if target.known.sum() < self.settings.min_subjects:
            return False
        if not target.is_classification:
            return bool(np.ptp(target.values[target.known]) > 0)
        members = [self.groups[target.values == k] for k in range(len(target.classes))]
        return all(len(np.unique(of_class)) >= self.settings.n_splits for of_class in members)


def read_design(
    participants: pd.DataFrame, settings: PredictionSettings
) -> tuple[Design | None, list[str]]:
    """Read the targets and part the subjects into folds.

    Parameters
    ----------
    participants : pandas.DataFrame
        One row a subject.
    settings : PredictionSettings

    Returns
    -------
    design : Design or None
        None where no target is known of enough subjects.
    left_out : list of str
        Sentences about targets left out because too few subjects are known.

    Raises
    ------
    UnfitRecordingError
        If a column is unknown, has one class, or a class too small for the folds.
    """
    left_out, enough = [], []
    for target in [read_target(name, participants, settings) for name in settings.targets]:
        n_known = int(target.known.sum())
        if n_known >= settings.min_subjects:
            enough.append(target)
        else:
            left_out.append(
                f"{target.name} is known of {n_known} subjects, fewer than "
                f"{settings.min_subjects}: not predicted."
            )
    if not enough:
        return None, left_out
    groups = split_groups(participants, settings)
    parts = partitions(enough, groups, settings)
    return Design(settings, participants, enough, np.array(groups), parts), left_out


def partitions(
    targets: Sequence[Target], groups: Sequence[str], settings: PredictionSettings
) -> Partitions:
    """Part the subjects into folds, once a seed, stratified by all class targets at once.

    Parameters
    ----------
    targets : sequence of Target
    groups : sequence of str of length n_subjects
        See `split_groups`.
    settings : PredictionSettings

    Raises
    ------
    UnfitRecordingError
        If there are fewer groups than folds.
    """
    columns = [t.values.tolist() for t in targets if t.is_classification]
    strata = joint_strata(columns, n_splits=settings.n_splits, groups=list(groups))
    return [
        grouped_folds(groups, strata, n_splits=settings.n_splits, seed=seed)
        for seed in settings.seeds
    ]
