"""Partitions into training and test data that keep what belongs together on one side.

Samples of one subject (or one family) share far more than the label that is predicted, and
neighbouring time points are nearly copies of each other. Random splits of such samples measure
memory, not prediction (Varoquaux et al. 2017; Saeb et al. 2017).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from neuropipe.errors import UnfitRecordingError

__all__ = [
    "Fold",
    "fold_numbers",
    "grouped_folds",
    "joint_strata",
    "leave_one_run_out",
    "time_blocks",
]


class Fold(NamedTuple):
    """Positions of the training and the test samples, both sorted."""

    train: np.ndarray
    test: np.ndarray


def grouped_folds(
    groups: Sequence[str] | np.ndarray,
    labels: Sequence[object] | np.ndarray | None = None,
    *,
    n_splits: int = 5,
    seed: int = 0,
) -> list[Fold]:
    """Part samples into folds so that no group stands on both sides.

    Parameters
    ----------
    groups : sequence of length n_samples
        Subject (or family) of every sample.
    labels : sequence of length n_samples, optional
        Classes whose shares the folds keep; None leaves the folds unstratified (regression).
    n_splits : int
        Number of folds, at least 2.
    seed : int
        The same seed gives the same folds.

    Returns
    -------
    list of Fold
        Every sample is tested exactly once.

    Raises
    ------
    UnfitRecordingError
        If there are fewer groups than folds, only one class, or a class found in fewer groups than
        folds.
    """
    from sklearn.model_selection import GroupKFold, StratifiedGroupKFold

    names = np.asarray([str(group) for group in groups])
    n_groups = len(np.unique(names))
    if n_splits < 2 or n_groups < n_splits:
        raise UnfitRecordingError(
            f"{n_groups} independent subjects or families for {n_splits} folds",
            "at least 2 folds and at least as many subjects as folds",
            "lower n_splits or add subjects",
        )
    if labels is None:
        splitter = GroupKFold(n_splits=n_splits, shuffle=True, random_state=seed)
        parts = splitter.split(names, groups=names)
    else:
        classes = _checked_classes(np.asarray([str(label) for label in labels]), names, n_splits)
        splitter = StratifiedGroupKFold(n_splits=n_splits, shuffle=True, random_state=seed)
        parts = splitter.split(names, classes, groups=names)
    folds = [Fold(np.sort(train), np.sort(test)) for train, test in parts]
    if any(len(fold.test) == 0 for fold in folds):
        raise UnfitRecordingError(
            f"one of {n_splits} folds is empty: the groups are too unequal",
            "groups that can be shared out over the folds",
            "lower n_splits",
        )
    return folds


def _checked_classes(labels: np.ndarray, groups: np.ndarray, n_splits: int) -> np.ndarray:
    classes = np.unique(labels)
    if len(classes) < 2:
        raise UnfitRecordingError(
            f"all {len(labels)} samples have the class {classes[0]!r}",
            "at least two classes",
            "choose another target",
        )
    for name in classes:
        n_groups = len(np.unique(groups[labels == name]))
        if n_groups < n_splits:
            raise UnfitRecordingError(
                f"class {str(name)!r} has {n_groups} subjects or families",
                f"at least one for each of {n_splits} folds",
                "lower n_splits, or leave that class or target out",
            )
    return labels


def joint_strata(
    columns: Sequence[Sequence[object]], *, n_splits: int, groups: Sequence[str] | None = None
) -> np.ndarray | None:
    """Combine several class columns into one, so that one partition is stratified for all.

    Parameters
    ----------
    columns : sequence of sequences of length n_samples
        Class of every sample in every column.
    n_splits : int
        Combinations found in fewer groups than this are merged.
    groups : sequence of length n_samples, optional
        Subject or family of every sample; each sample its own by default.

    Returns
    -------
    array of str of shape (n_samples,) or None
        Strata for `grouped_folds`; None where fewer than two remain.
    """
    if not columns:
        return None
    joint = np.array(["|".join(map(str, row)) for row in zip(*columns, strict=True)], dtype=object)
    names = np.arange(len(joint)).astype(str) if groups is None else np.asarray(groups)
    sizes = {label: len(np.unique(names[joint == label])) for label in np.unique(joint)}
    large = [label for label in sizes if sizes[label] >= n_splits]
    rare = ~np.isin(joint, large)
    joint[rare] = "*"
    # Too few rare ones to form a stratum of their own join the largest.
    if 0 < len(np.unique(names[rare])) < n_splits and large:
        joint[rare] = max(large, key=lambda label: sizes[label])
    return joint.astype(str) if len(np.unique(joint)) > 1 else None


def leave_one_run_out(runs: Sequence[object] | np.ndarray) -> list[Fold]:
    """Test on every run in turn and train on the others.

    Parameters
    ----------
    runs : sequence of length n_samples
        Run of every sample.

    Returns
    -------
    list of Fold
        One a run, in the order in which the runs first appear.

    Raises
    ------
    UnfitRecordingError
        If there is only one run.
    """
    names = np.asarray([str(run) for run in runs])
    order = list(dict.fromkeys(names.tolist()))
    if len(order) < 2:
        raise UnfitRecordingError(
            f"{len(order)} run", "at least two runs", "use contiguous time blocks instead"
        )
    return [Fold(np.flatnonzero(names != run), np.flatnonzero(names == run)) for run in order]


def time_blocks(n_times: int, *, n_splits: int = 5, gap: int = 0) -> list[Fold]:
    """Part a series into contiguous test blocks, with a gap left out on either side.

    Parameters
    ----------
    n_times : int
        Number of samples.
    n_splits : int
        Number of test blocks, at least 2.
    gap : int
        Samples left out of the training data before and after the test block; longer than the
        autocorrelation of the signals.

    Returns
    -------
    list of Fold
        Every sample is tested exactly once; the order of time is kept.

    Raises
    ------
    UnfitRecordingError
        If the blocks would be empty or the gap swallows all training data.
    """
    if n_splits < 2 or gap < 0 or n_times < n_splits:
        raise UnfitRecordingError(
            f"{n_times} samples for {n_splits} blocks with a gap of {gap}",
            "at least 2 blocks, a sample a block and a gap from 0 on",
            "lower n_splits or use a longer recording",
        )
    time = np.arange(n_times)
    folds = []
    for block in np.array_split(time, n_splits):
        far = (time < block[0] - gap) | (time > block[-1] + gap)
        folds.append(Fold(time[far], block))
    if any(len(fold.train) == 0 for fold in folds):
        raise UnfitRecordingError(
            f"a gap of {gap} samples in a series of {n_times}",
            "a gap that leaves training data",
            "shorten the gap or use a longer recording",
        )
    return folds


def fold_numbers(folds: Sequence[Fold], n_samples: int) -> np.ndarray:
    """Tell in which fold every sample is tested.

    Parameters
    ----------
    folds : sequence of Fold
    n_samples : int

    Returns
    -------
    array of int of shape (n_samples,)
        -1 where a sample is never tested.
    """
    numbers = np.full(n_samples, -1)
    for number, fold in enumerate(folds):
        numbers[fold.test] = number
    return numbers
